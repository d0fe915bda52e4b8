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
    scaled,
    total,
)
from sonar_watch.association.sightings import Foot, foot_offset_m
from sonar_watch.association.track import Place, Track


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
    if _apart_m(a, b) > options.gate_m:
        return False
    if a.position is None or b.position is None:
        return True
    apart = foot_offset_m(b, a.position)
    gap = max(a.across_m[0], b.across_m[0]) - min(a.across_m[1], b.across_m[1])
    near = _smallest2(_metric(a, options), apart, ((0.0, 0.0),), options)
    return gap <= options.strand_gap_m or near is not None


def _join_group(foot: Foot, matches: Matches, options: TrackerOptions) -> None:
    """Put a foot with its neighbour strand of the same swath, or begin a group with it."""
    for group in (*matches.known.values(), *matches.fresh):
        if _apart_m(foot, group[0]) <= options.reach_m and any(
            same_plume(foot, other, options) for other in group
        ):
            group.append(foot)
            return
    matches.fresh.append([foot])


def _apart_m(a: Foot, b: Foot) -> float:
    """Return metres between two boxes of one swath, across track alone without positions."""
    if a.position is None or b.position is None:
        return abs(a.middle_m - b.middle_m)
    return distance_m(foot_offset_m(b, a.position), (0.0, 0.0))


def _distance2(
    foot: Foot, track: Track, time_utc: datetime, metric: Covariance, options: TrackerOptions
) -> float | None:
    """Return the squared Mahalanobis distance to a track, None when it is beyond the gate."""
    if foot.position is None or track.foot is None:
        return _distance2_unplaced(foot, track, time_utc, options)
    if track.here is None or _far(foot.position, track.here, options.reach_m):
        return None
    at = foot_offset_m(foot, track.foot.anchor)
    if distance_m(at, track.mean) > options.reach_m:
        return None
    points = [track.mean] if track.passed(options) else [track.mean, *track.points]
    return _smallest2(metric, at, points, options)


def _far(a: Place, b: Place, reach_m: float) -> bool:
    """Return whether two places are beyond reach by latitude alone: cheap, and most are."""
    return abs(a[0] - b[0]) * 110_000.0 > reach_m


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


def _smallest2(
    metric: Covariance, at: Offset, points: Sequence[Offset], options: TrackerOptions
) -> float | None:
    """Return the smallest squared Mahalanobis distance to points within the gate, None for none.

    Written out: it runs for every box against every recent sighting of every plume near it.
    """
    (ee, en, nn), (at_east, at_north) = metric, at
    farthest2, best = options.gate_m**2, options.gate_sigmas**2
    found = False
    for point_east, point_north in points:
        east, north = at_east - point_east, at_north - point_north
        if east * east + north * north > farthest2:
            continue
        distance2 = ee * east * east + 2.0 * en * east * north + nn * north * north
        if distance2 <= best:
            best, found = distance2, True
    return best if found else None
