"""Whether a box holds a body, or a piece of a stripe, an arc or a step.

Artefacts follow the sounder's own geometry: stripes and spokes an angle, arcs a range, steps
the edge of a transmit sector; and they go on beyond the box. A plume follows the vertical and
ends where it ends. Each question asks for both: the shape in the box, and that it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonar_watch.records import Float32Array, FrameGeometry, WaterColumnFrame
from sonar_watch.watercolumn.cells import Cells, cell_px, cells_of, coarse
from sonar_watch.watercolumn.encoding import to_db
from sonar_watch.watercolumn.standing import (
    BoolArray,
    echo_of_seabed,
    over_rows,
    seabed_below_columns,
    smoothed,
    water_above,
)

NADIR_STRIPE = "nadir stripe"
SECTOR_EDGE = "sector edge"
SLANT_RANGE_ARC = "minimum-slant-range arc"
STATIC_ANGLE = "static angle"
SPOKE = "spoke"

CELLS = 256
"""Longer side of the coarse picture that is looked at."""

NADIR_DEG = 3.0
_LEAST_DB = 1.5
_LEARNED_DB = 1.75
_STEP_DB = 2.0
_GOES_ON = 0.4
_STANDS = 0.7
_FEWEST = 8
_FEWEST_BRIGHT = 12
_WIDEST_STEP = 10.0
_FROM_SOUNDER = 0.25
"""Share of its farthest range from which on a shape begins at the sounder."""
_WEDGE = 1.4
"""Of the angles that a shape spans near and far: 0.8 to 1.3 where wash was taken for a plume, 1.7
and more where a body is upright and rises to the sounder."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backdrop:
    """The layers of a coarse picture, smoothed, decibels over their range rows.

    Parameters
    ----------
    geometry : FrameGeometry
    cells : Cells
    side_px : int
        Pixels in a cell.
    water : ndarray, shape (h, w), bool
        Cells with data above the echo of the seabed.
    contrast, change, level : ndarray, shape (h, w), float32
        NaN outside the water; of a grey picture all three are the same.
    """

    geometry: FrameGeometry
    cells: Cells
    side_px: int
    water: BoolArray
    contrast: Float32Array
    change: Float32Array
    level: Float32Array


def backdrop_of(frame: WaterColumnFrame) -> Backdrop:
    """Return the layers of `frame` in cells."""
    geometry = frame.geometry
    side_px = cell_px(geometry, CELLS)
    small, cells = coarse(frame, side_px), cells_of(geometry, side_px)
    contrast_db = to_db(small)
    seabed_m = seabed_below_columns(geometry, cells, contrast_db)
    echo_m = echo_of_seabed(geometry, cells, seabed_m)
    water = water_above(seabed_m, echo_m, contrast_db, cells)
    contrast = over_rows(smoothed(contrast_db, water), water, cells)[0]
    change = level = contrast
    if small.ndim == 3:
        change = over_rows(smoothed(to_db(small, "change"), water), water, cells)[0]
        level = over_rows(smoothed(to_db(small, "level"), water), water, cells)[0]
    return Backdrop(
        geometry=geometry, cells=cells, side_px=side_px, water=water, contrast=contrast,
        change=change, level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shape:
    """The bright cells of a box, weighed by their excess."""

    inside: BoolArray
    excess_db: float
    angle_deg: float
    angle_spread_deg: float
    range_m: float
    range_spread_m: float
    nearest_m: float


def stripe_reason(xyxy_px: Sequence[float], backdrop: Backdrop) -> str | None:
    """Return which artefact a box is a piece of, or None.

    Parameters
    ----------
    xyxy_px : sequence of four floats
        Left, top, right, bottom in pixels of the frame.
    backdrop : Backdrop
        Of that frame.
    """
    inside = _cells_of_box(xyxy_px, backdrop)
    seen = _shape(inside, backdrop.contrast, backdrop)
    if seen is None or seen.excess_db < _LEAST_DB:
        # What is learned as static is taken off contrast and change; the level still shows it.
        seen = _shape(inside, backdrop.level, backdrop)
        if seen is None or seen.excess_db < _LEARNED_DB:
            return None
        learned = _goes_on_along_ray(seen, backdrop.level, backdrop)
        return _named(seen, backdrop, STATIC_ANGLE) if learned else None
    if _is_wedge(seen, backdrop):
        return SPOKE
    if _goes_on_along_ray(seen, backdrop.contrast, backdrop):
        now, before = (_along_ray_db(seen, layer, backdrop) or 0.0
                       for layer in (backdrop.contrast, backdrop.change))
        return _named(seen, backdrop, STATIC_ANGLE if before >= _STANDS * now else SPOKE)
    if _is_arc(seen, backdrop):
        return SLANT_RANGE_ARC
    return SECTOR_EDGE if _is_step(xyxy_px, seen, backdrop) else None


def _cells_of_box(xyxy_px: Sequence[float], backdrop: Backdrop) -> BoolArray:
    left, top, right, bottom = (value / backdrop.side_px for value in xyxy_px)
    inside = np.zeros_like(backdrop.water)
    inside[int(max(top, 0)) : int(np.ceil(bottom)), int(max(left, 0)) : int(np.ceil(right))] = True
    return np.asarray(inside & backdrop.water)


def _shape(inside: BoolArray, layer: Float32Array, backdrop: Backdrop) -> _Shape | None:
    """Return the shape of the brighter half of a box; None when nothing stands out."""
    seen = inside & np.isfinite(layer)
    if np.count_nonzero(seen) < _FEWEST:
        return None
    top_db = float(np.quantile(layer[seen], 0.8))
    if top_db <= 0.2:
        return None
    bright = seen & (layer >= 0.5 * top_db)
    if np.count_nonzero(bright) < _FEWEST_BRIGHT:
        return None
    weight = np.maximum(layer[bright], 0.05)
    angle, reach = backdrop.cells.angle_deg[bright], backdrop.cells.range_m[bright]
    middle, distance = np.average(angle, weights=weight), np.average(reach, weights=weight)
    return _Shape(
        inside=bright,
        excess_db=top_db,
        angle_deg=float(middle),
        angle_spread_deg=float(np.sqrt(np.average((angle - middle) ** 2, weights=weight))),
        range_m=float(distance),
        range_spread_m=float(np.sqrt(np.average((reach - distance) ** 2, weights=weight))),
        nearest_m=float(reach.min()),
    )


def _footprint_deg(shape: _Shape, backdrop: Backdrop) -> float:
    """Return what a beam, or a cell where that is wider, spans at the range of a shape."""
    cell_deg = float(np.degrees(backdrop.cells.cell_m[0] / shape.range_m))
    return max(backdrop.geometry.beam_width_deg, cell_deg)


def _goes_on_along_ray(shape: _Shape, layer: Float32Array, backdrop: Backdrop) -> bool:
    """Return whether a shape is narrow in angle, and its ray bright all the way to the sounder."""
    if shape.angle_spread_deg > 1.5 * _footprint_deg(shape, backdrop):
        return False
    along = _along_ray_db(shape, layer, backdrop)
    return along is not None and along >= max(1.0, _GOES_ON * shape.excess_db)


def _is_wedge(shape: _Shape, backdrop: Backdrop) -> bool:
    """Return whether a shape begins at the sounder and is as wide in angle there as far out.

    Beams that hear wash or noise are bright from first to last. A plume that rises to the ship
    is as wide in metres everywhere, and so far wider in angle near the sounder.
    """
    reach = np.where(shape.inside, backdrop.cells.range_m, np.nan)
    farthest_m = float(np.nanmax(reach))
    if shape.nearest_m > _FROM_SOUNDER * farthest_m:
        return False
    spreads = []
    for part in (reach < 0.5 * farthest_m, reach >= 0.5 * farthest_m):
        if np.count_nonzero(part) < _FEWEST_BRIGHT:
            return False
        spreads.append(float(np.std(backdrop.cells.angle_deg[part])))
    return spreads[0] <= _WEDGE * spreads[1]


def _along_ray_db(shape: _Shape, layer: Float32Array, backdrop: Backdrop) -> float | None:
    """Return how far the ray of a shape stands over those beside it, above the shape."""
    width_deg = max(shape.angle_spread_deg, 0.75 * _footprint_deg(shape, backdrop))
    away = np.abs(backdrop.cells.angle_deg - shape.angle_deg)
    margin_m = 3.0 * max(backdrop.cells.cell_m)
    above = backdrop.cells.range_m < shape.nearest_m - margin_m
    above &= backdrop.cells.range_m > 0.2 * shape.nearest_m
    above &= np.isfinite(layer)
    ray, beside = above & (away <= width_deg), above & (away > 3 * width_deg)
    beside &= away <= 8 * width_deg
    if min(np.count_nonzero(ray), np.count_nonzero(beside)) < _FEWEST:
        return None
    return float(np.median(layer[ray]) - np.median(layer[beside]))


def _named(shape: _Shape, backdrop: Backdrop, otherwise: str) -> str:
    """Return the name of a stripe by its angle."""
    if abs(shape.angle_deg) <= NADIR_DEG:
        return NADIR_STRIPE
    return SECTOR_EDGE if _edge_offset(shape.angle_deg, shape, backdrop) <= 1.0 else otherwise


def _edge_offset(angle_deg: float, shape: _Shape, backdrop: Backdrop) -> float:
    """Return how far the nearest sector edge is from an angle, in footprints of a shape."""
    edges = np.asarray(backdrop.geometry.sector_edges_deg)
    if not edges.size:
        return float("inf")
    nearest = float(np.min(np.abs(edges - angle_deg)))
    return nearest / _footprint_deg(shape, backdrop)


def _is_arc(shape: _Shape, backdrop: Backdrop) -> bool:
    """Return whether a shape lies along the minimum slant range and goes on beside the box."""
    first_m = backdrop.geometry.minimum_slant_range_m
    if first_m is None or abs(shape.range_m / first_m - 1) > 0.04:
        return False
    thick_m = max(0.015 * first_m, 1.2 * max(backdrop.cells.cell_m))
    wide_m = np.radians(shape.angle_spread_deg) * shape.range_m
    if shape.range_spread_m > thick_m or wide_m < 2.0 * shape.range_spread_m:
        return False
    away = np.abs(backdrop.cells.angle_deg - shape.angle_deg)
    ring = np.abs(backdrop.cells.range_m - shape.range_m) <= shape.range_spread_m
    ring &= (away > 2.0 * shape.angle_spread_deg) & (away < 3.5 * shape.angle_spread_deg)
    ring &= np.isfinite(backdrop.contrast)
    if np.count_nonzero(ring) < _FEWEST:
        return False
    return float(np.median(backdrop.contrast[ring])) >= _GOES_ON * shape.excess_db


def _is_step(xyxy_px: Sequence[float], shape: _Shape, backdrop: Backdrop) -> bool:
    """Return whether a box at a sector edge is as bright as one side of it, the other darker."""
    left, top, right, bottom = xyxy_px
    geometry = backdrop.geometry
    below_m = geometry.depth_m((top + bottom) / 2) - geometry.transducer_depth_m
    middle = np.degrees(np.arctan2(geometry.across_track_m((left + right) / 2), below_m))
    wide_deg = np.degrees((right - left) * geometry.pixel_across_m / shape.range_m)
    if (
        _edge_offset(float(middle), shape, backdrop) > 2.0
        or wide_deg > _WIDEST_STEP * _footprint_deg(shape, backdrop)
    ):
        return False
    wide_px, sides = max(right - left, 2.0 * backdrop.side_px), []
    for start in (left - wide_px, right):
        beside = _cells_of_box((start, top, start + wide_px, bottom), backdrop)
        beside &= np.isfinite(backdrop.contrast)
        if np.count_nonzero(beside) < _FEWEST:
            return False
        sides.append(float(np.median(backdrop.contrast[beside])))
    inside = float(np.median(backdrop.contrast[shape.inside]))
    return abs(sides[0] - sides[1]) >= _STEP_DB and inside < max(sides) + 1.0
