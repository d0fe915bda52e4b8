"""Random changes to training pictures that suit layers, not photographs.

Photographs are changed in hue, saturation and value: on three layers of one fan (level,
contrast, change) that would mix what must stay apart. Here each layer gets a gain and an
offset of its own, 0 stays "no data", and a share of the pictures shows one layer thrice, so
that one network also serves plain pictures and the first pings of a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ConfigurationError

MIDDLE_LAYER = 1
"""The layer that a plain picture shows, and the same one whether read as BGR or as RGB."""
LAST_LAYER = 2
"""The layer that without predecessors is the same as the middle one."""
_OFFSET_SPAN = 64.0
_ZERO = 65
"""What means "nothing stands out" in the middle and in the last layer alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerJitter:
    """Changes the layers of a training picture; one step of the trainer's own chain.

    Parameters
    ----------
    range_fraction : float
        Gains are 1 +- this, offsets +- this times 64 grey values.
    grey_share : float, 0 to 1
        Probability of showing the middle layer in all three.
    cold_share : float, 0 to 1
        Probability of showing the middle layer in the last one too.
    """

    range_fraction: float = 0.2
    grey_share: float = 0.0
    cold_share: float = 0.0

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return the labels with the picture under "img" changed."""
        image = labels["img"]
        if image.ndim == 3 and image.shape[2] == 3:
            labels["img"] = self.change(image)
        return labels

    def change(self, image: ByteImage) -> ByteImage:
        """Return the changed picture; draws from numpy's own generator, as the trainer does.

        Parameters
        ----------
        image : ndarray, shape (h, w, 3), uint8
        """
        chance = np.random.random(2)
        if chance[0] < self.grey_share:
            image = np.repeat(image[..., MIDDLE_LAYER : MIDDLE_LAYER + 1], 3, axis=2)
        if chance[1] < self.cold_share:
            image = as_first_ping(image)
        layers = [self._shift(image[..., layer]) for layer in range(3)]
        changed = np.stack(layers, axis=-1)
        grey = grey_pixels(image)  # sheets hold fans of both kinds
        changed[grey] = layers[MIDDLE_LAYER][grey][:, None]
        return np.ascontiguousarray(changed)

    def _shift(self, plane: ByteImage) -> ByteImage:
        gain, offset = np.random.uniform(-1.0, 1.0, 2) * self.range_fraction
        return _table(1.0 + float(gain), _OFFSET_SPAN * float(offset))[plane]


def grey_pixels(image: ByteImage) -> npt.NDArray[np.bool_]:
    """Return which pixels show the same in all three layers, shape (h, w)."""
    middle = image[..., MIDDLE_LAYER]
    return np.asarray((image[..., 0] == middle) & (image[..., LAST_LAYER] == middle))


def as_first_ping(image: ByteImage) -> ByteImage:
    """Return a picture as if nothing came before: the last layer shows the middle one.

    In its own window, which is half as wide about the same zero: values lie twice as far from
    that of 0 dB. Grey pixels stay grey.
    """
    cold = image.copy()
    middle = image[..., MIDDLE_LAYER]
    shown = ~grey_pixels(image)
    twice = np.clip(_ZERO + 2 * (middle[shown].astype(np.int16) - _ZERO), 1, 255)
    cold[..., LAST_LAYER][shown] = np.where(middle[shown] == 0, 0, twice)
    return cold


def _table(gain: float, offset: float) -> npt.NDArray[np.uint8]:
    """Return what each grey value becomes; 0 stays 0, and nothing else becomes it."""
    values = (np.arange(256.0) - 128.0) * gain + 128.0 + offset
    table = np.clip(np.rint(values), 1, 255).astype(np.uint8)
    table[0] = 0
    return table


def adapt(dataset: Any, jitter: LayerJitter, settings: Any) -> Any:
    """Return the trainer's dataset with `jitter` in the place of its change of hue and value.

    Parameters
    ----------
    dataset : ultralytics.data.dataset.YOLODataset
        Changed in place; it builds its chain anew when the mosaics end.
    settings : the trainer's arguments
    """
    from copy import copy

    dataset.build_transforms = partial(_with_jitter, dataset.build_transforms, jitter)
    dataset.transforms = dataset.build_transforms(copy(settings))
    return dataset


def _with_jitter(build: Any, jitter: LayerJitter, settings: Any) -> Any:
    from ultralytics.data.augment import RandomHSV

    chain = build(settings)
    steps = chain.transforms
    places = [index for index, step in enumerate(steps) if isinstance(step, RandomHSV)]
    if not places:
        raise ConfigurationError(
            "this ultralytics changes colours elsewhere than expected: expected a version that "
            "pyproject.toml names (pip install -e .)"
        )
    for index in places:
        steps[index] = jitter
    return chain

