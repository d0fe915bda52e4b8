"""Hundreds of navigation logs at the start: no poll is long, and now is heard before long ago."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sources_builders import START, Clock, headings

from sonar_watch.sources.logs import (
    BEHIND_PER_POLL,
    BYTES_PER_READ,
    QUIET_S,
    NmeaLogOptions,
    NmeaLogSource,
)
from sonar_watch.sources.scan import changed_s

LOGS = 10


def lines(start: datetime, count: int, heading_deg: float) -> bytes:
    stamps = (start + timedelta(seconds=number) for number in range(count))
    text = (f"{at:%Y-%m-%dT%H:%M:%S.%fZ} $HEHDT,{heading_deg:.1f},T\n" for at in stamps)
    return "".join(text).encode()


def write_cruise(folder: Path) -> int:
    """Write a log a day, each of several reads, the heading its day; return lines of each."""
    count = 2 * BYTES_PER_READ // len(lines(START, 1, 100.0))
    for day in range(LOGS):
        path = folder / f"{LOGS - day:02}.log"  # names that go against time
        path.write_bytes(lines(START + timedelta(days=day), count, 100.0 + day))
    others = max(changed_s(folder / f"{LOGS - day:02}.log") for day in range(LOGS - 1))
    while changed_s(folder / "01.log") <= others:  # the file system's clock is coarse
        (folder / "01.log").chmod(0o644)
    return count


def test_no_poll_reads_all_and_the_present_comes_first(tmp_path: Path) -> None:
    count = write_cruise(tmp_path)
    source = NmeaLogSource(NmeaLogOptions(path=tmp_path), clock=Clock())
    most = BEHIND_PER_POLL * (BYTES_PER_READ // len(lines(START, 1, 100.0)) + 1)
    heard: list[float] = []
    polls_of_the_last = 0
    while not heard or source.counts()["backlog"]:
        now = headings(source.poll())
        assert len(now) <= most
        heard += now
        polls_of_the_last += heard.count(100.0 + LOGS - 1) < count
    assert sorted(heard) == sorted([100.0 + day for day in range(LOGS)] * count)
    assert polls_of_the_last <= 2


def test_a_log_that_was_quiet_for_long_is_looked_at_seldom_and_heard_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "one.log", Clock()
    path.write_bytes(lines(START, 1, 10.0))
    source = NmeaLogSource(NmeaLogOptions(path=tmp_path, rescan_s=5.0), clock=clock)
    assert headings(source.poll()) == [10.0]
    assert headings(source.poll()) == []
    clock.pass_by(QUIET_S + 1.0)
    assert headings(source.poll()) == []
    for seconds, heading_deg in ((60, 20.0), (61, 30.0)):
        with path.open("ab") as file:
            file.write(lines(START + timedelta(seconds=seconds), 1, heading_deg))
        if heading_deg == 20.0:
            assert headings(source.poll()) == []
            clock.pass_by(5.0)
        assert headings(source.poll()) == [heading_deg], "one that grows is followed again"
