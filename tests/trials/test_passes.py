"""Passes of plumes and what was told of them, beside hand-placed truth."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from sonar_watch.alerts.testing import sample_alert
from sonar_watch.records import EventChange, iso_utc
from sonar_watch.simulation.cruise import Line, Survey
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.simulation.scene import Plume, Scene, Seabed
from sonar_watch.simulation.sounders import Sounder
from sonar_watch.trials.ground import inside_ellipse, semi_major_m
from sonar_watch.trials.passes import find_passes, score_changes
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
                   depth_m=(800.0, 406.0), contrast_db=contrast_db)


def swath(second: float, *boxes: TrueBox, line: str = "first") -> SeenSwath:
    start = next(one.start_utc for one in LINES if one.name == line)
    return SeenSwath(frame_id=f"{line}-{second}", line=line,
                     time_utc=start + timedelta(seconds=second), boxes=boxes)


SEEN = (
    swath(1, box(4.9)), swath(2, box(5.0)), swath(3, box(8.0)), swath(3.003, box(12.0)),
    swath(4, replace(box(20.0), class_name="noise", name="")),
    swath(9, box(7.0, "south"), line="second"),
)


def test_a_pass_is_one_plume_on_one_line() -> None:
    north, south = find_passes(SURVEY, SEEN)
    assert (north.plume, north.line, south.plume, south.line) == (
        "north", "first", "south", "second",
    )
    assert (north.visible_swaths, north.strong_swaths, south.strong_swaths) == (3, 2, 0)
    assert north.contrast_db == 12.0
    assert north.first_visible_utc == iso_utc(START + timedelta(seconds=2))
    assert north.range_m == pytest.approx(math.hypot(300.0, 400.0))
    assert north.footprint_m == pytest.approx(500.0 * math.radians(1.0), abs=0.01)


def change(kind: Any, second: float, north_m: float | None, **fields: Any) -> EventChange:
    """Return an alert of an event `north_m` of the origin."""
    place: dict[str, float | None] = {"latitude": None, "longitude": None}
    if north_m is not None:
        latitude, longitude = SURVEY.to_geographic(np.array(0.0), np.array(north_m))
        place = {"latitude": float(latitude), "longitude": float(longitude)}
    when = START + timedelta(seconds=second)
    event = sample_alert(1, tense="test", **{
        "event_id": "a", "last_seen_utc": when, "covariance_m2": (100.0, 0.0, 400.0),
        **place, **fields,
    }).event
    return EventChange(kind=kind, time_utc=when, event=event)


def test_the_last_word_is_scored_and_the_first_is_timed() -> None:
    (told,) = score_changes(SURVEY, SEEN, [
        change("new", 10, 340.0), change("update", 12, 300.0), change("end", 40, 370.0),
    ])
    assert (told.plume, told.line) == ("north", "first")
    assert told.error_m == pytest.approx(30.0, abs=0.1)
    assert told.first_error_m == pytest.approx(60.0, abs=0.1)
    # 2.45 sigma of 20 m northwards is 49 m
    assert (told.inside, told.first_inside) == (True, False)
    assert told.semi_major_m == pytest.approx(20 * 2.4477, abs=0.01)
    assert (told.new_utc, told.waited_s) == (iso_utc(START + timedelta(seconds=10)), 8.0)


def test_far_from_every_plume_is_false() -> None:
    """At 1000 m a plume reaches 200 m."""
    near, far = score_changes(
        SURVEY, SEEN,
        [change("new", 5, 400 + 199), change("new", 5, 400 + 201, event_id="b")],
    )
    assert (near.plume, far.plume) == ("north", None)
    assert (far.error_m, far.inside, far.first_error_m, far.waited_s) == (None,) * 4


def test_an_event_without_a_place_is_false() -> None:
    (told,) = score_changes(SURVEY, SEEN, [change("new", 5, None, covariance_m2=None)])
    assert (told.plume, told.semi_major_m) == (None, None)


def test_what_was_retracted_was_not_told() -> None:
    assert score_changes(SURVEY, SEEN, [change("new", 5, 400), change("retract", 9, 400)]) == []


def test_the_line_is_that_of_the_time() -> None:
    (told,) = score_changes(SURVEY, SEEN, [change("new", 3610, -390.0)])
    assert (told.plume, told.line, told.waited_s) == ("south", "second", 1.0)


def test_ellipses_turn_with_their_covariance() -> None:
    covariance = (200.0, 190.0, 200.0)
    assert inside_ellipse((30.0, 30.0), covariance)
    assert not inside_ellipse((30.0, -30.0), covariance)
    assert inside_ellipse((0.0, 0.0), None) is None
    assert semi_major_m(covariance) == pytest.approx(math.sqrt(5.991 * 390), abs=0.01)
