"""Raw files as ships really write, copy, replace and lose them."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from privileges import open_folder, without_privileges
from sources_builders import (
    START,
    Clock,
    Ledger,
    append,
    counters,
    drain,
    files,
    line_ends,
    line_name,
    make_ping,
    navigation_bytes,
    passing,
    poll_times,
    refusals,
    swaths,
    water_column_bytes,
)

from sonar_watch.formats.em_water import encode_k
from sonar_watch.formats.kmall_setup import encode_text
from sonar_watch.sources.raw import RawFolderSource, RawOptions

Opener = Callable[..., RawFolderSource]

NAME = line_name(START)
SECOND = START + timedelta(seconds=10)
SECOND_NAME = line_name(SECOND)
LATE = 4_000_000_000
"""Seconds since 1970: beyond what a signed 32-bit clock can say."""


@pytest.fixture
def watch(tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    opened: list[RawFolderSource] = []

    def open_source(path: Path = tmp_path, ledger: Ledger | None = None) -> RawFolderSource:
        chosen = RawOptions(path=path, rescan_s=0.5, poll_events=True)
        opened.append(RawFolderSource(chosen, ledger, clock=clock))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def write_line(folder: Path, *, first: int = 0, name: str = NAME) -> None:
    start = START + timedelta(seconds=first / 2)
    (folder / f"{name}.kmwcd").write_bytes(water_column_bytes(start, 20, first=first))
    (folder / f"{name}.kmall").write_bytes(navigation_bytes(start, 9.9))


def test_a_file_replaced_by_a_longer_one_is_read_on(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    """As rsync does it, once a minute: a new file under the old name."""
    path, data = tmp_path / f"{NAME}.kmwcd", water_column_bytes(START, 12)
    source, items = watch(), []
    for count in range(1, 13):
        part = tmp_path / ".part"
        part.write_bytes(data[: count * len(data) // 12])
        part.rename(path)
        items += passing(source, clock, 1)
    assert counters(items) == list(range(12))
    assert refusals(items) == []


def test_a_file_written_over_with_another_of_the_same_size_is_read_again(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    path = tmp_path / f"{NAME}.kmwcd"
    path.write_bytes(water_column_bytes(START, 5))
    source = watch()
    items = poll_times(source)
    path.write_bytes(water_column_bytes(START + timedelta(seconds=60), 5, first=5))
    items += passing(source, clock, 1)
    assert counters(items) == list(range(10))
    (reason,) = refusals(items)
    assert reason == "written over with something else; read again"


def test_a_file_cut_and_written_again_under_the_reader_loses_nothing(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    path, data = tmp_path / f"{NAME}.kmwcd", water_column_bytes(START, 40)
    path.write_bytes(data)
    source, items = watch(), []
    stop = threading.Event()

    def disturb() -> None:
        chance = Random(1)
        while not stop.is_set():
            with path.open("r+b") as file:
                file.truncate(chance.randrange(len(data)))
            path.write_bytes(data)

    other = threading.Thread(target=disturb)
    other.start()
    try:
        items += passing(source, clock, 60)
    finally:
        stop.set()
        other.join()
    items += passing(source, clock, 70)
    given = counters(items)
    assert sorted(given) == list(range(40))


def test_an_unreadable_file_is_told_once_and_read_when_it_can_be(clock: Clock) -> None:
    with open_folder() as folder:
        write_line(folder)
        path = folder / f"{NAME}.kmwcd"
        path.chmod(0)
        source = RawFolderSource(
            RawOptions(path=folder, rescan_s=0.5, poll_events=True), clock=clock)
        try:
            with without_privileges():
                items = passing(source, clock, 70)
                assert source.counts()["failing"] == 1
                (reason,) = refusals(items)
                assert "Permission denied" in reason
                assert swaths(items) == []
            path.chmod(0o644)
            with without_privileges():
                items += passing(source, clock, 70)
            assert counters(items) == list(range(20))
            assert "failing" not in source.counts()
        finally:
            source.close()


def test_a_file_that_becomes_unreadable_while_it_is_read_is_tried_again(
    clock: Clock,
) -> None:
    with open_folder() as folder:
        path, data = folder / f"{NAME}.kmwcd", water_column_bytes(START, 10)
        path.write_bytes(data[: len(data) // 2])
        path.chmod(0o644)
        source = RawFolderSource(
            RawOptions(path=folder, rescan_s=0.5, poll_events=True), clock=clock)
        try:
            with without_privileges():
                items = poll_times(source)
            path.chmod(0)
            with without_privileges():
                items += passing(source, clock, 100)
            assert source.counts()["failing"] == 1
            append(path, data[len(data) // 2 :])
            path.chmod(0o644)
            with without_privileges():
                items += passing(source, clock, 150)
            assert counters(items) == list(range(10))
            assert len(refusals(items)) == 1
            assert "failing" not in source.counts()
        finally:
            source.close()


def test_what_is_no_file_is_waited_for(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    """Pipes, which would block, links that lead nowhere, and a real input/output error."""
    pipe, link, broken = (tmp_path / f"{name}_{NAME}.kmwcd" for name in ("1", "2", "3"))
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nowhere")
    broken.symlink_to("/proc/self/mem")  # its first byte cannot be read
    source = watch()
    items = passing(source, clock, 70)
    assert swaths(items) == []
    (reason,) = refusals(items)
    assert "Input/output error" in reason
    assert source.counts()["failing"] == 1
    for number, path in enumerate((pipe, link, broken)):
        path.unlink()
        path.write_bytes(water_column_bytes(
            START + timedelta(seconds=5 * number), 10, first=10 * number))
    items += passing(source, clock, 200)
    assert counters(items) == list(range(30))
    assert "failing" not in source.counts()


def test_a_water_column_copied_later_does_not_wait_for_the_next_line_to_end(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_line(tmp_path)
    write_line(tmp_path, first=20, name=SECOND_NAME)
    late, growing = tmp_path / f"{NAME}.kmwcd", tmp_path / f"{SECOND_NAME}.kmwcd"
    kept, rest = late.read_bytes(), growing.read_bytes()
    late.unlink()
    growing.write_bytes(rest[: len(rest) // 2])
    source = watch()
    items = passing(source, clock, 20)
    assert line_ends(items) == [f"raw/em2040-40/{NAME}"]
    assert set(counters(items)) <= set(range(20, 30))
    late.write_bytes(kept)
    items += passing(source, clock, 10)
    assert set(counters(items)) >= set(range(20))
    append(growing, rest[len(rest) // 2 :])
    items += passing(source, clock, 70)
    assert sorted(counters(items)) == list(range(40))


def sounder_file(serial: int, start_s: float, pings: int) -> bytes:
    """Return a KMALL file of one of two sounders of one model."""
    start = START + timedelta(seconds=start_s)
    text = f"OSCV:Empty,EMXV:EM2040P,\nPU_0,\nSN={serial},\n" + 600 * "x"
    head = encode_text("#IIP", start, text, sounder="em2040")
    return head + water_column_bytes(start, pings, first=100 * serial)


@pytest.mark.parametrize("family", ["kmall", "all"])
@pytest.mark.parametrize("together", [True, False], ids=["one folder", "same names"])
def test_two_sounders_of_one_model_are_read_side_by_side(
    tmp_path: Path, watch: Opener, clock: Clock, family: str, together: bool
) -> None:
    suffix = "kmwcd" if family == "kmall" else "wcd"
    paths: list[Path] = []
    contents: list[bytes] = []
    for serial in (1, 2):
        folder = tmp_path if together else tmp_path / str(serial)
        folder.mkdir(exist_ok=True)
        paths.append(folder / f"{NAME}{serial if together else ''}.{suffix}")
        if family == "kmall":
            contents.append(sounder_file(serial, serial / 10, 8))
        else:
            contents.append(b"".join(
                encode_k(make_ping(
                    100 * serial + count, START + timedelta(seconds=serial / 10 + count / 2),
                    f"em710-{serial}"))
                for count in range(8)))
    source, items = watch(), []
    for tenth in range(10):  # both grow
        for path, data in zip(paths, contents, strict=True):
            append(path, data[tenth * len(data) // 10 : (tenth + 1) * len(data) // 10])
        items += passing(source, clock, 1)
    items += passing(source, clock, 10)
    assert sorted(counters(items)) == [*range(100, 108), *range(200, 208)]
    assert line_ends(items) == []  # neither had to wait for the end of the other
    items += passing(source, clock, 100)
    assert refusals(items) == []
    assert len(line_ends(items)) == len(set(line_ends(items))) == 2


def test_twins_of_two_sounders_find_each_other_by_serial_number(tmp_path: Path) -> None:
    for serial in (1, 2):
        for kind in ("kmwcd", "kmall"):
            folder = tmp_path / f"{kind}{serial}"
            folder.mkdir()
            data = sounder_file(serial, serial / 10, 8 if kind == "kmwcd" else 0)
            data += navigation_bytes(START, 9) if kind == "kmall" else b""
            (folder / f"{NAME}.{kind}").write_bytes(data)
    items = drain(RawFolderSource(RawOptions(path=tmp_path), live=False))
    assert len(swaths(items)) == 16
    assert refusals(items) == []
    assert len(line_ends(items)) == 2


def test_a_sounder_whose_clock_is_put_back_loses_nothing(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_line(tmp_path)
    source = watch()
    items = passing(source, clock, 3)
    earlier = START - timedelta(hours=1)
    (tmp_path / f"{line_name(earlier)}.kmwcd").write_bytes(
        water_column_bytes(earlier, 10, first=20))
    (tmp_path / f"{line_name(earlier)}.kmall").write_bytes(navigation_bytes(earlier, 9))
    items += passing(source, clock, 15)
    assert set(counters(items)) >= set(range(26))
    items += passing(source, clock, 100)
    assert sorted(counters(items)) == list(range(30))


@pytest.mark.parametrize("step_s", [-7200.0, 7200.0])
def test_neither_the_ships_clock_nor_that_of_the_file_server_ends_a_line(
    tmp_path: Path, watch: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """Two hours either way, while a line grows: all that counts is how long nothing came."""
    source, real, items = watch(), time.time, []
    write_line(tmp_path)
    write_line(tmp_path, first=20, name=SECOND_NAME)
    monkeypatch.setattr("time.time", lambda: real() + step_s)
    os.utime(tmp_path / f"{NAME}.kmwcd", (LATE, LATE))
    os.utime(tmp_path / f"{NAME}.kmall", (0, 0))
    items += passing(source, clock, 4)
    assert line_ends(items) == []
    items += passing(source, clock, 70)
    assert counters(items) == list(range(40))
    assert len(line_ends(items)) == 2


def test_a_line_of_the_year_2096_holds_up_nobody_for_long(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    future = START.replace(year=2096)
    (tmp_path / f"{line_name(future)}.kmwcd").write_bytes(
        water_column_bytes(future, 5, first=100))
    write_line(tmp_path)
    source = watch()
    items = passing(source, clock, 70)
    assert counters(items) == [*range(20), *range(100, 105)]
    write_line(tmp_path, first=20, name=SECOND_NAME)
    items += passing(source, clock, 70)
    assert counters(items)[25:] == list(range(20, 40))


def test_names_of_any_bytes_are_read_and_can_be_stored(tmp_path: Path) -> None:
    stem = os.fsdecode(b"0001_Mit\x8dsuke")
    (tmp_path / f"{stem}.KMWCD_FRAG").write_bytes(water_column_bytes(START, 3))
    (tmp_path / f"{stem}.kmall").write_bytes(b"rubbish" * 99 + navigation_bytes(START, 3))
    items = drain(RawFolderSource(RawOptions(path=tmp_path), live=False))
    assert counters(items) == [0, 1, 2]
    assert set(files(items)) == {"0001_Mit\\x8dsuke.KMWCD"}
    for text in (*refusals(items), *line_ends(items)):
        assert text.encode()
