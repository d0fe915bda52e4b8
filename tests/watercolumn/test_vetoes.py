from dataclasses import replace

import numpy as np
import pytest
from watercolumn_builders import make_ping

from sonar_watch.errors import ConfigurationError
from sonar_watch.watercolumn.raster import Rasteriser
from sonar_watch.watercolumn.vetoes import VetoOptions, seabed_below, veto


@pytest.fixture(scope="module")
def frame():
    return Rasteriser().frame(make_ping())


def box(frame, across, depth):
    """Pixels of metres: ((left, right), (top, bottom))."""
    left, top = frame.geometry.to_pixels(across[0], depth[0])
    right, bottom = frame.geometry.to_pixels(across[1], depth[1])
    return left, top, right, bottom


@pytest.mark.parametrize(("across", "depth", "reason"), [
    ((30, 45), (60, 104), None),
    ((30, 45), (60, 90), None),
    ((30, 45), (20, 60), "no ground contact"),
    ((30, 45), (101, 112), "below the seabed"),
    ((-2, 2), (8, 105), "nadir stripe"),
    ((-15, 15), (8, 105), None),
    ((20, 24), (8, 105), None),
    ((-2, 2), (60, 105), None),
])  # fmt: skip
def test_veto_by_place(frame, across, depth, reason):
    assert veto(box(frame, across, depth), frame) == reason


def test_limits_are_options(frame):
    high = box(frame, (30, 45), (20, 60))
    assert veto(high, frame, VetoOptions(ground_gap_m=60.0)) is None
    assert veto(box(frame, (-2, 2), (8, 105)), frame, VetoOptions(nadir_width_fraction=0)) is None


def test_without_a_seabed_nothing_is_turned_down(frame):
    bare = replace(frame, geometry=replace(frame.geometry, seabed_depth_m=None))
    blank = np.full(frame.geometry.width_px, np.nan, np.float32)
    empty = replace(frame, geometry=replace(frame.geometry, seabed_depth_m=blank))
    high = box(frame, (30, 45), (20, 60))
    assert veto(high, bare) is None
    assert veto(high, empty) is None


def test_seabed_beside_the_fan_is_the_nearest(frame):
    line = frame.geometry.seabed_depth_m
    assert not np.isfinite(line[0])
    assert seabed_below(frame.geometry, -5.0, 3.0) == pytest.approx(105.0, abs=0.5)


def test_options_say_what_was_expected():
    with pytest.raises(ConfigurationError, match="ground_gap_m: expected"):
        VetoOptions(ground_gap_m=-1.0)
