"""Several sources as one, in the order of data time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sonar_watch.records import NavigationSample, SourceItem
from sonar_watch.sources.lane import BUFFERED_PER_SOURCE, Lane
from sonar_watch.sources.source import Source, SourceState, add_counts

__all__ = ["BUFFERED_PER_SOURCE", "GIVEN_PER_POLL", "ROUNDS_WHEN_FINITE", "Merger"]

GIVEN_PER_POLL = 64
ROUNDS_WHEN_FINITE = 16
"""A replay need not sleep while a source is still looking through a folder."""

CATCHING_UP = 3.0
"""A live merge that gets through data this much faster than the clock works off a backlog."""


class _Pace:
    """Whether data time runs faster than the clock: a backlog is being worked off."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._newest_s: float | None = None
        self._mark: tuple[float, float] | None = None
        self.catching_up = False

    def note(self, time_s: float | None) -> None:
        """Note the data time of what was handed on in its turn."""
        if time_s is not None:
            self._newest_s = time_s if self._newest_s is None else max(self._newest_s, time_s)

    def look(self, now_s: float) -> None:
        """Compare what was handed on with the clock, once every `every_s`."""
        if self._newest_s is None:
            return
        if self._mark is None:
            self._mark = now_s, self._newest_s
        elapsed_s = now_s - self._mark[0]
        if elapsed_s >= self._every_s and elapsed_s > 0:
            self.catching_up = self._newest_s - self._mark[1] > CATCHING_UP * elapsed_s
            self._mark = now_s, self._newest_s


class Merger:
    """Gives the items of several sources with the smallest data time first.

    - A finite source that has nothing yet makes the others wait until it has, or is exhausted:
      the order of a replay depends on the data alone, however much each poll brings.
    - A live source makes the others wait while it has read something that it holds back (the
      last swaths of a line wait for navigation), and when it gave a swath within the last
      `patience_s` seconds: then its next is likely on the way.
    - Nothing live waits longer than `overdue_s` for its turn: clocks that are minutes apart, or
      one bad time, delay a source by that much and no more. While a backlog is worked off
      (data time runs more than `CATCHING_UP` times faster than the clock) order goes first:
      the turn of what waits is then coming closer.
    - A live source that raises an error is logged once per reason, counted as "failing" and
      asked again later; the others go on.
    - Live navigation runs ahead of the swaths of its source, never past a `LineEnd`. Recorded
      navigation runs at most `lead_s` of data time ahead of everything else: a track that has
      heard next year's positions no longer keeps this year's.
    - `LineEnd` and `Quarantined` keep their place after what their source gave before.
    - No source is polled while `BUFFERED_PER_SOURCE` of its items wait.

    Parameters
    ----------
    sources : iterable of Source
    name : str
    live : bool
        Whether the sources are live ones.
    patience_s, overdue_s, lead_s : float
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        sources: Iterable[Source] = (),
        *,
        name: str = "merged",
        live: bool = True,
        patience_s: float = 5.0,
        overdue_s: float = 90.0,
        lead_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._live = live
        self._patience_s = patience_s
        self._overdue_s = overdue_s
        self._lead_s = lead_s
        self._clock = clock
        self._pace = _Pace(patience_s)
        self._lanes: list[Lane] = []
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> None:
        """Merge one more source from now on."""
        self._lanes.append(Lane(source, live=self._live, tell=self._tell))

    def remove(self, source: Source) -> bool:
        """Merge a source no longer; return False, and go on, while something of it waits."""
        lane = next(lane for lane in self._lanes if lane.source is source)
        if not lane.queue:
            self._lanes.remove(lane)
        return not lane.queue

    @property
    def exhausted(self) -> bool:
        """True when every source is exhausted and all is handed on."""
        return all(lane.finished for lane in self._lanes)

    def poll(self) -> list[SourceItem]:
        """Return the next items in order, about `GIVEN_PER_POLL` at most, navigation first."""
        for _ in range(1 if self._live else ROUNDS_WHEN_FINITE):
            items = self._round()
            if items:
                return items
        return []

    def counts(self) -> dict[str, int]:
        """Return the sums of the sources' counts; what waits here is backlog as well."""
        here = {"backlog": sum(len(lane.queue) for lane in self._lanes)}
        return add_counts([here, *(lane.counts() for lane in self._lanes)])

    def states(self) -> list[SourceState]:
        """Return how each source is."""
        now_s = self._clock()
        return [lane.state(now_s) for lane in self._lanes]

    def close(self) -> None:
        """Close every source."""
        for lane in self._lanes:
            lane.source.close()

    def _tell(self, time_s: float) -> None:
        """Have logs read that were passed over, before the swath that needs them has its turn."""
        for lane in self._lanes:
            lane.hear(time_s)

    def _round(self) -> list[SourceItem]:
        now_s = self._clock()
        items: list[SourceItem] = []
        for lane in self._lanes:
            items += lane.fill(now_s)
        if self._live:
            self._pace.look(now_s)
        while len(items) < GIVEN_PER_POLL and (first := self._next(now_s)) is not None:
            items.append(first.take())
        return items

    def _next(self, now_s: float) -> Lane | None:
        """Return the lane whose first item is due, None while it could still be another."""
        waiting = [lane for lane in self._lanes if lane.queue]
        for lane in waiting:
            if lane.head_s is None:
                return lane
        overdue = [lane for lane in waiting if self._is_overdue(lane, now_s)]
        if overdue:
            return min(overdue, key=lambda lane: (lane.head_arrived_s, self._due_s(lane)))
        if any(lane.blocks(now_s, self._patience_s) for lane in self._lanes):
            return None
        first = min(waiting, key=self._due_s, default=None)
        if first is not None:
            self._pace.note(first.head_s)
        return first

    def _is_overdue(self, lane: Lane, now_s: float) -> bool:
        waited_s = now_s - lane.head_arrived_s
        return self._live and not self._pace.catching_up and waited_s > self._overdue_s

    def _due_s(self, lane: Lane) -> float:
        due_s = lane.head_s or 0.0
        return due_s - self._lead_s if isinstance(lane.queue[0], NavigationSample) else due_s
