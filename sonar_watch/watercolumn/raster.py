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

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import (
    ByteImage,
    Float32Array,
    FloatArray,
    NavigationFix,
    SoundSpeedProfile,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.watercolumn.canvas import (
    Canvas,
    canvas_of,
    clear_below,
    columns_m,
    frame_extents,
    frame_geometry,
)
from sonar_watch.watercolumn.contrast import backgrounds, decimate, encode, valid_rows
from sonar_watch.watercolumn.fan import Fan, fan_of
from sonar_watch.watercolumn.geometry import LaunchMap, launch_map
from sonar_watch.watercolumn.opencv import opencv

ANGLE_STEP_DEG = 0.02
"""Of the table from angle to beam: a twentieth of the narrowest beam spacing."""

WIDEST_GAP = 3.0
"""Neighbouring beams further apart than this many median spacings leave a gap."""

ABOVE_BOTTOM = 0.93
"""Fraction of the range to the bottom that counts as water: the echo begins before its peak."""

CUT_SLACK = 0.04
"""Beams are cut this much later, as a fraction of range, than columns: hides their steps."""

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
class _PixelRays:
    """A launch map made ready for drawing: where in the angle table, how far."""

    rays: LaunchMap
    angle_index: npt.NDArray[np.intp]


class Rasteriser:
    """Turns pings into pictures; keeps the look-up tables of the last few extents.

    Parameters
    ----------
    options : RasterOptions

    Raises
    ------
    ConfigurationError
        OpenCV is not installed.
    """

    def __init__(self, options: RasterOptions | None = None) -> None:
        self.options = options or RasterOptions()
        self._cv2 = opencv()  # A watch that cannot draw does not start.
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
        profile = ping.profile if self.options.refraction else None
        fan = fan_of(ping, profile)
        margin = self.options.below_bottom_fraction
        extents = frame_extents(ping, fan, profile, margin=margin)
        canvas = canvas_of(*extents, self.options.max_side_px)
        rays = self._pixel_rays(canvas, profile, ping)
        geometry = frame_geometry(ping, fan, canvas, profile)
        image = self._draw(ping, fan, canvas, rays)
        clear_below(image, geometry, 1.0 + margin)
        return WaterColumnFrame(
            frame_id=ping.frame_id,
            time_utc=ping.time_utc,
            sounder=ping.sounder,
            image=image,
            geometry=geometry,
            navigation=navigation,
            source=ping.source,
        )

    def _pixel_rays(
        self, canvas: Canvas, profile: SoundSpeedProfile | None, ping: WaterColumnPing
    ) -> _PixelRays:
        """Look up, or trace, the rays of a canvas.

        Heave and the sound speed sensor change from ping to ping but bend rays by nothing that
        shows: whole metres and metres per second do.
        """
        top_m, speed_m_s = float(round(ping.transducer_depth_m)), float(round(ping.sound_speed_m_s))
        key: Hashable = canvas
        if profile is not None:
            levels = (profile.depth_m.tobytes(), profile.speed_m_s.tobytes())
            key = (canvas, top_m, speed_m_s, *levels)
        with self._lock:
            if key not in self._maps:
                self._maps[key] = _trace_canvas(canvas, profile, top_m, speed_m_s)
            self._maps.move_to_end(key)
            while len(self._maps) > _KEPT_MAPS:
                self._maps.popitem(last=False)
            return self._maps[key]

    def _draw(
        self, ping: WaterColumnPing, fan: Fan, canvas: Canvas, pixels: _PixelRays
    ) -> ByteImage:
        rays = pixels.rays
        speed = rays.speed_m_s or ping.sound_speed_m_s
        samples_per_m = 2.0 * ping.sample_rate_hz / speed
        factor = max(1, round(canvas.pixel_m * samples_per_m))
        grey = self._grey(fan, factor)
        beam = beam_table(
            rays.launch_angle_deg(fan.angle_deg, ping.sound_speed_m_s), ping.beam_width_deg
        )
        beam_of_pixel = np.take(beam, pixels.angle_index, mode="clip")
        row_of_pixel = rays.range_m * np.float32(samples_per_m / factor)
        row_of_pixel -= np.float32((factor - 1) / 2 / factor)
        return np.asarray(
            self._cv2.remap(
                grey,
                row_of_pixel,
                beam_of_pixel,
                self._cv2.INTER_LINEAR,
                borderMode=self._cv2.BORDER_CONSTANT,
                borderValue=0,
            )
        )

    def _grey(self, fan: Fan, factor: int) -> ByteImage:
        """Return grey values, shape (beams, range rows of `factor` samples)."""
        cut = fan.limit * (1.0 + self.options.below_bottom_fraction + CUT_SLACK)
        first, end = fan.first / factor, np.minimum(fan.end, cut) / factor
        levels = decimate(fan.samples, factor, int(np.max(end) * factor) + factor)
        rows = levels.shape[1]
        water = valid_rows(first, np.minimum(end, fan.limit * (ABOVE_BOTTOM / factor)), rows)
        base = backgrounds(levels, water, fan.sector, self.options.sector_beams)
        return encode(levels, base, valid_rows(first, end, rows), self.options.contrast_db)


def _trace_canvas(
    canvas: Canvas, profile: SoundSpeedProfile | None, top_m: float, speed_m_s: float
) -> _PixelRays:
    below = (np.arange(canvas.height_px, dtype=np.float64) + 0.5) * canvas.pixel_m
    rays = launch_map(columns_m(canvas), below, profile, top_m, speed_m_s)
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
    spacing = float(np.sort(gaps)[gaps.size // 2]) if gaps.size else beam_width_deg
    table = np.interp(_ANGLES, angle_deg, np.arange(angle_deg.size))
    reach = max(spacing, ANGLE_STEP_DEG) / 2
    table[(angle_deg[0] - reach > _ANGLES) | (angle_deg[-1] + reach < _ANGLES)] = _NO_BEAM
    for left in np.flatnonzero(gaps > WIDEST_GAP * spacing):
        inside = (angle_deg[left] + reach < _ANGLES) & (angle_deg[left + 1] - reach > _ANGLES)
        table[inside] = _NO_BEAM
    return np.asarray(table, np.float32)
