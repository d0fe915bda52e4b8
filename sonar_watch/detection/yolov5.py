"""The head of YOLOv5, as published plume models have it: a box, "objectness", then the classes.

An export either holds one table, a row per anchor with everything worked out, or the raw maps
of each scale; the maps are worked out here as in the network's own last layer (Jocher et al.,
YOLOv5, doi 10.5281/zenodo.3908559).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import Float32Array
from sonar_watch.errors import InferenceError

Anchors = tuple[tuple[float, ...], ...]

ANCHORS: Anchors = (
    (10, 13, 16, 30, 33, 23),
    (30, 61, 62, 45, 59, 119),
    (116, 90, 156, 198, 373, 326),
)
"""Width and height of the anchors at strides 8, 16 and 32, input pixels: those of the networks
pretrained on COCO. Training may have fitted others: then the manifest must say them."""


def rows(raw: npt.NDArray[Any], classes: int, name: str) -> Float32Array:
    """Return (n, 6) rows x1 y1 x2 y2 confidence class of a table; confidence = object x class.

    Parameters
    ----------
    raw : ndarray, shape (n, 5 + classes)
        Rows of centre x, centre y, width, height (input pixels), objectness, classes.
    classes : int
    name : str
        Of the model, for the message.

    Raises
    ------
    InferenceError
        Another shape.
    """
    if raw.ndim != 2 or raw.shape[1] != 5 + classes:
        raise InferenceError(
            f"{name}: expected output (n, {5 + classes}) of a yolov5 head with {classes} "
            f"classes, received {raw.shape}"
        )
    values = np.asarray(raw, np.float32)
    centre, half, scores = values[:, :2], values[:, 2:4] / 2, values[:, 4:5] * values[:, 5:]
    best = scores.argmax(axis=1)[:, None]
    confidence = np.take_along_axis(scores, best, axis=1)
    table = np.hstack([centre - half, centre + half, confidence, best])
    return np.asarray(table, np.float32)


def table(
    outputs: Sequence[npt.NDArray[Any]],
    input_size: tuple[int, int],
    classes: int,
    anchors: Anchors = (),
) -> npt.NDArray[Any]:
    """Return the table of one image from all outputs of a network, whichever export it is.

    Parameters
    ----------
    outputs : sequence of ndarray
        (n, 5 + classes): the table, whatever else is there. Otherwise the raw maps, each
        (3, ny, nx, 5 + classes) or (3 * (5 + classes), ny, nx).
    input_size : tuple of int
        Height and width of the input, pixels.
    anchors : sequence of (w, h, w, h, w, h), input pixels, finest scale first
        None given: `ANCHORS`.

    Raises
    ------
    InferenceError
        Neither the one nor the other.
    """
    width = 5 + classes
    for output in outputs:
        if output.ndim == 2 and output.shape[1] == width:
            return output
    maps = [_as_map(output, width) for output in outputs]
    found = sorted((one for one in maps if one is not None), key=lambda one: -one.shape[1])
    chosen = anchors or ANCHORS
    # With a scale missing, nobody can say which anchors belong to which map.
    if len(found) != len(outputs) or len(found) != len(chosen):
        shapes = ", ".join(str(output.shape) for output in outputs)
        raise InferenceError(
            f"expected a yolov5 table (n, {width}) or {len(chosen)} raw maps, as there are "
            f"scales of anchors, received {shapes}"
        )
    parts = [_worked_out(one, input_size, sizes) for one, sizes in zip(found, chosen, strict=True)]
    return np.concatenate(parts)


def _as_map(output: npt.NDArray[Any], width: int) -> Float32Array | None:
    """Return a raw map as (3, ny, nx, width), None when it is none."""
    if output.ndim == 4 and output.shape[0] == 3 and output.shape[3] == width:
        return np.asarray(output, np.float32)
    if output.ndim == 3 and output.shape[0] == 3 * width:
        split = np.asarray(output, np.float32).reshape(3, width, *output.shape[1:])
        return split.transpose(0, 2, 3, 1)
    return None


def _worked_out(
    raw: Float32Array, input_size: tuple[int, int], sizes: tuple[float, ...]
) -> Float32Array:
    """Return the rows of one scale: sigmoid, then offsets from the cell and anchor sizes."""
    ny, nx = raw.shape[1:3]
    with np.errstate(over="ignore"):
        value = 1.0 / (1.0 + np.exp(-raw))
    stride = np.array([input_size[1] / nx, input_size[0] / ny], np.float32)
    y, x = np.indices((ny, nx), np.float32)
    value[..., :2] = (value[..., :2] * 2 - 0.5 + np.stack([x, y], axis=-1)) * stride
    anchor = np.array(sizes, np.float32).reshape(3, 1, 1, 2)
    value[..., 2:4] = (value[..., 2:4] * 2) ** 2 * anchor
    return np.asarray(value.reshape(-1, raw.shape[3]), np.float32)
