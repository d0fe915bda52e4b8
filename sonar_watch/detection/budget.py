"""Which confidence keeps false alerts within a budget, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

CERTAINTY = 0.95
"""Of the upper bound of a measured rate."""


def confidence_within(
    rates: Sequence[tuple[float, float]], budget_per_hour: float
) -> float | None:
    """Return the lowest measured confidence from which on the rate stays within the budget.

    Between measured thresholds nothing is interpolated: what was not measured is not promised.
    A threshold counts only when every stricter one keeps within the budget, too: rates of few
    events are ragged, and a lucky dip is no promise.

    Parameters
    ----------
    rates : sequence of (confidence, false alerts per hour)
        In any order.
    budget_per_hour : float

    Returns
    -------
    float or None
        None when nothing was measured, or the strictest measured threshold is over the budget.

    Examples
    --------
    >>> confidence_within([(0.3, 1.2), (0.4, 0.04), (0.5, 0.0)], 0.04)
    0.4
    >>> confidence_within([(0.3, 0.0), (0.4, 0.2), (0.5, 0.0)], 0.04)
    0.5
    >>> confidence_within([(0.3, 1.2)], 0.04) is None
    True
    """
    lowest = None
    for confidence, rate in sorted(rates, reverse=True):
        if rate > budget_per_hour:
            break
        lowest = confidence
    return lowest


def rate_bound(rate: float, hours: float) -> float:
    """Return the rate per hour that is not exceeded with 95 % certainty, given what was measured.

    The events counted are taken for a Poisson count: the bound is the rate at which so few or
    fewer come in 5 % of all trials of that length (Garwood 1936, one side). No event in H hours
    bounds the rate to 3 / H.

    Parameters
    ----------
    rate : float
        Events per hour, measured ...
    hours : float
        ... over that many hours; 0 or less says nothing, and the bound is infinite.

    Examples
    --------
    >>> round(rate_bound(0.0, 24.0), 3)
    0.125
    >>> round(rate_bound(1.0, 2.0), 2)
    3.15
    """
    if hours <= 0:
        return math.inf
    events = round(rate * hours)
    low, high = float(events), 2.0 * events + 10.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(events, middle) > 1.0 - CERTAINTY:
            low = middle
        else:
            high = middle
    return high / hours


def _at_most(events: int, mean: float) -> float:
    """Return the probability of `events` or fewer of a Poisson count."""
    terms = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(events + 1))
    return math.fsum(map(math.exp, terms))


def hours_needed(budget_per_hour: float) -> float:
    """Return the hours without any event that show a rate to be within a budget.

    >>> round(hours_needed(0.04), 1)
    74.9
    """
    return -math.log(1.0 - CERTAINTY) / budget_per_hour if budget_per_hour > 0 else math.inf
