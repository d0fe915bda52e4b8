"""Several sources, one order."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources_builders import (
    START,
    Clock,
    GivenSource,
    drain,
    make_navigation,
    make_ping,
    poll_times,
    swaths,
    water_column_bytes,
    write_pair,
)

from sonar_watch.records import LineEnd, NavigationSample, Quarantined, SourceItem, SourceRef
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource
from sonar_watch.sources.merge import BUFFERED_PER_SOURCE, ROUNDS_WHEN_FINITE, Merger
from sonar_watch.sources.raw import RawFolderSource, RawOptions
from sonar_watch.sources.source import data_time_s

START_S = START.timestamp()


def pings(*seconds: float, sounder: str = "em1") -> list[SourceItem]:
    return [make_ping(round(second * 10), START + timedelta(seconds=second), sounder)
            for second in seconds]


def seconds_of(items: list[SourceItem]) -> list[float]:
    return [round((data_time_s(swath) or 0) - START_S, 3) for swath in swaths(items)]


SIZES = st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any)
TIMES = st.lists(st.integers(0, 40), max_size=30).map(sorted)


@settings(max_examples=50, deadline=None)
@given(TIMES, TIMES, SIZES, SIZES)
def test_a_replay_is_in_order_whatever_the_polls_bring(
    first: list[int], second: list[int], first_sizes: list[int], second_sizes: list[int]
) -> None:
    def merged(*sizes: list[int]) -> list[SourceItem]:
        sources = [GivenSource("a", pings(*first, sounder="em1"), sizes[0]),
                   GivenSource("b", pings(*second, sounder="em2"), sizes[1])]
        return drain(Merger(sources, live=False))

    items = merged(first_sizes, second_sizes)
    assert seconds_of(items) == sorted(first + second)
    ids = [swath.frame_id for swath in swaths(items)]
    assert ids == [swath.frame_id for swath in swaths(merged([1], [3]))]


def test_a_source_that_has_nothing_yet_makes_the_others_wait() -> None:
    slow = [0] * (2 * ROUNDS_WHEN_FINITE) + [1]
    merger = Merger([GivenSource("a", pings(5)), GivenSource("b", pings(1), slow)], live=False)
    assert merger.poll() == []
    assert merger.poll() == []
    assert seconds_of(drain(merger)) == [1, 5]


def test_live_navigation_goes_ahead_of_the_swaths_of_its_source() -> None:
    items = [*pings(1, 2), make_navigation(START_S + 3), *pings(3)]
    given = Merger([GivenSource("a", items, [9], live=True)]).poll()
    assert isinstance(given[0], NavigationSample)
    assert seconds_of(given) == [1, 2, 3]


def test_recorded_navigation_waits_for_what_is_years_earlier() -> None:
    later = [make_navigation(START_S + 1e8), *pings(1e8)]
    merger = Merger([GivenSource("a", pings(1, 2)), GivenSource("b", later, [9])], live=False)
    given = drain(merger)
    assert given[2:] == later


def test_navigation_does_not_pass_the_end_of_a_line() -> None:
    items = [*pings(1), LineEnd(source="a"), make_navigation(START_S + 900), *pings(900)]
    assert drain(Merger([GivenSource("a", items, [9])], live=False)) == items


def test_line_ends_and_refusals_keep_their_place() -> None:
    refused = Quarantined(source=SourceRef(source="a", file="x"), reason="cut")
    items = [*pings(1), refused, *pings(2), LineEnd(source="a"), *pings(3)]
    merger = Merger([GivenSource("a", items, [9]), GivenSource("b", pings(1.5, 2.5))], live=False)
    given = drain(merger)
    assert [item for item in given if item in items] == items
    assert seconds_of(given) == [1, 1.5, 2, 2.5, 3]


def test_recorded_navigation_runs_ahead_but_not_far() -> None:
    log = [make_navigation(START_S + second) for second in range(0, 1000, 10)]
    merger = Merger(
        [GivenSource("raw", pings(100, 200)), GivenSource("log", log)],
        live=False, lead_s=60.0)
    heard_s = 0.0
    for item in drain(merger):
        if isinstance(item, NavigationSample):
            heard_s = float(item.time_s[0]) - START_S
        else:
            assert 50 <= heard_s - seconds_of([item])[0] <= 60
    assert heard_s == 990


def test_a_long_log_is_not_read_far_ahead() -> None:
    log = GivenSource("log", [make_navigation(START_S + second) for second in range(5000)], [50])
    merger = Merger([log, GivenSource("raw", pings(1), [0] * 200 + [1])], live=False)
    poll_times(merger, 10)
    assert len(log.items) >= 5000 - BUFFERED_PER_SOURCE - 50


def test_a_full_buffer_is_not_filled_further() -> None:
    fast = GivenSource("fast", pings(*range(1000)), [50])
    merger = Merger([fast, GivenSource("slow", pings(0), [0] * 300 + [1])], live=False)
    poll_times(merger, 10)
    assert 1000 - len(fast.items) <= BUFFERED_PER_SOURCE + 50


def test_live_navigation_passes_at_once() -> None:
    merger = Merger([GivenSource("a", pings(1), [0], live=True),
                     GivenSource("feed", [make_navigation(START_S)], live=True)])
    assert len(merger.poll()) == 1
    assert not merger.exhausted


def test_live_waits_for_the_next_of_a_source_only_so_long() -> None:
    clock = Clock()
    first = GivenSource("a", pings(1), live=True)
    second = GivenSource("b", pings(2, 4), live=True)
    merger = Merger([first, second], patience_s=2.0, clock=clock)
    assert seconds_of(merger.poll()) == [1]
    clock.pass_by(1)
    assert merger.poll() == []  # a gave something a second ago: its next may be earlier
    first.items += pings(1.5)
    assert seconds_of(merger.poll()) == [1.5]
    clock.pass_by(3)
    assert seconds_of(poll_times(merger, 3)) == [2, 4]


def test_live_without_patience_takes_what_is_there() -> None:
    merger = Merger([GivenSource("a", pings(5), live=True),
                     GivenSource("b", pings(1), [0, 1], live=True)], patience_s=0.0)
    assert seconds_of(poll_times(merger, 3)) == [5, 1]


def test_the_counts_are_those_of_the_sources_together() -> None:
    waiting = GivenSource("b", pings(1), [0])
    waiting.holds = 1
    merger = Merger([GivenSource("a", pings(5, 6)), waiting], live=False)
    merger.poll()
    assert merger.counts() == {"backlog": 3, "broken": 2}


def test_closing_closes_every_source() -> None:
    sources = [GivenSource("a", []), GivenSource("b", [])]
    merger = Merger(sources)
    merger.close()
    assert all(source.closed for source in sources)


def test_nothing_to_merge_is_exhausted() -> None:
    assert Merger(live=False).exhausted
    assert Merger(live=False).poll() == []


@pytest.mark.parametrize("order", [1, -1])
def test_pictures_and_lines_are_replayed_side_by_side(tmp_path: Path, order: int) -> None:
    (tmp_path / "0001_20260304_050607.kmwcd").write_bytes(water_column_bytes(START, 40))
    for number in range(20):
        write_pair(tmp_path, number)
    sources = [RawFolderSource(RawOptions(path=tmp_path), live=False),
               ImageFolderSource(FolderOptions(path=tmp_path), live=False)]
    merger = Merger(sources[::order], live=False)
    seconds = seconds_of(drain(merger))
    merger.close()
    assert len(seconds) == 60
    assert seconds == sorted(seconds)


def test_what_a_live_source_holds_back_is_waited_for() -> None:
    """The last swaths of a line wait for navigation longer than anyone's patience."""
    clock = Clock()
    line = GivenSource("raw", [*pings(1), LineEnd(source="raw")], [0], live=True)
    line.holds = 1
    merger = Merger([line, GivenSource("images", pings(700), live=True)], clock=clock)
    for _ in range(8):
        assert merger.poll() == []
        clock.now_s += 5.0
    line.holds, line._sizes = 0, [2]
    assert seconds_of(merger.poll()) == [1]
    assert seconds_of(merger.poll() + merger.poll()) == []
    clock.now_s += 6.0
    assert seconds_of(merger.poll()) == [700]
