"""The foot of a plume: a line through what stands in the box, drawn down to the seabed."""

from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.records import FrameGeometry, SourceRef, WaterColumnFrame
from sonar_watch.watercolumn.encoding import to_bytes
from sonar_watch.watercolumn.feet import foot_line

WIDTH, HEIGHT, SEABED = 400, 220, 200.0


def make_frame(lean=0.0, foot=150.0, heights=(0, 120), contrast_db=9.0, seabed=True, seed=1):
    """A fan one metre to the pixel: speckle, and a column of 14 px that leans to starboard."""
    level = np.random.default_rng(seed).normal(0, 4.5, (HEIGHT, WIDTH))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rise = SEABED - rows
    across = columns - foot - lean * rise
    inside = (rise >= heights[0]) & (rise <= heights[1])
    level += contrast_db * np.exp(-0.5 * (across / 7.0) ** 2) * inside
    level[rows > SEABED - 2] = 24.0
    return WaterColumnFrame(
        frame_id="f",
        time_utc=datetime(2026, 1, 1, tzinfo=UTC),
        sounder="em304",
        image=to_bytes(level.astype(np.float32), "contrast"),
        geometry=FrameGeometry(
            left_m=-200.0,
            right_m=200.0,
            top_m=0.0,
            bottom_m=float(HEIGHT),
            width_px=WIDTH,
            height_px=HEIGHT,
            seabed_depth_m=np.full(WIDTH, SEABED, np.float32) if seabed else None,
        ),
        source=SourceRef(source="made", file="made.png"),
    )


def box_of(lean, foot, heights):
    ends = [foot + lean * height for height in heights]
    return min(ends) - 12, SEABED - heights[1], max(ends) + 12, SEABED - heights[0]


@pytest.mark.parametrize("lean", [-0.4, -0.15, 0.0, 0.2, 0.4])
@pytest.mark.parametrize("heights", [(0, 120), (40, 140)])
def test_a_leaning_plume_stands_where_its_line_ends(lean, heights):
    frame = make_frame(lean, heights=heights)
    line = foot_line(box_of(lean, 150.0, heights), frame)
    assert line.x_px == pytest.approx(150.0, abs=7.0)
    assert line.lean == pytest.approx(lean, abs=0.1)
    middle = 150.0 + lean * sum(heights) / 2
    assert abs(line.x_px - 150.0) <= abs(middle - 150.0) + 5.0


def test_the_line_says_how_sure_it_is():
    away = []
    for seed in range(40):
        line = foot_line(box_of(0.2, 150.0, (20, 120)), make_frame(0.2, heights=(20, 120),
                                                                   contrast_db=6.0, seed=seed))
        away.append((line.x_px - 150.0) / line.sigma_px)
    assert np.sqrt(np.mean(np.square(away))) < 1.5


def test_a_foot_further_down_is_less_sure():
    near = foot_line(box_of(0.0, 150.0, (0, 100)), make_frame(heights=(0, 100)))
    far = foot_line(box_of(0.0, 150.0, (90, 130)), make_frame(heights=(90, 130)))
    assert far.sigma_px > 1.5 * near.sigma_px


@pytest.mark.parametrize(("frame", "box"), [
    (make_frame(seabed=False), (130, 80, 170, 200)),
    (make_frame(), (130, 196, 170, 200)),  # lower than the echo of the bottom
    (make_frame(), (150, 80, 151, 200)),
    (make_frame(contrast_db=-9.0), (135, 80, 165, 200)),
])
def test_without_a_seabed_or_anything_standing_there_is_no_line(frame, box):
    assert foot_line(box, frame) is None


def test_the_foot_stays_beside_the_box():
    frame = make_frame(0.9, heights=(100, 140))
    left, top, right, bottom = box_of(0.9, 150.0, (100, 140))
    line = foot_line((left, top, right, bottom), frame)
    assert left - (right - left) <= line.x_px <= right + (right - left)
