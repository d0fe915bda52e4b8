"""Where particles lie, and pictures without their light: real tiles, and glass made to order."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from realdata import real_data

from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.tiling import Window
from sonar_watch.ichthyolith.labels import read_labels
from sonar_watch.ichthyolith.particles import (
    LEVEL,
    MARGIN_PX,
    background,
    flattened,
    flattened_parts,
    particles,
)
from sonar_watch.images import read_image

SIDE = 600


def glass(seed: int = 1, side: int = SIDE, falls_to: float = 0.7) -> np.ndarray:
    """Return glass of which the light falls off to the left and top, with the camera's noise."""
    fall = np.linspace(falls_to, 1.0, side)
    light = 140 * np.minimum(fall[:, None], fall[None])[..., None] * [1.0, 0.97, 1.03]
    return light + np.random.default_rng(seed).normal(0, 2.0, light.shape)


def as_picture(light: np.ndarray) -> ByteImage:
    return np.clip(light, 0, 255).astype(np.uint8)


def found_in(image: ByteImage) -> list[Window]:
    return particles(image, background(image))


def flat(image: ByteImage) -> ByteImage:
    return flattened(image, background(image))


def holds(region: Window, box: tuple[float, ...], to_spare: float = 0.0) -> bool:
    """Tell whether a box lies in a region, with glass around it where the tile has some."""
    return (
        region.x_px <= max(box[0] - to_spare, 0) and region.y_px <= max(box[1] - to_spare, 0)
        and region.right_px >= box[2] + to_spare and region.bottom_px >= box[3] + to_spare
    )  # fmt: skip


def test_every_labelled_object_lies_in_a_region_and_regions_are_small() -> None:
    root = real_data("slides")
    shares, objects = [], 0
    for tile in read_labels(root):
        image = read_image(root / tile.image)
        regions = found_in(image)
        shares.append(sum(one.width_px * one.height_px for one in regions) / 1200**2)
        for one in tile.objects:
            objects += 1
            left, top, right, bottom = one.xyxy_px
            near = (left, top, min(right, 1200 - 16), min(bottom, 1200 - 16))
            assert any(holds(region, near, 16) for region in regions), (tile.image, one)
    assert objects == 50
    assert np.mean(shares) < 0.25
    assert sum(share == 0 for share in shares) >= 4


def test_real_tiles_come_out_at_one_level_in_all_colours() -> None:
    root = real_data("slides")
    for tile in read_labels(root)[::4]:
        cells = flat(read_image(root / tile.image)).reshape(8, 150, 8, 150, 3)
        level = np.median(cells, axis=(1, 3))
        near = np.abs(level - LEVEL).max(axis=-1) < 5
        assert near.mean() > 0.8, tile.image


def test_glass_has_no_particles_however_its_light_falls_off() -> None:
    for seed, falls_to in ((1, 0.6), (2, 0.8), (3, 1.0)):
        image = as_picture(glass(seed, falls_to=falls_to))
        assert found_in(image) == []
        smooth = cv2.blur(flat(image), (15, 15)).astype(float)
        assert np.abs(smooth - LEVEL).max() < 8


def test_particles_are_found_with_glass_around_and_dust_is_not() -> None:
    light = glass()
    boxes = [(40, 30, 70, 55), (300, 310, 480, 420), (560, 500, 600, 540)]
    for x1, y1, x2, y2 in boxes:
        light[y1:y2, x1:x2] *= 0.7
    light[200:208, 100:110] *= 0.3  # dust
    regions = found_in(as_picture(light))
    assert len(regions) == len(boxes)
    for box, region in zip(boxes, regions, strict=True):
        assert holds(region, (*box[:2], min(box[2], SIDE - 20), min(box[3], SIDE - 20)), 20)
        assert region.width_px <= box[2] - box[0] + 2 * MARGIN_PX + 12
        assert region.height_px <= box[3] - box[1] + 2 * MARGIN_PX + 12
        assert region.right_px <= SIDE


def test_a_particle_is_as_dark_in_the_corner_as_in_the_middle() -> None:
    light = glass(falls_to=0.6)
    for start in (60, 400):
        light[start : start + 50, start : start + 50] *= 0.5
    picture = flat(as_picture(light)).astype(float)
    corner, middle = (picture[s + 10 : s + 40, s + 10 : s + 40].mean() for s in (60, 400))
    assert corner == pytest.approx(LEVEL / 2, abs=6)
    assert middle == pytest.approx(LEVEL / 2, abs=6)


def test_regions_of_neighbours_are_one_and_none_overlap() -> None:
    light = glass()
    rng = np.random.default_rng(7)
    for x, y in rng.integers(0, SIDE - 40, (25, 2)).tolist():
        light[y : y + 30, x : x + 25] *= 0.6
    regions = found_in(as_picture(light))
    covered = np.zeros((SIDE, SIDE), int)
    for one in regions:
        covered[one.y_px : one.bottom_px, one.x_px : one.right_px] += 1
    assert covered.max() == 1
    assert 3 <= len(regions) < 25
    assert regions == sorted(regions, key=lambda one: one.y_px)


@pytest.mark.parametrize("band_px", [60, 150])
def test_the_edge_of_the_cover_glass_stays_black_and_is_not_all_of_the_tile(band_px: int) -> None:
    light = glass(side=1200)
    light[:, :band_px] = 9
    light[600:660, 900:950] *= 0.6
    image = as_picture(light)
    assert flat(image)[:, : band_px - 20].max() < 60
    regions = found_in(image)
    assert any(holds(one, (900, 600, 950, 660), 16) for one in regions)
    assert sum(one.width_px * one.height_px for one in regions) < 0.4 * 1200**2


def test_black_white_and_grey_pictures_do_not_blow_up() -> None:
    rng = np.random.default_rng(1)
    dark = rng.integers(0, 6, (300, 200, 3), np.uint8)
    assert flat(dark).max() <= 60
    white = np.full((300, 200), 255, np.uint8)
    assert (flat(white) == LEVEL).all()
    assert found_in(white) == []
    coloured = as_picture(glass())
    coloured[200:260, 200:300] //= 2
    grey = cv2.cvtColor(coloured, cv2.COLOR_BGR2GRAY)
    assert flat(grey).shape == grey.shape
    assert found_in(grey) == found_in(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    assert len(found_in(grey)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (3, 700, 3), (5, 9), (23, 17, 3), (61, 2)])
def test_tiny_pictures_are_pictures(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 90, np.uint8)
    assert flat(image).shape == shape
    assert (flat(image) == LEVEL).all()
    assert found_in(image) == []


def test_a_very_large_particle_lies_in_one_region() -> None:
    light = glass(side=1200)
    light[200:900, 300:850] *= 0.4
    regions = found_in(as_picture(light))
    assert any(holds(one, (300, 200, 850, 900), 16) for one in regions)


def test_a_picture_that_is_mostly_particle_is_looked_at() -> None:
    light = glass(side=1200, falls_to=1.0)
    light[50:1150, 60:1120] *= 0.4
    image = as_picture(light)
    (region,) = found_in(image)
    assert holds(region, (60, 50, 1120, 1150))
    assert flat(image).dtype == np.uint8


def test_parts_are_those_of_the_whole_and_sizes_need_be_no_multiples() -> None:
    light = glass()[:557, :431]
    light[530:557, 410:431] *= 0.5
    light[100:150, 100:160] *= 0.5
    image = as_picture(light)
    whole, regions = flat(image), found_in(image)
    assert len(regions) == 2
    assert (regions[-1].right_px, regions[-1].bottom_px) == (431, 557)
    parts = flattened_parts(image, background(image), regions)
    for one, part in zip(regions, parts, strict=True):
        assert np.array_equal(part, whole[one.y_px : one.bottom_px, one.x_px : one.right_px])


def test_a_picture_at_another_scale_is_flattened_alike() -> None:
    light = glass(side=1200)
    light[500:560, 600:700] *= 0.5
    image = as_picture(light)
    small = cv2.resize(image, (640, 640), interpolation=cv2.INTER_AREA)
    one = cv2.resize(flat(image), (640, 640), interpolation=cv2.INTER_AREA).astype(float)
    other = flattened(small, background(small, 640 / 1200)).astype(float)
    assert np.abs(one - other).max() < 6


@pytest.mark.parametrize("wrong", [np.zeros((0, 5), np.uint8), np.zeros((5, 5), np.float32)])
def test_what_is_no_picture_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        background(wrong)
