"""Events on several lines become one place."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.association.plane import east_north_m, position_at
from sonar_watch.association.sites import SiteIndex
from sonar_watch.errors import ConfigurationError

SURE = (25.0, 0.0, 25.0)
latitudes, longitudes = st.floats(-89.0, 89.0), st.floats(-180.0, 179.999)


@settings(max_examples=100, deadline=None)
@given(latitudes, longitudes, st.floats(0, 49), st.floats(0, 2 * math.pi))
def test_within_the_radius_is_the_same_site(latitude, longitude, apart, angle):
    index = SiteIndex(50.0)
    first = index.assign("a", latitude, longitude, SURE)
    there = position_at(latitude, longitude, (apart * math.sin(angle), apart * math.cos(angle)))
    assert index.assign("b", *there, SURE) == first


@settings(max_examples=100, deadline=None)
@given(latitudes, longitudes, st.floats(51, 5000), st.floats(0, 2 * math.pi))
def test_beyond_it_is_another(latitude, longitude, apart, angle):
    index = SiteIndex(50.0)
    first = index.assign("a", latitude, longitude, SURE)
    there = position_at(latitude, longitude, (apart * math.sin(angle), apart * math.cos(angle)))
    if abs(there[0]) < 89.2:
        assert index.assign("b", *there, SURE) != first


def test_large_errors_reach_further_but_not_beyond_twice_the_radius():
    index = SiteIndex(50.0)
    vague = (900.0, 0.0, 900.0)
    first = index.assign("a", 10.0, 20.0, vague)
    assert index.assign("b", *position_at(10.0, 20.0, (80.0, 0.0)), vague) == first
    assert index.assign("c", *position_at(10.0, 20.0, (0.0, 101.0)), (1e6, 0.0, 1e6)) != first


def test_nearest_site_wins():
    index = SiteIndex(50.0)
    index.assign("a", 10.0, 20.0, SURE)
    near = index.assign("b", *position_at(10.0, 20.0, (60.0, 0.0)), SURE)
    assert index.assign("c", *position_at(10.0, 20.0, (40.0, 0.0)), SURE) == near


def test_position_is_the_mean_weighted_by_certainty():
    index = SiteIndex(50.0)
    site = index.assign("a", 10.0, 20.0, SURE)
    index.settle(site, 10.0, 20.0, (25.0, 0.0, 25.0))
    index.settle(site, *position_at(10.0, 20.0, (40.0, 0.0)), (75.0, 0.0, 75.0))
    east, north = east_north_m(10.0, 20.0, index[site].latitude, index[site].longitude)
    assert east == pytest.approx(10.2, abs=0.5)
    assert north == pytest.approx(0.0, abs=1e-6)
    assert index[site].event_count == 2


def test_provisional_position_gives_way_to_the_final_one():
    index = SiteIndex(50.0)
    site = index.assign("a", 10.0, 20.0, SURE)
    index.settle(site, *position_at(10.0, 20.0, (30.0, 0.0)), SURE)
    assert east_north_m(10.0, 20.0, index[site].latitude, index[site].longitude)[0] == (
        pytest.approx(30.0, abs=1e-6)
    )
    assert index.assign("b", *position_at(10.0, 20.0, (75.0, 0.0)), SURE) == site


def test_state_is_exact():
    index = SiteIndex(50.0)
    for i in range(50):
        site = index.assign(f"e{i}", 10.0 + i * 0.0003, 179.9999 + i * 1e-5, SURE)
        index.settle(site, 10.0 + i * 0.0003, 179.9998, SURE)
    again = SiteIndex.restore(50.0, json.loads(json.dumps(index.state())))
    assert list(again) == list(index)
    assert again.assign("x", 10.0001, -179.99995, SURE) == index.assign("x", 10.0001, -179.99995,
                                                                          SURE)


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, math.inf])
def test_radius_has_to_be_one(radius):
    with pytest.raises(ConfigurationError):
        SiteIndex(radius)
