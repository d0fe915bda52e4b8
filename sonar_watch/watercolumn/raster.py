"""From ping to picture: across-track by depth, true to scale, every pixel from its own beam.

    levels (beam, sample) -> averaged along range to the pixel size -> layers -> drawn

Which ray passes through a pixel depends on the extents and the profile: cached. Which beam
lies nearest to that ray changes with every ping, since the sounder steadies its fan: one
small table per ping from angle to beam.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError
from sonar_watch.opencv import opencv
from sonar_watch.records import (
    ByteImage,
    Float32Array,
    FloatArray,
    NavigationFix,
    SoundSpeedProfile,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.watercolumn.background import BackgroundOptions, Memory, configurations_of
from sonar_watch.watercolumn.canvas import (
    Canvas,
    canvas_of,
    clear_below,
    columns_m,
    frame_extents,
    frame_geometry,
)
from sonar_watch.watercolumn.fan import Fan, fan_of
from sonar_watch.watercolumn.fanlayers import FanRows, fan_rows, take_in
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
    encoding : {"layers", "grey"}
        What the picture shows: level, contrast and change over the preceding pings as three
        channels, or the contrast of this ping alone.
    below_bottom_fraction : float
        How far below the detected bottom the water column is shown, as a fraction of depth.
    refraction : bool
        Trace rays through the sound speed profile where one is known.
    sector_beams : int
        Transmit sectors of at least this many beams are levelled on their own.
    static_pings : int
        Pings after which the static background of a configuration has settled.
    recent_weight : float
        Weight of the present ping in the recent mean, above 0 up to 1; 0.4 averages four pings.
    """

    max_side_px: int = 1024
    encoding: Literal["layers", "grey"] = "layers"
    below_bottom_fraction: float = 0.05
    refraction: bool = True
    sector_beams: int = 16
    static_pings: int = 80
    recent_weight: float = 0.4

    def __post_init__(self) -> None:
        if not 64 <= self.max_side_px <= 8192:
            raise ConfigurationError(f"max_side_px: expected 64..8192, got {self.max_side_px}")
        if self.encoding not in ("layers", "grey"):
            raise ConfigurationError(f"encoding: expected layers or grey, got {self.encoding!r}")
        if not 0 <= self.below_bottom_fraction <= 1:
            raise ConfigurationError(
                f"below_bottom_fraction: expected 0..1, got {self.below_bottom_fraction}"
            )
        if self.sector_beams < 2:
            raise ConfigurationError(f"sector_beams: expected >= 2, got {self.sector_beams}")
        self.background  # noqa: B018 - checks the two that are its own

    @property
    def background(self) -> BackgroundOptions:
        """How long the pictures remember."""
        return BackgroundOptions(
            static_pings=self.static_pings, recent_weight=self.recent_weight
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _PixelRays:
    """A launch map made ready for drawing: where in the angle table, how far."""

    rays: LaunchMap
    angle_index: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where in the fan each pixel of one ping lies: fractional beam and range sample."""

    beam: Float32Array
    sample: Float32Array


class Rasteriser:
    """Turns pings into pictures; remembers the pings before and the last look-up tables.

    The pings of a stream come in order: the change layer is over those that came before.

    Parameters
    ----------
    options : RasterOptions
    absolute : bool
        Draw the levels as recorded, too, for a network that asks for them.

    Raises
    ------
    ConfigurationError
        OpenCV is not installed.
    """

    def __init__(self, options: RasterOptions | None = None, *, absolute: bool = False) -> None:
        self.options = options or RasterOptions()
        self._absolute = absolute
        self._cv2 = opencv()  # A watch that cannot draw does not start.
        self._maps: OrderedDict[Hashable, _PixelRays] = OrderedDict()
        self._lock = threading.Lock()
        self._memory = Memory()

    def memory(self) -> dict[str, bytes | None]:
        """Return what changed in the memory since the last call, for a checkpoint."""
        return self._memory.changes()

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Go on from a checkpoint's memory; see `Memory.restore`."""
        self._memory.restore(stored)

    def forget(self) -> None:
        """Forget the pings before, as at the start."""
        self._memory = Memory()

    def frame(
        self, ping: WaterColumnPing, navigation: NavigationFix | None = None
    ) -> WaterColumnFrame:
        """Return the picture of `ping`, and remember it.

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
        image, absolute = self._draw(ping, fan, canvas, rays)
        for drawn in (image,) if absolute is None else (image, absolute):
            clear_below(drawn, geometry, 1.0 + margin)
        return WaterColumnFrame(
            frame_id=ping.frame_id,
            time_utc=ping.time_utc,
            sounder=ping.sounder,
            unit=ping.unit,
            image=image,
            encoding=self.options.encoding,
            absolute=absolute,
            geometry=geometry,
            navigation=navigation,
            source=ping.source,
            frequency_khz=_band_khz(ping),
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
    ) -> tuple[ByteImage, ByteImage | None]:
        """Return the picture, and the absolute levels where they are asked for."""
        options, rays = self.options, pixels.rays
        speed = rays.speed_m_s or ping.sound_speed_m_s
        samples_per_m = 2.0 * ping.sample_rate_hz / speed
        factor = max(1, round(canvas.pixel_m * samples_per_m))
        rows = fan_rows(fan, factor, options.below_bottom_fraction, options.sector_beams)
        beam = beam_table(
            rays.launch_angle_deg(fan.angle_deg, ping.sound_speed_m_s), ping.beam_width_deg
        )
        places = _Places(
            beam=np.take(beam, pixels.angle_index, mode="clip"),
            sample=rays.range_m * np.float32(samples_per_m),
        )
        image = self._shown(ping, fan, rows, places)
        return image, self._remap(rows.absolute(), places, factor) if self._absolute else None

    def _shown(
        self, ping: WaterColumnPing, fan: Fan, rows: FanRows, places: _Places
    ) -> ByteImage:
        options, factor = self.options, rows.factor
        if options.encoding == "grey":
            return self._remap(rows.contrast(), places, factor)
        beams = len(rows.levels)
        name, *before = configurations_of(ping, beams)
        background = self._memory.of(name, beams, before)
        present = rows.layers(background)  # over the background of the pings before
        change = take_in(fan, rows, background, ping.time_utc.timestamp(), options.background)
        level, contrast = self._cv2.split(self._remap(present, places, factor))
        moved = self._remap(change, places, background.factor)
        moved *= contrast > 0
        return np.asarray(self._cv2.merge((level, contrast, moved)))

    def _remap(self, values: ByteImage, places: _Places, factor: int) -> ByteImage:
        """Return the values, over beams and rows of `factor` samples, at the pixels' places."""
        row = places.sample * np.float32(1 / factor)
        row -= np.float32((factor - 1) / 2 / factor)
        return np.asarray(
            self._cv2.remap(
                values,
                row,
                places.beam,
                self._cv2.INTER_LINEAR,
                borderMode=self._cv2.BORDER_CONSTANT,
                borderValue=0,
            )
        )


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


def _band_khz(ping: WaterColumnPing) -> tuple[float, float] | None:
    """Return the lowest and highest frequency of the sectors, None when the ping has none."""
    known = ping.sector_frequency_hz[ping.sector_frequency_hz > 0]
    return (float(known.min()) / 1e3, float(known.max()) / 1e3) if known.size else None
