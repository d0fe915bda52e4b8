"""What is fuzzed, what each reader may raise, and its share of the million inputs."""

from __future__ import annotations

import atexit
import itertools
import math
import random
import shutil
import struct
import tempfile
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import fuzz_seeds as seeds
import numpy as np
import real_seeds
from fuzzing import Target

from sonar_watch.alerts.answers import Answerer
from sonar_watch.alerts.asking import unpack_answer
from sonar_watch.alerts.following import Following
from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.alerts.wire import unpack, unpack_object
from sonar_watch.errors import (
    ConfigurationError,
    FormatError,
    GeometryError,
    ImageError,
    NavigationError,
    WireError,
)
from sonar_watch.formats import nmea
from sonar_watch.formats.datagrams import Datagram, Decoder, LineContext, RawItem
from sonar_watch.formats.em import EmDecoder
from sonar_watch.formats.em_header import EmFraming, checksum
from sonar_watch.formats.kmall import KmallDecoder
from sonar_watch.formats.kmall_header import KmallFraming
from sonar_watch.formats.rawfile import RawFile
from sonar_watch.formats.sidecar import read_sidecar
from sonar_watch.formats.svp import read_asvp
from sonar_watch.images import image_size, is_whole, read_image
from sonar_watch.records import LineEnd, NavigationSample, Quarantined, WaterColumnPing
from sonar_watch.settings.reading import parse_settings
from sonar_watch.sources.sentences import SentenceReader
from sonar_watch.sources.sounder import SounderStream
from sonar_watch.sources.source import EmptyLedger
from sonar_watch.watercolumn.pictures import normalise

_RECEIVED = datetime(2026, 3, 4, 0, 0, 0, 285_000, tzinfo=UTC)
_ITEMS = (WaterColumnPing, NavigationSample, Quarantined)


@cache
def scratch() -> Path:
    """Return a folder for inputs that are read from files; in memory where there is one."""
    base = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="fuzz", dir=base if base.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def written(name: str, data: bytes) -> Path:
    """Return a file of that name which holds `data`."""
    path = scratch() / name
    path.write_bytes(data)
    return path


def _check_items(items: list[RawItem]) -> None:
    for item in items:
        assert isinstance(item, _ITEMS), type(item)
        if isinstance(item, WaterColumnPing):
            assert item.frame_id
            assert item.samples_half_db.nbytes <= 1 << 25


def _kmall_decoder() -> KmallDecoder:
    return KmallDecoder(
        source="fuzz", file="fuzz", context=LineContext(), is_done=lambda _: False
    )


def run_kmall(data: bytes) -> None:
    _one_datagram(KmallFraming(), _kmall_decoder(), data)


def run_em(data: bytes) -> None:
    decoder = EmDecoder(
        source="fuzz", file="fuzz", context=LineContext(), is_done=lambda _: False
    )
    _one_datagram(EmFraming(), decoder, data)


def _one_datagram(framing: KmallFraming | EmFraming, decoder: Decoder, data: bytes) -> None:
    kind, _ = framing.measure(data[: framing.head_bytes])
    framing.check(data)
    decoder.wants(data[: framing.head_bytes])
    try:
        _check_items(decoder.decode(Datagram(kind=kind, data=data, offset=0)))
    finally:
        _check_items(decoder.flush())


def run_parts(data: bytes) -> None:
    """Parts in any order; the last datagram is the broken end."""
    framing, decoder, parts = KmallFraming(), _kmall_decoder(), []
    while data:
        with suppress(FormatError):
            parts.append((framing.measure(data[:64])[0], data))
        size = struct.unpack("<I", data[:4].ljust(4, b"\0"))[0]
        parts[-1:] = [(kind, part[:size]) for kind, part in parts[-1:]]
        data = data[max(size, 24) :]
    random.Random(len(parts)).shuffle(parts)
    refused = None
    for kind, part in parts:
        try:
            framing.check(part)
            _check_items(decoder.decode(Datagram(kind=kind, data=part, offset=0)))
        except FormatError as error:
            refused = error
    _check_items(decoder.flush())
    if refused:
        raise refused


def run_stream(data: bytes) -> None:
    """Packets of one sounder over the network, then silence until all has been let go."""
    framing = KmallFraming()
    stream = SounderStream(
        source="fuzz", sounder="em304", sender="fuzz", ledger=EmptyLedger(), silent_limit_s=60.0
    )
    now_s = 0.0
    while len(data) >= framing.smallest:
        size = max(struct.unpack("<I", data[:4])[0], framing.smallest)
        with suppress(FormatError):
            kind, _ = framing.measure(data[:64])
            framing.check(data[:size])
            stream.take(kind, data[:size], now_s)
        data, now_s = data[size:], now_s + 0.5
        stream.settle(now_s)
        _check_items([item for item in stream.poll() if not isinstance(item, LineEnd)])
    stream.settle(now_s + 3.0)
    stream.settle(now_s + 99.0)
    assert stream.held == 0


def run_raw_file(data: bytes) -> None:
    """A file that grows in three steps, is read between them, and ends."""
    suffix = ".kmwcd" if data[:1] == b"K" else ".wcd"
    data = data[1:]
    path = written(f"0001{suffix}", b"")
    with closing(RawFile(path, source="fuzz", context=LineContext())) as raw, path.open("ab") as to:
        cuts = (0, len(data) // 3, max(len(data) // 3, len(data) - 7), len(data))
        for start, end in itertools.pairwise(cuts):
            to.write(data[start:end])
            to.flush()
            for _ in range(3):
                _check_items(raw.read())
        _check_items(raw.finish())
        assert raw.offset == len(data), (raw.offset, len(data))


def run_sentence(data: bytes) -> None:
    reader = SentenceReader("fuzz")
    for sentence in nmea.split_datagram(data):
        for item in reader.read(sentence, _RECEIVED, "fuzz"):
            assert isinstance(item, NavigationSample | Quarantined)
    for line in data.decode("ascii", "replace").splitlines():
        with suppress(FormatError):
            nmea.parse_log_line(line)


def run_sidecar(data: bytes) -> None:
    said = read_sidecar(written("sidecar.json", data))
    assert said.frame_id
    said.navigation()
    said.geometry(4, 480)


def run_svp(data: bytes) -> None:
    read_asvp(written("profile.asvp", data))


def run_picture(data: bytes) -> None:
    path = written("picture", data)
    whole = is_whole(path)
    image = read_image(path, max_pixels=250_000)
    assert whole
    width, height = image_size(path)
    assert image.shape[:2] == (height, width)


def run_pixels(data: bytes) -> None:
    """What is in a picture whatever it shows, and wherever its sidecar puts the transducer."""
    (x, y, aspect), size = struct.unpack("<ddd", data[:24].ljust(24, b"\0")), data[24:27]
    height, width, colour = (*size.ljust(3, b"\0"),)
    shape = (1 + height, 1 + width, 3) if colour & 1 else (1 + height, 1 + width)
    pixels = np.frombuffer(data[27:] or b"\0", np.uint8)
    apex = (x, y) if math.isfinite(x) and math.isfinite(y) else None
    aspect = aspect if 1e-5 < aspect < 1e5 else 1.0
    grey = normalise(np.resize(pixels, shape), apex_px=apex, aspect=aspect)
    assert (grey.shape, grey.dtype) == (shape[:2], np.uint8)


def run_settings(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    parse_settings(text)


def run_alert(data: bytes) -> None:
    """What a subscriber does with what is published or answered."""
    frames, following = seeds.cut_frames(data), Following(0, "e")
    following.hear_epoch("e")
    if frames[0].startswith(b"epoch."):
        following.hear_epoch(frames[0][6:].decode(errors="replace"))
    elif len(frames) == 3:
        message = unpack(frames)
        if message.topic == "status.":
            unpack_object(message.body)
            return
        following.take_published(message)
        decode_alert(message.body)
    else:
        header, messages = unpack_answer(frames)
        following.take_answer(str(header.get("epoch")), 3, messages)
        for message in messages:
            decode_alert(message.body)


@cache
def _answerer() -> Answerer:
    journal = Journal(scratch() / "journal.sqlite")
    journal.commit([], [sample_alert(1), sample_alert(2)])
    atexit.register(journal.close)
    # By this clock a second passes whenever it is looked at: nobody asks too often.
    clock = itertools.count()
    return Answerer(journal, lambda: {"state": "running"}, clock=lambda: float(next(clock)))


def run_request(data: bytes) -> None:
    answer = _answerer().answer(data)
    header = unpack_object(answer[0])
    assert isinstance(header["ok"], bool)
    assert header["ok"] or header["error"]


def with_kmall_sizes(data: bytes) -> bytes:
    """Return a datagram that says its size at both ends."""
    size = struct.pack("<I", len(data))
    return size + data[4:-4] + size if len(data) >= 24 else data


def with_part_sizes(data: bytes) -> bytes:
    """Return datagrams one behind the other that each repeat their size at the end."""
    made, at = bytearray(data), 0
    while at + 24 <= len(made):
        size = max(24, min(struct.unpack_from("<I", made, at)[0], len(made) - at))
        made[at : at + 4] = made[at + size - 4 : at + size] = struct.pack("<I", size)
        at += size
    return bytes(made)


def with_em_sizes(data: bytes) -> bytes:
    """Return a datagram with the length, ETX and checksum that its bytes ask for."""
    if len(data) < 24:
        return data
    body = data[4:-3]
    return struct.pack("<I", len(body) + 3) + body + struct.pack("<BH", 3, checksum(body[1:]))


def with_checksum(data: bytes) -> bytes:
    """Return a sentence with its checksum put right."""
    head, star, _ = data.rpartition(b"*")
    if not star:
        return data
    total = 0
    for byte in head[head.rfind(b"$") + 1 :].decode("ascii", "replace").encode():
        total ^= byte
    return head + star + f"{total:02X}\r\n".encode()


_NUMBERS = (b"9" * 400, b"1e400", b"-1", b"NaN", b"Infinity", b"1E308", b"0", b"null", b"true",
            b'""', b"9" * 5000, b"[]", b"{}", b'"\\ud800"')

TARGETS = (
    Target(name="kmall-datagram", seeds=seeds.kmall_datagrams, run=run_kmall,
           allowed=(FormatError,), thousands=200, quick=1500, repair=with_kmall_sizes),
    Target(name="kmall-parts", seeds=seeds.kmall_parts, run=run_parts,
           allowed=(FormatError,), thousands=30, quick=200, repair=with_part_sizes),
    Target(name="kmall-stream", seeds=seeds.kmall_parts, run=run_stream, allowed=(),
           thousands=30, quick=200, repair=with_part_sizes),
    Target(name="em-datagram", seeds=seeds.em_datagrams, run=run_em,
           allowed=(FormatError,), thousands=180, quick=1500, repair=with_em_sizes),
    Target(name="raw-file", seeds=seeds.raw_files, run=run_raw_file, allowed=(),
           thousands=40, quick=150),
    Target(name="sentence", seeds=seeds.sentences, run=run_sentence, allowed=(),
           thousands=200, quick=1500, repair=with_checksum, sound_seeds=False,
           tokens=(b"\\", b"UdPbC\0", b"\\g:1-2-3*00\\", b"$", b"*", b",", b",,,,", b"9" * 400,
                   b"-", b".", b"\xff", b"$GPGGA", b"$PSXN,23,", b"2026-02-30T25:61:61Z ")),
    Target(name="sidecar", seeds=seeds.sidecars, run=run_sidecar,
           allowed=(FormatError, GeometryError, NavigationError), thousands=70, quick=400,
           tokens=(*_NUMBERS, b'"0001-01-01T00:00:00+23:59"', b"[" * 3000, b"\xff", b"-")),
    Target(name="profile", seeds=seeds.svp_files, run=run_svp, allowed=(FormatError,),
           thousands=40, quick=300, tokens=(*_NUMBERS, b"\n", b" ", b"\0", b"\xc2\xa0")),
    Target(name="picture", seeds=lambda: _pictures(), run=run_picture, allowed=(ImageError,),
           thousands=105, quick=800, repair=seeds.with_sums,
           tokens=(b"IHDR", b"IDAT", b"IEND", b"PLTE", b"acTL", b"\xff\xda", b"\xff\xd8",
                   b"\xff\xc2", b"\xff\xc4", b"\xff\xd9", b"\xff\xff")),
    Target(name="pixels", seeds=lambda: _pixels(), run=run_pixels, allowed=(), thousands=5,
           quick=40),
    Target(name="settings", seeds=seeds.configurations, run=run_settings,
           allowed=(ConfigurationError,), thousands=20, quick=60,
           tokens=(*_NUMBERS, b"&a ", b"*a", b"<<: *a", b"!!int ", b"!!float ", b"!!binary ",
                   b"!!timestamp ", b"!!pairs [{[a]: b}]", b"!!set ", b"!!bool ", b"? ", b"[",
                   b"{", b"]", b": ", b"- ", b".nan", b"-.inf", b"2024-13-45", b"~", b'"\\0"',
                   b"|\n", b"\t", b"#", b"\n  ", b"[" * 2000)),
    Target(name="alert", seeds=seeds.alert_messages, run=run_alert, allowed=(WireError,),
           thousands=50, quick=400, tokens=(*_NUMBERS, b"-0001-01-01T00:00:00.000000Z", b"\xff")),
    Target(name="request", seeds=seeds.requests, run=run_request, allowed=(), thousands=30,
           quick=200, tokens=(*_NUMBERS, b'"replay"', b'"snapshot"', b'"after": ', b"[" * 9000)),
)


REAL_TARGETS = (
    Target(name="real-kmall-datagram", seeds=real_seeds.kmall_datagrams, run=run_kmall,
           allowed=(FormatError,), thousands=0, quick=100, repair=with_kmall_sizes),
    Target(name="real-em-datagram", seeds=real_seeds.em_datagrams, run=run_em,
           allowed=(FormatError,), thousands=0, quick=200, repair=with_em_sizes),
    Target(name="real-sentence", seeds=real_seeds.log_lines, run=run_sentence, allowed=(),
           thousands=0, quick=800, repair=with_checksum),
)
"""Beyond the million, where the real files are: their seeds and so their numbers depend on them."""


def _pixels() -> tuple[bytes, ...]:
    from picture_seeds import fans

    return fans()


def _pictures() -> tuple[bytes, ...]:
    from picture_seeds import pictures  # OpenCV and Pillow: only where pictures are

    return pictures()
