"""What many trials come to: the figures that count at sea, each with how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sonar_watch.learning.intervals import count_interval, share_interval
from sonar_watch.trials.cruises import Outcome, key_of
from sonar_watch.trials.passes import Pass
from sonar_watch.trials.telling import Told

DEPTH_BANDS_M = (0.0, 200.0, 1000.0, math.inf)
"""A beam is metres wide in shallow water and tens of metres in deep: positions by depth."""

FEWEST_SWATHS = 3
"""A pass is asked for when the plume is strong on this many swaths."""


def summarise(outcomes: Sequence[Outcome], confidence: float) -> dict[str, Any]:
    """Return the figures of all outcomes at one threshold, JSON-able.

    Keys: `cruises`, `swaths`, `hours`, `swaths_per_hour`, `confidence`; `event_recall` (of
    passes strong on `FEWEST_SWATHS` swaths and more), `any_recall` (of passes visible at all);
    `false_alerts` and `false_per_hour`; `duplicates` (second events of one pass); `position`
    (error, share inside the ellipse, its size over the beam footprint); `by_depth` (recall and
    position in bands of water depth); `time_to_alert_s`; `empty_flagged`.
    """
    key = key_of(confidence)
    told = [(outcome, one) for outcome in outcomes for one in outcome.told[key]]
    right = [(outcome, one) for outcome, one in told if one.plume is not None]
    false = len(told) - len(right)
    hours = sum(outcome.hours for outcome in outcomes)
    empty = sum(outcome.empty for outcome in outcomes)
    flagged = sum(outcome.empty_flagged[key] for outcome in outcomes)
    strong, visible = _recall(outcomes, key, FEWEST_SWATHS), _recall(outcomes, key, 0)
    return {
        "cruises": len(outcomes),
        "swaths": sum(outcome.swaths for outcome in outcomes),
        "hours": round(hours, 3),
        "swaths_per_hour": round(sum(one.swaths for one in outcomes) / hours, 1) if hours else None,
        "confidence": confidence,
        "event_recall": strong,
        "any_recall": visible,
        "events": len(told),
        "false_alerts": false,
        "false_per_hour": per_hour(false, hours),
        "duplicates": _duplicates(right),
        "position": _positions(right),
        "by_depth": _by_depth(outcomes, right, key),
        "time_to_alert_s": spread_of(
            first_waits((outcome.plan.name, one) for outcome, one in right)
        ),
        "empty_flagged": share_of(flagged, empty),
    }


def share_of(hits: int, of: int) -> dict[str, Any]:
    """Return a share with its 95 % interval (Wilson); None when there is nothing to share."""
    return {
        "share": round(hits / of, 5) if of else None,
        "hits": hits,
        "of": of,
        "interval_95": [round(edge, 5) for edge in share_interval(hits, of)],
    }


def _recall(outcomes: Sequence[Outcome], key: str, fewest: int) -> dict[str, Any]:
    asked = [
        (outcome, one) for outcome in outcomes for one in outcome.passes
        if one.strong_swaths >= fewest
    ]
    return share_of(sum(_is_told(outcome.told[key], one) for outcome, one in asked), len(asked))


def _is_told(told: Iterable[Told], one: Pass) -> bool:
    return any((event.plume, event.line) == (one.plume, one.line) for event in told)


def per_hour(count: int, hours: float) -> dict[str, Any]:
    """Return a rate with its 95 % interval (Poisson, exact)."""
    if not hours:
        return {"rate": None, "interval_95": None}
    low, high = count_interval(count)
    return {
        "rate": round(count / hours, 5),
        "interval_95": [round(low / hours, 5), round(high / hours, 5)],
    }


def _duplicates(right: Sequence[tuple[Outcome, Told]]) -> int:
    passes = {(outcome.plan.name, one.plume, one.line) for outcome, one in right}
    return len(right) - len(passes)


def _by_depth(
    outcomes: Sequence[Outcome], right: Sequence[tuple[Outcome, Told]], key: str
) -> list[dict[str, Any]]:
    """Return recall and positions of each band of depth that was sailed."""
    bands = []
    for least, most in pairwise(DEPTH_BANDS_M):
        sailed = [one for one in outcomes if least <= one.depth_m < most]
        told = [pair for pair in right if least <= pair[0].depth_m < most]
        if sailed:
            bands.append({
                "depth_m": [least, most if math.isfinite(most) else None],
                "event_recall": _recall(sailed, key, FEWEST_SWATHS),
                "position": _positions(told),
            })
    return bands


def _positions(right: Sequence[tuple[Outcome, Told]]) -> dict[str, Any]:
    """Return how far off the told feet are, and whether the ellipses say so."""
    judged = [one.inside for _, one in right if one.inside is not None]
    at_first = [one.first_inside for _, one in right if one.first_inside is not None]
    return {
        "error_m": spread_of([one.error_m for _, one in right]),
        "error_of_depth": spread_of(
            [None if one.error_m is None else one.error_m / outcome.depth_m
             for outcome, one in right]
        ),
        "inside_ellipse": share_of(sum(judged), len(judged)),
        "first_error_m": spread_of([one.first_error_m for _, one in right]),
        "first_inside_ellipse": share_of(sum(at_first), len(at_first)),
        "semi_major_m": spread_of([one.semi_major_m for _, one in right]),
        "semi_major_over_footprint": spread_of(
            [_over_footprint(outcome, one) for outcome, one in right]
        ),
    }


def _over_footprint(outcome: Outcome, told: Told) -> float | None:
    """Return the ellipse's semi-major axis over the width of a beam at that range."""
    for one in outcome.passes:
        if (one.plume, one.line) == (told.plume, told.line) and told.semi_major_m is not None:
            return told.semi_major_m / one.footprint_m
    return None


def spread_of(values: Iterable[float | None]) -> dict[str, Any]:
    """Return the median and the 95 % quantile of what is known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return {"median": None, "p95": None, "of": 0}
    median, most = np.percentile(known, [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(most), 3), "of": len(known)}


def first_waits(told: Iterable[tuple[str, Told]]) -> list[float]:
    """Return how long each pass of a plume waited for its first alert, seconds.

    Parameters
    ----------
    told : iterable of (name of the cruise, Told)
        A second event of a pass comes late and keeps nobody waiting.
    """
    first: dict[tuple[str, str | None, str | None], float] = {}
    for cruise, one in told:
        if one.waited_s is not None:
            key = (cruise, one.plume, one.line)
            first[key] = min(one.waited_s, first.get(key, math.inf))
    return list(first.values())


def false_alert_table(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """Return [(confidence, false alerts per hour), ...], as MANIFEST.yaml holds it."""
    hours = sum(outcome.hours for outcome in outcomes)
    keys = sorted(set.intersection(*(set(outcome.told) for outcome in outcomes)))
    return [
        (float(key), round(_false(outcomes, key) / hours, 5) if hours else 0.0) for key in keys
    ]


def _false(outcomes: Iterable[Outcome], key: str) -> int:
    return sum(one.plume is None for outcome in outcomes for one in outcome.told[key])
