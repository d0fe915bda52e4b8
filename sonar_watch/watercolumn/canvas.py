"""The canvas of a ping: how much water it shows, at what scale, and the seabed across it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sonar_watch.errors import GeometryError
from sonar_watch.opencv import opencv
from sonar_watch.records import (
    ByteImage,
    Float32Array,
    FloatArray,
    FrameGeometry,
    SoundSpeedProfile,
    WaterColumnPing,
)
from sonar_watch.watercolumn.fan import FEWEST_DETECTIONS, Fan, place

EXTENT_STEP = 1.08
"""Extents grow in these ratios, so that neighbouring pings share look-up tables."""

_NARROWEST = 1 / 8
_OUTERMOST_DEG = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Size of the picture, in pixels and metres."""

    width_px: int
    height_px: int
    pixel_m: float


def canvas_of(half_width_m: float, depth_m: float, max_side_px: int) -> Canvas:
    """Return the canvas of that half-width and depth; no side is longer than `max_side_px`."""
    pixel_m = max(2 * half_width_m, depth_m) / max_side_px
    return Canvas(
        width_px=max(1, round(2 * half_width_m / pixel_m)),
        height_px=max(1, round(depth_m / pixel_m)),
        pixel_m=pixel_m,
    )


def columns_m(canvas: Canvas) -> FloatArray:
    """Across-track of the column centres."""
    columns = np.arange(canvas.width_px, dtype=np.float64) + 0.5
    return np.asarray((columns - canvas.width_px / 2) * canvas.pixel_m)


def frame_extents(
    ping: WaterColumnPing,
    fan: Fan,
    profile: SoundSpeedProfile | None = None,
    *,
    margin: float = 0.05,
) -> tuple[float, float]:
    """Return half-width and depth below the transducer, in metres, of the picture of a ping.

    They hold 98 % of the ping's bottom detections (without them: of its recorded range) and
    `margin`, a fraction, below; rounded up in steps of 8 %. They depend on the ping alone, so
    that a replay draws what the live run drew.

    Raises
    ------
    GeometryError
        The ping has no extent.
    """
    across, depth = fan.seabed_across_m, fan.seabed_depth_m
    if across.size < max(FEWEST_DETECTIONS, fan.angle_deg.size // 10):
        across, depth = place(ping, fan.angle_deg, fan.end.astype(float), profile)
    seen = np.isfinite(across) & np.isfinite(depth)
    if not seen.any():
        raise GeometryError(f"ping {ping.ping_counter}: no beam reaches down")
    side = _most(np.abs(across[seen])) * 1.02
    below = _most(depth[seen] - ping.transducer_depth_m) * (1.0 + margin)
    longest = max(side, below)
    if not longest > ping.metres_per_sample:
        raise GeometryError(f"ping {ping.ping_counter}: expected an extent, found {longest} m")
    return rounded_up(max(side, _NARROWEST * below)), rounded_up(max(below, _NARROWEST * side))


def _most(values: FloatArray) -> float:
    """Return the value that 98 % do not exceed."""
    return float(np.sort(values)[math.ceil(0.98 * (values.size - 1))])


def rounded_up(metres: float) -> float:
    """Return the next of the steps 1.08 ** k metres.

    >>> rounded_up(100.0) == rounded_up(101.0)
    True
    """
    return float(EXTENT_STEP ** math.ceil(math.log(metres) / math.log(EXTENT_STEP) - 1e-9))


def frame_geometry(
    ping: WaterColumnPing, fan: Fan, canvas: Canvas, profile: SoundSpeedProfile | None
) -> FrameGeometry:
    """Return what ties the canvas to metres, with the seabed and the minimum slant range.

    The tilt is that of the transmit sectors as the sounder wrote it, relative to the vessel: the
    steering that holds the fan still while the vessel pitches is in it. The mounting pitch of
    the transmitter (0 to 0.9 degrees in real files) is not decoded and is left out.
    """
    half = canvas.width_px * canvas.pixel_m / 2
    across, depth = fan.seabed_across_m, fan.seabed_depth_m
    slant = np.hypot(across, depth - ping.transducer_depth_m)
    tilt_deg = _tilt_deg(ping, fan)
    return FrameGeometry(
        left_m=-half,
        right_m=half,
        top_m=ping.transducer_depth_m,
        bottom_m=ping.transducer_depth_m + canvas.height_px * canvas.pixel_m,
        width_px=canvas.width_px,
        height_px=canvas.height_px,
        transducer_depth_m=ping.transducer_depth_m,
        lever_forward_m=ping.lever_forward_m,
        lever_starboard_m=ping.lever_starboard_m,
        beam_width_deg=ping.beam_width_deg,
        tilt_deg=float(np.median(tilt_deg)),
        tilt_spread_deg=float(np.std(tilt_deg)),
        sector_edges_deg=_sector_edges_deg(fan),
        refraction="straight" if profile is None else "layered",
        minimum_slant_range_m=float(np.min(slant)) if slant.size else None,
        seabed_depth_m=_seabed_columns(across, depth, columns_m(canvas)),
    )


def _tilt_deg(ping: WaterColumnPing, fan: Fan) -> FloatArray:
    """Return the tilt of each beam of the fan seen from abeam; 0 where it has no sector.

    A steered transmitter sounds a cone: a point at range R lies R sin(tilt) ahead, the further
    beside the more. Real sounders steer outer sectors less, so that seen from abeam all are
    tilted alike, as by a pitch.
    """
    tilt_deg = np.zeros(fan.sector.size)
    known = (fan.sector >= 0) & (fan.sector < ping.sector_tilt_deg.size)
    tilt_deg[known] = ping.sector_tilt_deg[fan.sector[known]]
    from_vertical_deg = np.minimum(np.abs(fan.angle_deg), _OUTERMOST_DEG)
    tangent = np.tan(np.radians(tilt_deg)) / np.cos(np.radians(from_vertical_deg))
    return np.asarray(np.degrees(np.arctan(tangent)))


def _sector_edges_deg(fan: Fan) -> tuple[float, ...]:
    """Return the angles midway between neighbouring beams of different sectors."""
    edge = np.flatnonzero(np.diff(fan.sector))
    between = (fan.angle_deg[edge] + fan.angle_deg[edge + 1]) / 2
    return tuple(float(angle) for angle in between)


def _seabed_columns(
    across_m: FloatArray, depth_m: FloatArray, columns_m: FloatArray
) -> Float32Array | None:
    """Depth of the bottom below each column; NaN beside it and in wide gaps.

    Where a wall gives a column several depths, the deepest: the foot of the wall.
    """
    if not across_m.size:
        return None
    order = np.lexsort((depth_m, np.searchsorted(columns_m, across_m)))
    column = np.searchsorted(columns_m, across_m)[order]
    last = np.append(np.diff(column) > 0, True)
    across, depth = across_m[order][last], depth_m[order][last]
    line = np.interp(columns_m, across, depth, left=np.nan, right=np.nan)
    widest = 0.05 * (across[-1] - across[0]) + 4 * (columns_m[1] - columns_m[0])
    for left in np.flatnonzero(np.diff(across) > widest):
        line[(columns_m > across[left]) & (columns_m < across[left + 1])] = np.nan
    return np.asarray(line, np.float32)


def clear_below(image: ByteImage, geometry: FrameGeometry, factor: float) -> None:
    """Blacken, in place, what lies deeper than `factor` times the seabed of its column.

    Depths count from the transducer. Columns without seabed take their neighbours';
    the deepest of eleven counts, so that a wall is not cut into.
    """
    if geometry.seabed_depth_m is None or not np.any(known := np.isfinite(geometry.seabed_depth_m)):
        return
    column = np.arange(geometry.width_px)
    depth = np.interp(column, column[known], geometry.seabed_depth_m[known])
    depth = opencv().dilate(depth[None, :], np.ones((1, 11)))[0]
    last = (depth - geometry.top_m) * factor / geometry.pixel_depth_m
    start = max(0, int(np.min(last)))
    row = np.arange(start, geometry.height_px, dtype=np.float32) + np.float32(0.5)
    shown = row[:, None] < last.astype(np.float32)
    image[start:] *= shown if image.ndim == 2 else shown[..., None]
