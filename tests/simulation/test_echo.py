"""The simulated echoes: same seed same bytes, and the statistics of real files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.records import FLOOR_HALF_DB
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.scene import Noise, Plume, Scene, School, Seabed
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import FAMILIES, Sounder, sounder_for
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

STATE = ShipState(
    time_utc=datetime(2026, 1, 1, tzinfo=UTC),
    east_m=0.0,
    north_m=0.0,
    heading_deg=0.0,
    ping_counter=7,
)
QUIET = Noise(
    nadir_stripe_db=0.0, ring_count=0, stripe_count=0, spoke_chance=0.0, fish_count=0, rise_db=0.0
)


def sounder() -> Sounder:
    return replace(sounder_for("em304", 400.0), beams=128)


def test_the_seed_decides_every_sample() -> None:
    first, _ = hear(Scene(), sounder(), STATE, seed=3)
    again, _ = hear(Scene(), sounder(), STATE, seed=3)
    other, _ = hear(Scene(), sounder(), STATE, seed=4)
    assert np.array_equal(first.samples_half_db, again.samples_half_db)
    assert not np.array_equal(first.samples_half_db, other.samples_half_db)


def test_speckle_is_that_of_real_files() -> None:
    """FACTS: 5 to 6.4 dB along a row of constant range."""
    ping, _ = hear(Scene(noise=QUIET), sounder(), STATE, seed=1)
    centre = np.asarray(ping.sector) == 1
    rows = ping.samples_half_db[centre, 200:400].astype(float) / 2
    assert 5.0 < rows.std(axis=0).mean() < 6.4


def test_the_plateau_begins_at_the_first_bottom_echo_and_is_its_sectors_own() -> None:
    ping, _ = hear(Scene(noise=QUIET), sounder(), STATE, seed=1)
    first = int(np.nanmin(ping.detected_sample))
    level = ping.samples_half_db.astype(float) / 2
    sector = np.asarray(ping.sector)
    inside = (sector == 1) & (np.asarray(ping.beam_angle_deg) > 25)
    outside = sector == 2
    beyond, before = slice(first + 4, first + 30), slice(first - 60, first - 30)
    step_inside = level[inside, beyond].mean() - level[inside, before].mean()
    step_outside = level[outside, beyond].mean() - level[outside, before].mean()
    assert step_inside > 5.0
    assert step_inside - step_outside > 3.0


def test_the_bottom_lies_where_the_seabed_is() -> None:
    scene = Scene(seabed=Seabed(depth_m=400.0, slope_east=0.1), noise=QUIET)
    ping, _ = hear(scene, sounder(), STATE, seed=1)
    angle = np.radians(ping.beam_angle_deg)
    reach = np.asarray(ping.detected_sample) * ping.metres_per_sample
    across = reach * np.sin(angle) + ping.lever_starboard_m
    depth = reach * np.cos(angle) + ping.transducer_depth_m
    assert np.nanmedian(np.abs(depth - scene.seabed.at(np.asarray(across, float), 0.0))) < 2.0


@pytest.mark.parametrize("east_m", [-300.0, -40.0, 150.0])
def test_a_plume_stands_out_inside_its_true_box(east_m: float) -> None:
    plume = Plume(name="p", east_m=east_m, north_m=0.0, radius_m=18.0, contrast_db=16.0)
    ping, (box,) = hear(
        Scene(seabed=Seabed(depth_m=400.0), plumes=(plume,), noise=QUIET), sounder(), STATE, seed=2
    )
    assert box.class_name == "signal"
    assert box.across_track_m[0] < east_m - ping.lever_starboard_m < box.across_track_m[1]
    assert 180 < box.depth_m[0] < 320
    assert box.depth_m[1] <= 401
    level, y, z = _levels(ping)
    box_of = (y > box.across_track_m[0]) & (y < box.across_track_m[1])
    column = (z > box.depth_m[0]) & (z < 0.85 * 400)
    beside = (np.abs(y - east_m) > 90) & (np.abs(y - east_m) < 160)
    assert level[box_of & column].mean() - level[beside & column].mean() > 5.0


def _levels(ping: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    angle = np.radians(ping.beam_angle_deg)[:, None]  # type: ignore[attr-defined]
    samples = ping.samples_half_db  # type: ignore[attr-defined]
    reach = np.arange(samples.shape[1]) * ping.metres_per_sample  # type: ignore[attr-defined]
    return samples / 2, reach * np.sin(angle), 6 + reach * np.cos(angle)


def test_a_plume_ahead_of_the_swath_is_not_in_it() -> None:
    plume = Plume(name="p", east_m=50.0, north_m=200.0)
    _, boxes = hear(Scene(plumes=(plume,)), sounder(), STATE, seed=2)
    assert boxes == ()


def test_fish_are_noise_in_mid_water() -> None:
    school = School(east_m=100.0, north_m=0.0, depth_m=150.0)
    _, (box,) = hear(Scene(schools=(school,), noise=QUIET), sounder(), STATE, seed=2)
    assert box.class_name == "noise"
    assert box.depth_m[1] < 200


def test_nothing_is_recorded_beyond_the_count_of_a_beam() -> None:
    ping, _ = hear(Scene(), sounder(), STATE, seed=1)
    beyond = np.arange(ping.samples_half_db.shape[1]) >= np.asarray(ping.sample_count)[:, None]
    assert (ping.samples_half_db[beyond] == FLOOR_HALF_DB).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_is_heard(family: str) -> None:
    ping, _ = hear(Scene(), sounder_for(family, 500.0), STATE, seed=1)
    assert 600 < ping.samples_half_db.shape[1] < 1600


@pytest.mark.parametrize("swath", [0, 1])
def test_the_fan_is_steered_against_the_pitch(swath: int) -> None:
    """With the pitch the wanted tilt remains, and what is heard is what a level ship hears."""
    dual = replace(sounder(), dual_swath=True)
    level, _ = hear(Scene(), dual, replace(STATE, swath=swath), seed=3)
    pitched, _ = hear(Scene(), dual, replace(STATE, swath=swath, pitch_deg=2.0), seed=3)
    assert np.array_equal(level.samples_half_db, pitched.samples_half_db)
    wanted_deg = dual.swath_tilt_deg * (1 if swath == 0 else -1)
    geometry = Rasteriser(RasterOptions(max_side_px=64)).frame(pitched).geometry
    assert geometry.tilt_deg + 2.0 == pytest.approx(wanted_deg, abs=0.05)
    assert 0 < geometry.tilt_spread_deg < 0.5
