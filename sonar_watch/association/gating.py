"""Which detection belongs to which plume: metres over ground, weighed by their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sonar_watch.association.options import TrackerOptions
from sonar_watch.association.plane import (
    Covariance,
    Offset,
    circle,
    distance_m,
    inverse,
    quadratic,
    scaled,
    total,
)
from sonar_watch.association.sightings import Foot, foot_offset_m
from sonar_watch.association.track import Track


@dataclass(slots=True, kw_only=True)
class Matches:
    """The feet of one swath, shared out.

    Parameters
    ----------
    known : dict of int to list of Foot
        By index of the track they belong to.
    fresh : list of list of Foot
        Groups that belong to none: each the beginning of a plume.
    """

    known: dict[int, list[Foot]] = field(default_factory=dict)
    fresh: list[list[Foot]] = field(default_factory=list)


def share_out(
    feet: Sequence[Foot], tracks: Sequence[Track], time_utc: datetime, options: TrackerOptions
) -> Matches:
    """Return which of `feet` belongs to which of `tracks`, and the groups that belong to none."""
    matches = Matches()
    loose: list[Foot] = []
    for foot in feet:
        index = nearest(foot, tracks, time_utc, options)
        if index is None:
            loose.append(foot)
        else:
            matches.known.setdefault(index, []).append(foot)
    for foot in loose:
        _join_group(foot, matches, options)
    return matches


def nearest(
    foot: Foot, tracks: Sequence[Track], time_utc: datetime, options: TrackerOptions
) -> int | None:
    """Return the index of the track nearest to `foot` in standard deviations; None beyond all."""
    metric = _metric(foot, options)
    best: int | None = None
    smallest = float("inf")
    for index, track in enumerate(tracks):
        distance = _distance2(foot, track, time_utc, metric, options)
        if distance is not None and distance < smallest:
            best, smallest = index, distance
    return best


def same_plume(a: Foot, b: Foot, options: TrackerOptions) -> bool:
    """Return whether two boxes of one swath are strands of one plume."""
    if a.position is None or b.position is None:
        return abs(a.middle_m - b.middle_m) <= options.gate_m
    apart = foot_offset_m(b, a.position)
    if distance_m(apart, (0.0, 0.0)) > options.gate_m:
        return False
    gap = max(a.across_m[0], b.across_m[0]) - min(a.across_m[1], b.across_m[1])
    return gap <= options.spread_m or _within(_metric(a, options), apart, options) is not None


def _join_group(foot: Foot, matches: Matches, options: TrackerOptions) -> None:
    """Put a foot with its neighbour strand of the same swath, or begin a group with it."""
    for group in (*matches.known.values(), *matches.fresh):
        if any(same_plume(foot, other, options) for other in group):
            group.append(foot)
            return
    matches.fresh.append([foot])


def _distance2(
    foot: Foot, track: Track, time_utc: datetime, metric: Covariance, options: TrackerOptions
) -> float | None:
    """Return the squared Mahalanobis distance to a track, None when it is beyond the gate."""
    if foot.position is None or track.foot is None:
        return _distance2_unplaced(foot, track, time_utc, options)
    at = foot_offset_m(foot, track.foot.anchor)
    mean = track.foot.mean_m()
    if distance_m(at, mean) > options.reach_m:
        return None
    found = [
        _within(metric, (at[0] - point[0], at[1] - point[1]), options)
        for point in (mean, *track.points)
    ]
    return min((distance for distance in found if distance is not None), default=None)


def _distance2_unplaced(
    foot: Foot, track: Track, time_utc: datetime, options: TrackerOptions
) -> float | None:
    """Return the distance by across-track and time alone, for when one of them has no position."""
    apart, gap_s = abs(foot.middle_m - track.across_m), time_utc - track.last_seen_utc
    if apart > options.gate_m or abs(gap_s.total_seconds()) > options.unplaced_gap_s:
        return None
    return (options.gate_sigmas * apart / options.gate_m) ** 2


def _metric(foot: Foot, options: TrackerOptions) -> Covariance:
    """Return the inverse covariance of the difference of two sightings like this one."""
    if foot.position is None:
        return 0.0, 0.0, 0.0
    return inverse(total(scaled(foot.random_m2, 2.0), circle(options.spread_m)))


def _within(metric: Covariance, apart: Offset, options: TrackerOptions) -> float | None:
    if distance_m(apart, (0.0, 0.0)) > options.gate_m:
        return None
    distance2 = quadratic(metric, apart)
    return distance2 if distance2 <= options.gate_sigmas**2 else None
