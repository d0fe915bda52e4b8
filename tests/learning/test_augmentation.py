"""Changes to training pictures keep apart what is apart, and no data remains no data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.augmentation import LayerJitter, adapt


@pytest.fixture
def layers() -> ByteImage:
    """Level, contrast and change of a toy fan, no data on the left."""
    image = np.random.default_rng(4).integers(1, 256, (40, 60, 3), np.uint8)
    image[:, :20] = 0
    return image


@pytest.fixture(autouse=True)
def _seeded() -> None:
    np.random.seed(11)  # the trainer's generator


def test_no_data_stays_and_nothing_else_becomes_it(layers: ByteImage) -> None:
    for _ in range(20):
        changed = LayerJitter(range_fraction=0.8).change(layers)
        assert np.array_equal(changed == 0, layers == 0)


def test_each_layer_changes_on_its_own_and_keeps_its_order(layers: ByteImage) -> None:
    changed = LayerJitter(range_fraction=0.2).change(layers).astype(int)
    shifts = [float(np.mean(changed[..., one]) - np.mean(layers[..., one])) for one in range(3)]
    assert len({round(shift, 2) for shift in shifts}) == 3
    for one in range(3):
        order = np.argsort(layers[..., one], axis=None)
        assert np.all(np.diff(changed[..., one].ravel()[order]) >= 0)


def test_a_share_shows_the_contrast_alone(layers: ByteImage) -> None:
    grey = LayerJitter(range_fraction=0.0, grey_share=1.0).change(layers)
    assert all(np.array_equal(grey[..., one], layers[..., 1]) for one in range(3))
    cold = LayerJitter(range_fraction=0.0, cold_share=1.0).change(layers)
    assert np.array_equal(cold[..., :2], layers[..., :2])
    data = layers[..., 1] > 0
    spread = cold[..., 2][data].astype(int) - 65
    assert np.array_equal(spread, np.clip(2 * (layers[..., 1][data].astype(int) - 65), -64, 190))
    assert not cold[..., 2][~data].any()


def test_grey_fans_on_a_sheet_of_layers_stay_grey(layers: ByteImage) -> None:
    layers[20:] = layers[20:, :, 1:2]
    changed = LayerJitter(range_fraction=0.4, cold_share=1.0).change(layers)
    assert np.array_equal(changed[20:, :, 0], changed[20:, :, 2])
    assert np.array_equal(changed[20:, :, 1], changed[20:, :, 2])
    assert not np.array_equal(changed[:20, :, 1], changed[:20, :, 2])


def test_a_grey_picture_stays_grey(layers: ByteImage) -> None:
    grey = np.repeat(layers[..., :1], 3, axis=2)
    changed = LayerJitter(range_fraction=0.4).change(grey)
    assert np.array_equal(changed[..., 0], changed[..., 2])
    assert not np.array_equal(changed, grey)


def test_the_step_takes_and_gives_what_the_trainer_passes_on(layers: ByteImage) -> None:
    step = LayerJitter(range_fraction=0.0)
    assert np.array_equal(step({"img": layers, "cls": 1})["img"], layers)
    one_channel = layers[..., :1]
    assert step({"img": one_channel})["img"] is one_channel


def test_a_trainer_without_the_step_to_replace_is_refused() -> None:
    """Else it would train without the changes, and nobody would know."""
    bare = SimpleNamespace(build_transforms=lambda _: SimpleNamespace(transforms=[object()]))
    with pytest.raises(ConfigurationError, match="expected a version that pyproject"):
        adapt(bare, LayerJitter(), None)
