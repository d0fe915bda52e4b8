"""What the values of a picture mean: layers of decibels in windows, 0 where there is no data.

The layers are `level`, over the median of the whole fan; `contrast`, over the median of the
range row and the static background; `change`, the contrast averaged over the last pings. A grey
picture has the contrast alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from sonar_watch.records import ByteImage, Float32Array

Layer = Literal["level", "contrast", "change"]
LAYERS: tuple[Layer, ...] = ("level", "contrast", "change")
"""In the order of the channels of a picture."""

WINDOW_DB: dict[Layer, tuple[float, float]] = {
    "level": (-20.0, 44.0),
    "contrast": (-8.0, 24.0),
    "change": (-4.0, 12.0),
}
"""Levels that become 1 and 255. Networks are trained for these: other windows, other weights."""

ABSOLUTE_DB = (-60.0, -10.0)
"""Levels as a Kongsberg sounder records them that become 1 and 255 in a picture of absolute
levels: the window that YOLO-WAL (Mimura et al.) was taught on."""


def absolute_bytes(levels: ByteImage) -> ByteImage:
    """Return the values 1..255 of recorded levels, given in half dB above -64 dB."""
    low, high = ABSOLUTE_DB
    level_db = np.arange(256) / 2.0 - 64.0
    values = np.clip(1.5 + (level_db - low) * (254.0 / (high - low)), 1.0, 255.0)
    return values.astype(np.uint8)[levels]


def to_bytes(level_db: Float32Array, layer: Layer) -> ByteImage:
    """Return the values 1..255 of levels in decibels; `level_db` is used up as scratch."""
    low, high = WINDOW_DB[layer]
    gain = np.float32(254.0 / (high - low))
    level_db *= gain
    level_db += np.float32(1.5) - gain * np.float32(low)
    np.clip(level_db, 1.0, 255.0, out=level_db)
    return level_db.astype(np.uint8)


def to_db(image: ByteImage, layer: Layer = "contrast") -> Float32Array:
    """Return the decibels of one layer of a picture; NaN where there is no data.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        A grey picture has the contrast alone, which then stands for every layer.
    layer : {"level", "contrast", "change"}

    Returns
    -------
    ndarray, shape (h, w), float32
    """
    if image.ndim == 2:
        return _TABLES["contrast"][image]
    return _TABLES[layer][image[..., LAYERS.index(layer)]]


def _table(layer: Layer) -> Float32Array:
    low, high = WINDOW_DB[layer]
    values = (low + (np.arange(256) - 1.0) * (high - low) / 254.0).astype(np.float32)
    values[0] = np.nan
    return values


_TABLES = {layer: _table(layer) for layer in LAYERS}
