"""The local plane against the geodesic, and the parts of an estimate."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from sonar_watch.association.estimate import ALIKE, FootEstimate, MeasureSample
from sonar_watch.association.plane import (
    circle,
    east_north_m,
    inverse,
    position_at,
    sandwich,
    shifted,
)

GEOD = Geod(ellps="WGS84")


@given(st.floats(-80, 80), st.floats(-180, 179.99), st.floats(0, 360), st.floats(0, 1000))
def test_plane_agrees_with_the_geodesic(latitude, longitude, azimuth, distance):
    there = GEOD.fwd(longitude, latitude, azimuth, distance)
    east, north = east_north_m(latitude, longitude, there[1], there[0])
    angle = np.radians(azimuth)
    assert east == pytest.approx(distance * np.sin(angle), abs=1.0)
    assert north == pytest.approx(distance * np.cos(angle), abs=1.0)


@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_there_and_back(latitude, longitude, east, north):
    there = position_at(latitude, longitude, (east, north))
    assert east_north_m(latitude, longitude, *there) == pytest.approx((east, north), abs=1e-5)


def test_sandwich_is_matrix_algebra():
    a, b = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([[2.0, -0.5], [-0.5, 5.0]])
    expected = a @ b @ a
    assert sandwich((4.0, 1.0, 3.0), (2.0, -0.5, 5.0)) == pytest.approx(
        (expected[0, 0], expected[0, 1], expected[1, 1])
    )
    assert inverse((4.0, 1.0, 3.0)) == pytest.approx(
        tuple(np.linalg.inv(a)[[0, 0, 1], [0, 1, 1]])
    )


def many(count, sigma=10.0, seed=4, around=(0.0, 0.0)):
    chance = random.Random(seed)
    estimate = FootEstimate(anchor=(10.0, 20.0))
    for _ in range(count):
        foot = (around[0] + chance.gauss(0, sigma), around[1] + chance.gauss(0, sigma))
        estimate = estimate.added(foot, 0.8, circle(sigma), circle(5.0))
    return estimate


def test_random_part_shrinks_and_systematic_part_stays():
    one, few, lots = many(1), many(4), many(400)
    assert one.covariance_m2()[0] == pytest.approx(100 + 25)
    assert lots.covariance_m2()[0] < few.covariance_m2()[0] < 125
    assert lots.covariance_m2()[0] == pytest.approx(100 * ALIKE + 25.25, abs=0.2)


def test_scatter_beyond_the_promise_is_believed():
    estimate = FootEstimate(anchor=(10.0, 20.0))
    for east in (-40.0, 40.0) * 5:
        estimate = estimate.added((east, 0.0), 0.8, circle(1.0), circle(0.0))
    ee, _, nn = estimate.covariance_m2()
    assert ee == pytest.approx(1600 / 9 + ALIKE, rel=0.01)
    assert nn < 1


def test_merging_is_as_if_all_feet_were_one_plumes():
    offset = (30.0, -12.0)
    left, right = many(7), many(5, seed=9)
    together = left.merged(right, offset)
    chance, expected = random.Random(9), left
    for _ in range(5):
        foot = shifted((chance.gauss(0, 10.0), chance.gauss(0, 10.0)), offset)
        expected = expected.added(foot, 0.8, circle(10.0), circle(5.0))
    assert together.mean_m() == pytest.approx(expected.mean_m())
    assert together.covariance_m2() == pytest.approx(expected.covariance_m2())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_sample_keeps_its_bound_and_a_fair_median(values):
    sample = MeasureSample()
    for value in values:
        sample.add(value)
    assert len(sample.state()["rows"]) <= MeasureSample.LIMIT
    assert min(values) <= sample.quantile(0, 0.5) <= max(values)
    if len(values) <= MeasureSample.LIMIT:
        assert sample.quantile(0, 0.5) == pytest.approx(float(np.median(values)))
