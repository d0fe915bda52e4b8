"""Which plumes a cruise passed, and how visible they were.

The unit is the pass: one plume from one survey line. A plume's position is that of its foot
on the seabed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sonar_watch.records import iso_utc
from sonar_watch.simulation.cruise import Survey
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.trials.simulated import SeenSwath

STRONG_DB = 8.0
"""Prior art counts plumes from here on; so does the recall of events."""

VISIBLE_DB = 5.0
"""From here on a plume counts as visible: the clock to its alert starts."""


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


def find_passes(survey: Survey, seen: Sequence[SeenSwath]) -> list[Pass]:
    """Return every pass of a plume that at least one swath shows."""
    beam_rad = math.radians(survey.sounder.beam_width_deg)
    return passes_over(
        survey.truth()["plumes"], seen, beam_rad, survey.sounder.transducer_depth_m
    )


def passes_over(
    plumes: Sequence[Mapping[str, Any]],
    seen: Sequence[SeenSwath],
    beam_rad: float = math.radians(1.0),
    top_m: float = 0.0,
) -> list[Pass]:
    """Return every pass of plumes with these feet that at least one swath shows.

    Parameters
    ----------
    plumes : sequence of mapping
        As in `truth.json`.
    seen : sequence of SeenSwath
    beam_rad : float
        Beam width.
    top_m : float
        Depth of the transducer.
    """
    feet = {plume["name"]: plume for plume in plumes}
    shown: dict[tuple[str, str], list[tuple[datetime, TrueBox]]] = {}
    for swath in seen:
        for box in swath.boxes:
            if box.name in feet and box.contrast_db >= VISIBLE_DB:
                shown.setdefault((box.name, swath.line), []).append((swath.time_utc, box))
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
