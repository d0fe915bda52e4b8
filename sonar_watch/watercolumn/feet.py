"""Where a plume in a box meets the seabed: a line through what stands in it, drawn down.

A plume leans, so its foot is not below the middle of its box, and often the foot itself is
hidden by the side lobes of the bottom. Row by row the middle of what stands out is found; a
line through these middles, weighted by how much stands out, ends at the foot. Pictures are true
to scale, so the slope of the line is the lean in the plane of the fan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sonar_watch.opencv import opencv
from sonar_watch.records import Float32Array, FloatArray, WaterColumnFrame
from sonar_watch.watercolumn.encoding import to_db

LEAN_PRIOR = 0.3
"""Standard deviation of the lean: a current of 0.1 m/s and bubbles that rise at 0.3 m/s."""

STANDS_DB = 1.5
"""Over the range row, smoothed: less is speckle."""

SMOOTHED_PX = 5
ALIKE_ROWS = 8.0
"""Rows this near are not independent: the speckle is smoothed, bursts are metres long."""

FEWEST_ROWS = 6
BOTTOM_FRACTION = 0.04
"""Of the water depth above the seabed: what the echo of the bottom covers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FootLine:
    """A plume's line in the picture.

    Parameters
    ----------
    x_px : float
        Where it meets the seabed.
    sigma_px : float
        One standard deviation of that.
    lean : float
        Metres to starboard per metre of rise.
    """

    x_px: float
    sigma_px: float
    lean: float


def foot_line(xyxy_px: Sequence[float], frame: WaterColumnFrame) -> FootLine | None:
    """Return the line of the plume in a box, or None when too little stands out in it.

    Parameters
    ----------
    xyxy_px : sequence of four floats
        Left, top, right, bottom in pixels of the frame.
    frame : WaterColumnFrame
        With a known seabed; without one there is no line.
    """
    seabed_px = _seabed_px(frame, xyxy_px)
    if seabed_px is None:
        return None
    standing, left, top = _standing(xyxy_px, frame, seabed_px)
    if standing.size == 0:
        return None
    weight = standing.sum(axis=1, dtype=np.float64)
    seen = weight > 0
    if np.count_nonzero(seen) < FEWEST_ROWS:
        return None
    columns = left + 0.5 + np.arange(standing.shape[1])
    middle = (standing[seen] @ columns) / weight[seen]
    rise = np.asarray(seabed_px - (top + 0.5 + np.flatnonzero(seen)), np.float64)
    return _within(_line(np.asarray(middle, np.float64), rise, weight[seen]), xyxy_px)


def _within(line: FootLine, xyxy_px: Sequence[float]) -> FootLine:
    """Return the line with its foot no further beside the box than the box is wide."""
    left, _, right, _ = xyxy_px
    width = right - left
    return replace(line, x_px=min(max(line.x_px, left - width), right + width))


def _seabed_px(frame: WaterColumnFrame, xyxy_px: Sequence[float]) -> float | None:
    """Row of the seabed under the middle of the box."""
    line = frame.geometry.seabed_depth_m
    if line is None:
        return None
    left, _, right, _ = xyxy_px
    under = line[max(int(left), 0) : max(int(np.ceil(right)), 1)]
    known = under[np.isfinite(under)]
    if not known.size:
        return None
    return frame.geometry.to_pixels(0.0, float(np.median(known)))[1]


def _standing(
    xyxy_px: Sequence[float], frame: WaterColumnFrame, seabed_px: float
) -> tuple[Float32Array, int, int]:
    """What stands out in the box above the bottom's echo, decibels; its left column and top row."""
    left, top, right, bottom = xyxy_px
    transducer_px = frame.geometry.to_pixels(0.0, frame.geometry.transducer_depth_m)[1]
    echo_px = BOTTOM_FRACTION * (seabed_px - transducer_px)
    first, last = max(int(left), 0), min(int(np.ceil(right)), frame.geometry.width_px)
    upper = max(int(top), 0)
    lower = min(int(np.ceil(bottom)), int(seabed_px - echo_px), frame.geometry.height_px)
    if last - first < 2 or lower - upper < FEWEST_ROWS:
        return np.zeros((0, 0), np.float32), first, upper
    part = frame.image[upper:lower, first:last]
    level = np.nan_to_num((to_db(part, "contrast") + to_db(part, "change")) / 2)
    smooth = opencv().blur(level, (SMOOTHED_PX, SMOOTHED_PX))
    return np.maximum(smooth - np.float32(STANDS_DB), 0), first, upper


def _line(middle: FloatArray, rise: FloatArray, weight: FloatArray) -> FootLine:
    """Weighted least squares with a prior on the lean; the line at no rise is the foot."""
    share = weight / weight.sum()
    independent = 1.0 / (float(np.sum(share**2)) * ALIKE_ROWS)
    mean_x, mean_rise = float(share @ middle), float(share @ rise)
    about = rise - mean_rise
    spread = float(share @ about**2)
    together = float(share @ (about * (middle - mean_x)))
    noise = max(float(share @ (middle - mean_x) ** 2) - together**2 / max(spread, 1e-9), 1.0)
    precision = independent * spread / noise + LEAN_PRIOR**-2
    lean = independent * together / noise / precision
    variance = noise / max(independent, 1.0) + mean_rise**2 / precision
    return FootLine(
        x_px=mean_x - lean * mean_rise, sigma_px=float(np.sqrt(variance)), lean=lean
    )
