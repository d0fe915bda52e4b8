"""RawFile: whole, growing, cut and damaged files give all that is sound, once, and no more."""

import struct
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch.errors import FormatError
from sonar_watch.formats import em, kmall
from sonar_watch.formats.rawfile import (
    RAW_SUFFIXES,
    LineContext,
    RawFile,
    is_water_column,
    line_name,
    twin_of,
)
from sonar_watch.records import NavigationSample, Quarantined, WaterColumnPing

KMALL, EM = ".kmwcd", ".wcd"
SAME_FOLDER = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def open_raw():
    """Return a way to open raw files that closes them in the end."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(
            closing(RawFile(path, source="test", context=LineContext()))
        )


@pytest.fixture(scope="module")
def lines(make_ping, make_navigation, mounting, profile, start_utc):
    """Return the datagrams of a small line in both families."""
    pings = [make_ping(counter, beams=12, samples=30) for counter in range(4)]
    split = kmall.split_datagram(kmall.encode_mwc(pings[2]), 200)
    newer = [
        kmall.encode_iip(start_utc, mounting, sounder="em304"),
        kmall.encode_svp(start_utc, profile, sounder="em304"),
        kmall.encode_mwc(pings[0]),
        kmall.encode_spo(make_navigation("spo", rows=1), sounder="em304"),
        kmall.encode_mwc(pings[1], version=1),
        *split,
        kmall.encode_skm(make_navigation(rows=5), sounder="em304"),
        kmall.encode_mwc(pings[3]),
    ]
    older = [
        em.encode_i(start_utc, mounting, sounder="em710-210"),
        em.encode_u(start_utc, profile, sounder="em710-210"),
        *(em.encode_k(replace(ping, sounder="em710-210"), largest=1900) for ping in pings[:2]),
        em.encode_p(make_navigation(rows=1), sounder="em710-210"),
        *(em.encode_k(replace(ping, sounder="em710-210"), largest=1900) for ping in pings[2:]),
        em.encode_a(make_navigation(rows=5), sounder="em710-210"),
    ]
    return {KMALL: newer, EM: older}


def told(items):
    """Return what identifies items, for comparison."""
    return [
        (item.frame_id, item.samples_half_db.tobytes(), item.transducer_depth_m, item.source)
        if isinstance(item, WaterColumnPing)
        else (item.sensor, item.time_s.tobytes()) if isinstance(item, NavigationSample)
        else (item.source, item.reason)
        for item in items
    ]


def pings_of(items):
    return [item for item in items if isinstance(item, WaterColumnPing)]


def lost_of(items):
    return [item for item in items if isinstance(item, Quarantined)]


def write(folder: Path, data: bytes, suffix: str) -> Path:
    path = folder / f"0001_20260304_050607_Ship{suffix}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_a_whole_line_is_read(tmp_path, lines, read_all, mounting, suffix):
    items = read_all(write(tmp_path, b"".join(lines[suffix]), suffix))
    assert [ping.ping_counter for ping in pings_of(items)] == [0, 1, 2, 3]
    assert lost_of(items) == []
    assert len(items) == 6
    assert pings_of(items)[0].lever_forward_m == mounting.lever_forward_m
    offsets = [ping.source.offset for ping in pings_of(items)]
    assert offsets == sorted(offsets)
    assert {ping.source.file for ping in pings_of(items)} == {f"0001_20260304_050607_Ship{suffix}"}


@pytest.mark.parametrize("suffix", [KMALL, EM])
@pytest.mark.parametrize("step", [1, 7, 64, 1000])
def test_a_growing_file_gives_the_same(open_raw, tmp_path, lines, read_all, suffix, step):
    data = b"".join(lines[suffix])
    whole = read_all(write(tmp_path, data, suffix))
    path = write(tmp_path, b"", suffix + "_frag")
    raw = open_raw(path)
    items = []
    with path.open("ab", buffering=0) as writer:
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            items += raw.read()
    assert told(items) == told(whole)
    assert raw.finish() == []


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_datagrams_come_as_soon_as_they_are_complete(open_raw, tmp_path, lines, suffix):
    path = write(tmp_path, b"", suffix)
    raw = open_raw(path)
    with path.open("ab", buffering=0) as writer:
        for datagram in lines[suffix]:
            writer.write(datagram[:-1])
            assert pings_of(raw.read()) == [] or suffix == EM
            writer.write(datagram[-1:])
            raw.read()
            assert raw.offset == path.stat().st_size


def test_few_swaths_come_at_a_time(open_raw, tmp_path, lines):
    path = write(tmp_path, b"".join(lines[KMALL]), KMALL)
    raw = open_raw(path)
    found = [len(pings_of(raw.read(max_pings=1))) for _ in range(6)]
    assert found == [1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_done_swaths_are_skipped(tmp_path, lines, read_all, suffix):
    path = write(tmp_path, b"".join(lines[suffix]), suffix)
    everything = pings_of(read_all(path))
    done = {ping.frame_id for ping in everything[1:3]}
    rest = pings_of(read_all(path, is_done=done.__contains__))
    assert told(rest) == told([everything[0], everything[3]])
    assert pings_of(read_all(path, water_column=False)) == []


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_a_cut_end_waits_and_is_told_when_the_file_is_finished(open_raw, tmp_path, lines, suffix):
    data = b"".join(lines[suffix])
    raw = open_raw(write(tmp_path, data[:-5], suffix))
    assert lost_of(raw.read()) == []
    assert raw.read() == []
    (lost,) = raw.finish()
    assert isinstance(lost, Quarantined)
    assert lost.source.offset == len(data) - len(lines[suffix][-1])
    assert f"0001_20260304_050607_Ship{suffix} at byte" in lost.reason
    assert raw.finish() == []


@settings(max_examples=60, deadline=None, suppress_health_check=SAME_FOLDER)
@given(suffix=st.sampled_from([KMALL, EM]), keep=st.floats(0, 1))
def test_any_cut_keeps_what_came_before(tmp_path, lines, read_all, suffix, keep):
    data = b"".join(lines[suffix])
    whole = read_all(write(tmp_path, data, suffix))
    items = read_all(write(tmp_path, data[: int(keep * len(data))], suffix))
    sound = [item for item in items if not isinstance(item, Quarantined)]
    assert told(sound) == told(whole)[: len(sound)]
    assert len(lost_of(items)) <= 2  # the cut datagram, and the swath that waited for it


@settings(max_examples=100, deadline=None, suppress_health_check=SAME_FOLDER)
@given(suffix=st.sampled_from([KMALL, EM]), place=st.floats(0, 1, exclude_max=True),
       value=st.integers(1, 255), step=st.sampled_from([0, 300]))
def test_flipped_bits_cost_one_datagram(tmp_path, lines, read_all, suffix, place, value, step):
    data = bytearray(b"".join(lines[suffix]))
    whole = read_all(write(tmp_path, bytes(data), suffix))
    data[int(place * len(data))] ^= value
    items = grow(tmp_path, bytes(data), suffix, step) if step else read_all(
        write(tmp_path, bytes(data), suffix)
    )
    assert len(lost_of(items)) <= 2
    if suffix == EM:  # these datagrams have a checksum: no damage gets through
        assert len(items) - len(lost_of(items)) >= len(whole) - 1


def grow(folder, data, suffix, step):
    """Return what a file gives that grows step by step and is finished in the end."""
    path = write(folder, b"", suffix)
    items = []
    with (
        path.open("ab", buffering=0) as writer,
        closing(RawFile(path, source="test", context=LineContext())) as raw,
    ):
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            items += raw.read()
        items += raw.finish()
    return items


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_rubbish_between_datagrams_is_skipped(tmp_path, lines, read_all, suffix):
    rubbish = np.random.default_rng(3).integers(0, 256, 5000).astype(np.uint8).tobytes()
    first, rest = lines[suffix][:4], lines[suffix][4:]
    data = b"".join(first) + rubbish + b"".join(rest)
    items = read_all(write(tmp_path, data, suffix))
    assert len(pings_of(items)) == 4
    (lost,) = lost_of(items)
    assert lost.source.offset == len(b"".join(first))
    assert "5000 bytes skipped" in lost.reason
    assert told(grow(tmp_path, data, suffix, 333)) == told(items)


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_a_length_too_large_does_not_hide_the_rest(open_raw, tmp_path, lines, suffix):
    """A growing file with a broken length must not wait for gigabytes."""
    data = bytearray(b"".join(lines[suffix]))
    start = len(b"".join(lines[suffix][:2]))
    data[start + 2] ^= 0x04  # 256 kB more
    raw = open_raw(write(tmp_path, bytes(data), suffix))
    items = raw.read()
    assert [ping.ping_counter for ping in pings_of(items)] == [1, 2, 3]
    (lost,) = lost_of(items)
    assert lost.source.offset == start


@pytest.mark.parametrize("suffix", [KMALL, EM])
def test_a_file_whose_size_runs_ahead_of_its_bytes_is_waited_for(open_raw, tmp_path, lines, suffix):
    data = b"".join(lines[suffix])
    path = write(tmp_path, b"", suffix)
    raw = open_raw(path)
    items = []
    cuts = (len(data) // 3, len(data) - 10, len(data) - 2, len(data))
    with path.open("r+b", buffering=0) as writer:
        for written in cuts:
            writer.seek(0)
            writer.write(data[:written] + bytes(len(data) - written))
            items += raw.read()
    assert len(pings_of(items)) == 4
    assert lost_of(items) == []


def test_an_empty_or_tiny_file_waits(open_raw, tmp_path):
    raw = open_raw(write(tmp_path, b"", KMALL))
    assert raw.read() == raw.finish() == []
    raw = open_raw(write(tmp_path, b"\x10\x00", KMALL))
    assert raw.read() == []
    (lost,) = raw.finish()
    assert "2 bytes" in lost.reason


def test_a_file_of_something_else_is_told_once(tmp_path, read_all):
    items = read_all(write(tmp_path, b"%PDF-1.4 " * 500, EM))
    assert len(items) == 1
    assert "expected" in items[0].reason


@pytest.mark.parametrize(("name", "twin"), [
    ("a.kmwcd", "a.kmall"), ("a.kmall", "a.kmwcd"), ("a.wcd", "a.all"), ("a.all", "a.wcd"),
    ("a.kmwcd_frag", "a.kmall_frag"), ("b.c.all_frag", "b.c.wcd_frag"), ("A.ALL", "A.WCD"),
])
def test_twins(name, twin):
    assert twin_of(Path("folder") / name) == Path("folder") / twin
    assert is_water_column(Path(name)) is not is_water_column(Path(twin))


def test_suffixes():
    assert {".kmall", ".wcd_frag"} < RAW_SUFFIXES
    assert len(RAW_SUFFIXES) == 8
    assert line_name(Path("x/0001.kmwcd_frag")) == "0001.kmwcd"
    with pytest.raises(FormatError, match=r"picture\.png"):
        twin_of(Path("picture.png"))


def test_pings_of_a_line_being_written_are_those_of_the_finished_line(tmp_path, lines, read_all):
    data = b"".join(lines[KMALL])
    live = read_all(write(tmp_path, data, KMALL + "_frag"))
    assert told(live) == told(read_all(write(tmp_path, data, KMALL)))


def test_a_sensor_that_has_failed_is_told_a_few_times_and_counted(
    open_raw, tmp_path, lines, make_navigation
):
    broken = bytearray(kmall.encode_spo(make_navigation("spo", rows=1), sounder="em304"))
    struct.pack_into("<dd", broken, 20 + 8 + 12, float("nan"), float("nan"))
    path = write(tmp_path, bytes(broken) * 40 + b"".join(lines[KMALL]), KMALL)
    raw = open_raw(path)
    items = raw.read() + raw.finish()
    lost = lost_of(items)
    assert len(lost) == 5
    assert lost[1].reason.startswith(f"{path.name} at byte {len(broken)}: #SPO: expected")
    assert lost[1].source.offset == len(broken)
    assert "counted, not told" in lost[4].reason
    assert raw.broken == 40
    assert len(pings_of(items)) == 4


def test_every_lost_swath_is_told(open_raw, tmp_path, make_ping):
    broken = bytearray(kmall.encode_mwc(make_ping(beams=9, samples=20)))
    receiver = 20 + 4 + 12 + 12 + 16 * 3
    struct.pack_into("<f", broken, receiver + 8, float("nan"))
    raw = open_raw(write(tmp_path, bytes(broken) * 9, KMALL))
    assert len(lost_of(raw.read())) == raw.broken == 9
