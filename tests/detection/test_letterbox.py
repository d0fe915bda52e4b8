"""The letterbox equals the one the networks are trained with, and boxes find their way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.detection.letterbox import PADDING, fit, letterbox, shrunk, snug_size
from sonar_watch.detection.offline import import_ultralytics

SIDES = st.integers(1, 1500)


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 160)])
@pytest.mark.parametrize(
    "shape", [(64, 64), (100, 37), (37, 100), (31, 33), (1, 300), (300, 1), (65, 63), (200, 201)]
)
@pytest.mark.parametrize("grey", [True, False])
def test_it_equals_that_of_ultralytics(
    shape: tuple[int, int], size: tuple[int, int], grey: bool
) -> None:
    import_ultralytics()
    augment = pytest.importorskip("ultralytics.data.augment")
    random = np.random.default_rng(1)
    image = random.integers(0, 256, shape if grey else (*shape, 3), np.uint8)
    colour = np.repeat(image[..., None], 3, axis=2) if grey else image
    expected = augment.LetterBox(new_shape=size)(image=colour)
    received, _ = letterbox(image, size)
    assert np.array_equal(received, expected)


@given(SIDES, SIDES, st.sampled_from([(640, 640), (320, 512)]))
def test_boxes_find_their_way_back(width: int, height: int, size: tuple[int, int]) -> None:
    how = fit(width, height, size)
    boxes = np.array([[0, 0, width, height], [width / 4, height / 3, width / 2, height]],
                     np.float32)
    assert np.allclose(how.to_image(how.to_input(boxes)), boxes, atol=1e-3 * max(width, height))


@given(SIDES, SIDES)
def test_the_image_lies_inside_the_input(width: int, height: int) -> None:
    how = fit(width, height, (320, 512))
    assert how.left_px >= 0
    assert how.top_px >= 0
    assert how.left_px + how.scaled_width_px <= 512
    assert how.top_px + how.scaled_height_px <= 320
    assert how.scaled_width_px == 512 or how.scaled_height_px == 320


@given(SIDES, SIDES)
def test_a_snug_input_leaves_the_scale_and_little_else(width: int, height: int) -> None:
    size = snug_size(width, height, (640, 512))
    assert fit(width, height, size).scale == pytest.approx(fit(width, height, (640, 512)).scale)
    assert size[0] - fit(width, height, size).scaled_height_px <= 64
    assert size[1] - fit(width, height, size).scaled_width_px <= 64
    assert size[0] % 64 == size[1] % 64 == 0


def test_boxes_outside_are_clipped_to_the_image() -> None:
    how = fit(100, 50, (64, 64))
    assert how.to_image(np.array([[-5, -5, 90, 90]], np.float32)).tolist() == [[0, 0, 100, 50]]


def test_one_channel_stays_one() -> None:
    image = np.full((10, 20), 200, np.uint8)
    pixels, how = letterbox(image, (32, 32), channels=1)
    assert pixels.shape == (32, 32, 1)
    assert pixels[0, 0, 0] == PADDING
    assert pixels[how.top_px, 0, 0] == 200
    colour, _ = letterbox(np.repeat(image[..., None], 3, axis=2), (32, 32), channels=1)
    assert np.array_equal(colour, pixels)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8),
     np.zeros((4, 0), np.uint8)],
)
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        letterbox(image, (32, 32))


def test_what_is_shrunk_is_the_mean_of_what_it_covers() -> None:
    stripes = np.zeros((60, 90, 3), np.uint8)
    stripes[:, 1::3] = 150
    small = shrunk(stripes, 30)
    assert small.shape == (20, 30, 3)
    assert (small == 50).all()
    assert (letterbox(stripes, (20, 30))[0] == 150).all()  # sees the middle ones of three alone
    assert shrunk(stripes, 90) is stripes
    assert shrunk(stripes[..., 0], 7).shape == (5, 7)
    assert shrunk(stripes[:1], 8).shape == (1, 8, 3)
