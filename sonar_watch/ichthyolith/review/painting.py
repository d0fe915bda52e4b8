"""Taking out of a picture what nobody can name, so that nobody learns from it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.records import Box

_RIM_PX = 4
"""What lies this near around a box is taken for the ground on which the object lies."""


def painted_over(image: ByteImage, boxes: Iterable[Box], kept: Iterable[Box] = ()) -> ByteImage:
    """Return the image with some boxes filled from what is around them.

    The ground left and right of each row and above and below each column is drawn across; the
    grain of the picture is not.

    Parameters
    ----------
    image : ndarray, shape (h, w, 3), uint8
    boxes : iterable of Box
        Image pixels.
    kept : iterable of Box
        Pixels that stay as they are.
    """
    painted = image.copy()
    for box in boxes:
        left, top = max(int(box[0]), 0), max(int(box[1]), 0)
        right, bottom = (int(np.ceil(value)) for value in box[2:])
        part = painted[top:bottom, left:right]
        if part.size:
            part[:] = _ground(painted, left, top, left + part.shape[1], top + part.shape[0])
    for box in kept:
        left, top, right, bottom = (round(value) for value in box)
        painted[top:bottom, left:right] = image[top:bottom, left:right]
    return painted


def _ground(image: ByteImage, left: int, top: int, right: int, bottom: int) -> ByteImage:
    """Return what probably lies under a box: the mean of what is drawn across and down."""
    height, width = image.shape[:2]
    sides = {
        "left": image[top:bottom, max(left - _RIM_PX, 0) : left],
        "right": image[top:bottom, right : min(right + _RIM_PX, width)],
        "top": image[max(top - _RIM_PX, 0) : top, left:right],
        "bottom": image[bottom : min(bottom + _RIM_PX, height), left:right],
    }
    across = _drawn(sides["left"], sides["right"], right - left, axis=1)
    down = _drawn(sides["top"], sides["bottom"], bottom - top, axis=0)
    given = [one for one in (across, down) if one is not None]
    if not given:  # the box is the whole picture
        return np.full_like(image[top:bottom, left:right], np.median(image))
    return np.asarray(np.rint(np.mean(given, axis=0)), np.uint8)


def _drawn(
    first: ByteImage, last: ByteImage, steps: int, axis: int
) -> npt.NDArray[np.float64] | None:
    """Return values that go from one rim to the other; from one alone where that is all."""
    ends = [np.median(rim, axis=axis, keepdims=True) for rim in (first, last) if rim.shape[axis]]
    if not ends:
        return None
    weight = (np.arange(steps) + 0.5) / steps
    weight = weight[None, :, None] if axis == 1 else weight[:, None, None]
    return np.asarray(ends[0] * (1 - weight) + ends[-1] * weight, np.float64)
