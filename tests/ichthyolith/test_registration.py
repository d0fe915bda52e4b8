"""Tiles lie where their overlaps say: on mosaics with known places, and on the real strips."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mosaics import Mosaic, make_glass, make_mosaic
from realdata import real_data

from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.offsets import make_part, measure_offsets
from sonar_watch.ichthyolith.positions import Step, place, usual_error
from sonar_watch.ichthyolith.reading import read_tile
from sonar_watch.ichthyolith.records import Placed, Slide, Tile
from sonar_watch.ichthyolith.registration import Registration, neighbours, register
from sonar_watch.ichthyolith.tree import read_tree


@pytest.fixture(scope="module")
def crowded() -> np.ndarray:
    return make_glass(1400, 1400, 1500)


def errors_px(placed: tuple[Placed, ...], mosaic: Mosaic) -> np.ndarray:
    """Return how far each tile is from its true place, the mean error apart: shape (n, 2)."""
    found = np.array([[one.x_px, one.y_px] for one in placed])
    true = np.array([mosaic.true_px[one.image] for one in placed])
    off = found - true
    return np.asarray(off - off.mean(axis=0))


@pytest.mark.parametrize("whole_px", [True, False])
def test_tiles_lie_where_they_were_cut(crowded: np.ndarray, whole_px: bool) -> None:
    mosaic = make_mosaic(crowded, rows=4, columns=4, whole_px=whole_px)
    placed = register(mosaic.slide, mosaic.read)
    assert [one.image for one in placed] == [tile.image for tile in mosaic.slide.tiles]
    assert {one.placing for one in placed} == {"registered"}
    assert np.abs(errors_px(placed, mosaic)).max() < 1
    assert all(one.residual_px is not None and one.residual_px < 1 for one in placed)


def test_the_mean_place_is_the_nominal_one(crowded: np.ndarray) -> None:
    mosaic = make_mosaic(crowded, rows=3, columns=3)
    placed = register(mosaic.slide, mosaic.read)
    assert np.mean([one.x_px for one in placed]) == pytest.approx(240)
    assert np.mean([one.y_px for one in placed]) == pytest.approx(240)


def test_a_single_row_far_off_its_names(crowded: np.ndarray) -> None:
    mosaic = make_mosaic(crowded, rows=1, columns=4, step_error_px=(-15, 17), jitter_px=2)
    placed = register(mosaic.slide, mosaic.read)
    assert np.abs(errors_px(placed, mosaic)).max() < 1


def test_the_order_in_which_tiles_are_seen_does_not_matter(crowded: np.ndarray) -> None:
    mosaic = make_mosaic(crowded, rows=2, columns=3)
    registration = Registration(mosaic.slide)
    for tile in (*reversed(mosaic.slide.tiles), mosaic.slide.tiles[0]):
        registration.see(tile, mosaic.read(tile))
    assert registration.placed() == register(mosaic.slide, mosaic.read)


def test_empty_glass_between_does_not_part_the_slide(crowded: np.ndarray) -> None:
    mosaic = make_mosaic(crowded, rows=3, columns=4, jitter_px=0)
    blank = {"s_001_240_240.png", "s_001_240_480.png"}
    for image in blank:
        mosaic.pictures[image][:] = 140
    placed = register(mosaic.slide, mosaic.read)
    off = errors_px(placed, mosaic)
    for one, error in zip(placed, np.abs(off).max(axis=1), strict=True):
        assert one.placing == ("nominal" if one.image in blank else "registered")
        assert error < (3 if one.image in blank else 1)


def test_two_halves_without_a_common_sight_are_tied_by_the_usual_step(
    crowded: np.ndarray,
) -> None:
    mosaic = make_mosaic(crowded, rows=1, columns=4, step_error_px=(-12, 9), jitter_px=1)
    mosaic.pictures["s_001_0_240.png"][:, 180:] = 140
    mosaic.pictures["s_001_0_480.png"][:, :120] = 140
    placed = register(mosaic.slide, mosaic.read)
    assert {one.placing for one in placed} == {"registered"}
    assert np.abs(errors_px(placed, mosaic)).max() < 4


def test_a_tile_that_cannot_be_read_is_put_among_its_neighbours(
    crowded: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    mosaic = make_mosaic(crowded, rows=3, columns=3, jitter_px=0)

    def read(tile: Tile) -> np.ndarray:
        if tile.image == "s_001_240_240.png":
            raise ImageError(f"{tile.image}: cut")
        return mosaic.read(tile)

    placed = register(mosaic.slide, read)
    assert [one.placing for one in placed].count("nominal") == 1
    assert placed[4].placing == "nominal"
    assert np.abs(errors_px(placed, mosaic)).max() < 3
    assert "s_001_240_240.png: cut" in caplog.text


def test_on_nearly_empty_glass_few_steps_are_believed_wrongly() -> None:
    """Steep light and grains that one tile alone shows look alike at shifts that are none."""
    wrong = believed = 0
    for seed in range(2):
        glass = make_glass(1400, 1400, 15, seed)
        mosaic = make_mosaic(glass, rows=4, columns=4, step_error_px=(-15, 17), seed=seed)
        registration = Registration(mosaic.slide)
        for tile in mosaic.slide.tiles:
            registration.see(tile, mosaic.read(tile))
        for step in registration._steps():
            if step.measured_px is not None:
                first, second = (
                    mosaic.true_px[mosaic.slide.tiles[number].image]
                    for number in (step.first, step.second)
                )
                off = np.subtract(step.measured_px, np.subtract(second, first))
                believed, wrong = believed + 1, wrong + (np.hypot(*off) > 3)
    assert believed - wrong >= 15
    assert wrong <= 6  # 13 when neither was seen to


def test_a_grain_that_one_picture_alone_shows_is_no_likeness() -> None:
    random = np.random.default_rng(2)
    pictures = [random.normal(140, 2, (200, 200)).clip(0, 255).astype(np.uint8) for _ in range(2)]
    pictures[0][90:110, 90:110] = 20
    parts = [make_part(picture, 0, 0, 2) for picture in pictures]
    assert measure_offsets(*parts, reach_px=30) == ()
    pictures[1][94:114, 84:104] = 20
    (found, *_) = measure_offsets(parts[0], make_part(pictures[1], 0, 0, 2), reach_px=30)
    assert (found.x_px, found.y_px) == pytest.approx((6, -4), abs=0.5)


def test_noise_alone_is_not_registered(caplog: pytest.LogCaptureFixture) -> None:
    mosaic = make_mosaic(np.full((900, 900), 140, np.uint8), rows=2, columns=2, noise=3)
    placed = register(mosaic.slide, mosaic.read)
    assert [(one.x_px, one.y_px) for one in placed] == [(0, 0), (240, 0), (0, 240), (240, 240)]
    assert {(one.placing, one.residual_px) for one in placed} == {("nominal", None)}
    assert "no step could be measured" in caplog.text


def test_lone_tiles_are_not_even_read(caplog: pytest.LogCaptureFixture) -> None:
    tiles = [
        Tile(path=Path("a"), image=f"a_{x}", x_px=x, y_px=0, width_px=300, height_px=300)
        for x in (0, 5000)
    ]
    slide = Slide(site="a", sample="a", slide="1", tiles=tuple(tiles))

    def read(tile: Tile) -> np.ndarray:
        raise AssertionError("read")

    with caplog.at_level(logging.INFO):
        placed = register(slide, read)
    assert [(one.x_px, one.placing) for one in placed] == [(0, "nominal"), (5000, "nominal")]
    assert "no tile overlaps another" in caplog.text


def test_tiles_of_different_sizes(crowded: np.ndarray) -> None:
    mosaic = make_mosaic(crowded, rows=2, columns=2)
    tile = mosaic.slide.tiles[-1]
    low = replace(tile, width_px=260, height_px=290)
    mosaic.pictures[tile.image] = mosaic.pictures[tile.image][:290, :260]
    slide = replace(mosaic.slide, tiles=(*mosaic.slide.tiles[:-1], low))
    assert np.abs(errors_px(register(slide, mosaic.read), mosaic)).max() < 1


def test_neighbours_are_beside_and_below_each_other(crowded: np.ndarray) -> None:
    slide = make_mosaic(crowded, rows=2, columns=3).slide
    assert neighbours(slide.tiles) == [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]


@pytest.mark.parametrize("shift", [(0, 0), (7, -11), (-30, 21), (33, 33)])
@pytest.mark.parametrize(("size", "step"), [((80, 200), 1), ((240, 100), 2)])
def test_an_offset_is_what_the_first_shows_from_the_second(
    crowded: np.ndarray, shift: tuple[int, int], size: tuple[int, int], step: int
) -> None:
    (x, y), (height, width) = shift, size
    first = crowded[200 : 200 + height + 80, 300 : 300 + width + 80]
    second = crowded[240 + y : 240 + y + height, 340 + x : 340 + x + width]
    parts = make_part(first, 0, 0, step), make_part(second, 40, 40, step)
    offsets = measure_offsets(*parts, 40)
    assert (offsets[0].x_px, offsets[0].y_px) == pytest.approx(shift, abs=0.6)
    assert offsets[0].distinctness > 5.5
    assert offsets[0].correlation > 0.8


def test_nothing_to_see_has_no_offset() -> None:
    blank = make_part(np.full((100, 100), 140, np.uint8), 0, 0)
    assert measure_offsets(blank, blank, 20) == ()
    with pytest.raises(ValueError, match="one step"):
        measure_offsets(blank, make_part(np.zeros((100, 100), np.uint8), 0, 0, 2), 20)


GRID = np.array([[x * 100.0, y * 100.0] for y in range(4) for x in range(4)])


def steps_of(true_px: np.ndarray, sigma_px: float = 0.0, seed: int = 0) -> list[Step]:
    """Return the measured steps of a grid of 4 x 4 tiles that lie at `true_px`."""
    random = np.random.default_rng(seed)
    steps = []
    for first in range(16):
        seconds = [first + 1] * (first % 4 < 3) + [first + 4] * (first < 12)
        for second in seconds:
            nominal, true = GRID[second] - GRID[first], true_px[second] - true_px[first]
            x, y = true + random.normal(0, sigma_px, 2) if sigma_px else true
            steps.append(
                Step(
                    first=first,
                    second=second,
                    nominal_px=(nominal[0], nominal[1]),
                    measured_px=(x, y),
                )
            )
    return steps


def test_exact_steps_give_exact_places() -> None:
    true = GRID + np.random.default_rng(1).normal(0, 5, (16, 2))
    positions, residuals = place(GRID, steps_of(true))
    off = positions - true
    np.testing.assert_allclose(off - off.mean(axis=0), 0, atol=1e-4)
    assert max(one for one in residuals if one is not None) < 1e-4


def test_the_fit_is_better_than_the_steps() -> None:
    true = GRID * 0.985
    positions, residuals = place(GRID, steps_of(true, sigma_px=1.0))
    off = positions - true
    assert (off - off.mean(axis=0)).std() < 1.0
    assert all(one is not None and 0 < one < 3 for one in residuals)


@pytest.mark.parametrize("wrong_px", [8.0, 20.0, 500.0])
def test_wrong_steps_are_dropped(wrong_px: float) -> None:
    true = GRID * 0.985
    steps = steps_of(true, sigma_px=0.3)
    for number in (3, 11):
        x, y = steps[number].measured_px or (0.0, 0.0)
        steps[number] = replace(steps[number], measured_px=(x + wrong_px, y - wrong_px))
    positions, _ = place(GRID, steps)
    off = positions - true
    assert np.abs(off - off.mean(axis=0)).max() < 1


def test_no_measured_step_leaves_the_names() -> None:
    steps = [replace(one, measured_px=None) for one in steps_of(GRID)]
    positions, residuals = place(GRID, steps)
    np.testing.assert_array_equal(positions, GRID)
    assert residuals == [None] * 16


def test_steps_across_tell_of_steps_down_on_a_turned_stage() -> None:
    across = Step(first=0, second=1, nominal_px=(100, 0), measured_px=(98, 3))
    down = Step(first=0, second=4, nominal_px=(0, 100))
    assert usual_error(down, [across, down]) == (-3, -2)
    assert usual_error(across, [replace(down, measured_px=(-3, 98))]) == (-2, 3)
    assert usual_error(down, [down]) is None


def test_the_real_strip_with_something_in_its_overlaps() -> None:
    slides, _ = read_tree(real_data("slides", "Site_1149"))
    first = register(slides[0], read_tile)
    steps = np.diff([[one.x_px, one.y_px] for one in first], axis=0)
    # Two grains, seen by eye in both tiles: (944, 18) and (950, 19) px on, within 2 px.
    assert steps[1] == pytest.approx((944, 18), abs=3)
    assert steps[2] == pytest.approx((950, 19), abs=4)
    # Nothing at all is to be seen where the first two meet: as far as the others.
    assert steps[0] == pytest.approx((945, 17), abs=4)
    assert [one.placing for one in first] == ["nominal", *["registered"] * 3]


def test_the_real_strip_of_empty_glass_keeps_its_names() -> None:
    slides, _ = read_tree(real_data("slides", "Site_1149"))
    second = register(slides[1], read_tile)
    assert [(one.x_px, one.y_px) for one in second] == [(0, 0), (960, 0), (1920, 0), (2880, 0)]
    assert {one.placing for one in second} == {"nominal"}
