"""Over months the archive takes files away: what was known of them goes with them."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sources_builders import (
    START,
    Clock,
    Ledger,
    line_ends,
    line_name,
    navigation_bytes,
    poll_times,
    swaths,
    water_column_bytes,
    write_pair,
)

from sonar_watch.errors import SonarWatchError
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource
from sonar_watch.sources.lane import MOST_TOLD, RETRY_S, Lane
from sonar_watch.sources.line import Line
from sonar_watch.sources.logs import NmeaLogOptions, NmeaLogSource
from sonar_watch.sources.raw import RawFolderSource, RawOptions
from sonar_watch.sources.scan import FolderScan
from sonar_watch.sources.stream import LINES_REMEMBERED

LINES = 12
EVERY = timedelta(minutes=30)


@pytest.fixture
def source(tmp_path: Path, clock: Clock) -> Iterator[RawFolderSource]:
    options = RawOptions(path=tmp_path, rescan_s=0.5, poll_events=True)
    source = RawFolderSource(options, Ledger(), clock=clock)
    yield source
    source.close()


def write_line(folder: Path, number: int, pings: int = 3) -> list[Path]:
    start = START + number * EVERY
    stem = folder / line_name(start)
    stem.with_suffix(".kmwcd").write_bytes(water_column_bytes(start, pings, first=10 * number))
    stem.with_suffix(".kmall").write_bytes(navigation_bytes(start, 5.0))
    return [stem.with_suffix(".kmwcd"), stem.with_suffix(".kmall")]


def look(source: RawFolderSource, clock: Clock, seconds: float = 10.0) -> list[object]:
    items = []
    for _ in range(4):
        clock.pass_by(seconds / 4)
        items += poll_times(source)
    return items


def lines_in_memory() -> int:
    gc.collect()
    return sum(type(each) is Line for each in gc.get_objects())  # isinstance asks the object


def sail(source: RawFolderSource, clock: Clock, folder: Path) -> list[Path]:
    """Write line after line, each watched before the next; return the files of all."""
    written: list[Path] = []
    for number in range(LINES):
        written += write_line(folder, number)
        assert len(swaths(look(source, clock))) == 3  # type: ignore[arg-type]
    return written


def test_lines_that_were_archived_are_forgotten(
    tmp_path: Path, source: RawFolderSource, clock: Clock
) -> None:
    before = lines_in_memory()
    written = sail(source, clock, tmp_path)
    assert lines_in_memory() - before == LINES
    for path in written[:-2]:
        path.unlink()
    look(source, clock)
    assert lines_in_memory() - before <= LINES_REMEMBERED + 1
    write_line(tmp_path, LINES)
    assert len(swaths(look(source, clock))) == 3  # type: ignore[arg-type]


def test_the_file_that_is_left_of_two_is_not_read_again(
    tmp_path: Path, source: RawFolderSource, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first, twin = write_line(tmp_path, 0)
    write_line(tmp_path, 1)
    assert len(swaths(look(source, clock, 400.0))) == 6  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO):
        first.unlink()
        assert look(source, clock) == []
        twin.unlink()
        assert look(source, clock) == []
    assert not caplog.records


def test_lines_that_come_back_are_not_given_again(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "raw").mkdir()
    ledger = Ledger()
    options = RawOptions(path=tmp_path / "raw", rescan_s=0.5, poll_events=True)
    source = RawFolderSource(options, ledger, clock=clock)
    try:
        for number in range(LINES):
            write_line(tmp_path / "raw", number)
            ledger.commit(look(source, clock))  # type: ignore[arg-type]
        ledger.commit(look(source, clock, 400.0))  # type: ignore[arg-type]
        contents = {path: path.read_bytes() for path in (tmp_path / "raw").iterdir()}
        for path in contents:
            path.unlink()
        assert look(source, clock) == []
        for path, content in contents.items():
            path.write_bytes(content)
        again = look(source, clock, 400.0)
    finally:
        source.close()
    assert not swaths(again)  # type: ignore[arg-type]
    assert not line_ends(again)  # type: ignore[arg-type]


def test_lines_out_of_sight_are_not_forgotten(
    tmp_path: Path, source: RawFolderSource, clock: Clock
) -> None:
    before = lines_in_memory()
    sail(source, clock, tmp_path)
    tmp_path.rename(tmp_path.with_name("away"))
    look(source, clock)
    assert lines_in_memory() - before == LINES
    tmp_path.with_name("away").rename(tmp_path)
    assert not swaths(look(source, clock))  # type: ignore[arg-type]


def test_the_scan_tells_what_it_cannot_see(tmp_path: Path) -> None:
    scan = FolderScan(tmp_path / "share", recursive=True, rescan_s=1.0)
    scan.step(0.0)
    assert scan.hides(tmp_path / "share" / "day 1" / "0001.kmall")
    assert not scan.hides(tmp_path / "other" / "0001.kmall")
    (tmp_path / "share").mkdir()
    scan.step(10.0)
    assert not scan.hides(tmp_path / "share" / "day 1" / "0001.kmall")


def test_logs_that_were_archived_are_not_asked_for(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        sentence = b"2026-03-04T05:06:07Z $HEROT,0.1,A*2A\n"
        (tmp_path / f"gyro-{number}.log").write_bytes(sentence)
    source = NmeaLogSource(NmeaLogOptions(path=tmp_path, rescan_s=60.0), clock=clock)
    poll_times(source)
    for path in sorted(tmp_path.iterdir())[:-1]:
        path.unlink()
    with caplog.at_level(logging.WARNING):
        poll_times(source, 20)
        assert len(caplog.records) == 4  # one each until the next look through the folder
        clock.pass_by(100.0)
        poll_times(source)
        caplog.clear()
        poll_times(source, 20)
    assert not caplog.records
    assert len(source._tails) == 1


def test_pictures_that_were_archived_are_forgotten_beside_a_closed_folder(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        write_pair(tmp_path, number)
    options = FolderOptions(path=tmp_path, rescan_s=0.5, recursive=True, poll_events=True)
    source = ImageFolderSource(options, clock=clock)
    # Who runs the tests as root may list any folder.
    monkeypatch.setattr(FolderScan, "failing", property(lambda _: 1))
    try:
        poll_times(source)
        clock.pass_by(100.0)
        given = poll_times(source)
        settled = source._candidates._settled
        assert len(settled) == 6, given
        for path in tmp_path.iterdir():
            path.unlink()
        for _ in range(2):
            clock.pass_by(100.0)
            poll_times(source)
        assert not settled
    finally:
        source.close()


class NumberedFailure:
    """Fails for another reason at each poll."""

    name, exhausted = "share", False

    def __init__(self) -> None:
        self.polls = 0

    def poll(self) -> list[object]:
        self.polls += 1
        raise SonarWatchError(f"handle {self.polls} is stale")

    def counts(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass


def test_reasons_for_failing_do_not_pile_up() -> None:
    lane = Lane(NumberedFailure(), live=True)  # type: ignore[arg-type]
    for number in range(3 * MOST_TOLD):
        lane.fill(number * 2 * RETRY_S)
    assert lane.failing
    assert len(lane._told) <= MOST_TOLD
