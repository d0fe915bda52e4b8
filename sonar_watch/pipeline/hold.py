"""Keeps swaths back until the navigation of their instant can no longer change."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sonar_watch.records import (
    LineEnd,
    NavigationFix,
    NavigationSample,
    WaterColumnFrame,
    WaterColumnPing,
)

Swath = WaterColumnPing | WaterColumnFrame


class Track(Protocol):
    """What the hold asks of the navigation."""

    def add(self, sample: NavigationSample) -> None: ...
    def covers(self, time_utc: datetime) -> bool: ...
    def fix(self, time_utc: datetime) -> NavigationFix: ...


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
        self._newest_utc = datetime.min.replace(tzinfo=UTC)
        self._queue: deque[_Held | LineEnd] = deque()
        self._swaths = 0

    def __len__(self) -> int:
        """Swaths held."""
        return self._swaths

    def add(self, swath: Swath) -> None:
        """Put a swath at the end of the queue."""
        settled = isinstance(swath, WaterColumnFrame) and swath.navigation is not None
        self._queue.append(_Held(swath, swath.source.source, settled))
        self._newest_utc = max(self._newest_utc, swath.time_utc)
        self._swaths += 1

    def end_line(self, end: LineEnd) -> None:
        """Note that no more navigation comes for what this source gave."""
        for held in self._queue:
            if isinstance(held, _Held) and held.source == end.source:
                held.settled = True
        self._queue.append(end)

    def release(self, most: int) -> Iterator[Swath | Mapping[str, Any]]:
        """Yield up to `most` settled swaths in order, and the checkpoints between them."""
        while self._queue and most > 0:
            head = self._queue[0]
            if isinstance(head, LineEnd):
                self._queue.popleft()
                yield head.checkpoint
                continue
            if not self._leaves(head):
                return
            self._queue.popleft()
            self._swaths -= 1
            most -= 1
            yield head.swath

    def _leaves(self, held: _Held) -> bool:
        too_many = self._swaths > self._limit
        too_long = self._newest_utc - held.swath.time_utc > self._longest
        settled = held.settled or too_many or too_long
        return settled or self._track.covers(held.swath.time_utc)
