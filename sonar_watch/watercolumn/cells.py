"""A picture made coarse, and where its cells lie as the sounder sees them: angle and range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sonar_watch.opencv import opencv
from sonar_watch.records import ByteImage, Float32Array, FrameGeometry, IntArray, WaterColumnFrame

_HALF = 128


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


def cell_px(geometry: FrameGeometry, longest: int) -> int:
    """Return the side of a cell, a power of two pixels: no side has more than `longest` cells.

    >>> cell_px(FrameGeometry(left_m=-1, right_m=1, top_m=0, bottom_m=1,
    ...                       width_px=1024, height_px=512), 256)
    4
    """
    side = 1
    while max(geometry.width_px, geometry.height_px) > side * longest:
        side *= 2
    return side


def cells_of(geometry: FrameGeometry, side_px: int) -> Cells:
    """Return where the cells of the picture of `geometry` lie, each `side_px` pixels wide.

    The last row and column may reach beyond the picture.
    """
    width, height = -(-geometry.width_px // side_px), -(-geometry.height_px // side_px)
    cell = (geometry.pixel_across_m * side_px, geometry.pixel_depth_m * side_px)
    corner = (geometry.left_m, geometry.top_m, geometry.transducer_depth_m)
    return _cells(corner, cell, width, height)


@lru_cache(maxsize=8)
def _cells(
    corner_m: tuple[float, float, float], cell: tuple[float, float], width: int, height: int
) -> Cells:
    left, top, apex_m = corner_m
    across = (left + (np.arange(width) + 0.5) * cell[0]).astype(np.float32)
    depth = (top + (np.arange(height) + 0.5) * cell[1]).astype(np.float32)
    below = np.maximum(depth - np.float32(apex_m), np.float32(1e-3))[:, None]
    reach = np.hypot(across[None, :], below)
    return Cells(
        range_m=reach,
        row=((reach - reach.min()) / max(cell)).astype(np.int32),  # the apex may be far away
        angle_deg=np.degrees(np.arctan2(across[None, :], below)),
        across_m=across,
        depth_m=depth,
        cell_m=cell,
    )


def coarse(frame: WaterColumnFrame, side_px: int) -> ByteImage:
    """Return the picture of a frame averaged to cells, shape (h, w) or in layers (h, w, 3).

    A cell half of which has no data has none (0). What is not in layers is taken as grey.

    Parameters
    ----------
    frame : WaterColumnFrame
    side_px : int
        A power of two: halving again and again is ten times as fast as one step.
    """
    cv2 = opencv()
    image = frame.image
    if image.ndim == 3 and frame.encoding != "layers":
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    down, right = -image.shape[0] % side_px, -image.shape[1] % side_px
    if down or right:
        image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)
    one = image if image.ndim == 2 else cv2.extractChannel(image, 1)
    filled = cv2.threshold(one, 0, 255, cv2.THRESH_BINARY)[1]
    while side_px > 1:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        filled = cv2.resize(filled, half, interpolation=cv2.INTER_AREA)
        side_px //= 2
    share = filled if image.ndim == 2 else filled[..., None]
    mean = image * (np.float32(255.0) / np.maximum(share, np.float32(1.0))) + np.float32(0.5)
    return np.where(share >= _HALF, np.clip(mean, 1.0, 255.0), 0.0).astype(np.uint8)
