"""A restart on a long cruise: old logs are not read again, and no swath lacks one for it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from sources_builders import START, Clock, GivenSource, headings, make_ping, refusals, swaths

from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.geolocation.navigation import NavigationOptions, NavigationTrack
from sonar_watch.pipeline.hold import NavigationHold, Settled
from sonar_watch.records import LineEnd, SourceItem
from sonar_watch.running import live_sources
from sonar_watch.settings import Settings, SourceOptions
from sonar_watch.sources.log_need import FINE_BYTES, LOOK_BYTES, LogNeed, PassedOver, pass_over
from sonar_watch.sources.logs import BYTES_PER_READ, NmeaLogOptions, NmeaLogSource
from sonar_watch.sources.merge import Merger

LOGS = 300
DAY = timedelta(days=1)
LAST_DAY = START + (LOGS - 1) * DAY
DONE = LAST_DAY + timedelta(hours=20)


def log_lines(start: datetime, count: int, heading_deg: float, every_s: float = 60.0) -> bytes:
    stamps = (start + timedelta(seconds=number * every_s) for number in range(count))
    text = (f"{at:%Y-%m-%dT%H:%M:%S.%fZ} $HEHDT,{heading_deg:.1f},T\n" for at in stamps)
    return "".join(text).encode()


def write_cruise(folder: Path, logs: int = LOGS) -> int:
    """Write a log a day, a line a minute, each headed a degree further; return its lines."""
    template = log_lines(START, 1440, 7777.0)
    today, tomorrow = (f"{START + days * DAY:%Y-%m-%dT}".encode() for days in range(2))
    for day in range(logs):
        dates = (f"{START + (day + days) * DAY:%Y-%m-%dT}".encode() for days in range(2))
        text = template.replace(tomorrow, b"later").replace(today, next(dates))
        text = text.replace(b"later", next(dates)).replace(b"7777.0", f"{day:.1f}".encode())
        (folder / f"{day:03}.log").write_bytes(text)
    return 1440


def write_positions(path: Path, start: datetime, count: int) -> None:
    stamps = (start + timedelta(seconds=5 * number) for number in range(count))
    path.write_text("".join(
        f"{at:%Y-%m-%dT%H:%M:%SZ} $INGGA,{at:%H%M%S},4530.0,N,02000.0,W,2,9,1.0,5.0,M,,M,,\n"
        for at in stamps
    ))  # fmt: skip


def bytes_read() -> int:
    """Return what this process has read so far, as the kernel counts."""
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


def read_all(source: NmeaLogSource) -> tuple[list[SourceItem], int]:
    """Poll until nothing waits; return what came, and the polls that it took."""
    items = source.poll()
    for polls in range(1, 10_000):
        if not source.counts()["backlog"]:
            return items, polls
        items += source.poll()
    raise AssertionError("never read to the end")


def a_source(path: Path, done: datetime | None = DONE) -> NmeaLogSource:
    return NmeaLogSource(NmeaLogOptions(path=path), clock=Clock(), need=LogNeed(done))


def test_after_a_restart_the_logs_of_a_cruise_are_looked_at_and_not_read(tmp_path: Path) -> None:
    lines = write_cruise(tmp_path)
    whole = sum(path.stat().st_size for path in tmp_path.iterdir())
    before = bytes_read()
    items, polls = read_all(a_source(tmp_path))
    read = bytes_read() - before
    assert set(headings(items)) == {float(LOGS - 1)}
    assert headings(items).count(float(LOGS - 1)) >= 5 * 60  # from 19 h on to the end
    assert len(items) <= lines
    assert not refusals(items)
    assert polls <= 20
    assert read < whole / 5


def test_a_first_start_reads_them_all(tmp_path: Path) -> None:
    lines = write_cruise(tmp_path, 12)
    items, _ = read_all(a_source(tmp_path, None))
    assert sorted(headings(items)) == sorted([float(day) for day in range(12)] * lines)


@pytest.mark.parametrize("day", [0, 150, LOGS - 2])
def test_a_swath_that_was_not_done_still_gets_its_fix(tmp_path: Path, day: int) -> None:
    write_cruise(tmp_path)
    write_positions(tmp_path / "gps.log", START + day * DAY + timedelta(hours=9), 1000)
    swath = make_ping(1, START + day * DAY + timedelta(hours=9, minutes=18.5))
    clock = Clock()
    raw = GivenSource("raw", [swath], live=True)
    merger = Merger([raw, a_source(tmp_path)], clock=clock)
    hold = NavigationHold(NavigationTrack(NavigationOptions(max_gap_s=60.0)), 2000, 120.0)
    heard: list[SourceItem] = []
    left: list[Settled | LineEnd] = []
    while not left:
        items = merger.poll()
        heard += items
        left += hold.take(items)  # type: ignore[arg-type]
        assert len(heard) < 20_000
    settled = left[0]
    assert isinstance(settled, Settled)
    assert settled.fix is not None, settled.note
    assert settled.fix.heading_deg == pytest.approx(day)
    assert settled.fix.latitude == pytest.approx(45.5)
    assert set(headings(heard)) == {float(day), float(LOGS - 1)}, "no other day was read"


@pytest.mark.parametrize("order", [1, -1])
def test_a_swath_that_comes_much_later_has_its_logs_read_before_it(
    tmp_path: Path, order: int
) -> None:
    write_cruise(tmp_path, 20)
    clock = Clock()
    brought = GivenSource("raw", [], live=True)
    logs = a_source(tmp_path, START + 19 * DAY)
    merger = Merger([brought, logs][::order], clock=clock)
    for _ in range(50):
        merger.poll()
    assert not merger.counts()["backlog"]
    brought.items = [make_ping(n, START + n * DAY + timedelta(hours=2)) for n in (3, 4, 11)]
    heard: list[SourceItem] = []
    for _ in range(60):
        heard += merger.poll()
        clock.pass_by(0.25)
    place = {swath.time_utc: heard.index(swath) for swath in swaths(heard)}
    assert len(place) == 3
    for at, number in place.items():
        day = float((at - START).days)
        assert headings(heard[:number]).count(day) > 60, "before the swath"


def test_a_log_of_a_whole_cruise_is_begun_where_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "cruise.log"
    count = 8 * FINE_BYTES // len(log_lines(START, 1, 0.0))
    path.write_bytes(log_lines(START, count, 10.0, 1.0))
    end = START + timedelta(seconds=count)
    before = bytes_read()
    items, _ = read_all(NmeaLogSource(
        NmeaLogOptions(path=path), clock=Clock(), need=LogNeed(end, reach_s=100.0)
    ))  # fmt: skip
    assert 100 <= len(items) <= (FINE_BYTES + BYTES_PER_READ) // len(log_lines(START, 1, 0.0))
    assert bytes_read() - before < path.stat().st_size / 3
    assert not refusals(items)


def test_a_log_that_was_passed_over_is_followed_when_it_grows(tmp_path: Path) -> None:
    path, clock = tmp_path / "one.log", Clock()
    path.write_bytes(log_lines(START, 100, 1.0) + b"2026-03-0")
    source = NmeaLogSource(
        NmeaLogOptions(path=tmp_path, rescan_s=5.0), clock=clock, need=LogNeed(DONE)
    )
    assert source.poll() == []
    assert not source.counts()["backlog"]
    with path.open("ab") as file:
        file.write(b"5T00:00:00Z $HEHDT,33.0,T\n" + log_lines(DONE, 1, 34.0))
    clock.pass_by(5.0)
    items = source.poll()
    assert headings(items) == [33.0, 34.0]
    assert not refusals(items)


def test_what_the_looks_cannot_tell_is_read(tmp_path: Path) -> None:
    old = log_lines(START, 6000, 1.0)
    (tmp_path / "untold.log").write_bytes(b"# a comment\n" * LOOK_BYTES + old)
    (tmp_path / "empty.log").write_bytes(b"")
    assert pass_over(tmp_path / "untold.log", DONE.timestamp()) == PassedOver()
    assert pass_over(tmp_path / "empty.log", DONE.timestamp()) == PassedOver()
    (tmp_path / "tail.log").write_bytes(old + b"noise" * LOOK_BYTES)
    passed = pass_over(tmp_path / "tail.log", DONE.timestamp())
    assert passed.offset <= len(old)
    assert not passed.is_all


def test_a_clock_that_was_put_back_and_then_right_again_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "steps.log"
    ahead = log_lines(DONE + DAY, 9000, 2.0, 1.0)
    needed = log_lines(DONE, 90_000, 3.0, 1.0)
    path.write_bytes(log_lines(START, 3000, 1.0, 1.0) + ahead + log_lines(START, 9000, 4.0, 1.0)
                     + needed)  # fmt: skip
    passed = pass_over(path, DONE.timestamp() + 80_000.0)
    assert passed.offset <= len(log_lines(START, 3000, 1.0)), "the first that is needed counts"


@trying(deadline=None, max_examples=40)
@given(
    count=st.integers(0, 12_000), since=st.floats(-100, 13_000), gap=st.integers(0, 12_000),
    cut=st.integers(0, 40), words=st.integers(0, 400),
)  # fmt: skip
def test_nothing_is_passed_over_that_is_needed(
    tmp_path_factory: pytest.TempPathFactory, count: int, since: float, gap: int, cut: int,
    words: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    lines = log_lines(START, count, 5.0, 1.0)
    width = len(log_lines(START, 1, 5.0))
    at = gap * width
    path.write_bytes((lines[:at] + b"2026 no sentence\n" * words + lines[at:])[:-cut or None])
    passed = pass_over(path, START.timestamp() + since)
    text = path.read_bytes()
    kept = text[passed.offset :]
    assert passed.offset == 0 or text[passed.offset - 1 : passed.offset] == b"\n"
    for number in {max(0, int(np.ceil(since))), count - 1} & set(range(count)):
        line = log_lines(START + timedelta(seconds=number), 1, 5.0)
        if number >= since and line in text:
            assert line in kept
    needed = max(0.0, count - max(0.0, since)) * width
    assert len(kept) <= FINE_BYTES + needed + 17 * words + 2 * LOOK_BYTES


def test_the_journal_knows_what_was_done(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.resumes_utc is None
        assert LogNeed(journal.resumes_utc).is_all
        for number, hours in enumerate((5, 2)):
            entry = FrameEntry(
                frame_id=str(number), time_utc=START + timedelta(hours=hours), body={}
            )
            journal.commit([entry], [])
        assert journal.resumes_utc == START + timedelta(hours=2)
        assert LogNeed(journal.resumes_utc).since_s == START.timestamp() + 3600.0


def test_a_watch_that_starts_again_tells_its_logs(tmp_path: Path) -> None:
    logs = NmeaLogOptions(path=tmp_path / "logs")
    settings = Settings(sources=SourceOptions(nmea_logs=(logs,)))
    (tmp_path / "logs").mkdir()
    write_cruise(tmp_path / "logs", 8)
    with Journal(tmp_path / "journal.sqlite") as journal:
        make = live_sources(settings)
        (source,) = make(journal, threading.Event())
        assert isinstance(source, NmeaLogSource)
        assert len(set(headings(read_all(source)[0]))) == 8
        entry = FrameEntry(frame_id="done", time_utc=START + 7 * DAY, body={})
        journal.commit([entry], [])
        (source,) = make(journal, threading.Event())
        assert isinstance(source, NmeaLogSource)
        assert set(headings(read_all(source)[0])) == {6.0, 7.0}
