"""From what the network puts out to boxes: the same arithmetic whatever runtime computed it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection import yolov5
from sonar_watch.detection.detections import Detections, Float32Array
from sonar_watch.detection.letterbox import Letterbox
from sonar_watch.detection.overlap import areas_px2, shared_px2
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import InferenceError

MAX_CANDIDATES = 1000
"""Most confident boxes kept before the thinning; a network that cries everywhere stays cheap."""
MAX_DETECTIONS = 300
NESTED = 0.7
"""A box of which more than this share lies in a surer one of its class is a part of that: a strand
of a plume, not another plume."""


def decode(
    raw: npt.NDArray[Any],
    entry: WeightsEntry,
    how: Letterbox,
    *,
    confidence: float,
    iou: float,
) -> Detections:
    """Return the boxes of one image, most confident first, in pixels of that image.

    Parameters
    ----------
    raw : ndarray
        One image's output of the network: (4 + classes, anchors) for head "nms", (n, 6) for
        head "end2end", (n, 5 + classes) for head "yolov5".
    entry : WeightsEntry
        Says which head it is and the classes.
    how : Letterbox
    confidence : float
        Boxes below it are dropped.
    iou : float
        Of two boxes of one class that overlap more, or of which one lies in the other by more than
        `NESTED`, the less confident is dropped (not for head "end2end").

    Raises
    ------
    InferenceError
        The output has another shape than the manifest says, or is not finite.
    """
    rows = _rows(raw, entry)
    rows = rows[rows[:, 4] >= confidence]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")][:MAX_CANDIDATES]
    if entry.head != "end2end":
        rows = rows[thin_out(rows[:, :4], rows[:, 5], iou, NESTED)]
    rows = rows[:MAX_DETECTIONS]
    if not np.all(np.isfinite(rows)):
        raise InferenceError(f"{entry.name}: the network put out values that are not finite")
    rows[:, :4] = how.to_image(rows[:, :4])
    rows[:, 4] = np.minimum(rows[:, 4], 1.0)
    visible = (rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])
    return Detections.from_rows(rows[visible], entry.class_names)


def _rows(raw: npt.NDArray[Any], entry: WeightsEntry) -> Float32Array:
    """Return (n, 6) rows x1 y1 x2 y2 confidence class of any head, input pixels."""
    if entry.head == "end2end":
        return _end2end_rows(raw, entry)
    if entry.head == "yolov5":
        return yolov5.rows(raw, len(entry.classes), entry.name)
    return _raw_rows(raw, entry)


def _end2end_rows(raw: npt.NDArray[Any], entry: WeightsEntry) -> Float32Array:
    """Return (n, 6) rows x1 y1 x2 y2 confidence class of an end-to-end head."""
    if raw.ndim != 2 or raw.shape[1] != 6:
        raise InferenceError(f"{entry.name}: expected output (n, 6), received {raw.shape}")
    return np.array(raw, np.float32)


def _raw_rows(raw: npt.NDArray[Any], entry: WeightsEntry) -> Float32Array:
    """Return (n, 6) rows x1 y1 x2 y2 confidence class of a head with a box per anchor."""
    if raw.ndim != 2 or raw.shape[0] != 4 + len(entry.classes):
        expected = f"({4 + len(entry.classes)}, anchors)"
        raise InferenceError(f"{entry.name}: expected output {expected}, received {raw.shape}")
    values = np.asarray(raw, np.float32)
    centre, half, scores = values[:2], values[2:4] / 2, values[4:]
    best = scores.argmax(axis=0)
    confidence = np.take_along_axis(scores, best[None], axis=0)
    table = np.concatenate([centre - half, centre + half, confidence, best[None]])
    return np.asarray(table.T, np.float32)


def thin_out(
    xyxy: npt.NDArray[Any], class_id: npt.NDArray[Any], iou: float, nested: float = 1.0
) -> npt.NDArray[np.intp]:
    """Return the indices kept: of two boxes of one class that overlap, the first.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4)
        Most confident first.
    class_id : ndarray, shape (n,)
    iou : float
        Intersection over union above which two boxes are the same.
    nested : float
        Share of the smaller box in the larger above which they are the same, too; 1 is never.

    Returns
    -------
    ndarray, shape (kept,)
    """
    boxes = np.asarray(xyxy, float).reshape(-1, 4)
    area = areas_px2(boxes)
    kept, waiting = [], np.arange(len(area))
    while waiting.size:
        best, rest = waiting[0], waiting[1:]
        kept.append(best)
        shared = shared_px2(boxes[best], boxes[rest])
        same = shared > iou * (area[best] + area[rest] - shared)
        same |= shared > nested * np.minimum(area[best], area[rest])
        waiting = rest[~(same & (class_id[rest] == class_id[best]))]
    return np.array(kept, np.intp)


def intersection_over_union(
    first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return the overlap of each box with each other one.

    Parameters
    ----------
    first : ndarray, shape (n, 4)
    second : ndarray, shape (m, 4)

    Returns
    -------
    ndarray, shape (n, m), 0 to 1
        0 between boxes without area.
    """
    one, two = np.asarray(first, float)[:, None], np.asarray(second, float)[None]
    shared = shared_px2(one, two)
    union = areas_px2(one) + areas_px2(two) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
