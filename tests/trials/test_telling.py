"""What was told of hand-placed plumes."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from trial_builders import SEEN, START, SURVEY

from sonar_watch.alerts.testing import sample_alert
from sonar_watch.records import (
    EventChange,
    GeolocatedDetection,
    GeolocatedFrame,
    SourceRef,
    iso_utc,
)
from sonar_watch.trials.ground import inside_ellipse, semi_major_m
from sonar_watch.trials.telling import score_changes, shared

NORTH, SOUTH, FISH = (SEEN[3], SEEN[5], SEEN[4])
"""The swaths that show each best."""


def detection(
    across_m: tuple[float, float], depth_m: tuple[float, float], confidence: float
) -> GeolocatedDetection:
    return GeolocatedDetection(
        frame_id="", time_utc=START, class_name="signal", confidence=confidence,
        across_track_m=across_m, depth_m=depth_m, foot_depth_m=depth_m[1], height_m=100.0,
    )


ON, BESIDE = detection((285.0, 300.0), (250.0, 420.0), 0.8), detection((0.0, 9.0), (1.0, 9.0), 0.4)
FRAMES = tuple(
    GeolocatedFrame(
        frame_id=swath.frame_id, time_utc=swath.time_utc, sounder="em304",
        source=SourceRef(source="", file=""), navigation=None, coverage_across_m=(-1.0, 1.0),
        detections=(BESIDE, ON),
    )
    for swath in (NORTH, SOUTH, FISH)
)


def change(kind: Any, second: float, north_m: float | None, **fields: Any) -> EventChange:
    """Return an alert of an event `north_m` of the origin, seen best on the northern plume."""
    place: dict[str, float | None] = {"latitude": None, "longitude": None}
    if north_m is not None:
        latitude, longitude = SURVEY.to_geographic(np.array(0.0), np.array(north_m))
        place = {"latitude": float(latitude), "longitude": float(longitude)}
    when = START + timedelta(seconds=second)
    event = sample_alert(1, tense="test", **{
        "event_id": "a", "best_frame_id": NORTH.frame_id, "peak_confidence": 0.8,
        "covariance_m2": (100.0, 0.0, 400.0), **place, **fields,
    }).event
    return EventChange(kind=kind, time_utc=when, event=event)


def tell(*changes: EventChange) -> list[Any]:
    return score_changes(SURVEY, SEEN, FRAMES, changes)


def test_the_last_word_is_scored_and_the_first_is_timed() -> None:
    (told,) = tell(change("new", 10, 340.0), change("update", 12, 300.0), change("end", 40, 370.0))
    assert (told.plume, told.line) == ("north", "first")
    assert told.error_m == pytest.approx(30.0, abs=0.1)
    assert told.first_error_m == pytest.approx(60.0, abs=0.1)
    # 2.45 sigma of 20 m northwards is 49 m
    assert (told.inside, told.first_inside) == (True, False)
    assert told.semi_major_m == pytest.approx(20 * 2.4477, abs=0.01)
    assert (told.new_utc, told.waited_s) == (iso_utc(START + timedelta(seconds=10)), 8.0)


def test_what_lies_on_a_plume_is_about_it_however_wrong_its_place() -> None:
    (told,) = tell(change("new", 10, -400.0))
    assert (told.plume, told.inside) == ("north", False)
    assert told.error_m == pytest.approx(800.0, abs=1.0)


@pytest.mark.parametrize("fields", [
    {"peak_confidence": 0.4},  # the box beside the plume, in a swath that shows it
    {"best_frame_id": FISH.frame_id},
    {"best_frame_id": "unknown"},
])
def test_what_lies_on_no_plume_is_false(fields: dict[str, Any]) -> None:
    (told,) = tell(change("new", 10, 400 + 51, **fields))
    assert (told.plume, told.line, told.error_m, told.inside) == (None,) * 4
    assert (told.first_error_m, told.waited_s) == (None, None)


def test_the_best_view_is_what_counted_towards_the_event() -> None:
    """A vetoed box and one of a fish are as sure as the best view; they lie on nothing."""
    decoys = (replace(BESIDE, confidence=0.8, veto="spoke"),
              replace(BESIDE, confidence=0.8, class_name="noise"))
    frames = [replace(frame, detections=(*decoys, *frame.detections)) for frame in FRAMES]
    (told,) = score_changes(SURVEY, SEEN, frames, [change("new", 10, 340.0)])
    assert told.plume == "north"


def test_unless_a_foot_is_close() -> None:
    """At 1000 m within 50 m: the plume is too faint there to have a true box."""
    (told,) = tell(change("new", 10, 400 + 49, best_frame_id="unknown"))
    assert told.plume == "north"


def test_a_fish_close_to_a_foot_is_a_fish() -> None:
    (told,) = tell(change("new", 10, 400 + 9, best_frame_id=FISH.frame_id))
    assert told.plume is None


def test_an_event_without_a_place_has_no_error() -> None:
    (told,) = tell(change("new", 5, None, covariance_m2=None))
    assert (told.plume, told.error_m, told.inside, told.semi_major_m) == ("north", *[None] * 3)


def test_what_was_retracted_was_not_told() -> None:
    assert tell(change("new", 5, 400), change("retract", 9, 400)) == []


def test_the_line_is_that_of_the_best_view() -> None:
    (told,) = tell(change("new", 3610, -390.0, best_frame_id=SOUTH.frame_id))
    assert (told.plume, told.line, told.waited_s) == ("south", "second", 1.0)


def test_a_plume_of_strands_has_a_foot_under_each() -> None:
    plumes = (replace(SURVEY.scene.plumes[0], strands=2, spread_m=120.0, strand_bearing_deg=0.0),)
    survey = replace(SURVEY, scene=replace(SURVEY.scene, plumes=plumes))
    told = score_changes(survey, SEEN, FRAMES, [change("new", 10, 470.0)])[0]
    assert told.error_m == pytest.approx(10.0, abs=0.1)  # the strands are at 340 and 460 m
    assert told.inside is True


def test_what_two_boxes_share() -> None:
    true = NORTH.boxes[0]  # 290 to 310 m across, 206 to 406 m deep
    assert shared(ON, true) == pytest.approx(10 * 156 / (15 * 170))
    assert shared(BESIDE, true) == 0.0
    assert shared(detection((300.0, 300.0), (250.0, 300.0), 0.5), true) == 0.0


def test_ellipses_turn_with_their_covariance() -> None:
    covariance = (200.0, 190.0, 200.0)
    assert inside_ellipse((30.0, 30.0), covariance)
    assert not inside_ellipse((30.0, -30.0), covariance)
    assert inside_ellipse((0.0, 0.0), None) is None
    assert semi_major_m(covariance) == pytest.approx(math.sqrt(5.991 * 390), abs=0.01)
