"""How far back a ship's logs are read after a restart: no further than swaths still need them.

Only the stamps in the logs decide, and the times of swaths: the clock of a file server may be
hours off, and a log may have been copied.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from datetime import datetime
from io import FileIO
from pathlib import Path

from sonar_watch.errors import FormatError
from sonar_watch.formats.nmea import split_log_line

LOOK_BYTES = 2048
"""Read at each place that is looked at: a dozen sentences, and more than the longest line."""

LOOKS = 16
"""Places of a log that are looked at in turn. Not two halves at a time: where a clock was put
back, a later time comes before an earlier one, and the first of all that are needed counts."""

ROUNDS = 3
"""Each looks closer at one of the pieces of the round before."""

FINE_BYTES = 1 << 18
"""A start that is known so closely will do."""

REACH_S = 3600.0
"""Far more than navigation may be older than a swath: loggers' clocks are not sounders' clocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """The beginning of a log that is not read.

    Parameters
    ----------
    offset : int
        Byte of the first line that is read.
    first_s, last_s : float
        Data time of what is passed over, from and to, seconds since 1970 UTC.
    is_all : bool
        Nothing but a line that is still being written comes after it.
    """

    offset: int = 0
    first_s: float = math.inf
    last_s: float = -math.inf
    is_all: bool = False


class LogNeed:
    """Tells from which data time on navigation is needed.

    From a while before the last frame that the journal holds; and about each swath from before
    that which comes all the same: of a line that was not done yet, of a sounder that lagged
    behind, of a file that somebody brought.

    Parameters
    ----------
    done_utc : datetime or None
        Data time of the last frame that is done; None: from the beginning on.
    reach_s : float
        Seconds before and after a swath in which navigation may count for it.
    """

    def __init__(self, done_utc: datetime | None = None, reach_s: float = REACH_S) -> None:
        self._reach_s = reach_s
        self._steps: set[int] = set()
        self.since_s = -math.inf if done_utc is None else done_utc.timestamp() - reach_s

    @property
    def is_all(self) -> bool:
        """True when everything is needed."""
        return self.since_s == -math.inf

    def note(self, time_s: float) -> bool:
        """Note a swath that is still to come; return True when it needs what others do not."""
        step = math.floor(time_s / self._reach_s)
        if time_s - self._reach_s >= self.since_s or step in self._steps:
            return False
        self._steps.add(step)
        return True

    def since_in(self, passed: PassedOver) -> float | None:
        """Return from which time on swaths need what was passed over; None: none of them does."""
        reach_s = self._reach_s
        since_s = [
            (step - 1) * reach_s for step in self._steps
            if passed.offset and (step - 1) * reach_s <= passed.last_s
            and passed.first_s <= (step + 2) * reach_s
        ]
        return min(since_s, default=None)

    def pass_over(self, path: Path) -> PassedOver:
        """Return the beginning of a log that nobody needs; as `pass_over`."""
        if self.is_all:
            return PassedOver()
        passed = pass_over(path, self.since_s)
        since_s = self.since_in(passed)
        return passed if since_s is None else pass_over(path, since_s)


def pass_over(path: Path, since_s: float) -> PassedOver:
    """Return the beginning of a log that is older than `since_s`, as far as looks into it tell.

    What cannot be told counts as needed; no more than a few dozen places are looked at.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        first = _look(file, 0)
        if not first.times_s:
            return PassedOver()
        passed, end = PassedOver(), size
        for _ in range(ROUNDS):
            step = max(FINE_BYTES, (end - passed.offset) // LOOKS)
            passed, end = _advance(file, passed, range(passed.offset, end, step), end, since_s)
            if step == FINE_BYTES:
                break
        if end < size:
            return passed
        last = _look(file, max(0, size - LOOK_BYTES))
        if not last.times_s or max(first.times_s + last.times_s) >= since_s:
            return passed
        passed = _widened(_widened(passed, first, 0), last, last.end)
        return replace(passed, is_all=True)


@dataclass(frozen=True, slots=True)
class _Look:
    """What stands at a place of a log: its whole lines, from and to, and the times they tell."""

    start: int
    end: int
    times_s: list[float]


def _advance(
    file: FileIO, passed: PassedOver, places: range, end: int, since_s: float
) -> tuple[PassedOver, int]:
    """Look at one place after the other up to the first that is needed; return how far that is."""
    for at in places:
        look = _look(file, at)
        if look.times_s and max(look.times_s) >= since_s:
            return passed, at
        passed = _widened(passed, look, look.start)
    return passed, end


def _widened(passed: PassedOver, look: _Look, offset: int) -> PassedOver:
    if not look.times_s:
        return passed
    return PassedOver(
        offset=max(offset, passed.offset),
        first_s=min(passed.first_s, *look.times_s),
        last_s=max(passed.last_s, *look.times_s),
    )


def _look(file: FileIO, at: int) -> _Look:
    file.seek(at)
    data = file.read(LOOK_BYTES)
    start = data.find(b"\n") + 1 if at else 0
    end = data.rfind(b"\n") + 1
    lines = data[start:end].decode("ascii", "replace").split("\n")
    times_s = [time_s for line in lines if (time_s := _time_s(line)) is not None]
    return _Look(at + start, at + end, times_s)


def _time_s(line: str) -> float | None:
    """Return when a line was received; None where it holds no sentence."""
    try:
        found = split_log_line(line)
    except FormatError:
        return None
    return None if found is None else found[0].timestamp()
