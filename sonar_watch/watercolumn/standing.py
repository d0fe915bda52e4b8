"""What stands out of its range row, in a coarse picture of the water above the seabed.

Side lobes, layers and noise fill whole range rows, so each cell is compared with the cells at
the same slant range: Nau et al. 2022 take the mean and k sigma of the range; here the median
and the spread below it, which a plume in the row does not widen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.opencv import opencv
from sonar_watch.records import Float32Array, FrameGeometry, WaterColumnFrame
from sonar_watch.watercolumn.cells import Cells, cell_px, cells_of, coarse
from sonar_watch.watercolumn.encoding import to_db

BoolArray = npt.NDArray[np.bool_]

FOOTPRINT_CELLS = (3, 5)
"""Width and height that are smoothed over: about a beam across, and the dots of a plume up."""

_ECHO_FOOTPRINTS = 3.5
_ECHO_DEPTHS = 0.012
_LEVELS, _STEP_DB, _LOWEST_DB = 160, 0.25, -8.0
_LEAST_SIGMA_DB = 0.3
_FEWEST_CELLS = 20
_BOTTOM_DB = 12.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """A coarse picture as decibels over its range rows.

    Parameters
    ----------
    cells : Cells
        Where the cells lie.
    excess_db : ndarray, shape (h, w), float32
        Smoothed level over the median of the range row; NaN outside the water.
    sigmas : ndarray, shape (h, w), float32
        The same in standard deviations of the row.
    water : ndarray, shape (h, w), bool
        Cells with data above the echo of the seabed.
    seabed_m : ndarray, shape (w,), float32
        Depth of the seabed below each column, + down from the surface.
    echo_m : ndarray, shape (w,), float32
        How far above the seabed its echo begins.
    water_depth_m : float
        Median depth of the seabed below the transducer.
    """

    cells: Cells
    excess_db: Float32Array
    sigmas: Float32Array
    water: BoolArray
    seabed_m: Float32Array
    echo_m: Float32Array
    water_depth_m: float


def standing_of(frame: WaterColumnFrame, longest: int) -> Standing:
    """Return what stands out in `frame`, in cells: the longer side has `longest` at most.

    Where the picture has the layer, the mean of the contrast now and of the last pings is
    taken: a plume stands in both, speckle in neither.
    """
    geometry = frame.geometry
    side_px = cell_px(geometry, longest)
    small, cells = coarse(frame, side_px), cells_of(geometry, side_px)
    shown_db = to_db(small)
    if small.ndim == 3:
        shown_db += to_db(small, "change")
        shown_db *= np.float32(0.5)
    seabed_m = seabed_below_columns(geometry, cells, shown_db)
    depth_m = max(float(np.median(seabed_m)) - geometry.transducer_depth_m, cells.cell_m[1])
    echo_m = echo_of_seabed(geometry, cells, seabed_m)
    water = water_above(seabed_m, echo_m, shown_db, cells)
    excess, sigmas = over_rows(smoothed(shown_db, water), water, cells)
    return Standing(
        cells=cells,
        excess_db=excess,
        sigmas=sigmas,
        water=water,
        seabed_m=seabed_m,
        echo_m=echo_m,
        water_depth_m=depth_m,
    )


def seabed_below_columns(
    geometry: FrameGeometry, cells: Cells, shown_db: Float32Array
) -> Float32Array:
    """Return the depth of the seabed below each column of cells, gaps filled from beside.

    Without a detected bottom: the strongest echo of each column, or where its data end.
    """
    width, line = cells.range_m.shape[1], geometry.seabed_depth_m
    middle = (cells.across_m - geometry.left_m) / geometry.pixel_across_m
    if line is not None and np.any(known := np.isfinite(line)):
        depth = np.interp(middle, np.flatnonzero(known) + 0.5, line[known])
        return np.asarray(depth, np.float32)
    level = np.nan_to_num(shown_db, nan=-np.inf)
    strongest = np.argmax(level, axis=0)
    bright = level[strongest, np.arange(width)] >= _BOTTOM_DB
    if np.mean(bright) >= 0.3:
        row = np.interp(np.arange(width), np.flatnonzero(bright), strongest[bright])
        depth = cells.depth_m[0] + row * cells.cell_m[1]
        return np.asarray(opencv().medianBlur(depth.astype(np.float32)[None, :], 5)[0])
    last = len(level) - 1 - np.argmax(np.isfinite(level[::-1]), axis=0)
    return np.asarray(cells.depth_m[last] + np.float32(cells.cell_m[1] / 2))


def water_above(
    seabed_m: Float32Array, echo_m: Float32Array, shown_db: Float32Array, cells: Cells
) -> BoolArray:
    """Return the cells with data above the echo of the seabed, also that of a steep one beside."""
    above = opencv().erode(seabed_m[None, :], np.ones((1, 5)))[0] - echo_m
    return np.asarray(np.isfinite(shown_db) & (cells.depth_m[:, None] < above))


def echo_of_seabed(
    geometry: FrameGeometry, cells: Cells, seabed_m: Float32Array
) -> Float32Array:
    """Return how far above the seabed its echo begins: a slanting beam meets it early."""
    depth_m = max(float(np.median(seabed_m)) - geometry.transducer_depth_m, cells.cell_m[1])
    slope = np.abs(cells.across_m) / np.maximum(seabed_m - geometry.transducer_depth_m, 1.0)
    beams = _ECHO_FOOTPRINTS * np.radians(geometry.beam_width_deg) * slope
    echo = depth_m * (_ECHO_DEPTHS + beams)
    return np.asarray(np.maximum(echo, 1.5 * cells.cell_m[1]), np.float32)


def smoothed(level_db: Float32Array, water: BoolArray) -> Float32Array:
    """Return the mean over about a footprint, of cells in the water alone."""
    cv2 = opencv()
    total = cv2.blur(np.where(water, level_db, np.float32(0)), FOOTPRINT_CELLS)
    share = cv2.blur(water.astype(np.float32), FOOTPRINT_CELLS)
    return np.asarray(total / np.maximum(share, np.float32(0.3)))


def over_rows(
    level_db: Float32Array, water: BoolArray, cells: Cells
) -> tuple[Float32Array, Float32Array]:
    """Return the level over the median of its range row, in decibels and in deviations.

    The deviation is that below the median (to the 16 % quantile). Rows of few cells borrow
    from their neighbours; NaN outside the water.
    """
    rows = int(cells.row.max()) + 1
    steps = np.clip((level_db - _LOWEST_DB) / _STEP_DB, 0, _LEVELS - 1).astype(np.int32)
    counts = np.bincount((cells.row * _LEVELS + steps)[water], minlength=rows * _LEVELS)
    shared = opencv().blur(counts.reshape(rows, _LEVELS).astype(np.float32), (1, 5)) * 5
    number = shared.sum(axis=1, keepdims=True)
    reached = np.cumsum(shared, axis=1)
    median, low = ((reached < number * share).sum(axis=1) for share in (0.5, 0.16))
    sigma = np.maximum((median - low) * _STEP_DB, _LEAST_SIGMA_DB).astype(np.float32)
    base = (median * _STEP_DB + _LOWEST_DB).astype(np.float32)
    base[number[:, 0] < _FEWEST_CELLS] = np.nan
    excess = np.where(water, level_db - base[cells.row], np.float32(np.nan))
    return excess, excess / sigma[cells.row]
