"""How long and how wide an object is: its own axes, not those of the box around it.

In transmitted light an object differs from the glass by its rims, by what fills it, or by both:
a clear tooth is two dark lines. So what differs from its surroundings in brightness or colour is
taken together, gaps in rims are closed and what they enclose is filled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.records import Box

Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_MARGIN = 0.25
_LEAST_MARGIN_PX = 12
_SLACK_PX = 8.0
_LEAST_SIDE_PX = 4.0
_NOISES = 4.0
_LEAST_CONTRAST = 6.0
_LEAST_FILL = 0.08
_LEAST_OVERLAP = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """An object told from its surroundings.

    Parameters
    ----------
    hull_px : ndarray, shape (n, 2), float64
        Corners of its convex hull in image pixels, 0 at the outer edge of the first pixel.
    mask : ndarray, shape (h, w), bool
        Of the part of the image that was looked at.
    offset_px : tuple of int
        x, y of the mask's first pixel in the image.
    """

    hull_px: FloatArray
    mask: Mask
    offset_px: tuple[int, int]


def measure(image: ByteImage, xyxy: Box, um_per_px: float) -> tuple[float, float] | None:
    """Return length and width of the object in a box, in micrometres; None when unsure.

    The length is the greatest distance of two points of its outline (maximum Feret diameter),
    the width the least distance of two parallel lines that hold it (minimum Feret diameter).

    Parameters
    ----------
    image : ndarray, shape (h, w, 3) or (h, w), uint8
        BGR or grey; what surrounds the box is needed, too.
    xyxy : tuple of float
        The box in image pixels.
    um_per_px : float
        Micrometres per pixel.

    Raises
    ------
    ValueError
        A scale that is not above 0.
    """
    if not um_per_px > 0:
        raise ValueError(f"expected micrometres per pixel above 0, received {um_per_px}")
    outline = find_outline(image, xyxy)
    if outline is None:
        return None
    length_px, width_px = feret_px(outline.hull_px)
    return length_px * um_per_px, width_px * um_per_px


def feret_px(hull: FloatArray) -> tuple[float, float]:
    """Return the greatest and the least Feret diameter of a convex polygon.

    Parameters
    ----------
    hull : ndarray, shape (n, 2)
        Its corners in order.

    >>> feret_px(np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0]]))
    (5.0, 3.0)
    """
    steps = hull[:, None] - hull[None]
    longest = math.sqrt(float((steps**2).sum(-1).max()))
    edges = np.roll(hull, -1, axis=0) - hull
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    edges = edges[lengths > 0] / lengths[lengths > 0, None]
    across = hull @ np.stack([-edges[:, 1], edges[:, 0]])
    spans = across.max(axis=0) - across.min(axis=0)
    return longest, float(spans.min()) if len(spans) else 0.0


def find_outline(image: ByteImage, xyxy: Box) -> Outline | None:
    """Return the outline of the object in a box, or None when it cannot be told.

    None also when what was found does not fill the box from side to side: then it is part of
    the object, or something else.
    """
    height, width = image.shape[:2]
    left, top = max(0.0, xyxy[0]), max(0.0, xyxy[1])
    right, bottom = min(float(width), xyxy[2]), min(float(height), xyxy[3])
    if min(right - left, bottom - top) < _LEAST_SIDE_PX:
        return None
    margin = max(_MARGIN * max(right - left, bottom - top), _LEAST_MARGIN_PX)
    x, y = max(0, int(left - margin)), max(0, int(top - margin))
    part = image[y : math.ceil(bottom + margin), x : math.ceil(right + margin)]
    box = (left - x, top - y, right - x, bottom - y)
    mask = _object_mask(part, box)
    if mask is None:
        return None
    return Outline(hull_px=_hull(mask) + np.array([x, y]), mask=mask, offset_px=(x, y))


def _object_mask(part: ByteImage, box: Box) -> Mask | None:
    """Return which pixels of a part are the object in a box of it."""
    import cv2

    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
    inside = (
        (columns > box[0] - _SLACK_PX)
        & (columns < box[2] + _SLACK_PX)
        & (rows > box[1] - _SLACK_PX)
        & (rows < box[3] + _SLACK_PX)
    )
    differs = _differences(part, inside) & inside
    size = max(3, round(0.06 * min(box[2] - box[0], box[3] - box[1])) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(np.pad(differs, size).astype(np.uint8), cv2.MORPH_CLOSE, disc)[
        size:-size, size:-size
    ]
    return _fitting(_filled(closed), box)


def _differences(part: ByteImage, inside: Mask) -> Mask:
    """Return which pixels differ from the glass around the box by more than it does itself."""
    planes = part.reshape(*part.shape[:2], -1).astype(np.float64)
    around = ~inside if (~inside).sum() >= 50 else np.ones_like(inside)
    differs = np.zeros_like(inside)
    for plane in np.moveaxis(planes, -1, 0):
        level = np.median(plane[around])
        noise = 1.4826 * np.median(np.abs(plane[around] - level))
        differs |= np.abs(plane - level) > max(_NOISES * noise, _LEAST_CONTRAST)
    return differs


def _filled(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a mask with its holes filled."""
    import cv2

    outer: Any = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return np.asarray(cv2.drawContours(np.zeros_like(mask), outer, -1, 1, cv2.FILLED), np.uint8)


def _fitting(mask: npt.NDArray[np.uint8], box: Box) -> Mask | None:
    """Return the largest piece when it fits its box, else None."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height, area = (int(value) for value in stats[largest])
    shared = max(0.0, min(left + width, box[2]) - max(left, box[0])) * max(
        0.0, min(top + height, box[3]) - max(top, box[1])
    )
    asked = (box[2] - box[0]) * (box[3] - box[1])
    if shared / (width * height + asked - shared) < _LEAST_OVERLAP or area < _LEAST_FILL * asked:
        return None
    return np.asarray(labels == largest, np.bool_)


def _hull(mask: Mask) -> FloatArray:
    """Return the corners of the convex hull, through the middles of the outermost pixel edges."""
    import cv2

    rows, columns = np.nonzero(mask)
    middles = np.concatenate(
        [
            np.stack([columns + dx, rows + dy], axis=1)
            for dx, dy in ((0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0))
        ]
    ).astype(np.float32)
    return np.asarray(cv2.convexHull(middles)[:, 0], np.float64)
