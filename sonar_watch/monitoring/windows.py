"""The last few minutes: how many, how long, how much more than before."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

SPAN_S = 180.0
"""What "the last minutes" are."""

_MOST_VALUES = 4096


class Recent:
    """The values of the last minutes, at most some thousands of them.

    Parameters
    ----------
    span_s : float
        How far back they count.
    """

    def __init__(self, span_s: float = SPAN_S) -> None:
        self._span_s = span_s
        self._values: deque[tuple[float, float]] = deque(maxlen=_MOST_VALUES)

    def add(self, now_s: float, value: float) -> None:
        """Take one value."""
        self._values.append((now_s, value))

    def values(self, now_s: float) -> list[float]:
        """Return those not older than the span, in the order in which they came."""
        while self._values and self._values[0][0] < now_s - self._span_s:
            self._values.popleft()
        return [value for _, value in self._values]

    def quantiles(self, now_s: float) -> dict[str, float] | None:
        """Return the median and the 99 % quantile; None when nothing came lately."""
        ordered = sorted(self.values(now_s))
        if not ordered:
            return None
        return {"p50": quantile(ordered, 0.5), "p99": quantile(ordered, 0.99)}


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of them do not exceed (nearest rank).

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([1.0, 2.0, 3.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Rate:
    """How many a minute, over the last minutes.

    Parameters
    ----------
    started_s : float
        Of the clock that is given later; less than the span ago, the rate counts from here.
    span_s, step_s : float
        Counted in steps, so that a fast replay takes no more memory than a slow ship.
    """

    def __init__(self, started_s: float, span_s: float = SPAN_S, step_s: float = 5.0) -> None:
        self._started_s, self._span_s, self._step_s = started_s, span_s, step_s
        self._steps: deque[tuple[int, int]] = deque()

    def add(self, now_s: float, more: int = 1) -> None:
        """Count some more."""
        step = int(now_s // self._step_s)
        if self._steps and self._steps[-1][0] == step:
            more += self._steps.pop()[1]
        self._steps.append((step, more))

    def per_minute(self, now_s: float) -> float:
        """Return the number per minute."""
        oldest = (now_s - self._span_s) // self._step_s
        while self._steps and self._steps[0][0] < oldest:
            self._steps.popleft()
        lasted_s = min(self._span_s, max(self._step_s, now_s - self._started_s))
        return 60.0 * sum(number for _, number in self._steps) / lasted_s


class Growth:
    """Since when a number has been above a limit and growing.

    It grows while it stays within a tenth of its highest value so far: the few that are worked
    off between two bursts do not make it shrink.

    Parameters
    ----------
    least : float
        Numbers up to this one are no matter.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._highest = 0.0
        self._since: tuple[float, float] | None = None

    def add(self, now_s: float, value: float) -> None:
        """Take the number as it is now."""
        if value <= self._least or value < 0.9 * self._highest:
            self._highest, self._since = 0.0, None
        if value > self._least:
            self._highest = max(self._highest, value)
            self._since = self._since or (now_s, value)

    def grown(self, now_s: float) -> tuple[float, float] | None:
        """Return for how many seconds, and by how much; None when it does not grow."""
        if self._since is None or self._highest <= self._since[1]:
            return None
        return now_s - self._since[0], self._highest - self._since[1]
