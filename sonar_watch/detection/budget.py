"""Which confidence keeps false alerts within a budget."""

from __future__ import annotations

from collections.abc import Sequence


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
