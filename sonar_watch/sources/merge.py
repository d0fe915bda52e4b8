"""Several sources as one, in the order of data time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from sonar_watch.records import LineEnd, NavigationSample, SourceItem
from sonar_watch.sources.source import Source, add_counts, data_time_s, is_swath

GIVEN_PER_POLL = 64
BUFFERED_PER_SOURCE = 64
ROUNDS_WHEN_FINITE = 16
"""A replay need not sleep while a source is still looking through a folder."""


class _Lane:
    """One source and what it gave that is not handed on yet."""

    def __init__(self, source: Source, *, live: bool) -> None:
        self.source = source
        self.live = live
        self.queue: deque[SourceItem] = deque()
        self.last_swath_at_s = float("-inf")

    @property
    def head_s(self) -> float | None:
        """Data time of the first item, None when there is none or it has no time."""
        return data_time_s(self.queue[0]) if self.queue else None

    @property
    def finished(self) -> bool:
        return not self.queue and self.source.exhausted

    def fill(self, now_s: float) -> list[SourceItem]:
        """Take what the source has; return the navigation that may run ahead of its swaths."""
        if len(self.queue) >= BUFFERED_PER_SOURCE or self.source.exhausted:
            return []
        ahead: list[SourceItem] = []
        ended = any(isinstance(item, LineEnd) for item in self.queue)
        for item in self.source.poll():
            ended = ended or isinstance(item, LineEnd)
            if is_swath(item):
                self.last_swath_at_s = now_s
            # Never past the end of a line: which fix its last swaths get would depend on chance.
            if isinstance(item, NavigationSample) and not ended and self.live:
                ahead.append(item)
            else:
                self.queue.append(item)
        return ahead

    def blocks(self, now_s: float, patience_s: float) -> bool:
        """Return True while an earlier item could still come from here."""
        if self.queue or self.source.exhausted:
            return False
        if self.live:
            return now_s - self.last_swath_at_s < patience_s
        return True


class Merger:
    """Gives the items of several sources with the smallest data time first.

    - A finite source that has nothing yet makes the others wait until it has, or is exhausted:
      the order of a replay depends on the data alone, however much each poll brings.
    - A live source makes the others wait only when it gave a swath within the last
      `patience_s` seconds: then its next is likely on the way.
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
    patience_s, lead_s : float
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
        lead_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._live = live
        self._patience_s = patience_s
        self._lead_s = lead_s
        self._clock = clock
        self._lanes = [_Lane(source, live=live) for source in sources]

    def add(self, source: Source) -> None:
        """Merge one more source from now on."""
        self._lanes.append(_Lane(source, live=self._live))

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
        return add_counts([here, *(lane.source.counts() for lane in self._lanes)])

    def close(self) -> None:
        """Close every source."""
        for lane in self._lanes:
            lane.source.close()

    def _round(self) -> list[SourceItem]:
        now_s = self._clock()
        items: list[SourceItem] = []
        for lane in self._lanes:
            items += lane.fill(now_s)
        while len(items) < GIVEN_PER_POLL and (first := self._next(now_s)) is not None:
            items.append(first.queue.popleft())
        return items

    def _next(self, now_s: float) -> _Lane | None:
        """Return the lane whose first item is due, None while it could still be another."""
        for lane in self._lanes:
            if lane.queue and lane.head_s is None:
                return lane
        if any(lane.blocks(now_s, self._patience_s) for lane in self._lanes):
            return None
        waiting = [lane for lane in self._lanes if lane.queue]
        return min(waiting, key=self._due_s, default=None)

    def _due_s(self, lane: _Lane) -> float:
        due_s = lane.head_s or 0.0
        return due_s - self._lead_s if isinstance(lane.queue[0], NavigationSample) else due_s
