"""A picture made coarse, and where its cells lie as the sounder sees them: angle and range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sonar_watch.records import ByteImage, Float32Array, FrameGeometry, IntArray
from sonar_watch.watercolumn.opencv import opencv


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Where the cells of a coarse picture lie, seen from the transducer.

    Parameters
    ----------
    range_m : ndarray, shape (h, w), float32
        Slant range of the middle of each cell, along a straight ray.
    row : ndarray, shape (h, w), int32
        The same in cells: cells of one row are as far from the transducer.
    angle_deg : ndarray, shape (h, w), float32
        From the vertical, + starboard.
    across_m : ndarray, shape (w,), float32
        Across-track of the columns, + starboard of the transducer.
    depth_m : ndarray, shape (h,), float32
        Depth of the rows, + down from the water surface.
    cell_m : tuple of float
        Width and height of a cell.
    """

    range_m: Float32Array
    row: IntArray
    angle_deg: Float32Array
    across_m: Float32Array
    depth_m: Float32Array
    cell_m: tuple[float, float]


def coarse_size(geometry: FrameGeometry, longest: int) -> tuple[int, int]:
    """Return (width, height) in cells, the longer side `longest` at most, true to scale.

    >>> coarse_size(FrameGeometry(left_m=-1, right_m=1, top_m=0, bottom_m=1,
    ...                           width_px=1024, height_px=512), 256)
    (256, 128)
    """
    scale = min(1.0, longest / max(geometry.width_px, geometry.height_px))
    return max(1, round(geometry.width_px * scale)), max(1, round(geometry.height_px * scale))


def cells_of(geometry: FrameGeometry, width: int, height: int) -> Cells:
    """Return where the cells lie when the picture of `geometry` is made `width` x `height`."""
    edges = (geometry.left_m, geometry.right_m, geometry.top_m, geometry.bottom_m)
    return _cells(edges, geometry.transducer_depth_m, width, height)


@lru_cache(maxsize=8)
def _cells(
    edges: tuple[float, float, float, float], apex_m: float, width: int, height: int
) -> Cells:
    left, right, top, bottom = edges
    cell = ((right - left) / width, (bottom - top) / height)
    across = (left + (np.arange(width) + 0.5) * cell[0]).astype(np.float32)
    depth = (top + (np.arange(height) + 0.5) * cell[1]).astype(np.float32)
    below = np.maximum(depth - np.float32(apex_m), np.float32(1e-3))[:, None]
    reach = np.hypot(across[None, :], below)
    return Cells(
        range_m=reach,
        row=(reach / max(cell)).astype(np.int32),
        angle_deg=np.degrees(np.arctan2(across[None, :], below)),
        across_m=across,
        depth_m=depth,
        cell_m=cell,
    )


def coarse(image: ByteImage, width: int, height: int) -> ByteImage:
    """Return the picture averaged to cells; a cell half of which has no data has none (0).

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
    """
    if image.shape[:2] == (height, width):
        return image
    cv2 = opencv()
    size, area = (width, height), cv2.INTER_AREA
    there = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY)[1]
    filled = cv2.resize(there, size, interpolation=area)
    mean = cv2.resize(image, size, interpolation=area).astype(np.float32)
    mean *= np.float32(255.0) / np.maximum(filled, np.float32(1.0))
    mean += np.float32(0.5)
    np.minimum(mean, np.float32(255.0), out=mean)
    mean *= filled >= 128
    return np.asarray(mean.astype(np.uint8))
