"""Live sources that fail, lag, or tell another time than the rest."""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sources_builders import (
    START,
    Clock,
    GivenSource,
    append,
    files,
    line_name,
    make_ping,
    poll_times,
    refusals,
    swaths,
    water_column_bytes,
)

from sonar_watch.errors import JournalError, SonarWatchError
from sonar_watch.formats.rawfile import RawFile
from sonar_watch.records import SourceItem, WaterColumnPing
from sonar_watch.sources.lane import RETRY_S
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.raw import RawFolderSource, RawOptions

PATIENCE_S = 5.0
WAITS = {"patience_s": PATIENCE_S, "overdue_s": PATIENCE_S}


class FailingSource(GivenSource):
    """Raises at each poll while told to."""

    def __init__(self, items: list[SourceItem], error: Exception) -> None:
        super().__init__("share", items, [9], live=True)
        self.error: Exception | None = error
        self.polls = 0

    def poll(self) -> list[SourceItem]:
        self.polls += 1
        if self.error is not None:
            raise self.error
        return super().poll()

    def counts(self) -> dict[str, int]:
        return super().counts() | {"scanning": 1}


class PacedSource:
    """One ping a second by the clock, `skew_s` ahead in data time."""

    exhausted = False

    def __init__(self, name: str, clock: Clock, skew_s: float = 0.0, bad: int = -1) -> None:
        self.name = name
        self.skew_s = skew_s
        self._clock, self._began_s, self._bad, self._next = clock, clock.now_s, bad, 0

    def poll(self) -> list[SourceItem]:
        items: list[SourceItem] = []
        while self._began_s + self._next <= self._clock.now_s:
            skew_s = 4000 * 86400.0 if self._next == self._bad else self.skew_s
            time_utc = START + timedelta(seconds=self._next + skew_s)
            items.append(make_ping(self._next, time_utc, self.name))
            self._next += 1
        return items

    def counts(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass


def run(merger: Merger, clock: Clock, seconds: int, began_s: float = 1000.0) -> Counter[str]:
    """Poll four times a second; no swath comes later than it may."""
    given: Counter[str] = Counter()
    for _ in range(4 * seconds):
        for swath in swaths(merger.poll()):
            given[swath.sounder] += 1
            assert isinstance(swath, WaterColumnPing)
            assert clock.now_s - began_s - swath.ping_counter <= PATIENCE_S + 1
        clock.pass_by(0.25)
    return given


@pytest.mark.parametrize("skew_s", [0.0, 600.0, -600.0])
def test_clocks_apart_starve_nobody(skew_s: float) -> None:
    clock = Clock()
    sources = [PacedSource("a", clock, skew_s), PacedSource("b", clock)]
    given = run(Merger(sources, clock=clock, **WAITS), clock, 900)
    assert min(given["a"], given["b"]) >= 900 - PATIENCE_S - 1


def test_one_bad_time_starves_nobody() -> None:
    clock = Clock()
    sources = [PacedSource("a", clock, bad=10), PacedSource("b", clock)]
    given = run(Merger(sources, clock=clock, **WAITS), clock, 900)
    assert min(given["a"], given["b"]) >= 900 - PATIENCE_S - 1


def test_a_backlog_is_worked_off_in_order_however_long_it_takes() -> None:
    clock = Clock()
    pings = {name: [make_ping(second, START + timedelta(seconds=second + offset_s), name)
                    for second in range(2000)]
             for name, offset_s in (("a", 0), ("b", 1000))}
    sources = [GivenSource(name, items, [8], live=True) for name, items in pings.items()]
    merger = Merger(sources, clock=clock, **WAITS)
    times: list[float] = []
    for _ in range(900):
        times += [swath.time_utc.timestamp() for swath in swaths(merger.poll())]
        clock.pass_by(1.0)  # a slow detector
    assert len(times) == 4000
    assert times == sorted(times)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ESTALE, "Stale file handle"), OSError(errno.EIO, "I/O error"),
     SonarWatchError("cannot")],
)
def test_a_source_that_fails_does_not_end_the_watch(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    failing = FailingSource([make_ping(2, START + timedelta(seconds=2))], error)
    other = GivenSource("other", [make_ping(1, START)], live=True)
    merger = Merger([failing, other], clock=clock)
    with caplog.at_level(logging.ERROR):
        assert len(swaths(poll_times(merger))) == 1
        assert failing.polls == 1  # not again before the pause
        assert merger.counts()["failing"] == 1
        assert merger.counts()["scanning"] == 0  # nobody waits for it to have looked
        clock.pass_by(RETRY_S + 1)
        poll_times(merger)
    assert failing.polls == 2
    assert len(caplog.records) == 1
    failing.error = None
    clock.pass_by(RETRY_S + 1)
    assert len(swaths(poll_times(merger))) == 1
    assert "failing" not in merger.counts()


@pytest.mark.parametrize(
    ("live", "error"),
    [(True, JournalError("full")), (False, OSError(errno.EIO, "I/O error"))],
    ids=["journal", "replay"],
)
def test_what_must_end_the_watch_does(live: bool, error: Exception) -> None:
    with pytest.raises(type(error)):
        Merger([FailingSource([], error)], live=live).poll()


@pytest.mark.parametrize("method", ["read", "finish"])
def test_a_line_whose_file_goes_bad_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    later = START + timedelta(hours=1)
    for start in (START, later):
        append(tmp_path / f"{line_name(start)}.kmwcd", water_column_bytes(start, 3))
    real: Callable[..., list[SourceItem]] = getattr(RawFile, method)

    def stale(file: RawFile, *arguments: int) -> list[SourceItem]:
        if file.path.name.startswith(line_name(START)):
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(file, *arguments)

    monkeypatch.setattr(RawFile, method, stale)
    clock = Clock()
    source = RawFolderSource(RawOptions(path=tmp_path), clock=clock)
    items = poll_times(source)
    for _ in range(20):
        clock.pass_by(30)
        items += source.poll()
    source.close()
    assert any("Stale file handle" in reason for reason in refusals(items))
    assert files(items).count(f"{line_name(later)}.kmwcd") == 3
