"""One sensor's values in the order of time, whatever the order in which they arrive."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from sonar_watch.records import FloatArray

_Row = tuple[float, ...]
_FORGET_AT_LEAST = 4096


class Series:
    """Rows of values, sorted by time.

    Rows that arrive in order are appended whole; one that is late is put in its place. Of two
    rows with the same time the smaller stays, whichever came first, so that the content
    depends on what was heard and not on when.

    Parameters
    ----------
    sensor : str
    circular : sequence of bool
        For each column, whether it is an angle that goes round at 360 degrees.
    """

    __slots__ = ("_circular", "_columns", "_time_s", "sensor")

    def __init__(self, sensor: str, circular: Sequence[bool]) -> None:
        self.sensor = sensor
        self._circular = tuple(circular)
        self._time_s = array("d")
        self._columns = [array("d") for _ in circular]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._time_s)

    @property
    def last_s(self) -> float:
        """Time of the newest row, -inf when there is none."""
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
            self._insert(instant, row)

    def _insert(self, instant: float, row: _Row) -> None:
        at = bisect_left(self._time_s, instant)
        if at < len(self._time_s) and self._time_s[at] == instant:
            if _order(row) < _order(self._row(at)):
                for column, value in zip(self._columns, row, strict=True):
                    column[at] = value
            return
        self._time_s.insert(at, instant)
        for column, value in zip(self._columns, row, strict=True):
            column.insert(at, value)

    def between(self, instant: float, max_gap_s: float) -> tuple[_Row, float] | None:
        """Return the values interpolated at `instant` and the distance to the nearer row.

        None unless a row has that very time, or rows on both sides lie at most `max_gap_s`
        apart.
        """
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
        after = bisect_right(self._time_s, instant)
        near = [at for at in (after - 1, after) if 0 <= at < len(self._time_s)]
        if not near:
            return None
        best = min(near, key=lambda at: abs(self._time_s[at] - instant))
        lag_s = instant - self._time_s[best]
        return (self._row(best), lag_s) if abs(lag_s) <= max_age_s else None

    def last_before(self, instant: float) -> float | None:
        """Return the time of the last row at or before `instant`, or None."""
        after = bisect_right(self._time_s, instant)
        return self._time_s[after - 1] if after else None

    def forget_before(self, instant: float) -> None:
        """Drop rows before `instant`, or leave them a while where few would go."""
        old = bisect_left(self._time_s, instant)
        if old < min(_FORGET_AT_LEAST, len(self._time_s)):
            return
        del self._time_s[:old]
        for column in self._columns:
            del column[:old]

    def _row(self, at: int) -> _Row:
        return tuple(column[at] for column in self._columns)


def _order(row: _Row) -> _Row:
    return tuple(-math.inf if math.isnan(value) else value for value in row)


def _blend(start: float, end: float, weight: float, circular: bool) -> float:
    step = end - start
    if circular:
        step = (step + 180.0) % 360.0 - 180.0
    return start + weight * step
