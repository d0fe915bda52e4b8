"""What a source is, and what it asks of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from sonar_watch.records import (
    NavigationSample,
    Quarantined,
    SourceItem,
    SourceRef,
    WaterColumnFrame,
    WaterColumnPing,
)


class Source(Protocol):
    """Something that gives pings, pictures and navigation, piece by piece."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    @property
    def exhausted(self) -> bool:
        """True when a replay has given everything; a live source never is."""

    def poll(self) -> list[SourceItem]:
        """Return what is new, a bounded number of items; never blocks; [] = nothing now."""

    def counts(self) -> dict[str, int]:
        """Return what waits and what went wrong, cheap enough to ask for each second.

        Keys, each absent where it cannot be:

        - "backlog": what is known and not given yet (pictures, lines, log files, datagrams);
        - "dropped": what came too fast and was lost, and swaths that lack a part;
        - "lost_parts": parts of swaths sent over UDP that never came;
        - "without_setup": swaths from before the sounder said how it is installed;
        - "broken": what could not be used, told as `Quarantined` or not;
        - "failing": sources, folders and files that could not be read when last tried (now, not
          since the start);
        - "scanning": sources that have not looked through their folder once yet and still can;
        - "clock_offset": sentences whose date is seconds off their stamp;
        - "rollover": sentences whose date was put right by weeks; "no_checksum": those without;
        - "superseded": sentences that came late, after newer ones of their kind.

        They count from the start of the program.
        """

    def close(self) -> None:
        """End threads, close files and sockets; harmless when called again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How one source is.

    Parameters
    ----------
    name : str
    counts : mapping
        See `Source.counts`.
    failing : str
        Why it cannot be read now; "" when it can.
    quiet_s : float or None
        Seconds since it gave something; None when it never did.
    clock_offset_s : float or None
        Seconds that the last date in its sentences was ahead of their stamp, if it has any.
    """

    name: str
    counts: Mapping[str, int]
    failing: str = ""
    quiet_s: float | None = None
    clock_offset_s: float | None = None


class Ledger(Protocol):
    """Who knows what is already done: the journal."""

    def is_done(self, frame_id: str, /) -> bool:
        """Return True when the results of this frame are stored."""

    def checkpoint(self, key: str, /) -> Any | None:
        """Return what was stored under `key`, or None."""


class EmptyLedger:
    """The ledger of a first run: nothing is done."""

    def is_done(self, _frame_id: str, /) -> bool:
        """Return False."""
        return False

    def checkpoint(self, _key: str, /) -> Any | None:
        """Return None."""
        return None


def is_swath(item: SourceItem) -> TypeGuard[WaterColumnPing | WaterColumnFrame]:
    """Return True for a ping or a picture, what detection works on."""
    return isinstance(item, WaterColumnPing | WaterColumnFrame)


def data_time_s(item: SourceItem) -> float | None:
    """Return the data time of an item, seconds since 1970 UTC; None when it has none."""
    if is_swath(item):
        return item.time_utc.timestamp()
    if isinstance(item, NavigationSample) and item.time_s.size:
        return float(item.time_s[0])
    return None


def add_counts(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of counts, key by key.

    >>> add_counts([{"backlog": 1, "broken": 2}, {"backlog": 3}])
    {'backlog': 4, 'broken': 2}
    """
    total: dict[str, int] = {}
    for counts in several:
        for key, number in counts.items():
            total[key] = total.get(key, 0) + number
    return total


MOST_NAMED = 1000
"""Files and senders about which complaints are counted apart; anybody may send to a port."""


class Complaints:
    """Sets broken sentences aside: the first few in full, all of them counted.

    A loose cable breaks ten sentences a second for days; nobody reads them all.

    Parameters
    ----------
    source : str
    told_in_full : int
        How many of each file or sender become `Quarantined`.
    """

    def __init__(self, source: str, told_in_full: int = 5) -> None:
        self._source = source
        self._told_in_full = told_in_full
        self._of: dict[str, int] = {}

    @property
    def count(self) -> int:
        """All so far."""
        return sum(self._of.values())

    def add(self, file: str, reason: str, offset: int | None = None) -> list[SourceItem]:
        """Count one; return what to hand on."""
        named = file if file in self._of or len(self._of) < MOST_NAMED else "others"
        self._of[named] = self._of.get(named, 0) + 1
        if self._of[named] > self._told_in_full:
            return []
        if self._of[named] == self._told_in_full:
            reason += " (more like this are counted, not told)"
        ref = SourceRef(source=self._source, file=file, offset=offset)
        return [Quarantined(source=ref, reason=reason)]
