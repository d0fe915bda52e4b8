"""The seabed's shapes, and the patterns that belong to a place."""

from __future__ import annotations

import numpy as np
import pytest

from sonar_watch.simulation.terrain import (
    Caldera,
    Escarpment,
    Feature,
    Ridge,
    Seabed,
    Seamount,
    random_seabed,
)
from sonar_watch.simulation.texture import dots, hashed, relief, uniform, waver

PLACE = {"east_m": 100.0, "north_m": 0.0}


@pytest.mark.parametrize(
    ("feature", "east_m", "depth_m"),
    [
        (Ridge(**PLACE, bearing_deg=0.0, height_m=50.0, half_width_m=30.0), 100.0, 450.0),
        (Ridge(**PLACE, bearing_deg=0.0, height_m=50.0, half_width_m=30.0), 400.0, 500.0),
        (Ridge(**PLACE, bearing_deg=90.0, height_m=50.0, half_width_m=30.0), 400.0, 450.0),
        (Escarpment(**PLACE, bearing_deg=0.0, height_m=80.0, half_width_m=5.0), 150.0, 420.0),
        (Escarpment(**PLACE, bearing_deg=0.0, height_m=80.0, half_width_m=5.0), 50.0, 500.0),
        (Seamount(**PLACE, height_m=200.0, radius_m=60.0), 100.0, 300.0),
        (Seamount(**PLACE, height_m=200.0, radius_m=60.0), 160.0, 400.0),
        (Seamount(**PLACE, height_m=200.0, radius_m=60.0, crater_m=50.0), 100.0, 350.0),
    ],
)
def test_features_stand_where_they_are_put(feature: Feature, east_m: float, depth_m: float) -> None:
    seabed = Seabed(depth_m=500.0, features=(feature,))
    assert seabed.at(east_m, 0.0) == pytest.approx(depth_m, abs=0.5)


def test_a_caldera_has_a_level_floor_and_a_rim() -> None:
    caldera = Caldera(**PLACE, height_m=150.0, radius_m=400.0, wall_m=20.0, flank_m=1000.0)
    seabed = Seabed(depth_m=900.0, features=(caldera,))
    depth = seabed.at(np.array([100.0, 300.0, 550.0, 3000.0]), 0.0)
    assert depth == pytest.approx([900.0, 900.0, 760.0, 887.0], abs=8)


def test_terrain_stays_within_what_the_sounder_is_set_for() -> None:
    peak = Seamount(east_m=0.0, north_m=0.0, height_m=900.0, radius_m=50.0)
    assert Seabed(depth_m=300.0, features=(peak,)).at(0.0, 0.0) == 60.0


def test_a_slope_levels_out_far_away() -> None:
    seabed = Seabed(depth_m=300.0, slope_north=0.1)
    north_m = np.array([-20_000.0, -1.0, 1.0, 20_000.0])
    assert seabed.at(np.zeros(4), north_m) == pytest.approx([150.0, 299.9, 300.1, 450.0])


def test_random_seabeds_are_of_many_kinds_near_the_depth_asked_for() -> None:
    seabeds = [random_seabed(np.random.default_rng(seed), 800.0) for seed in range(200)]
    kinds = {type(feature) for seabed in seabeds for feature in seabed.features}
    assert kinds == {Ridge, Escarpment, Seamount, Caldera}
    assert 0.3 < np.mean([not seabed.features for seabed in seabeds]) < 0.7
    below = [float(seabed.at(0.0, 0.0)) for seabed in seabeds]
    assert 600 < np.median(below) < 900
    assert min(below) > 200


def test_patterns_follow_from_seed_and_cell() -> None:
    cells = np.arange(10_000)
    assert np.array_equal(hashed(3, cells, 5), hashed(3, cells, 5))
    assert not np.array_equal(hashed(3, cells, 5), hashed(4, cells, 5))
    assert hashed(3, cells[:7], 5)[6] == hashed(3, 6, 5)
    for seed in (0, 1, 2**31 - 1):
        drawn = uniform(seed, cells - 5000, 1)
        assert drawn.min() >= 0
        assert drawn.max() < 1
        assert drawn.mean() == pytest.approx(0.5, abs=0.02)
        assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.05


@pytest.mark.parametrize("shape", [0.35, 1.0, 8.0])
def test_dots_have_mean_one_and_the_spread_of_their_shape(shape: float) -> None:
    gains = dots(1, shape, np.arange(50_000), 2)
    assert gains.mean() == pytest.approx(1.0, abs=0.03)
    assert gains.std() == pytest.approx(shape**-0.5, rel=0.05)


def test_lines_and_surfaces_are_smooth_and_centred() -> None:
    place = np.linspace(-3000, 3000, 200_001)
    line, surface = waver(1, place), relief(1, place, 0.3 * place)
    for values in (line, surface):
        assert np.abs(np.diff(values)).max() < 0.2
        assert values.mean() == pytest.approx(0.0, abs=0.05)
        assert 0.35 < values.std() < 0.7
    assert abs(np.corrcoef(line, waver(1, place, lane=1))[0, 1]) < 0.1
