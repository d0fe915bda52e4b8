"""Regions on sheets: none over another, boxes out and back, and the window itself when full."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.letterbox import STEP_PX, fit, snug_size
from sonar_watch.detection.openvino_runtime import KEPT_SHAPES
from sonar_watch.detection.packing import HEIGHTS, Sheet, packed
from sonar_watch.detection.tiling import Window

SIZE = 100
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def some_regions(draw: st.DrawFn) -> list[Window]:
    """Return regions of a window that do not overlap: parts of the cells of a grid."""
    step = draw(st.integers(8, 50))
    cells = [(x, y) for x in range(0, SIZE - step, step) for y in range(0, SIZE - step, step)]
    chosen = draw(st.lists(st.sampled_from(cells), min_size=1, max_size=30, unique=True))
    sides = st.integers(1, step)
    return [Window(x, y, draw(sides), draw(sides)) for x, y in chosen]


@UNHURRIED
@given(some_regions())
def test_all_are_placed_and_none_over_another(regions: list[Window]) -> None:
    sheet = packed(regions, SIZE)
    if sheet is None:
        assert sum(one.width_px * one.height_px for one in regions) > 0.25 * SIZE**2
        return
    assert sheet.regions == tuple(regions)
    covered = np.zeros((sheet.height_px, sheet.width_px), int)
    for place, region in zip(sheet.places, regions, strict=True):
        assert place[2:] == region[2:]
        assert place.right_px <= sheet.width_px == SIZE
        assert place.bottom_px <= sheet.height_px
        covered[place.y_px : place.bottom_px, place.x_px : place.right_px] += 1
    assert covered.max() == 1
    assert sheet == packed(regions, SIZE)


@UNHURRIED
@given(some_regions())
def test_sheets_are_of_few_shapes_and_no_lower_one_was_needed_by_height(
    regions: list[Window],
) -> None:
    sheet = packed(regions, SIZE)
    if sheet is not None:
        heights = [round(share * SIZE) for share in HEIGHTS]
        assert sheet.height_px in heights
        lowest = next(one for one in heights if one >= max(place.bottom_px
                                                           for place in sheet.places))
        assert sheet.height_px == lowest


@UNHURRIED
@given(some_regions(), st.data())
def test_pixels_and_boxes_go_out_and_come_back(regions: list[Window], data: st.DataObject) -> None:
    sheet = packed(regions, SIZE)
    if sheet is None:
        return
    image = np.random.default_rng(3).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    parts = [image[one.y_px : one.bottom_px, one.x_px : one.right_px] for one in regions]
    pixels = sheet.filled(parts, 255)
    rows, truth = [], []
    for number, (region, place) in enumerate(zip(regions, sheet.places, strict=True)):
        assert np.array_equal(
            pixels[place.y_px : place.bottom_px, place.x_px : place.right_px], parts[number]
        )
        x = sorted(data.draw(st.tuples(*[st.integers(0, 4 * region.width_px - 1)] * 2)))
        y = sorted(data.draw(st.tuples(*[st.integers(0, 4 * region.height_px - 1)] * 2)))
        box = np.array([x[0], y[0], x[1], y[1]]) / 4
        truth.append(box + [region.x_px, region.y_px] * 2)
        rows.append([*(box + [place.x_px, place.y_px] * 2), 0.5, number % 2])
    found = Detections.from_rows(rows, ("a", "b"))
    back = sheet.in_window(found)
    assert np.array_equal(back.xyxy, np.array(truth, np.float32))
    assert np.array_equal(back.class_id, found.class_id)
    assert back.class_names == ("a", "b")
    free = np.ones(pixels.shape[:2], bool)
    for place in sheet.places:
        free[place.y_px : place.bottom_px, place.x_px : place.right_px] = False
    assert (pixels[free] == 255).all()


def test_a_box_ends_where_its_region_does_and_is_dropped_between_regions() -> None:
    sheet = packed([Window(50, 60, 20, 10), Window(0, 0, 30, 20)], SIZE)
    assert sheet is not None
    assert [place[:2] for place in sheet.places] == [(30, 0), (0, 0)]
    found = Detections.from_rows(
        [[25, -3, 44, 30, 0.9, 0], [10, 5, 45, 12, 0.8, 0], [60, 5, 70, 9, 0.7, 0],
         [35, 11, 45, 19, 0.6, 0]],
        ("a",),
    )  # fmt: skip
    back = sheet.in_window(found)
    assert back.confidence.tolist() == pytest.approx([0.8])
    assert back.xyxy.tolist() == [[10, 5, 30, 12]]
    low = Detections.from_rows([[28, 2, 52, 12, 0.9, 0]], ("a",))
    assert sheet.in_window(low).xyxy.tolist() == [[50, 62, 70, 70]]
    assert len(sheet.in_window(Detections.empty(("a",)))) == 0


def test_what_is_nearly_all_of_the_window_is_the_window() -> None:
    assert packed([Window(0, 0, 100, 81)], SIZE) is None
    assert packed([Window(0, 0, 60, 50), Window(0, 50, 60, 50)], SIZE) is None
    assert packed([Window(0, 0, 120, 5)], SIZE) is None
    full = packed([Window(0, 0, 100, 80)], SIZE)
    assert full is not None
    assert full.height_px == 80


@pytest.mark.parametrize("wrong", [[], [Window(0, 0, 5, 0)]])
def test_regions_without_pixels_are_refused(wrong: list[Window]) -> None:
    with pytest.raises(ValueError, match="expected regions with pixels"):
        packed(wrong, SIZE)
    sheet = Sheet(regions=(Window(0, 0, 2, 2),), places=(Window(0, 0, 2, 2),), width_px=9,
                  height_px=3)  # fmt: skip
    with pytest.raises(ValueError, match="expected the pixels of"):
        sheet.filled([np.zeros((2, 3), np.uint8)], 9)


@pytest.mark.parametrize(("size_px", "side_px"), [(1200, 640), (1200, 1280), (640, 640)])
def test_a_network_sees_a_sheet_as_large_as_the_window_without_bars(
    size_px: int, side_px: int
) -> None:
    whole = fit(size_px, size_px, (side_px, side_px))
    shapes = {(side_px, side_px)}
    for share in HEIGHTS:
        high = round(share * size_px)
        snug = snug_size(size_px, high, (side_px, side_px))
        how = fit(size_px, high, snug)
        assert how.scale == pytest.approx(whole.scale)
        assert snug == (how.scaled_height_px, side_px)
        assert snug[0] % STEP_PX == 0
        shapes.add(snug)
    assert len(shapes) == len(HEIGHTS) + 1 <= KEPT_SHAPES
