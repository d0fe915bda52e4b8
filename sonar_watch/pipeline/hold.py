"""Keeps swaths back until the navigation of their instant can no longer change."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Protocol

from sonar_watch.errors import NavigationError
from sonar_watch.records import (
    LineEnd,
    NavigationFix,
    NavigationSample,
    WaterColumnFrame,
    WaterColumnPing,
)

Swath = WaterColumnPing | WaterColumnFrame
SwathItem = Swath | NavigationSample | LineEnd


class Track(Protocol):
    """What the hold asks of the navigation."""

    def add(self, sample: NavigationSample) -> None: ...
    def covers(self, time_utc: datetime) -> bool: ...
    def fix(self, time_utc: datetime) -> NavigationFix: ...


@dataclass(frozen=True, slots=True)
class Settled:
    """A swath that no longer waits.

    Parameters
    ----------
    swath : WaterColumnPing or WaterColumnFrame
    fix : NavigationFix or None
    note : str or None
        Why there is no fix.
    """

    swath: Swath
    fix: NavigationFix | None
    note: str | None


@dataclass(slots=True)
class _Held:
    swath: Swath
    source: str
    settled: bool = False


class NavigationHold:
    """A queue of swaths in order; its head leaves when its navigation is settled.

    That is when position and heading are known on both sides of it, when it carries a fix of its
    own, when its source says that the line is over, when more than `limit` swaths wait, or when
    one `longest_s` later in data time has come: then there is no navigation to wait for.

    Parameters
    ----------
    track : Track
    limit : int
        Swaths held at most; beyond it the oldest leave with the navigation there is.
    longest_s : float
        Seconds of data time a swath is held at most.
    """

    def __init__(self, track: Track, limit: int, longest_s: float) -> None:
        self._track = track
        self._limit = limit
        self._longest = timedelta(seconds=longest_s)
        self._latest_utc = datetime.fromtimestamp(0, UTC)
        self._queue: deque[_Held | LineEnd] = deque()
        self._swaths = 0

    def __len__(self) -> int:
        """Swaths held."""
        return self._swaths

    def waiting(self) -> Iterator[Swath]:
        """Yield the swaths held, in the order in which they will leave."""
        return (held.swath for held in self._queue if isinstance(held, _Held))

    def take(self, items: Iterable[SwathItem]) -> Iterator[Settled | LineEnd]:
        """Yield what leaves, in order: swaths with the ship's fix, and the ends of lines.

        Where a line ends, what waits leaves before the next item is looked at: the next line
        may be years later, and its navigation would make the track forget this one's.
        """
        for item in items:
            if isinstance(item, NavigationSample):
                self._track.add(item)
            elif isinstance(item, LineEnd):
                self._end_line(item)
                yield from self._release()
            else:
                self._add(item)
        yield from self._release()

    def _release(self) -> Iterator[Settled | LineEnd]:
        while self._queue:
            head = self._queue[0]
            if isinstance(head, _Held) and not self._leaves(head):
                return
            self._queue.popleft()
            if isinstance(head, LineEnd):
                yield head
            else:
                self._swaths -= 1
                yield self._settle(head.swath)

    def _settle(self, swath: Swath) -> Settled:
        if isinstance(swath, WaterColumnFrame) and swath.navigation is not None:
            return Settled(swath, swath.navigation, None)
        try:
            return Settled(swath, self._track.fix(swath.time_utc), None)
        except NavigationError as error:
            return Settled(swath, None, str(error))

    def _add(self, swath: Swath) -> None:
        settled = isinstance(swath, WaterColumnFrame) and swath.navigation is not None
        self._queue.append(_Held(swath, swath.source.source, settled))
        self._latest_utc = swath.time_utc
        self._swaths += 1

    def _end_line(self, end: LineEnd) -> None:
        """No more navigation comes for what this source gave, of the line if it says which."""
        for held in self._queue:
            if isinstance(held, _Held) and held.source == end.source:
                model = held.swath.sounder.partition("-")[0]
                system = held.swath.unit.partition("-")[0]
                file = held.swath.source.file
                line = end.line if end.line == file else PurePath(file).stem
                said = (end.sounder, model), (end.unit, system), (end.line, line)
                is_over = all(word in ("", its) for word, its in said)
                held.settled = held.settled or is_over
        self._queue.append(end)

    def _leaves(self, held: _Held) -> bool:
        too_many = self._swaths > self._limit
        # Either way: a swath with a wrong clock far ahead must not hold back all that follow.
        too_long = abs(self._latest_utc - held.swath.time_utc) > self._longest
        settled = held.settled or too_many or too_long
        return settled or self._track.covers(held.swath.time_utc)
