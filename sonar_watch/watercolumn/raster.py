"""From ping to picture: across-track by depth, true to scale, every pixel from its own beam.

    levels (beam, sample) -> averaged along range to the pixel size -> contrast -> drawn

Which ray passes through a pixel depends on the extents and the profile: cached. Which beam
lies nearest to that ray changes with every ping, since the sounder steadies its fan: one
small table per ping from angle to beam.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import (
    ByteImage,
    Float32Array,
    FloatArray,
    FrameGeometry,
    NavigationFix,
    SoundSpeedProfile,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.watercolumn.contrast import backgrounds, decimate, encode, valid_rows
from sonar_watch.watercolumn.fan import Fan, fan_of, frame_extents, seabed
from sonar_watch.watercolumn.geometry import LaunchMap, launch_map

ANGLE_STEP_DEG = 0.02
"""Of the table from angle to beam: a twentieth of the narrowest beam spacing."""

WIDEST_GAP = 3.0
"""Neighbouring beams further apart than this many median spacings leave a gap."""

_NO_BEAM = np.float32(-10.0)
_ANGLES = np.arange(-90.0, 90.0 + ANGLE_STEP_DEG / 2, ANGLE_STEP_DEG)
_KEPT_MAPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterOptions:
    """How pings become pictures.

    Parameters
    ----------
    max_side_px : int
        Longest side of the picture; metres per pixel are the same both ways.
    contrast_db : tuple of float
        Levels below and above the median of the same range that become black and white.
    below_bottom_fraction : float
        How far below the detected bottom the water column is shown, as a fraction of depth.
    refraction : bool
        Trace rays through the sound speed profile where one is known.
    sector_beams : int
        Transmit sectors of at least this many beams are levelled on their own.
    """

    max_side_px: int = 1024
    contrast_db: tuple[float, float] = (-8.0, 24.0)
    below_bottom_fraction: float = 0.05
    refraction: bool = True
    sector_beams: int = 24

    def __post_init__(self) -> None:
        if not 64 <= self.max_side_px <= 8192:
            raise ConfigurationError(f"max_side_px: expected 64..8192, got {self.max_side_px}")
        if not self.contrast_db[0] < self.contrast_db[1]:
            raise ConfigurationError(f"contrast_db: expected low < high, got {self.contrast_db}")
        if not 0 <= self.below_bottom_fraction <= 1:
            raise ConfigurationError(
                f"below_bottom_fraction: expected 0..1, got {self.below_bottom_fraction}"
            )
        if self.sector_beams < 2:
            raise ConfigurationError(f"sector_beams: expected >= 2, got {self.sector_beams}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canvas:
    """Size of the picture, in pixels and metres."""

    width_px: int
    height_px: int
    pixel_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _PixelRays:
    """A launch map made ready for drawing: where in the angle table, how far."""

    rays: LaunchMap
    angle_index: npt.NDArray[np.intp]


class Rasteriser:
    """Turns pings into pictures; keeps the look-up tables of the last few extents.

    Parameters
    ----------
    options : RasterOptions
    """

    def __init__(self, options: RasterOptions | None = None) -> None:
        self.options = options or RasterOptions()
        self._maps: OrderedDict[Hashable, _PixelRays] = OrderedDict()
        self._lock = threading.Lock()

    def frame(
        self, ping: WaterColumnPing, navigation: NavigationFix | None = None
    ) -> WaterColumnFrame:
        """Return the picture of `ping`: the same for the same ping, whatever came before.

        Raises
        ------
        GeometryError
            No beam has samples, or the ping has no extent.
        """
        fan = fan_of(ping)
        profile = ping.profile if self.options.refraction else None
        margin = self.options.below_bottom_fraction
        canvas = _canvas(*frame_extents(ping, fan, profile, margin), self.options.max_side_px)
        rays = self._pixel_rays(canvas, profile, ping.transducer_depth_m)
        return WaterColumnFrame(
            frame_id=ping.frame_id,
            time_utc=ping.time_utc,
            sounder=ping.sounder,
            image=self._draw(ping, fan, canvas, rays),
            geometry=_geometry(ping, fan, canvas, profile),
            navigation=navigation,
            source=ping.source,
        )

    def _pixel_rays(
        self, canvas: _Canvas, profile: SoundSpeedProfile | None, transducer_depth_m: float
    ) -> _PixelRays:
        """Look up, or trace, the rays of a canvas; heave does not bend them: whole metres."""
        top_m = float(round(transducer_depth_m))
        key: Hashable = canvas
        if profile is not None:
            key = (canvas, top_m, profile.depth_m.tobytes(), profile.speed_m_s.tobytes())
        with self._lock:
            if key not in self._maps:
                self._maps[key] = _trace_canvas(canvas, profile, top_m)
            self._maps.move_to_end(key)
            while len(self._maps) > _KEPT_MAPS:
                self._maps.popitem(last=False)
            return self._maps[key]

    def _draw(
        self, ping: WaterColumnPing, fan: Fan, canvas: _Canvas, pixels: _PixelRays
    ) -> ByteImage:
        rays = pixels.rays
        speed = rays.speed_m_s or ping.sound_speed_m_s
        samples_per_m = 2.0 * ping.sample_rate_hz / speed
        factor = max(1, int(canvas.pixel_m * samples_per_m))
        grey = self._grey(fan, factor)
        beam = beam_table(rays.launch_angle_deg(fan.angle_deg, ping.sound_speed_m_s),
                          ping.beam_width_deg)
        beam_of_pixel = np.take(beam, pixels.angle_index, mode="clip")
        row_of_pixel = rays.range_m * np.float32(samples_per_m / factor)
        row_of_pixel -= np.float32((factor - 1) / 2 / factor)
        return np.asarray(
            cv2.remap(grey, row_of_pixel, beam_of_pixel, cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        )

    def _grey(self, fan: Fan, factor: int) -> ByteImage:
        """Return grey values, shape (beams, range rows of `factor` samples)."""
        cut = fan.limit * (1.0 + self.options.below_bottom_fraction)
        end = np.minimum(fan.end, cut)
        levels = decimate(fan.samples, factor, int(np.max(end)) + factor)
        valid = valid_rows(fan.first / factor, end / factor, levels.shape[1])
        base = backgrounds(levels, valid, fan.sector, self.options.sector_beams)
        return encode(levels, base, valid, self.options.contrast_db)


def _canvas(half_width_m: float, depth_m: float, max_side_px: int) -> _Canvas:
    pixel_m = max(2 * half_width_m, depth_m) / max_side_px
    return _Canvas(
        width_px=max(1, round(2 * half_width_m / pixel_m)),
        height_px=max(1, round(depth_m / pixel_m)),
        pixel_m=pixel_m,
    )


def _columns_m(canvas: _Canvas) -> FloatArray:
    """Across-track of the column centres."""
    return (np.arange(canvas.width_px) + 0.5 - canvas.width_px / 2) * canvas.pixel_m


def _trace_canvas(
    canvas: _Canvas, profile: SoundSpeedProfile | None, top_m: float
) -> _PixelRays:
    below = (np.arange(canvas.height_px) + 0.5) * canvas.pixel_m
    rays = launch_map(_columns_m(canvas), below, profile, top_m)
    index = np.rint((rays.angle_deg + 90.0) / ANGLE_STEP_DEG)
    return _PixelRays(rays=rays, angle_index=np.clip(index, 0, _ANGLES.size - 1).astype(np.intp))


def beam_table(angle_deg: FloatArray, beam_width_deg: float) -> Float32Array:
    """Return the fractional beam index at each step of angle from -90 to 90 degrees.

    Parameters
    ----------
    angle_deg : ndarray, shape (b,), ascending
    beam_width_deg : float
        Stands in for the spacing when there is one beam only.

    Returns
    -------
    ndarray, float32
        -10 where no beam looks: half a spacing outside the fan, or inside a wide gap.
    """
    gaps = np.diff(angle_deg)
    spacing = float(np.median(gaps)) if gaps.size else beam_width_deg
    table = np.interp(_ANGLES, angle_deg, np.arange(angle_deg.size)).astype(np.float32)
    reach = max(spacing, ANGLE_STEP_DEG) / 2
    table[(angle_deg[0] - reach > _ANGLES) | (angle_deg[-1] + reach < _ANGLES)] = _NO_BEAM
    for left in np.flatnonzero(gaps > WIDEST_GAP * spacing):
        inside = (angle_deg[left] + reach < _ANGLES) & (angle_deg[left + 1] - reach > _ANGLES)
        table[inside] = _NO_BEAM
    return table


def _geometry(
    ping: WaterColumnPing, fan: Fan, canvas: _Canvas, profile: SoundSpeedProfile | None
) -> FrameGeometry:
    half = canvas.width_px * canvas.pixel_m / 2
    found = np.isfinite(fan.bottom)
    nearest = float(np.min(fan.bottom[found])) * fan.metres_per_sample if found.any() else None
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
        refraction="straight" if profile is None else "layered",
        minimum_slant_range_m=nearest,
        seabed_depth_m=_seabed_columns(*seabed(ping, fan, profile), _columns_m(canvas)),
    )


def _seabed_columns(
    across_m: FloatArray, depth_m: FloatArray, columns_m: FloatArray
) -> Float32Array | None:
    """Depth of the bottom below each column; NaN beside it and in wide gaps."""
    order = np.argsort(across_m)
    across, depth = across_m[order], depth_m[order]
    if not across.size:
        return None
    line = np.interp(columns_m, across, depth, left=np.nan, right=np.nan)
    widest = 0.05 * (across[-1] - across[0]) + 4 * (columns_m[1] - columns_m[0])
    for left in np.flatnonzero(np.diff(across) > widest):
        line[(columns_m > across[left]) & (columns_m < across[left + 1])] = np.nan
    return line.astype(np.float32)
