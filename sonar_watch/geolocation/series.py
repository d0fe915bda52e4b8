"""One sensor's values in the order of time, whatever the order in which they arrive."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sonar_watch.records import FloatArray

_Row = tuple[float, ...]
_FORGET_AT_LEAST = 4096


class Series:
    """Rows of values, sorted by time.

    Rows that arrive in order are appended whole; late ones wait until somebody asks, and are
    then put in their places all at once: an old log is thousands of them, and putting in each
    alone would move millions of newer rows each time. Of two rows with the same time the
    smaller stays, whichever came first, so that the content depends on what was heard and not
    on when.

    Parameters
    ----------
    sensor : str
    circular : sequence of bool
        For each column, whether it is an angle that goes round at 360 degrees.
    """

    __slots__ = ("_circular", "_columns", "_late", "_time_s", "sensor")

    def __init__(self, sensor: str, circular: Sequence[bool]) -> None:
        self.sensor = sensor
        self._circular = tuple(circular)
        self._time_s = array("d")
        self._columns = [array("d") for _ in circular]
        self._late: list[tuple[float, _Row]] = []

    def __len__(self) -> int:
        """Number of rows."""
        self._settle()
        return len(self._time_s)

    @property
    def last_s(self) -> float:
        """Time of the newest row, -inf when there is none; no late row is newer."""
        return self._time_s[-1] if self._time_s else -math.inf

    def add(self, time_s: FloatArray, columns: Sequence[FloatArray]) -> None:
        """Take rows.

        Parameters
        ----------
        time_s : ndarray, shape (n,), seconds since 1970
        columns : sequence of ndarray, shape (n,)
            NaN where a value is unknown.
        """
        in_order = time_s.size > 1 and time_s[0] > self.last_s and (np.diff(time_s) > 0).all()
        if in_order:
            self._time_s.frombytes(np.ascontiguousarray(time_s, np.float64).tobytes())
            for mine, new in zip(self._columns, columns, strict=True):
                mine.frombytes(np.ascontiguousarray(new, np.float64).tobytes())
            return
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for instant, row in zip(time_s.tolist(), rows, strict=True):
            if instant > self.last_s:
                self._append(instant, row)
            else:
                self._late.append((instant, row))

    def _append(self, instant: float, row: _Row) -> None:
        self._time_s.append(instant)
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _settle(self) -> None:
        """Put the late rows in their places; what is older than all of them stays untouched."""
        if not self._late:
            return
        late: dict[float, _Row] = {}
        for instant, row in self._late:
            late[instant] = min(late.get(instant, row), row, key=_order)
        self._late = []
        rows = self._without_known(late)
        if not rows:
            return
        time_s = np.array([instant for instant, _ in rows])
        start = bisect_left(self._time_s, rows[0][0])
        places = np.searchsorted(np.array(self._time_s[start:]), time_s)
        _insert(self._time_s, start, places, time_s)
        for column, values in zip(self._columns, zip(*(row for _, row in rows), strict=True),
                                  strict=True):  # fmt: skip
            _insert(column, start, places, np.array(values))

    def _without_known(self, late: dict[float, _Row]) -> list[tuple[float, _Row]]:
        """Return those of a new time, in order; of a known one the smaller row stays."""
        new: list[tuple[float, _Row]] = []
        for instant, row in sorted(late.items()):
            at = bisect_left(self._time_s, instant)
            if at == len(self._time_s) or self._time_s[at] != instant:
                new.append((instant, row))
            elif _order(row) < _order(self._row(at)):
                for column, value in zip(self._columns, row, strict=True):
                    column[at] = value
        return new

    def between(self, instant: float, max_gap_s: float) -> tuple[_Row, float] | None:
        """Return the values interpolated at `instant` and the distance to the nearer row.

        None unless a row has that very time, or rows on both sides lie at most `max_gap_s`
        apart.
        """
        self._settle()
        after = bisect_left(self._time_s, instant)
        if after < len(self._time_s) and self._time_s[after] == instant:
            return self._row(after), 0.0
        if not 0 < after < len(self._time_s):
            return None
        start, end = self._time_s[after - 1], self._time_s[after]
        if end - start > max_gap_s:
            return None
        weight = (instant - start) / (end - start)
        pairs = zip(self._row(after - 1), self._row(after), self._circular, strict=True)
        row = tuple(_blend(a, b, weight, round_) for a, b, round_ in pairs)
        return row, min(instant - start, end - instant)

    def nearest(self, instant: float, max_age_s: float) -> tuple[_Row, float] | None:
        """Return the values of the row nearest to `instant` and how far it is past it, or None."""
        self._settle()
        after = bisect_right(self._time_s, instant)
        near = [at for at in (after - 1, after) if 0 <= at < len(self._time_s)]
        if not near:
            return None
        best = min(near, key=lambda at: abs(self._time_s[at] - instant))
        lag_s = instant - self._time_s[best]
        return (self._row(best), lag_s) if abs(lag_s) <= max_age_s else None

    def last_before(self, instant: float) -> float | None:
        """Return the time of the last row at or before `instant`, or None."""
        self._settle()
        after = bisect_right(self._time_s, instant)
        return self._time_s[after - 1] if after else None

    def forget_before(self, instant: float) -> None:
        """Drop rows before `instant`, or leave them a while where few would go."""
        self._settle()
        old = bisect_left(self._time_s, instant)
        if old < min(_FORGET_AT_LEAST, len(self._time_s)):
            return
        del self._time_s[:old]
        for column in self._columns:
            del column[:old]

    def _row(self, at: int) -> _Row:
        return tuple(column[at] for column in self._columns)


def _insert(
    column: array[float], start: int, places: npt.NDArray[np.intp], values: FloatArray
) -> None:
    """Put values in before the places, counted from `start`: the rest moves once."""
    rest = np.insert(np.array(column[start:]), places, values)
    del column[start:]
    column.frombytes(rest.tobytes())


def _order(row: _Row) -> _Row:
    return tuple(-math.inf if math.isnan(value) else value for value in row)


def _blend(start: float, end: float, weight: float, circular: bool) -> float:
    step = end - start
    if circular:
        step = (step + 180.0) % 360.0 - 180.0
    return start + weight * step
