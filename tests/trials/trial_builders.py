"""A survey over two hand-placed plumes, and what its swaths truly show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sonar_watch.simulation.cruise import Line, Survey
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.simulation.scene import Plume, Scene, Seabed
from sonar_watch.simulation.sounders import Sounder
from sonar_watch.trials.simulated import SeenSwath

START = datetime(2026, 6, 1, 20, tzinfo=UTC)
LINES = tuple(
    Line(name=name, start_utc=START + timedelta(hours=hour), east_m=0.0, north_m=-500.0,
         heading_deg=0.0, length_m=1000.0)
    for hour, name in enumerate(("first", "second"))
)
SURVEY = Survey(
    scene=Scene(
        seabed=Seabed(depth_m=1000.0),
        plumes=(Plume(name="north", east_m=0.0, north_m=400.0),
                Plume(name="south", east_m=0.0, north_m=-400.0)),
    ),
    sounder=Sounder(transducer_depth_m=6.0, beam_width_deg=1.0),
    lines=LINES,
    seed=1,
)


def box(contrast_db: float, name: str = "north") -> TrueBox:
    return TrueBox(class_name="signal", name=name, across_track_m=(290.0, 310.0),
                   depth_m=(206.0, 406.0), contrast_db=contrast_db)


def swath(second: float, *boxes: TrueBox, line: str = "first") -> SeenSwath:
    start = next(one.start_utc for one in LINES if one.name == line)
    return SeenSwath(frame_id=f"{line}-{second}", line=line,
                     time_utc=start + timedelta(seconds=second), boxes=boxes)


SEEN = (
    swath(1, box(4.9)), swath(2, box(5.0)), swath(3, box(8.0)), swath(3.003, box(12.0)),
    swath(4, replace(box(20.0), class_name="noise", name="")),
    swath(9, box(7.0, "south"), line="second"),
)
