"""Artefacts painted into pings, and boxes that a network could have drawn around them."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from watercolumn_builders import METRES_PER_SAMPLE, make_ping

from sonar_watch.records import WaterColumnFrame, WaterColumnPing
from sonar_watch.simulation.cruise import random_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions
from sonar_watch.watercolumn.vetoes import VetoOptions, veto

DEPTH_M, APEX_M, BEAMS, HALF_DEG = 400.0, 5.0, 241, 60.0


@cache
def speckled(counter: int) -> WaterColumnPing:
    return make_ping(
        beams=BEAMS, half_fan_deg=HALF_DEG, depth_m=DEPTH_M, speckle_db=5.5, sectors=3,
        counter=counter, transducer_depth_m=APEX_M,
    )


def ping_with(gain_db=None, counter=1) -> WaterColumnPing:
    """A speckled ping; `gain_db` is added per beam and sample (0 dB where there is nothing)."""
    ping = speckled(counter % 8)
    level = ping.samples_half_db.astype(float) / 2
    if gain_db is not None:
        level += np.where(level > -64, gain_db, 0)
    samples = np.clip(np.rint(level * 2), -128, 127).astype(np.int8)
    time_utc = ping.time_utc + timedelta(seconds=2 * counter)
    return replace(ping, samples_half_db=samples, time_utc=time_utc)


def grid():
    """Angle, degrees, and range, metres, of every sample of `ping_with`."""
    ping = ping_with()
    reach = np.arange(ping.samples_half_db.shape[1]) * METRES_PER_SAMPLE
    return ping.beam_angle_deg[:, None].astype(float), reach[None, :]


def ray(angle_deg, gain_db=9.0):
    return np.where(np.abs(grid()[0] - angle_deg) < 0.8, gain_db, 0.0)


def column(across_m, top_m, gain_db=12.0, width_m=12.0):
    """A plume: upright, patchy, from the seabed to `top_m` below the transducer."""
    angle, reach = grid()
    y, z = reach * np.sin(np.radians(angle)), reach * np.cos(np.radians(angle))
    dots = np.random.default_rng(5).gamma(2.0, 0.5, y.shape)
    inside = (np.abs(y - across_m) < width_m) & (z > top_m)
    return np.where(inside, gain_db * np.minimum(dots, 1.3), 0.0)


def stream(gains_db, encoding="layers") -> WaterColumnFrame:
    """The last frame of a stream of pings."""
    raster = Rasteriser(RasterOptions(encoding=encoding, static_pings=20, max_side_px=768))
    frames = [raster.frame(ping_with(gain, count)) for count, gain in enumerate(gains_db, 1)]
    return frames[-1]


def box(frame, across_m, below_m):
    top, bottom = below_m[0] + APEX_M, below_m[1] + APEX_M
    return *frame.geometry.to_pixels(across_m[0], top), *frame.geometry.to_pixels(
        across_m[1], bottom
    )


def on_ray(frame, angle_deg, low=0.6, high=0.98):
    """The box of the lower part of a ray, as wide as it slants."""
    inner, outer = (share * DEPTH_M * np.tan(np.radians(angle_deg)) for share in (low, high))
    left, right = sorted((inner, outer))
    return box(frame, (left - 8, right + 8), (low * DEPTH_M, high * DEPTH_M))


@pytest.mark.parametrize(("angle_deg", "reason"), [
    (30.0, "static angle"), (-12.0, "static angle"), (0.5, "nadir stripe"), (20.0, "sector edge"),
])  # fmt: skip
@pytest.mark.parametrize("encoding", ["layers", "grey"])
def test_a_stripe_that_stands_still(angle_deg, reason, encoding):
    frame = stream([ray(angle_deg)] * 3, encoding)
    assert veto(on_ray(frame, angle_deg), frame) == reason


def test_a_stripe_that_was_learned_and_only_the_level_still_shows():
    frame = stream([ray(30.0)] * 40)
    assert veto(on_ray(frame, 30.0), frame) == "static angle"


def test_a_spoke_comes_and_goes():
    frame = stream([None] * 5 + [ray(30.0)])
    assert veto(on_ray(frame, 30.0), frame) == "spoke"


def wedge(angle_deg, half_deg=12.0, gain_db=6.0):
    """Beams that hear wash under the ship, from the first sample to the last."""
    noise = np.random.default_rng(2).gamma(4.0, 0.25, grid()[0].shape)
    return np.where(np.abs(grid()[0] - angle_deg) < half_deg, gain_db * noise, 0.0)


@pytest.mark.parametrize("angle_deg", [0.0, -20.0])
def test_beams_that_hear_wash_are_no_plume(angle_deg):
    frame = stream([None] * 5 + [wedge(angle_deg)])
    low_m = 0.95 * DEPTH_M
    middle_m = low_m * np.tan(np.radians(angle_deg))
    sides = sorted((0.0, middle_m)) if angle_deg else (0.0, 0.0)
    for top_m in (5, 0.18 * DEPTH_M):
        around = box(frame, (sides[0] - 80, sides[1] + 80), (top_m, low_m))
        assert veto(around, frame) == "spoke"


@pytest.mark.parametrize(("across_m", "width_m"), [(40.0, 12.0), (40.0, 30.0), (5.0, 30.0)])
def test_a_plume_that_rises_to_the_ship_stays(across_m, width_m):
    frame = stream([None] * 5 + [column(across_m, 10.0, width_m=width_m)])
    for top_m in (10, 0.18 * DEPTH_M):
        around = box(frame, (across_m - width_m, across_m + width_m), (top_m, 0.98 * DEPTH_M))
        assert veto(around, frame) is None


def test_a_piece_of_the_arc_of_the_minimum_slant_range():
    angle, reach = grid()
    arc = (np.abs(reach - DEPTH_M) < 8) & (angle > 12) & (angle < 35)
    frame = stream([np.where(arc, 12.0, 0.0)] * 3)
    middle = 0.98 * DEPTH_M * np.array([np.sin(np.radians(22)), np.cos(np.radians(22))])
    piece = box(frame, (middle[0] - 35, middle[0] + 35), (middle[1] - 15, middle[1] + 20))
    assert veto(piece, frame) == "minimum-slant-range arc"


def test_a_step_at_the_edge_of_a_transmit_sector():
    angle, _ = grid()
    brighter = np.where((angle > 20) & (angle < 34), 5.0, 0.0)
    frame = stream([brighter] * 3)
    assert veto(on_ray(frame, 20.6, 0.7, 0.95), frame) == "sector edge"


@pytest.mark.parametrize("across_m", [-200.0, -70.0, 0.0, 8.0, 60.0, 146.0, 230.0])
@pytest.mark.parametrize("encoding", ["layers", "grey"])
def test_plumes_stay_also_at_nadir_and_at_sector_edges(across_m, encoding):
    """146 m is under the edge of the sector at 20 degrees."""
    plume = column(across_m, 0.55 * DEPTH_M)
    for gains in ([plume] * 3, [None] * 3 + [plume]):
        frame = stream(gains, encoding)
        drawn = box(frame, (across_m - 15, across_m + 15), (0.53 * DEPTH_M, DEPTH_M))
        assert veto(drawn, frame) is None


def test_simulated_plumes_are_not_turned_down():
    """Of some hundred true boxes of 8 dB and more 0.2 % were; of these few none may be."""
    survey = random_survey(
        4, depth_m=150.0, plumes=5, schools=1, length_m=140.0, contrast_db=18.0
    )
    raster, told, turned_down = Rasteriser(RasterOptions(max_side_px=768)), 0, []
    for state in list(survey.states(survey.lines[0])):
        ping, truth = hear(survey.scene, survey.sounder, state, survey.seed)
        frame = raster.frame(ping)
        for row in truth:
            if row.class_name == "signal" and row.contrast_db >= 8:
                told += 1
                reason = veto(_pixels_of(row, frame), frame)
                turned_down += [(state.ping_counter, row.name, reason)] if reason else []
    assert told >= 20
    assert turned_down == []


def _pixels_of(row, frame):
    corners = zip(row.across_track_m, row.depth_m, strict=True)
    return [value for corner in corners for value in frame.geometry.to_pixels(*corner)]


def test_the_foot_of_a_plume_may_be_hidden_beyond_the_minimum_slant_range():
    frame = stream([None])
    beyond = box(frame, (290.0, 330.0), (150.0, 240.0))
    before = box(frame, (100.0, 130.0), (150.0, 240.0))
    assert veto(beyond, frame, VetoOptions(stripes=False)) is None
    assert veto(before, frame, VetoOptions(stripes=False)) == "no ground contact"


def test_stripes_can_be_left_out():
    frame = stream([ray(30.0)] * 3)
    assert veto(on_ray(frame, 30.0), frame, VetoOptions(stripes=False)) is None
