"""Navigation comes late, as at sea: pictures are drawn before it, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from benches import Bench, ToldDetector, pings_of, sail_line

from sonar_watch.pipeline.ahead import MOST_AHEAD
from sonar_watch.records import LineEnd, NavigationSample, SourceItem, WaterColumnPing

LATE_S = 2.5
"""From the last second that navigation tells of to its coming; a swath comes at once."""


@pytest.fixture(scope="module")
def line() -> tuple[list[SourceItem], ToldDetector]:
    return sail_line()


@pytest.fixture
def polls(line: tuple[list[SourceItem], ToldDetector]) -> list[list[SourceItem]]:
    """What comes in each quarter of a second, and at last the end of the line."""
    *items, end = line[0]
    assert isinstance(end, LineEnd)
    comes = sorted(items, key=_comes_s)
    return [*(list(group) for _, group in groupby(comes, lambda one: _comes_s(one) // 0.25)), [end]]


def _comes_s(item: SourceItem) -> float:
    if isinstance(item, NavigationSample):
        return float(item.time_s[-1]) + LATE_S
    assert isinstance(item, WaterColumnPing)
    return item.time_utc.timestamp()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    return iter([tmp_path / name for name in ("one", "two", "three")])


def run(bench: Bench, polls: Sequence[Sequence[SourceItem]]) -> None:
    """Give the polls, with a few empty ones between, as a watch that has time."""
    for poll in polls:
        bench.pipeline.take(poll)
        while bench.pipeline.is_behind:
            bench.pipeline.take(())


def told(bench: Bench) -> tuple[list[bytes], dict[str, bytes]]:
    return bench.stored(), bench.journal.memory()


def test_late_navigation_changes_nothing(
    line: tuple[list[SourceItem], ToldDetector],
    polls: list[list[SourceItem]],
    folders: Iterator[Path],
) -> None:
    at_once, late, busy = (Bench(next(folders), line[1]) for _ in range(3))
    at_once.run(line[0])
    run(late, polls)
    for poll in polls:  # no time to prepare more than a few
        busy.pipeline.take(poll)
    assert at_once.stored()
    assert told(late) == told(at_once) == told(busy)
    for bench in (at_once, late, busy):
        bench.journal.close()


def test_swaths_that_wait_are_searched_before_their_navigation_comes(
    line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    bench, detector = Bench(tmp_path, line[1]), line[1]
    first, rest, late = _parted(line[0])
    run(bench, [first])
    done, before = bench.journal.counts()["frames"], detector.calls
    run(bench, [[ping] for ping in rest])
    assert bench.stored() == []
    assert bench.journal.counts()["frames"] == done
    assert MOST_AHEAD / 2 <= detector.calls - before <= MOST_AHEAD
    bench.pipeline.take(late)
    assert bench.journal.counts()["frames"] > done + MOST_AHEAD
    assert bench.stored()
    bench.journal.close()


def _parted(items: list[SourceItem]) -> tuple[list[SourceItem], ...]:
    """Return what comes before the first plume, the swaths past it, and their navigation."""
    pings = pings_of(items)
    until_s = _comes_s(pings[5])
    navigation = [item for item in items if isinstance(item, NavigationSample)]
    early = [item for item in navigation if _comes_s(item) - LATE_S < until_s]
    return [*early, *pings[:5]], list(pings[5:23]), navigation[len(early):]


@pytest.mark.parametrize("cut", [13, 40, 41, 77])
def test_a_restart_amid_prepared_swaths_goes_on_where_it_was(
    line: tuple[list[SourceItem], ToldDetector],
    polls: list[list[SourceItem]],
    folders: Iterator[Path],
    cut: int,
) -> None:
    whole, folder = Bench(next(folders), line[1]), next(folders)
    run(whole, polls)
    first = Bench(folder, line[1])
    run(first, polls[:cut])
    assert first.pipeline.waiting
    first.journal.close()
    second = Bench(folder, line[1])
    run(second, polls)
    assert told(second) == told(whole)
    for bench in (whole, second):
        bench.journal.close()


def test_a_swath_that_cannot_be_drawn_is_set_aside_when_its_turn_comes(
    line: tuple[list[SourceItem], ToldDetector], polls: list[list[SourceItem]], tmp_path: Path
) -> None:
    bench = Bench(tmp_path, line[1])
    bad = pings_of(line[0])[5]
    empty = replace(bad, sample_count=np.zeros_like(bad.sample_count))
    run(bench, [[empty if item is bad else item for item in poll] for poll in polls])
    counts = bench.journal.counts()
    assert counts["frames"] == len(pings_of(line[0]))
    assert counts["quarantined"] == 1
    bench.journal.close()


def test_what_fails_ahead_is_looked_at_again(
    line: tuple[list[SourceItem], ToldDetector],
    polls: list[list[SourceItem]],
    folders: Iterator[Path],
) -> None:
    whole, bench = (Bench(next(folders), line[1]) for _ in range(2))
    run(whole, polls)
    find, failed = line[1].find, list[int]()

    def fails_now_and_then(frames: Sequence) -> list:
        failed.append(len(failed) % 3 == 0)
        if failed[-1]:
            raise RuntimeError("the network stumbles")
        return find(frames)

    bench.stages.detector = type("Stumbling", (), {
        "confidence": 0.4, "find": staticmethod(fails_now_and_then), "second": line[1].second,
    })()
    run(bench, polls)
    assert any(failed)
    assert told(bench) == told(whole)
    for one in (whole, bench):
        one.journal.close()


def test_another_threshold_is_that_of_prepared_swaths_too(
    line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    bench, detector = Bench(tmp_path, line[1]), line[1]
    first, rest, late = _parted(line[0])
    run(bench, [first, *([ping] for ping in rest)])
    detector.blind = True
    try:
        bench.pipeline.retuned()
        bench.pipeline.take(late)
        assert bench.journal.counts()["frames"] > MOST_AHEAD
        assert bench.stored() == []
    finally:
        detector.blind = False
        bench.journal.close()


def test_told_to_end_it_prepares_no_more(
    line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    bench, detector = Bench(tmp_path, line[1]), line[1]
    bench.stages.heartbeat = lambda _: False
    before = detector.calls
    bench.pipeline.take(pings_of(line[0])[:5])
    assert detector.calls == before
    bench.journal.close()
