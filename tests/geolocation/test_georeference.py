"""From boxes to the seabed: round trips, the lever arm, the seabed, and how sure."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError, GeometryError
from sonar_watch.geolocation.budget import Foot, PositionOptions, depth_sigma_m
from sonar_watch.geolocation.geodesy import east_north_m, offset_position
from sonar_watch.geolocation.georeference import (
    NO_NAVIGATION,
    georeference,
    position_of,
    vessel_to_ground,
)
from sonar_watch.records import FrameGeometry, NavigationFix, SourceRef, WaterColumnFrame, identify

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIX = NavigationFix(time_utc=NOON, latitude=-22.0, longitude=-17.9, heading_deg=0.0, pitch_deg=0.0,
                    position_sigma_m=2.0, heading_sigma_deg=0.5, speed_m_s=4.0)
GEOMETRY = FrameGeometry(left_m=-1000.0, right_m=1000.0, top_m=0.0, bottom_m=1000.0,
                         width_px=400, height_px=200, transducer_depth_m=6.0)
EXACT = PositionOptions(**dict.fromkeys(PositionOptions.__slots__, 0.0))


class ABox(NamedTuple):
    """What `Detections` yields."""

    xyxy: tuple[float, float, float, float]
    confidence: float = 0.9
    class_name: str = "signal"


def a_frame(geometry=GEOMETRY, fix=FIX) -> WaterColumnFrame:
    return WaterColumnFrame(
        frame_id=identify("em", 1),
        time_utc=NOON,
        sounder="em",
        image=np.zeros((geometry.height_px, geometry.width_px), np.uint8),
        geometry=geometry,
        navigation=fix,
        source=SourceRef(source="s", file="f"),
    )


def place(box=(300.0, 100.0, 320.0, 180.0), geometry=GEOMETRY, fix=FIX, options=None):
    (placed,) = georeference(a_frame(geometry, fix), [ABox(box)], [None], options)
    return placed


LATITUDES, LONGITUDES = st.floats(-85, 85), st.floats(-180, 180)
OFFSETS = st.floats(-20_000, 20_000)


@given(latitude=LATITUDES, longitude=LONGITUDES, east=OFFSETS, north=OFFSETS)
def test_metres_to_degrees_and_back(latitude, longitude, east, north):
    there = offset_position(latitude, longitude, east, north)
    assert abs(there[0]) <= 90
    assert -180 <= there[1] < 180
    assert east_north_m(latitude, longitude, *there) == pytest.approx((east, north), abs=1e-5)


def test_the_date_line_is_no_edge():
    assert offset_position(10.0, 179.9999, 100.0, 0.0)[1] < -179.99
    assert east_north_m(10.0, 179.9999, 10.0, -179.9999)[0] == pytest.approx(21.93, abs=0.01)


@pytest.mark.parametrize(("heading", "forward", "starboard", "expected"), [
    (0, 10, 0, (0, 10)), (0, 0, 10, (10, 0)), (90, 10, 0, (10, 0)), (90, 0, 10, (0, -10)),
    (180, 10, 3, (-3, -10)), (270, 0, 10, (0, 10)),
])
def test_the_vessels_axes_turn_with_the_heading(heading, forward, starboard, expected):
    assert vessel_to_ground(forward, starboard, heading) == pytest.approx(expected, abs=1e-9)


def test_the_foot_is_the_middle_of_the_lower_edge():
    placed = place()
    assert placed.across_track_m == (500.0, 600.0)
    assert placed.depth_m == (500.0, 900.0)
    assert (placed.foot_depth_m, placed.height_m) == (900.0, 400.0)
    east_north = east_north_m(FIX.latitude, FIX.longitude, placed.latitude, placed.longitude)
    assert east_north == pytest.approx((550.0, 0.0), abs=1e-6)


@given(heading=st.floats(0, 360), forward=st.floats(-50, 50), starboard=st.floats(-20, 20),
       x=st.floats(0, 400))
def test_a_place_on_the_seabed_comes_back(heading, forward, starboard, x):
    geometry = replace(GEOMETRY, lever_forward_m=forward, lever_starboard_m=starboard)
    fix = replace(FIX, heading_deg=heading)
    placed = place((x, 100.0, x, 180.0), geometry, fix)
    east, north = east_north_m(FIX.latitude, FIX.longitude, placed.latitude, placed.longitude)
    turn = math.radians(heading)
    ahead = east * math.sin(turn) + north * math.cos(turn)
    to_starboard = east * math.cos(turn) - north * math.sin(turn)
    assert ahead == pytest.approx(forward, abs=1e-5)
    across_m = to_starboard - starboard
    assert geometry.to_pixels(across_m, placed.foot_depth_m)[0] == pytest.approx(x, abs=1e-5)


def seabed(**depths) -> FrameGeometry:
    profile = np.full(GEOMETRY.width_px, depths.pop("everywhere", np.nan), np.float32)
    for column, depth in depths.items():
        profile[int(column[1:])] = depth
    return replace(GEOMETRY, seabed_depth_m=profile)


@pytest.mark.parametrize(("geometry", "foot"), [
    (seabed(everywhere=800.0), 800.0),
    (seabed(everywhere=950.0), 900.0),
    (seabed(), 900.0),
    (seabed(c310=700.0, c311=850.0), 700.0),
    (seabed(c301=850.0, c305=860.0, c319=870.0), 860.0),
    (seabed(c10=100.0), 900.0),
])
def test_the_foot_stands_on_the_seabed_where_that_is_known(geometry, foot):
    assert place(geometry=geometry).foot_depth_m == foot


def test_a_box_below_the_seabed_has_no_height():
    placed = place((300.0, 190.0, 320.0, 199.0), seabed(everywhere=900.0))
    assert (placed.foot_depth_m, placed.height_m) == (900.0, 0.0)


@pytest.mark.parametrize("box", [(-5.0, 0.0, 3.0, 10.0), (399.5, 0.0, 405.0, 10.0),
                                 (400.0, 200.0, 400.0, 200.0), (0.0, 0.0, 0.0, 0.0)])
def test_boxes_at_the_edges_are_placed(box):
    assert place(box, seabed(c0=5.0, c399=6.0)).latitude is not None


def test_without_navigation_there_are_metres_and_a_reason():
    placed = place(fix=None)
    assert (placed.latitude, placed.longitude, placed.covariance_m2) == (None, None, None)
    assert placed.position_note == NO_NAVIGATION
    assert placed.foot_depth_m == 900.0
    assert placed.depth_sigma_m > 0


def test_detections_and_vetoes_go_in_together():
    found = Detections.from_rows([[10, 10, 20, 90, 0.5, 1], [300, 100, 320, 180, 0.9, 0]],
                                 ("signal", "noise"))
    first, second = georeference(a_frame(), found, ["nadir stripe", None])
    assert (first.class_name, first.veto, second.class_name, second.veto) == (
        "noise", "nadir stripe", "signal", None)
    assert second.confidence == pytest.approx(0.9)
    assert georeference(a_frame(), Detections.empty(("signal",))) == ()
    with pytest.raises(GeometryError, match="expected 2 vetoes, received 1"):
        georeference(a_frame(), found, [None])


@pytest.mark.parametrize("box", [(math.nan, 0, 1, 1), (0, 0, math.inf, 1), (5, 0, 4, 1)])
def test_boxes_that_are_none_are_refused(box):
    with pytest.raises(GeometryError, match="finite box"):
        place(box)


def as_matrix(covariance) -> np.ndarray:
    ee, en, nn = covariance
    return np.array([[ee, en], [en, nn]])


@given(heading=st.floats(0, 360), x=st.floats(0, 390), y=st.floats(10, 199),
       width=st.floats(0, 10), speed=st.none() | st.floats(0, 10),
       refraction=st.sampled_from(["layered", "straight", "given"]))
def test_the_covariance_is_positive_and_turns_with_the_heading(
    heading, x, y, width, speed, refraction
):
    geometry = replace(GEOMETRY, refraction=refraction, lever_forward_m=7.0, lever_starboard_m=-2.0)
    box = (x, y / 2, x + width, y)
    north = as_matrix(place(box, geometry, replace(FIX, speed_m_s=speed)).covariance_m2)
    turned = place(box, geometry, replace(FIX, speed_m_s=speed, heading_deg=heading)).covariance_m2
    assert np.linalg.eigvalsh(north).min() >= 0.99 * FIX.position_sigma_m**2
    # East and north of a vector after a turn to starboard by the heading.
    sine, cosine = math.sin(math.radians(heading)), math.cos(math.radians(heading))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    assert np.allclose(as_matrix(turned), turn @ north @ turn.T, rtol=1e-6, atol=1e-6)


def sigmas(options, **changes) -> tuple[float, float]:
    """Return the sigmas (across, along) of a foot 550 m to starboard, heading north."""
    geometry = replace(GEOMETRY, **{k: v for k, v in changes.items() if hasattr(GEOMETRY, k)})
    fix = replace(FIX, **{"position_sigma_m": 0.0, "heading_sigma_deg": 0.0,
                          **{k: v for k, v in changes.items() if hasattr(FIX, k)}})
    ee, _, nn = place(geometry=geometry, fix=fix, options=options).covariance_m2
    return math.sqrt(ee), math.sqrt(nn)


PIXEL_M = 5.0 / math.sqrt(12)
RANGE_M = math.hypot(550.0, 894.0)


@pytest.mark.parametrize(("option", "changes", "expected"), [
    ({}, {"beam_width_deg": 0.0}, (PIXEL_M, 0.0)),
    ({}, {"beam_width_deg": 0.0, "position_sigma_m": 3.0}, (math.hypot(PIXEL_M, 3.0), 3.0)),
    ({}, {"beam_width_deg": 0.0, "heading_sigma_deg": 1.0}, (PIXEL_M, 550 * math.radians(1))),
    ({"clock_s": 0.5}, {"beam_width_deg": 0.0}, (PIXEL_M, 2.0)),
    ({"clock_s": 0.5, "assumed_speed_m_s": 3.0}, {"beam_width_deg": 0.0, "speed_m_s": None},
     (PIXEL_M, 1.5)),
    ({"foot_in_box": 0.25}, {"beam_width_deg": 0.0}, (math.hypot(PIXEL_M, 25.0), 0.0)),
    ({"straight_relative": 0.01}, {"beam_width_deg": 0.0, "refraction": "straight"},
     (math.hypot(PIXEL_M, 11.0), 0.0)),
    ({"attitude_deg": 0.1}, {"beam_width_deg": 0.0},
     (math.hypot(PIXEL_M, 894 * math.radians(0.1)), RANGE_M * math.radians(0.1))),
    ({"assumed_pitch_deg": 2.0}, {"beam_width_deg": 0.0}, (PIXEL_M, 0.0)),
    ({"assumed_pitch_deg": 2.0}, {"beam_width_deg": 0.0, "pitch_deg": None},
     (PIXEL_M, 894 * math.radians(2.0))),
    ({}, {"beam_width_deg": 0.0, "tilt_spread_deg": 0.5}, (PIXEL_M, 894 * math.radians(0.5))),
    ({}, {"beam_width_deg": 0.0, "tilt_deg": 45.0, "heading_sigma_deg": 1.0},
     (math.hypot(PIXEL_M, 894 * math.radians(1)), 550 * math.radians(1))),
    ({}, {"beam_width_deg": 1.0},
     (math.hypot(PIXEL_M, 894 * math.radians(1 / 2.35482)), RANGE_M * math.radians(1 / 2.35482))),
])
def test_each_term_of_the_budget(option, changes, expected):
    assert sigmas(replace(EXACT, **option), **changes) == pytest.approx(expected, rel=1e-4)


def test_straight_rays_are_as_unsure_as_they_were_seen_to_err():
    """74 m across and 38 m in depth at 1000 m and 60 degrees, with a real profile."""
    across = 1000 * math.tan(math.radians(60))
    geometry = replace(GEOMETRY, left_m=across - 1, right_m=across + 1, refraction="straight",
                       transducer_depth_m=0.0, beam_width_deg=0.0)
    options = replace(EXACT, straight_relative=0.0214)
    placed = place((200, 100, 200, 200), geometry,
                   replace(FIX, position_sigma_m=0.0, heading_sigma_deg=0.0), options)
    assert math.sqrt(placed.covariance_m2[0]) == pytest.approx(74, abs=2)
    assert placed.depth_sigma_m == pytest.approx(38, abs=6)


def test_depth_is_less_sure_far_out():
    options = PositionOptions()
    near, far = (depth_sigma_m(Foot(across_m=y, below_m=900, width_m=50), GEOMETRY, options)
                 for y in (0.0, 900.0))
    assert near < far < 20


def test_an_impossible_option_is_refused():
    for wrong in (-1.0, math.nan):
        with pytest.raises(ConfigurationError, match="clock_s"):
            PositionOptions(clock_s=wrong)


def test_the_transducer_is_where_the_lever_arm_says():
    geometry = replace(GEOMETRY, lever_forward_m=12.67, lever_starboard_m=-5.63)
    there = position_of(0.0, 0.0, geometry, replace(FIX, heading_deg=90.0))
    assert east_north_m(FIX.latitude, FIX.longitude, *there) == pytest.approx((12.67, 5.63))


@pytest.mark.parametrize(("pitch", "tilt", "x", "forward"), [
    (2.0, 0.0, 200.0, 1000 * math.tan(math.radians(2.0))),
    (0.0, -1.5, 200.0, -1000 * math.tan(math.radians(1.5))),
    (1.25, -1.25, 340.0, 0.0),
    (0.5, 0.7, 350.0, 1000 * math.tan(math.radians(1.2))),
    (None, 0.7, 200.0, 1000 * math.tan(math.radians(0.7))),
])
def test_pitch_and_tilt_move_a_foot_ahead(pitch, tilt, x, forward):
    """35 m at 1000 m and 2 degrees; a sounder that steers against the pitch stays put."""
    geometry = replace(GEOMETRY, transducer_depth_m=0.0, tilt_deg=tilt)
    placed = place((x, 100.0, x, 200.0), geometry, replace(FIX, pitch_deg=pitch, roll_deg=9.0))
    found = east_north_m(FIX.latitude, FIX.longitude, placed.latitude, placed.longitude)
    assert found == pytest.approx((geometry.across_track_m(x), forward), abs=1e-5)


@pytest.mark.parametrize("wrong", [{"tilt_deg": 46.0}, {"tilt_deg": math.nan},
                                   {"tilt_spread_deg": -1.0}, {"tilt_spread_deg": math.nan}])
def test_a_tilt_of_no_sounder_is_refused(wrong):
    with pytest.raises(GeometryError, match="expected a tilt"):
        replace(GEOMETRY, **wrong)
