"""How much was scanned, against counting pixels; which tiles are missing, whole grid or sparse."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import real_data

from sonar_watch.ichthyolith.grid import (
    coverage,
    missing_count,
    missing_tiles,
    scanned_area_mm2,
    sizes_of,
    stray_tile,
)
from sonar_watch.ichthyolith.records import Placed, Slide, Tile
from sonar_watch.ichthyolith.tree import read_tree


def make_slide(places: list[tuple[int, int]], width: int = 1200, height: int = 1200) -> Slide:
    """Return a slide with tiles at those (y, x)."""
    tiles = [
        Tile(path=Path("a"), image=f"{y}_{x}", x_px=x, y_px=y, width_px=width, height_px=height)
        for y, x in sorted(places)
    ]
    return Slide(site="a", sample="b", slide="001", tiles=tuple(tiles))


def placed(x: float, y: float, image: str = "a") -> Placed:
    return Placed(image=image, x_px=x, y_px=y, placing="registered", residual_px=0.1)


def full(rows: int, columns: int, pitch: int = 960) -> list[tuple[int, int]]:
    return [(y * pitch, x * pitch) for y in range(rows) for x in range(columns)]


@pytest.mark.parametrize(
    ("tiles", "area_mm2"),
    [
        ([], 0.0),
        ([placed(0, 0)], 0.02),
        ([placed(0, 0), placed(0, 0)], 0.02),
        ([placed(0, 0), placed(150.5, 0)], 0.02 + 0.01505),
        ([placed(0, 0), placed(200, 100)], 0.04),
        ([placed(0, 0), placed(1e6, 1e6)], 0.04),
    ],
)
def test_area_of_tiles_of_200_by_100_um(tiles: list[Placed], area_mm2: float) -> None:
    assert scanned_area_mm2(tiles, {"a": (200, 100)}, 1.0) == pytest.approx(area_mm2)
    assert scanned_area_mm2(tiles, {"a": (200, 100)}, 0.5) == pytest.approx(area_mm2 / 4)


boxes = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 25)] * 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(boxes, max_size=12))
def test_area_is_the_count_of_pixels(found: list[tuple[int, int, int, int]]) -> None:
    seen = np.zeros((80, 80), bool)
    for x, y, width, height in found:
        seen[y : y + height, x : x + width] = True
    tiles = [placed(x, y, str(number)) for number, (x, y, _, _) in enumerate(found)]
    sizes = {str(number): (width, height) for number, (_, _, width, height) in enumerate(found)}
    assert scanned_area_mm2(tiles, sizes, 1000.0) == pytest.approx(seen.sum())


@pytest.mark.parametrize("um_per_px", [0.0, -1.0, float("nan")])
def test_area_needs_a_scale(um_per_px: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        scanned_area_mm2([placed(0, 0)], {"a": (1, 1)}, um_per_px)


def test_area_of_a_whole_slide() -> None:
    slide = make_slide(full(20, 36))
    tiles = [placed(tile.x_px, tile.y_px, tile.image) for tile in slide.tiles]
    sides_px = 35 * 960 + 1200, 19 * 960 + 1200
    expected = sides_px[0] * sides_px[1] * 0.00096**2
    assert scanned_area_mm2(tiles, sizes_of(slide), 0.96) == pytest.approx(expected)


@pytest.mark.parametrize("pitch", [960, 1200, 600])
def test_a_full_grid_misses_nothing(pitch: int) -> None:
    slide = make_slide(full(3, 4, pitch))
    assert missing_tiles(slide) == []
    assert coverage(slide) == 1.0


@pytest.mark.parametrize("hole", [(0, 0), (960, 1920), (1920, 2880)])
def test_a_hole_is_found_where_it_is(hole: tuple[int, int]) -> None:
    slide = make_slide([one for one in full(3, 4) if one != hole])
    assert missing_tiles(slide) == [hole]
    assert coverage(slide) == pytest.approx(11 / 12)


def test_a_tile_that_could_not_be_read_is_no_hole_but_covers_nothing() -> None:
    slide = make_slide(full(3, 4))
    assert missing_tiles(slide) == []
    assert coverage(slide, {slide.tiles[5].image}) == pytest.approx(11 / 12)


def test_a_row_that_is_missing_all_through_is_found() -> None:
    slide = make_slide([one for one in full(4, 3) if one[0] != 960])
    assert missing_tiles(slide) == [(960, 0), (960, 960), (960, 1920)]


def test_positions_that_are_not_exact_still_make_a_grid() -> None:
    random = np.random.default_rng(3)
    places = [
        (y + int(random.integers(-20, 21)), x + int(random.integers(-20, 21)))
        for y, x in full(12, 36)
        if (y, x) != (4800, 17_280)
    ]
    ((y, x),) = missing_tiles(make_slide(places))
    assert abs(y - 4800) <= 25
    assert abs(x - 17_280) <= 25


def test_tiles_of_other_height_have_a_pitch_of_their_own() -> None:
    places = [(y * 700, x * 960) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    assert missing_tiles(make_slide(places, height=900)) == [(700, 960)]


def test_a_single_tile_misses_nothing() -> None:
    slide = make_slide([(4800, 960)])
    assert (missing_tiles(slide), coverage(slide)) == ([], 1.0)


def test_scattered_tiles_tell_their_grid_together() -> None:
    slide = make_slide([(0, 0), (2880, 1920 + 2880)])
    assert coverage(slide) == pytest.approx(2 / 24)


def test_where_no_grid_can_be_told_none_is_claimed() -> None:
    slide = make_slide([(17, 5), (12_345, 7_654)])
    assert (missing_tiles(slide), coverage(slide)) == ([], None)


@pytest.mark.parametrize("far", [(1920, 28_800), (9_600_000, 960), (-19_200, 0)])
@pytest.mark.parametrize("rows", [1, 3])
def test_one_wrong_digit_is_told(far: tuple[int, int], rows: int) -> None:
    slide = make_slide([*full(rows, 5), far])
    stray = stray_tile(slide)
    if rows == 3 or abs(far[0]) > 1e6:
        assert stray is not None
        assert (stray.y_px, stray.x_px) == far
    else:
        assert stray is None  # six tiles may be chosen from anywhere


def test_what_is_missing_is_counted_without_a_list_of_it() -> None:
    slide = make_slide([*full(3, 5), (9_600_000, 9_600_000)])
    assert missing_count(slide) == 10_001**2 - 16
    for whole in (full(3, 4), full(20, 36), full(12, 12)[::7], [(17, 5), (12_345, 7_654)]):
        assert stray_tile(make_slide(whole)) is None
        assert missing_count(make_slide(whole)) == len(missing_tiles(make_slide(whole)))


def test_the_real_slides_are_small_selections() -> None:
    slides, _ = read_tree(real_data("slides"))
    found = {slide.key: len(missing_tiles(slide)) for slide in slides}
    assert [stray_tile(slide) for slide in slides] == [None] * len(slides)
    assert found["Site_1149/1149A_17_04_36/001"] == 0
    assert found["Site_1179/1179C_24_05_75/001"] == 12 * 12 - 3
    assert found["Site_1179/1179C_24_05_75/002"] == 21 * 26 - 6
    assert found["Site_1179/1179C_24_05_75/003"] == 14 * 23 - 8
    assert found["Site_U1370/U1370D_07_02_148/001"] == 4 * 23 - 2
