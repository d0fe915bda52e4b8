"""Which plumes a cruise passed, how visible they were, and what the watch told of each pass.

The unit is the pass: one plume from one survey line. A plume's position is that of its foot
on the seabed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sonar_watch.records import EventChange, PlumeEvent, iso_utc
from sonar_watch.simulation.cruise import Survey
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.trials.ground import inside_ellipse, nearest_foot, semi_major_m
from sonar_watch.trials.simulated import SeenSwath

STRONG_DB = 8.0
"""Prior art counts plumes from here on; so does the recall of events."""

VISIBLE_DB = 5.0
"""From here on a plume counts as visible: the clock to its alert starts."""

NEAREST_REACH_M = 100.0
REACH_OF_DEPTH = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One plume on one line.

    Parameters
    ----------
    plume, line : str
    latitude, longitude : float
        Of the foot.
    strong_swaths, visible_swaths : int
        Swaths that show it at `STRONG_DB` and more, and at `VISIBLE_DB` and more.
    contrast_db : float
        Of its best swath.
    first_visible_utc : str
    range_m : float
        From the transducer to the lower end of the plume where it is strongest.
    footprint_m : float
        Width of a beam there: beam width times range.
    """

    plume: str
    line: str
    latitude: float
    longitude: float
    strong_swaths: int
    visible_swaths: int
    contrast_db: float
    first_visible_utc: str
    range_m: float
    footprint_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of the watch beside the truth; what a false one cannot have is None.

    Parameters
    ----------
    event_id : str
    plume, line : str or None
        The nearest plume within reach; None for a false alert.
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


def find_passes(survey: Survey, seen: Sequence[SeenSwath]) -> list[Pass]:
    """Return every pass of a plume that at least one swath shows."""
    feet = {plume["name"]: plume for plume in survey.truth()["plumes"]}
    shown: dict[tuple[str, str], list[tuple[datetime, TrueBox]]] = {}
    for swath in seen:
        for box in swath.boxes:
            if box.name in feet and box.contrast_db >= VISIBLE_DB:
                shown.setdefault((box.name, swath.line), []).append((swath.time_utc, box))
    beam_rad = math.radians(survey.sounder.beam_width_deg)
    top_m = survey.sounder.transducer_depth_m
    return [
        _pass_of(feet[plume], line, boxes, beam_rad, top_m)
        for (plume, line), boxes in shown.items()
    ]


def _pass_of(
    foot: Mapping[str, Any],
    line: str,
    shown: Sequence[tuple[datetime, TrueBox]],
    beam_rad: float,
    top_m: float,
) -> Pass:
    best = max((box for _, box in shown), key=lambda box: box.contrast_db)
    range_m = math.hypot(sum(best.across_track_m) / 2, best.depth_m[1] - top_m)
    return Pass(
        plume=foot["name"],
        line=line,
        latitude=foot["latitude"],
        longitude=foot["longitude"],
        strong_swaths=len({when for when, box in shown if box.contrast_db >= STRONG_DB}),
        visible_swaths=len({when for when, _ in shown}),
        contrast_db=round(best.contrast_db, 2),
        first_visible_utc=iso_utc(min(when for when, _ in shown)),
        range_m=round(range_m, 1),
        footprint_m=round(beam_rad * range_m, 2),
    )


def score_changes(
    survey: Survey, seen: Sequence[SeenSwath], changes: Iterable[EventChange]
) -> list[Told]:
    """Return the events that were told, each in its last state, beside the truth."""
    first: dict[str, EventChange] = {}
    last: dict[str, EventChange] = {}
    for change in changes:
        first.setdefault(change.event.event_id, change)
        last[change.event.event_id] = change
    feet = survey.truth()["plumes"]
    clocks = {(one.plume, one.line): one.first_visible_utc for one in find_passes(survey, seen)}
    reach_m = max(NEAREST_REACH_M, REACH_OF_DEPTH * survey.scene.seabed.depth_m)
    return [
        _told(first[name], change.event, survey, feet, clocks, reach_m)
        for name, change in last.items() if change.kind != "retract"
    ]


def _told(
    first: EventChange,
    event: PlumeEvent,
    survey: Survey,
    feet: Sequence[Mapping[str, Any]],
    clocks: Mapping[tuple[str, str], str],
    reach_m: float,
) -> Told:
    foot, offset = nearest_foot(feet, event, reach_m)
    plume = foot["name"] if foot else None
    line = _line_at(survey, event.last_seen_utc) if plume else None
    first_foot, first_offset = nearest_foot([foot] if foot else [], first.event, math.inf)
    began = clocks.get((plume or "", line or ""))
    waited = first.time_utc - datetime.fromisoformat(began) if began else None
    return Told(
        event_id=event.event_id,
        plume=plume,
        line=line,
        error_m=round(math.hypot(*offset), 2) if plume else None,
        inside=inside_ellipse(offset, event.covariance_m2) if plume else None,
        semi_major_m=semi_major_m(event.covariance_m2),
        first_error_m=round(math.hypot(*first_offset), 2) if first_foot else None,
        first_inside=inside_ellipse(first_offset, first.event.covariance_m2)
        if first_foot else None,
        new_utc=iso_utc(first.time_utc),
        waited_s=round(waited.total_seconds(), 2) if waited is not None else None,
        swaths=event.swath_count,
        confidence=round(event.median_confidence, 4),
    )


def _line_at(survey: Survey, time_utc: datetime) -> str | None:
    names = [line.name for line in survey.lines if line.start_utc <= time_utc]
    return names[-1] if names else None
