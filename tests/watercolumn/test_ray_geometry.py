import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import real_data
from watercolumn_builders import OCEAN, walk

from sonar_watch.records import SoundSpeedProfile
from sonar_watch.watercolumn.geometry import launch_map, ray_levels, trace

AT = {"transducer_depth_m": 6.0, "sound_speed_m_s": 1534.4}


def test_straight_rays_are_sine_and_cosine():
    across, depth = trace([-30.0, 0.0, 60.0], 0.1, None, **AT)
    np.testing.assert_allclose(across, 153.44 * np.sin(np.radians([-30.0, 0.0, 60.0])))
    np.testing.assert_allclose(depth, 6.0 + 153.44 * np.cos(np.radians([-30.0, 0.0, 60.0])))


@pytest.mark.parametrize("angle", [0.0, 12.0, -45.0, 60.0, 72.0])
@pytest.mark.parametrize("time", [0.004, 0.05, 0.9])
def test_layered_trace_equals_small_steps(angle, time):
    across, depth = trace([angle], [time], OCEAN, **AT)
    expected = walk(angle, time, OCEAN, **AT)
    assert (across[0], depth[0]) == pytest.approx(expected, abs=0.02)


@given(angle=st.floats(-75, 75), time=st.floats(1e-3, 1.0))
def test_constant_speed_profile_equals_straight(angle, time):
    still = SoundSpeedProfile(depth_m=np.array([0.0, 900.0]), speed_m_s=np.array([1500.0, 1500.0]))
    place = {"transducer_depth_m": 3.0, "sound_speed_m_s": 1500.0}
    layered = trace([angle], [time], still, **place)
    np.testing.assert_allclose(layered, trace([angle], [time], None, **place), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(angle=st.floats(-70, 70), time=st.floats(0.02, 0.6))
def test_launch_map_inverts_the_trace(angle, time):
    across, depth = trace([angle], [time], OCEAN, **AT)
    below = np.array([depth[0] - AT["transducer_depth_m"]])
    rays = launch_map(across, below, OCEAN, AT["transducer_depth_m"], 1534.0)
    speed = AT["sound_speed_m_s"]
    launch = rays.launch_angle_deg(np.array([angle]), speed)[0]
    assert rays.angle_deg[0, 0] == pytest.approx(launch, abs=0.03)
    assert rays.range_m[0, 0] / rays.speed_m_s == pytest.approx(time, abs=5e-5)


def test_straight_map_is_an_arctangent():
    rays = launch_map(np.array([-50.0, 50.0]), np.array([50.0]), None)
    np.testing.assert_allclose(rays.angle_deg, [[-45.0, 45.0]])
    np.testing.assert_allclose(rays.range_m, [[70.7107, 70.7107]], rtol=1e-5)
    assert rays.speed_m_s is None


def test_dense_casts_are_thinned_without_harm():
    depth = np.arange(0.0, 1000.0, 0.2)
    speed = np.interp(depth, OCEAN.depth_m, OCEAN.speed_m_s)
    dense = SoundSpeedProfile(depth_m=depth, speed_m_s=speed)
    assert ray_levels(dense, 6.0, 800.0, 1534.4)[0].size <= 66
    np.testing.assert_allclose(
        trace([60.0], [0.6], dense, **AT), trace([60.0], [0.6], OCEAN, **AT), atol=0.3
    )


def test_rays_that_turn_back_reach_nothing():
    faster = SoundSpeedProfile(depth_m=np.array([0.0, 500.0]), speed_m_s=np.array([1450.0, 1560.0]))
    at = {"transducer_depth_m": 0.0, "sound_speed_m_s": 1450.0}
    assert np.isnan(trace([0.0], [np.nan], faster, **at)).all()
    assert np.isnan(trace([85.0], [1.0], faster, **at)[0][0])
    rays = launch_map(np.array([10.0, 9000.0]), np.array([400.0]), faster, 0.0, 1450.0)
    assert rays.angle_deg[0, 0] < 2
    assert rays.angle_deg[0, 1] > 90


def test_levels_keep_the_profile_and_divide_thick_layers():
    depth, speed = ray_levels(OCEAN, 5.0, 2000.0, 1530.0)
    assert depth[0] == 5.0
    assert depth[-1] == 2000.0
    assert set(OCEAN.depth_m[1:-1]) <= set(depth)
    assert np.diff(depth).max() <= 100.0 + 1e-9
    np.testing.assert_allclose(speed[1:], np.interp(depth[1:], OCEAN.depth_m, OCEAN.speed_m_s))
    assert speed[0] == 1530.0


@pytest.mark.parametrize(("depth_m", "across_error", "depth_error"), [
    (1000.0, 74.0, 38.0),
    (1500.0, 124.0, 64.0),
])  # fmt: skip
def test_real_profile_bends_rays_as_much_as_published(depth_m, across_error, depth_error):
    levels = np.loadtxt(real_data("svp", "20120321_224205.asvp"), skiprows=1)[:-1]
    profile = SoundSpeedProfile(depth_m=levels[:, 0], speed_m_s=levels[:, 1])
    times = np.linspace(0.5, 3.0, 25_001)
    place = {"transducer_depth_m": 0.0, "sound_speed_m_s": 1531.4}
    across, depth = trace(np.full(times.size, 60.0), times, profile, **place)
    here = int(np.argmin(np.abs(depth - depth_m)))
    straight = trace([60.0], [times[here]], None, **place)
    assert straight[0][0] - across[here] == pytest.approx(across_error, abs=1)
    assert depth[here] - straight[1][0] == pytest.approx(depth_error, abs=1)
