"""Lengths of drawn shapes with known axes, and of real teeth."""

import json
import math

import cv2
import numpy as np
import pytest
from realdata import real_data

from sonar_watch.ichthyolith.measuring import feret_px, find_outline, measure

SIZE = 420
GLASS = (128.0, 132.0, 135.0)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Return points turned about the origin and put in the middle of the picture."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return points @ turn.T + SIZE / 2


def glass(seed: int = 3) -> np.ndarray:
    """Return empty glass: light falls off to the left, and the camera is noisy."""
    rng = np.random.default_rng(seed)
    fall = np.linspace(0.85, 1.05, SIZE)[None, :, None]
    return np.array(GLASS) * fall + rng.normal(0, 1.2, (SIZE, SIZE, 3))


def draw(points: np.ndarray, *, filled: bool, colour: tuple[float, float, float]) -> np.ndarray:
    """Return glass with a shape on it, drawn four times as fine and scaled down."""
    mask = np.zeros((SIZE * 4, SIZE * 4), np.uint8)
    corners = np.round((points * 4 - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    if not filled:
        inner = cv2.erode(mask, np.ones((25, 25), np.uint8))
        mask = mask - inner
    share = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    image = glass() * (1 - share) + np.array(colour) * share
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def box_of(points: np.ndarray, slack: float = 0.0) -> tuple[float, float, float, float]:
    low, high = points.min(axis=0) - slack, points.max(axis=0) + slack
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


TRIANGLE = np.array([[-120.0, -30.0], [120.0, 0.0], [-120.0, 30.0]])
BAR = np.array([[-90.0, -20.0], [90.0, -20.0], [90.0, 20.0], [-90.0, 20.0]])
FORKED = np.array([[-80.0, -60.0], [100.0, 0.0], [-80.0, 60.0], [-20.0, 0.0]])
BROWN, CLEAR = (40.0, 60.0, 75.0), (95.0, 100.0, 100.0)


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 128, 171])
@pytest.mark.parametrize("shape", [TRIANGLE, BAR, FORKED], ids=["needle", "bar", "forked"])
@pytest.mark.parametrize(
    ("filled", "colour"), [(True, BROWN), (False, CLEAR)], ids=["brown", "clear"]
)
def test_axes_are_those_of_the_object_however_it_lies(shape, degrees, filled, colour):
    points = turned(shape, degrees)
    length, width = feret_px(shape if shape is not FORKED else shape[:3])

    measured = measure(draw(points, filled=filled, colour=colour), box_of(points), 0.96)

    assert measured is not None
    assert measured[0] == pytest.approx(0.96 * length, rel=0.03)
    assert measured[1] == pytest.approx(0.96 * width, rel=0.03, abs=2.0)


def test_a_box_that_is_a_little_off_gives_the_same_length():
    points = turned(TRIANGLE, 33)
    image = draw(points, filled=True, colour=BROWN)
    left, top, right, bottom = box_of(points)

    off = measure(image, (left + 7, top - 6, right + 5, bottom - 6), 1.0)

    assert off is not None
    assert off[0] == pytest.approx(feret_px(TRIANGLE)[0], rel=0.04)


def test_a_speck_in_the_corner_of_the_box_is_no_part_of_it():
    points = turned(TRIANGLE, 45)
    image = draw(points, filled=True, colour=BROWN)
    left, top, right, _ = box_of(points)
    cv2.circle(image, (round(right) - 25, round(top) + 20), 8, (20, 20, 20), -1)

    measured = measure(image, box_of(points), 1.0)

    assert measured is not None
    assert measured[1] == pytest.approx(feret_px(TRIANGLE)[1], rel=0.1)
    assert left < right


def test_a_neighbour_that_touches_is_cut_at_the_box():
    points = turned(BAR, 0)
    image = draw(points, filled=True, colour=BROWN)
    right = round(box_of(points)[2])
    cv2.rectangle(image, (right - 2, 195), (right + 80, 225), (50, 50, 50), -1)

    measured = measure(image, box_of(points), 1.0)

    assert measured is not None
    assert measured[0] == pytest.approx(feret_px(BAR)[0], rel=0.04)


@pytest.mark.parametrize("box", [(100, 100, 300, 260), (-50, -50, 90, 60)])
def test_empty_glass_has_no_length(box):
    image = np.clip(glass(), 0, 255).astype(np.uint8)

    assert measure(image, box, 1.0) is None


def test_a_speck_in_a_large_box_has_no_length():
    image = np.clip(glass(), 0, 255).astype(np.uint8)
    cv2.circle(image, (200, 200), 12, (30, 30, 30), -1)

    assert measure(image, (100, 100, 300, 300), 1.0) is None


@pytest.mark.parametrize("box", [(10, 10, 10, 90), (-30, 0, -2, 50), (50, 50, 40, 40)])
def test_a_box_without_inside_has_no_length(box):
    assert measure(np.full((120, 120), 130, np.uint8), box, 1.0) is None


def test_without_glass_around_the_box_nothing_is_told():
    image = np.full((60, 90), 130, np.uint8)
    cv2.rectangle(image, (4, 4), (85, 55), 40, -1)

    assert measure(image, (0, 0, 90, 60), 1.0) is None


def test_grey_and_colour_measure_the_same():
    points = turned(BAR, 20)
    grey = draw(points, filled=True, colour=(60.0, 60.0, 60.0))[..., 1]

    assert measure(grey, box_of(points), 1.0) == measure(
        np.repeat(grey[..., None], 3, axis=2), box_of(points), 1.0
    )


def test_lengths_scale_with_the_pixel():
    points = turned(BAR, 20)
    image = draw(points, filled=True, colour=BROWN)
    one, half = (measure(image, box_of(points), scale) for scale in (1.0, 0.5))

    assert one is not None
    assert half == pytest.approx((one[0] / 2, one[1] / 2))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match="above 0"):
        measure(np.zeros((9, 9), np.uint8), (0, 0, 9, 9), scale)


@pytest.mark.parametrize(
    ("image", "box", "length_px"),
    [
        ("1179C_24_05_75_002_17280_3840", (270, 196, 465, 246), (190, 206)),
        ("1179C_24_05_75_003_12480_12480", (411, 560, 619, 715), (220, 240)),
        ("1179C_24_05_75_003_11520_8640", (291, 1026, 354, 1085), (62, 72)),
        ("1179C_24_05_75_001_10560_20160", (148, 678, 243, 888), (208, 222)),
    ],
)
def test_real_teeth_are_as_long_as_they_look(image, box, length_px):
    """The outlines of these were looked at, enlarged: they run along the rims from end to end."""
    folder = real_data("slides")
    tile = next(folder.rglob(f"{image}.jpg"))

    outline = find_outline(cv2.imread(str(tile)), box)

    assert outline is not None
    length = feret_px(outline.hull_px)[0]
    assert length_px[0] <= length <= length_px[1]


def test_most_real_objects_can_be_measured():
    folder = real_data("slides")
    labels = json.loads((folder / "labels.json").read_text())
    fits, diagonals = [], []
    for row in labels[9:20]:
        image = cv2.imread(str(folder / row["image"])) if row["objects"] else None
        for one in row["objects"]:
            if one["certainty"] == "sure" and not one["cut"]:
                outline = find_outline(image, tuple(one["box"]))
                fits.append(outline is not None)
                if outline is not None:
                    left, top, right, bottom = one["box"]
                    length = feret_px(outline.hull_px)[0]
                    diagonals.append(length / math.hypot(right - left, bottom - top))

    assert len(fits) > 5
    assert np.mean(fits) >= 0.9
    assert max(diagonals) < 1.1
    assert min(diagonals) > 0.6
