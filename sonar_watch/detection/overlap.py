"""How much boxes share: the one place where thinning out, matching and merging get it from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def shared_sides_px(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the width and the height of what boxes have in common, in the dtype they come in.

    Parameters
    ----------
    first, second : ndarray, shape (..., 4), pixels
        Left, top, right, bottom; broadcast against each other.

    Returns
    -------
    tuple of ndarray, shape (...), pixels
        Negative is the gap between them.
    """
    width = np.minimum(first[..., 2], second[..., 2]) - np.maximum(first[..., 0], second[..., 0])
    height = np.minimum(first[..., 3], second[..., 3]) - np.maximum(first[..., 1], second[..., 1])
    return width, height


def shared_px2(first: Array, second: Array) -> Array:
    """Return the area that boxes have in common, 0 for those that do not meet or only touch.

    Parameters
    ----------
    first, second : ndarray, shape (..., 4), pixels
        As `shared_sides_px`.

    Returns
    -------
    ndarray, shape (...), square pixels

    Examples
    --------
    >>> float(shared_px2(np.array([0, 0, 4, 2]), np.array([3, 1, 9, 9])))
    1.0
    """
    width, height = shared_sides_px(first, second)
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0))


def areas_px2(boxes: Array) -> Array:
    """Return the area of each box, shape (...), of boxes of shape (..., 4)."""
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))
