from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from watercolumn_builders import make_ping

from sonar_watch.records import FrameGeometry, NavigationFix, WaterColumnFrame
from sonar_watch.watercolumn.raster import Rasteriser
from sonar_watch.watercolumn.render import (
    BOTTOM,
    BOX,
    LEFT,
    RIGHT,
    SEABED,
    TOP,
    annotate,
    position_text,
    ticks,
    title,
)

FIX = NavigationFix(
    time_utc=datetime(2026, 1, 2, tzinfo=UTC), latitude=-12.5, longitude=-0.25, heading_deg=359.7
)


@pytest.fixture(scope="module")
def frame():
    return Rasteriser().frame(make_ping(speckle_db=4.0), FIX)


def near(picture, colour):
    return np.all(np.abs(picture.astype(int) - colour) < 40, axis=-1)


def test_picture_is_the_frame_and_its_margins(frame):
    picture = annotate(frame)
    height, width = frame.image.shape[:2]
    assert picture.shape == (TOP + height + BOTTOM, LEFT + width + RIGHT, 3)
    assert picture.dtype == np.uint8


def test_seabed_is_drawn_where_it_is(frame):
    picture = annotate(frame)
    geometry = frame.geometry
    x, y = geometry.to_pixels(30.0, 105.0)
    around = picture[TOP + int(y) - 2 : TOP + int(y) + 3, LEFT + int(x) - 1 : LEFT + int(x) + 2]
    assert near(around, SEABED).any()


def test_boxes_and_labels_are_drawn(frame):
    picture = annotate(frame, np.array([[400.0, 60.0, 440.0, 200.0]]), ["signal 0.87"])
    assert near(picture[TOP + 60 : TOP + 200, LEFT + 400], BOX).mean() > 0.9
    assert near(picture[TOP + 40 : TOP + 60, LEFT + 400 : LEFT + 480], BOX).mean() > 0.3
    assert not np.array_equal(picture, annotate(frame))


def test_boxes_beyond_the_frame_and_missing_labels_do_no_harm(frame):
    annotate(frame, [(-50.0, -50.0, 3000.0, 2000.0), (1000.0, 0.0, 1023.0, 4.0)], ["noise 0.31"])


def test_the_frame_is_not_written_to(frame):
    before = frame.image.copy()
    annotate(frame, [(1.0, 1.0, 40.0, 40.0)], ["signal 0.5"])
    np.testing.assert_array_equal(frame.image, before)


def test_small_colour_pictures_are_enlarged():
    geometry = FrameGeometry(
        left_m=-50, right_m=50, top_m=0, bottom_m=80, width_px=300, height_px=240
    )
    image = np.full((240, 300, 3), 90, np.uint8)
    frame = WaterColumnFrame(
        frame_id="f", time_utc=FIX.time_utc, sounder="screen", image=image, geometry=geometry,
        source=make_ping().source,
    )  # fmt: skip
    assert annotate(frame).shape == (TOP + 720 + BOTTOM, LEFT + 900 + RIGHT, 3)


def test_title_says_time_ping_and_place(frame):
    text = title(frame)
    assert text.startswith("2026-01-02 03:04:05.000 UTC   em712-1   ping 1 / 0")
    assert "12 30.000 S  000 15.000 W   heading 000" in text
    assert title(replace(frame, navigation=None)).endswith("no position")


def test_minutes_never_reach_sixty():
    assert position_text(replace(FIX, latitude=59.9999999)).startswith("ship 60 00.000 N")


@pytest.mark.parametrize(("low", "high", "about", "expected"), [
    (0.5, 9.1, 6, [2, 4, 6, 8]),
    (4.0, 222.6, 8, [50, 100, 150, 200]),
    (-0.3, 0.3, 4, [-0.2, 0.0, 0.2]),
])  # fmt: skip
def test_ticks_are_round(low, high, about, expected):
    assert ticks(low, high, about) == pytest.approx(expected)
