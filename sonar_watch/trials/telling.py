"""What the watch told of a cruise, beside the truth.

An event is about the plume that its best view shows: the true box that the found one lies on,
there and then. Where it lies on none, since what is left of the plume there is too faint to have
one, the event may still be about a plume whose foot is close by. So a wrong position counts as a
wrong position, however wrong, and an alert that a fish raised beside a plume counts as false.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sonar_watch.association.sightings import counts
from sonar_watch.records import (
    EventChange,
    GeolocatedDetection,
    GeolocatedFrame,
    PlumeEvent,
    iso_utc,
)
from sonar_watch.simulation.cruise import Survey
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.trials.ground import inside_ellipse, nearest_foot, offset_m, semi_major_m
from sonar_watch.trials.passes import Pass, find_passes
from sonar_watch.trials.simulated import SeenSwath

LEAST_SHARED = 1 / 3
"""Of the smaller box, that a found and a true one share, to be of the same thing."""

CLOSE_M, CLOSE_OF_DEPTH = 30.0, 0.05
"""A foot this near is meant by an event whose best view lies on no true box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of the watch beside the truth; what a false one cannot have is None.

    Parameters
    ----------
    event_id : str
    plume, line : str or None
        What its best view shows; None for a false alert.
    error_m : float or None
        From the true foot to the told one.
    inside : bool or None
        Whether the true foot lies in the told 95 % ellipse.
    semi_major_m : float or None
        Of that ellipse.
    first_error_m, first_inside : float, bool or None
        The same of the first alert.
    new_utc : str
        Data time of the first alert.
    waited_s : float or None
        From the first swath that shows the plume to that alert.
    swaths : int
    confidence : float
        The median.
    """

    event_id: str
    plume: str | None
    line: str | None
    error_m: float | None
    inside: bool | None
    semi_major_m: float | None
    first_error_m: float | None
    first_inside: bool | None
    new_utc: str
    waited_s: float | None
    swaths: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Truth:
    """What is looked up for each event."""

    feet: Mapping[str, Mapping[str, Any]]
    swaths: Mapping[str, SeenSwath]
    frames: Mapping[str, GeolocatedFrame]
    began: Mapping[tuple[str, str], str]
    close_m: float


def score_changes(
    survey: Survey,
    seen: Sequence[SeenSwath],
    frames: Iterable[GeolocatedFrame],
    changes: Iterable[EventChange],
) -> list[Told]:
    """Return the events that were told, each in its last state, beside the truth.

    Parameters
    ----------
    survey : Survey
    seen : sequence of SeenSwath
        The truth of every swath.
    frames : iterable of GeolocatedFrame
        What the watch located in them.
    changes : iterable of EventChange
        In the order they were told.
    """
    close_m = max(CLOSE_M, CLOSE_OF_DEPTH * survey.scene.seabed.depth_m)
    passes = find_passes(survey, seen)
    return score_told(survey.truth()["plumes"], passes, seen, frames, changes, close_m=close_m)


def score_told(
    plumes: Sequence[Mapping[str, Any]],
    passes: Iterable[Pass],
    seen: Sequence[SeenSwath],
    frames: Iterable[GeolocatedFrame],
    changes: Iterable[EventChange],
    *,
    close_m: float,
) -> list[Told]:
    """Return the same of plumes with these feet, as `truth.json` has them.

    Parameters
    ----------
    plumes : sequence of mapping
    passes : iterable of Pass
        When each plume was first seen.
    seen, frames, changes
        As for `score_changes`.
    close_m : float
        A foot this near is meant by an event whose best view lies on no true box.
    """
    first: dict[str, EventChange] = {}
    last: dict[str, EventChange] = {}
    for change in changes:
        first.setdefault(change.event.event_id, change)
        last[change.event.event_id] = change
    truth = _Truth(
        feet={plume["name"]: plume for plume in plumes},
        swaths={swath.frame_id: swath for swath in seen},
        frames={frame.frame_id: frame for frame in frames},
        began={(one.plume, one.line): one.first_visible_utc for one in passes},
        close_m=close_m,
    )
    return [
        _told(first[name], change.event, truth)
        for name, change in last.items() if change.kind != "retract"
    ]


def _told(first: EventChange, event: PlumeEvent, truth: _Truth) -> Told:
    shown = shown_body(event, truth.frames, truth.swaths)
    if shown is None:
        plume = _close_plume(event, truth)
    else:
        plume = shown.name if shown.class_name == "signal" else None
    foot = truth.feet.get(plume or "")
    swath = truth.swaths.get(event.best_frame_id)
    line = swath.line if swath and foot else None
    began = truth.began.get((plume or "", line or ""))
    waited = first.time_utc - datetime.fromisoformat(began) if began else None
    error_m, inside = _beside(foot, event)
    first_error_m, first_inside = _beside(foot, first.event)
    return Told(
        event_id=event.event_id,
        plume=plume,
        line=line,
        error_m=error_m,
        inside=inside,
        semi_major_m=semi_major_m(event.covariance_m2),
        first_error_m=first_error_m,
        first_inside=first_inside,
        new_utc=iso_utc(first.time_utc),
        waited_s=round(waited.total_seconds(), 2) if waited is not None else None,
        swaths=event.swath_count,
        confidence=round(event.median_confidence, 4),
    )


def _beside(
    foot: Mapping[str, Any] | None, event: PlumeEvent
) -> tuple[float | None, bool | None]:
    """Return how far a told position is from the foot, and whether its ellipse holds it.

    A plume of several strands has a foot under each and a middle, and they may be a hundred
    metres apart: an event is about the nearest of them.
    """
    places = [] if foot is None else [foot, *foot.get("feet", ())]
    offsets = [offset for place in places if (offset := offset_m(place, event)) is not None]
    if not offsets:
        return None, None
    nearest = min(offsets, key=lambda offset: math.hypot(*offset))
    return round(math.hypot(*nearest), 2), inside_ellipse(nearest, event.covariance_m2)


def shown_body(
    event: PlumeEvent,
    frames: Mapping[str, GeolocatedFrame],
    swaths: Mapping[str, SeenSwath],
) -> TrueBox | None:
    """Return the true box that the event's best view lies on, or None.

    That of a plume before that of a fish.
    """
    frame, swath = frames.get(event.best_frame_id), swaths.get(event.best_frame_id)
    counted = [one for one in frame.detections if counts(one)] if frame else []
    if swath is None or not counted:
        return None
    found = min(counted, key=lambda one: abs(one.confidence - event.peak_confidence))
    near = [box for box in swath.boxes if shared(found, box) >= LEAST_SHARED]
    return max(near, key=lambda box: (box.class_name == "signal", shared(found, box)), default=None)


def shared(found: GeolocatedDetection, true: TrueBox) -> float:
    """Return the area that a found and a true box share, over that of the smaller one."""
    sides, areas = 1.0, [1.0, 1.0]
    for one, other in (
        (found.across_track_m, true.across_track_m), (found.depth_m, true.depth_m)
    ):
        sides *= max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
        areas = [areas[0] * (one[1] - one[0]), areas[1] * (other[1] - other[0])]
    return sides / min(areas) if min(areas) > 0 else 0.0


def _close_plume(event: PlumeEvent, truth: _Truth) -> str | None:
    foot, _ = nearest_foot(list(truth.feet.values()), event, truth.close_m)
    return foot["name"] if foot else None
