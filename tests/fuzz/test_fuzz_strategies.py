"""Inputs that hypothesis makes up: it looks for the smallest one that breaks a reader."""

import json
import struct

import fuzz_seeds as seeds
import fuzz_targets as targets
import pytest
from bounds import little_taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch.formats.kmall_header import frame_datagram

BY_NAME = {target.name: target for target in targets.TARGETS}
QUICK = settings(max_examples=60, deadline=None,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

words = st.sampled_from([0, 1, 2, 12, 16, 20, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF])
u16 = words | st.integers(0, 0xFFFF)
u8 = st.integers(0, 255)
f32 = st.floats(width=32)


def held_to_its_word(name, data):
    """Run an input; the reader may refuse it with its own errors, in time, in little memory."""
    target = BY_NAME[name]
    with little_taken(memory_mb=target.memory_mb, cpu_s=target.cpu_s):
        try:
            target.run(data)
        except target.allowed:
            return


@st.composite
def water_columns(draw):
    """An #MWC that is right in its framing and arbitrary in all that it says of itself."""
    common = struct.pack("<HHBBBBBBBB", draw(st.just(12) | u16), draw(u16), *draw(
        st.tuples(u8, u8, u8, u8, u8, u8, u8, u8)))
    sectors = draw(st.integers(0, 3) | u16)
    sender = struct.pack("<HHHhf", draw(st.just(12) | u16), sectors, draw(st.just(16) | u16), 0,
                         draw(f32))
    table = b"".join(struct.pack("<fffHh", draw(f32), draw(f32), 1.0, n, 0)
                     for n in range(min(sectors, 3)))
    beams = draw(st.lists(st.tuples(f32, u16, u16, u16, st.integers(0, 6) | u16), max_size=4))
    receiver = struct.pack(
        "<HHBBBbff", draw(st.just(16) | u16), draw(st.just(len(beams)) | u16),
        draw(st.sampled_from([12, 16]) | u8), draw(st.integers(0, 2) | u8), 30, 0, draw(f32),
        draw(f32))
    runs = b"".join(struct.pack("<fHHHH", *beam) + draw(st.binary(max_size=8)) for beam in beams)
    count = draw(st.just(1) | u16)
    body = struct.pack("<HH", count, draw(st.just(1) | u16)) + common + sender + table
    return frame_datagram("#MWC", seeds.START, body + receiver + runs, sounder="em304",
                          version=draw(st.integers(0, 3)))


@st.composite
def attitudes(draw):
    """An #SKM with any numbers in its rows, and sizes that may be wrong."""
    rows = draw(st.lists(st.lists(f32, min_size=5, max_size=5), max_size=3))
    info = struct.pack("<HBBHHHH", draw(st.just(12) | u16), 0, 1, 1,
                       draw(st.just(len(rows)) | u16), draw(st.just(132) | u16), draw(u16))
    samples = b"".join(
        struct.pack("<4sHHIIIddfffff", b"#KMB", 132, 1, draw(st.integers(0, 2**32 - 1)), 0,
                    draw(u16), 45.0, -130.0, *row[:5]).ljust(132, b"\0") for row in rows)
    return frame_datagram("#SKM", seeds.START, info + samples, sounder="em304", version=1)


@QUICK
@given(water_columns() | attitudes())
def test_datagrams_that_say_anything_of_themselves(data):
    held_to_its_word("kmall-datagram", data)
    held_to_its_word("kmall-parts", data)
    held_to_its_word("kmall-stream", data)
    held_to_its_word("raw-file", b"K" + data)


@QUICK
@given(st.sampled_from("kPAIRU"), st.binary(max_size=120))
def test_older_datagrams_of_any_bytes(kind, body):
    head = bytearray(seeds.em_datagrams()[0][:20])
    head[5] = ord(kind)
    data = targets.with_em_sizes(bytes(head) + body + bytes(3))
    held_to_its_word("em-datagram", data)
    held_to_its_word("raw-file", b"E" + data)


fields = st.text("0123456789.-+NSEWATMKV,", max_size=12) | st.sampled_from(["9" * 400, "", "nan"])


@QUICK
@given(
    st.sampled_from(["GPGGA", "INGNS", "GPRMC", "GPGLL", "GPVTG", "INHDT", "SDDPT", "PSXN",
                     "PASHR", "GPZDA", "P", ""]),
    st.lists(fields, max_size=14), st.booleans(), st.text("\\UdPbCsgn:*,-0A\0", max_size=20),
)
def test_sentences_of_any_fields(address, values, summed, envelope):
    line = f"{envelope}${','.join([address, *values])}*00\r\n".encode()
    held_to_its_word("sentence", targets.with_checksum(line) if summed else line)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([1e308, 10**400, "2026-03-04T05:06:07Z", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=8,
)


@QUICK
@given(st.dictionaries(st.sampled_from(list(json.loads(seeds.sidecars()[1]))), values, max_size=4))
def test_sidecars_with_anything_in_their_fields(changes):
    body = json.loads(seeds.sidecars()[1]) | changes
    held_to_its_word("sidecar", json.dumps(body).encode("utf-8", "surrogatepass"))


@QUICK
@given(st.dictionaries(st.sampled_from(["verb", "after", "limit", "id", "event_id", "verdict"]),
                       values | st.sampled_from(["replay", "snapshot", "review", "rejected"])))
def test_questions_with_anything_in_them(question):
    held_to_its_word("request", json.dumps(question).encode())


@QUICK
@given(st.recursive(st.text(max_size=6) | st.floats() | st.integers() | st.none(),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["sources", "raw", "path", "name", "alerts",
                                                       "tracker", "rescan_s", "port"]), inner,
                                      max_size=3), max_leaves=9))
def test_settings_of_any_shape(content):
    held_to_its_word("settings", json.dumps(content).encode())


@QUICK
@given(st.integers(0, 200), st.integers(0, 200), st.sampled_from([1, 2, 4, 8, 16, 255]),
       st.integers(0, 7), st.integers(0, 2), st.binary(max_size=60))
def test_png_headers_that_say_anything(width, height, bits, colour, lace, rows):
    pytest.importorskip("cv2")
    pytest.importorskip("PIL")
    import zlib

    import picture_seeds as pictures

    made = (pictures.MAGIC + pictures.header(width, height, bits=bits, colour=colour, lace=lace)
            + pictures.chunk(b"IDAT", zlib.compress(rows)) + pictures.chunk(b"IEND", b""))
    held_to_its_word("picture", made)
