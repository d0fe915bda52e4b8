"""Which confidence keeps false alerts within a budget, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

CERTAINTY = 0.95
"""Of the upper bound of a measured rate."""


def confidence_within(
    rates: Sequence[tuple[float, float]], budget_per_hour: float, hours: float | None = None
) -> float | None:
    """Return the lowest measured confidence from which on the rate stays within the budget.

    Between measured thresholds nothing is interpolated: what was not measured is not promised.
    A threshold counts only when every stricter one keeps within the budget, too: rates of few
    events are ragged, and a lucky dip is no promise. Going down from the strictest and ending at
    the first that fails keeps the certainty of the bound, however many thresholds there are
    (Maurer et al. 1995: tests in a fixed order).

    Parameters
    ----------
    rates : sequence of (confidence, false alerts per hour)
        In any order.
    budget_per_hour : float
    hours : float or None
        Over which they were counted: then the upper bound of each rate must be within
        `bound_allowed` as well, since no event in a short while shows nothing. None asks for the
        counted rates alone.

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
    >>> [confidence_within([(0.4, 0.0)], 0.042, hours) for hours in (12.0, 24.0)]
    [None, 0.4]
    """
    lowest, allowed = None, bound_allowed(budget_per_hour)
    for confidence, rate in sorted(rates, reverse=True):
        if rate > budget_per_hour or (hours is not None and rate_bound(rate, hours) > allowed):
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


def bound_allowed(budget_per_hour: float) -> float:
    """Return the largest upper bound, per hour, of a rate that counts as within a budget.

    It is the bound that one event leaves when it is counted in just the time in which the budget
    allows one: some five times the budget. Less is not asked for, since it would take three
    times as long without a single event.

    >>> round(bound_allowed(1 / 24), 3)
    0.198
    """
    return budget_per_hour * rate_bound(1.0, 1.0)


def hours_needed(budget_per_hour: float) -> float:
    """Return the hours without any event after which a rate counts as within a budget.

    >>> round(hours_needed(1 / 24), 1)
    15.2
    """
    if not budget_per_hour > 0:
        return math.inf
    return -math.log(1.0 - CERTAINTY) / bound_allowed(budget_per_hour)
