"""Told positions beside true feet, on the ground."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sonar_watch.alerts.feature import error_ellipse
from sonar_watch.geolocation.geodesy import east_north_m
from sonar_watch.records import PlumeEvent

CHI_SQUARE_95 = 5.991
"""Of two dimensions: what 95 % of squared Mahalanobis distances stay below."""


def nearest_foot(
    feet: Sequence[Mapping[str, Any]], event: PlumeEvent, reach_m: float
) -> tuple[Mapping[str, Any] | None, tuple[float, float]]:
    """Return the plume whose foot is nearest, and the offset from it in metres east and north.

    None beyond `reach_m`, and for an event without a position.
    """
    best: tuple[Mapping[str, Any] | None, tuple[float, float]] = (None, (0.0, 0.0))
    for foot in feet:
        offset = offset_m(foot, event)
        if offset is not None and math.hypot(*offset) <= reach_m:
            best, reach_m = (foot, offset), math.hypot(*offset)
    return best


def offset_m(foot: Mapping[str, Any], event: PlumeEvent) -> tuple[float, float] | None:
    """Return how far east and north of a foot an event is told; None without a position."""
    if event.latitude is None or event.longitude is None:
        return None
    return east_north_m(foot["latitude"], foot["longitude"], event.latitude, event.longitude)


def inside_ellipse(
    offset: tuple[float, float], covariance_m2: tuple[float, float, float] | None
) -> bool | None:
    """Return whether an offset lies in the 95 % ellipse: chi-square of 5.99, two dimensions."""
    if covariance_m2 is None:
        return None
    ee, en, nn = covariance_m2
    east, north = offset
    squared = (nn * east**2 - 2 * en * east * north + ee * north**2) / (ee * nn - en * en)
    return squared <= CHI_SQUARE_95


def semi_major_m(covariance_m2: tuple[float, float, float] | None) -> float | None:
    """Return half the length of the 95 % ellipse."""
    if covariance_m2 is None:
        return None
    return round(math.sqrt(CHI_SQUARE_95) * error_ellipse(covariance_m2)[0], 2)
