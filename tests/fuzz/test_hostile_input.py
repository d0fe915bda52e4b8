"""What fuzzing and reading the readers found, each as a test of its own."""

import itertools
import json
import random
import struct
from contextlib import closing, suppress
from datetime import UTC, datetime

import fuzz_seeds as seeds
import numpy as np
import pytest
from bounds import little_taken
from fuzz_targets import run_stream, with_em_sizes, with_kmall_sizes

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.formats import em, kmall, nmea
from sonar_watch.formats.datagrams import Datagram, LineContext
from sonar_watch.formats.kmall_header import BODY, frame_datagram
from sonar_watch.formats.kmall_setup import encode_text
from sonar_watch.formats.rawfile import RawFile
from sonar_watch.formats.sidecar import read_sidecar
from sonar_watch.records import Quarantined, WaterColumnPing
from sonar_watch.settings.reading import parse_settings

SOUNDER = "em710-210"
RECEIVED = datetime(2026, 3, 4, 0, 0, 0, 285_000, tzinfo=UTC)


def decode_kmall(data, context=None):
    decoder = kmall.KmallDecoder(source="x", file="x", context=context or LineContext())
    return decoder.decode(Datagram(kind=data[4:8].decode(), data=data, offset=0))


def decode_em(*several, context=None):
    decoder = em.EmDecoder(source="x", file="x", context=context or LineContext())
    found = []
    for data in several:
        found += decoder.decode(Datagram(kind=chr(data[5]), data=data, offset=0))
    return found


def water_column(beams, *, sectors=1, heave_m=0.0):
    """Return an #MWC whose beams have these numbers of samples."""
    common = struct.pack("<HHBBBBBBBB", 12, 1, 1, 0, 1, 0, 0, 0, 1, 0)
    sender = struct.pack("<HHHhf", 12, sectors, 16, 0, heave_m)
    table = b"".join(struct.pack("<fffHh", 0.0, 3e4, 1.0, n, 0) for n in range(sectors))
    receiver = struct.pack("<HHBBBbff", 16, len(beams), 12, 0, 30, 0, 2000.0, 1500.0)
    runs = b"".join(struct.pack("<fHHHH", 0.0, 0, 0, 0, n) + bytes(n) for n in beams)
    body = struct.pack("<HH", 1, 1) + common + sender + table + receiver + runs
    return frame_datagram("#MWC", seeds.START, body, sounder="em304", version=0)


def test_one_long_beam_among_thousands_does_not_fill_the_memory():
    data = water_column([65_000] + [0] * 4000)
    assert len(data) < 120_000
    with little_taken(memory_mb=16), pytest.raises(FormatError, match="expected at most 33554432"):
        decode_kmall(data)
    (largest,) = decode_kmall(water_column([24_000] * 512))
    assert largest.samples_half_db.shape == (512, 24_000)


def test_one_long_beam_among_thousands_in_the_older_format():
    head = struct.pack("<HHHHHHIhBbB3x", 1, 1, 1, 4001, 4001, 15_000, 200_000, 0, 30, 0, 0)
    beams = [65_000] + [0] * 4000
    runs = b"".join(struct.pack("<hHHHBB", 0, 0, n, 0, 0, 0) + bytes(n) for n in beams)
    data = seeds.em_datagrams()[0][:20] + head + struct.pack("<hHBB", 0, 3000, 0, 0) + runs
    with little_taken(memory_mb=16), pytest.raises(FormatError, match="expected at most 33554432"):
        decode_em(with_em_sizes(data + bytes(3)))


def test_thousands_of_transmit_sectors_are_refused():
    assert len(decode_kmall(water_column([4] * 3, sectors=256))) == 1
    with pytest.raises(FormatError, match="impossible 2000 transmit sectors"):
        decode_kmall(water_column([4] * 3, sectors=2000))


@pytest.mark.parametrize("heave_m", [float("nan"), float("inf"), -1e30, 101.0])
def test_no_ship_heaves_like_that(heave_m):
    with pytest.raises(FormatError, match="impossible heave"):
        decode_kmall(water_column([4], heave_m=heave_m))
    with pytest.raises(FormatError, match="impossible heave"):
        decode_kmall(kmall.encode_che(seeds.START, 1, heave_m, sounder="em304"))


@pytest.mark.parametrize("number", ["1e300", "-1e300", "inf", "nan", "9" * 400, "10001"])
def test_no_ship_is_that_large(number):
    context = LineContext()
    text = f"TRAI_TX1:X={number};Y=1;Z={number};S=1,TRAI_RX1:X=0;Y={number},EMXI:SWLZ={number},"
    decode_kmall(encode_text("#IIP", seeds.START, text, sounder="em304"), context)
    assert (context.mounting.lever_forward_m, context.mounting.lever_starboard_m) == (0.0, 0.0)
    assert context.mounting.depth_m == 0.0


@pytest.mark.parametrize(("date", "milliseconds"), [
    (10101, 0), (99991231, 86_400_500), (19691231, 0), (21060101, 0),
])
def test_dates_of_no_sounder_are_refused(date, milliseconds):
    """A sentence three seconds later would lie before the first of all years."""
    body = struct.pack("<iiHHHHBB", 900_000_000, 5, 9, 0, 0, 0, 0xC1, 24) + b"GGA,000003.00,..."
    data = bytearray(em.encode_r(seeds.START, sounder=SOUNDER)[:20] + body + bytes(3))
    data[5] = ord("P")
    struct.pack_into("<II", data, 8, date, milliseconds)
    with pytest.raises(FormatError, match="expected a year of 1970 to 2105"):
        decode_em(with_em_sizes(bytes(data)))


def test_datagrams_that_wait_for_others_are_bounded(monkeypatch):
    """A broken count asks for 65,535 datagrams of a swath: the memory is not theirs."""
    monkeypatch.setattr(em, "_MOST_BYTES", 1 << 20)
    part = bytearray(seeds.em_datagrams()[0])
    decoder = em.EmDecoder(source="x", file="x", context=LineContext())
    lost = []
    for number in range(1, 61):
        struct.pack_into("<HH", part, BODY, 0xFFFF, number)
        data = with_em_sizes(bytes(part[:-3]) + bytes(50_000))
        lost += decoder.decode(Datagram(kind="k", data=data, offset=number))
        assert decoder._waiting_bytes <= 1 << 20
    assert [type(item) for item in lost] == [Quarantined] * 2
    assert "of its 65535" in lost[0].reason
    assert len(decoder.flush()) == 1
    assert decoder._waiting_bytes == 0


def test_a_size_of_a_hundred_megabytes_is_not_believed(tmp_path):
    path = tmp_path / "0001.kmall"
    sound = seeds.kmall_datagrams()[6]
    with path.open("wb") as file:  # sparse: takes no room on the disk
        file.write(struct.pack("<I4s", 120_000_000, b"#SPO") + sound[8:24] + sound)
        file.truncate(150_000_000)
    with closing(RawFile(path, source="x", context=LineContext())) as raw:
        with little_taken(memory_mb=16, cpu_s=10):
            found = raw.finish()
        assert raw.offset == 150_000_000
    assert [getattr(item, "sensor", "") for item in found] == ["", "spo", ""]
    assert "expected the size 120000000 again" in found[0].reason


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("length", range(24, 44))
def test_parts_that_are_too_short_are_given_up_in_peace(version, length):
    data = bytearray(kmall.split_datagram(seeds.kmall_datagrams()[0], 160)[0][:length].ljust(44))
    data[8] = version
    struct.pack_into("<HH", data, BODY, 5, 1)
    run_stream(with_kmall_sizes(bytes(data[:length])))


@pytest.mark.parametrize("sentence", [
    "$GPGGA,000000,4500.0,N,13000.0,W," + "9" * 400 + ",09,0.9",
    "$GPGGA,000000,4500.0,N,13000.0,W,2,09," + "9" * 400,
    "$GPGGA,000000," + "9" * 400 + ",N,13000.0,W,2,09,0.9", "$INHDT," + "9" * 400 + ",T",
    "$SDDPT," + "9" * 400 + ",", "$PSXN,23," + "9" * 400 + ",1,2,3",
    "$GPVTG,,T,,M,,N," + "9" * 400 + ",K", "$GPZDA,000000,1,1," + "9" * 400 + ",00,00",
])
def test_numbers_without_end_are_refused(sentence):
    with suppress(FormatError):
        nmea.read_clock(sentence, RECEIVED)
    if "ZDA" not in sentence:
        with pytest.raises(FormatError, match="expected a number"):
            nmea.parse_sentence(sentence, RECEIVED)


def test_a_signalling_nan_is_no_warning():
    signalling = struct.pack("<I", 0x7FA00000)
    profile = bytearray(seeds.kmall_datagrams()[8])
    profile[52:56] = signalling
    with suppress(FormatError):
        decode_kmall(bytes(profile))
    attitude = bytearray(seeds.kmall_datagrams()[7])
    at = attitude.index(struct.pack("<f", -1.25))
    attitude[at : at + 4] = signalling
    assert isinstance(decode_kmall(bytes(attitude))[-1], Quarantined)


@pytest.mark.parametrize("text", [
    "data_dir: 2024-13-45", "log_level: !!int abc", "log_level: !!bool maybe",
    "log_level: !!int ''", "log_level: !!timestamp x", "log_level: " + "9" * 5000,
    "log_level: !!float '::'", "[" * 2000, "{a: " * 2000, "- " * 2000,
    "data_dir: !!pairs [{[a]: b}]", 'data_dir: "a\\0b"', "sources: &a [*a]",
    "sources: {raw: &a {path: x}, images: [*a]}", "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]",
    "data_dir: &a x\nlog_level: *a",
])
def test_settings_that_are_no_plain_yaml_are_refused_by_line(text):
    with little_taken(cpu_s=5), pytest.raises(ConfigurationError, match=r"line \d"):
        parse_settings(text)


def test_settings_of_a_few_lines_do_not_become_a_billion_values():
    names = "abcdefghijklmnop"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]"
              for old, new in itertools.pairwise(names)]
    with little_taken(), pytest.raises(ConfigurationError, match=r"(?s)alias \*a: .*line 2"):
        parse_settings("\n".join(lines))


@pytest.mark.parametrize(("key", "value"), [
    ("across_track_m", [0.0, 1e-308]), ("depth_m", [0.0, 1e-308]), ("heading_deg", 1e300),
    ("pitch_deg", 1e300), ("heave_m", -1e15), ("position_sigma_m", -1.0), ("ping_counter", 2**70),
    ("swath", -1), ("transducer_depth_m", 1e308), ("minimum_slant_range_m", 1e308),
    ("seabed_depth_m", [800.0, None, 1e300, 1.0]), ("sector_edges_deg", [1e9]),
])
def test_numbers_of_no_ship_in_a_sidecar_are_refused(tmp_path, key, value):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(json.loads(seeds.sidecars()[1]) | {key: value}))
    with pytest.raises(FormatError, match=f"a.json: {key}: expected"):
        read_sidecar(path)


@pytest.mark.parametrize(("key", "value"), [
    ("time_offset_s", ".nan"), ("time_offset_s", ".inf"), ("apex_depth_m", "-.inf"),
    ("time_pattern", "'%Y%Y'"), ("lever_forward_m", ".nan"),
])
def test_calibrations_that_fail_later_are_refused_at_once(key, value):
    """Python's own strptime knows no letter twice, and no time is so far away."""
    edges = "across_track_m: [-1, 1], depth_m: [0, 1]"
    text = f"sources: {{images: [{{path: x, calibration: {{{edges}, {key}: {value}}}}}]}}"
    with pytest.raises(ConfigurationError, match=f"line 1: .*{key}: expected"):
        parse_settings(text)


def test_any_bytes_in_a_growing_file_are_used_up(tmp_path):
    """Noise, and noise between sound datagrams: everything sound is found, nothing is stuck."""
    dice = random.Random(7)
    for suffix, datagrams in ((".kmwcd", seeds.kmall_datagrams()), (".wcd", seeds.em_datagrams())):
        path = tmp_path / f"0001{suffix}"
        pieces = [piece for sound in datagrams for piece in (dice.randbytes(300), sound)]
        path.write_bytes(b"".join(pieces))
        with closing(RawFile(path, source="x", context=LineContext())) as raw:
            found = raw.finish()
            assert raw.offset == path.stat().st_size
        assert sum(isinstance(item, WaterColumnPing) for item in found) >= 1
        assert np.sum([isinstance(item, Quarantined) for item in found]) >= len(datagrams)
