"""A file that cannot be read: the status says when it is tried again, never minutes on end."""

from __future__ import annotations

import errno

from privileges import open_folder, without_privileges
from sources_builders import (
    START,
    Clock,
    GivenSource,
    append,
    line_name,
    passing,
    poll_times,
    swaths,
    water_column_bytes,
)

from sonar_watch.records import SourceItem
from sonar_watch.sources.lane import RETRY_S
from sonar_watch.sources.line import LONGEST_RETRY_S
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.raw import RawFolderSource, RawOptions

RESCAN_S = 1.0


def test_after_hours_the_wait_is_short_and_told(clock: Clock) -> None:
    with open_folder() as folder:
        path, data = folder / f"{line_name(START)}.kmwcd", water_column_bytes(START, 10)
        path.write_bytes(data[: len(data) // 2])
        options = RawOptions(path=folder, rescan_s=RESCAN_S, poll_events=True)
        source = RawFolderSource(options, clock=clock)
        merger = Merger([source], clock=clock)
        try:
            items = poll_times(merger)
            path.chmod(0)
            with without_privileges():
                items += passing(merger, clock, 7200, step_s=30)
                assert longest_wait_s(merger, source, clock) <= LONGEST_RETRY_S == 240
            path.chmod(0o644)
            append(path, data[len(data) // 2 :])
            items += passing(merger, clock, 250, step_s=5)
            assert len(swaths(items)) == 10
            assert merger.states()[0].failing == ""
            assert source.retry_in_s is None
        finally:
            merger.close()


def longest_wait_s(merger: Merger, source: RawFolderSource, clock: Clock) -> float:
    """Return the longest wait over five minutes in which the status tells each."""
    waits_s = []
    for _ in range(20):
        passing(merger, clock, 15, step_s=15)
        assert source.retry_in_s is not None
        waits_s.append(source.retry_in_s)
        said = merger.states()[0].failing
        assert said.startswith("1 of its folders, files or connections, tried again in ")
    assert min(waits_s) < 20  # it does come
    return max(waits_s)


def test_a_source_that_fails_says_when_it_is_asked_again(clock: Clock) -> None:
    class Away(GivenSource):
        def poll(self) -> list[SourceItem]:
            raise OSError(errno.ESTALE, "Stale file handle")

    merger = Merger([Away("share", [], live=True)], clock=clock)
    poll_times(merger, 1)
    clock.pass_by(2)
    said = merger.states()[0].failing
    assert said.endswith(f"Stale file handle, tried again in {RETRY_S - 2:.0f} s")
