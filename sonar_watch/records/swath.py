"""One swath of the sounder: the fan of beams, and its picture in metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import GeometryError
from sonar_watch.records.basics import (
    ByteImage,
    Float32Array,
    FloatArray,
    IntArray,
    identify,
    iso_utc,
    read_only,
)
from sonar_watch.records.navigation import NavigationFix

FLOOR_HALF_DB = -128
"""Sample value of Kongsberg sounders that means "below threshold" (-64 dB), not a level."""

_MOST_TILT_DEG = 45.0
_FURTHEST_M = 100_000.0

Encoding = Literal["layers", "grey", "picture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """Where a ping or picture came from.

    Parameters
    ----------
    source : str
        Name of the source in the configuration.
    file : str
        File name without folders (a path differs between a live run and its replay).
    offset : int or None
        Byte offset of the first datagram of the swath; None for pictures.
    ping_counter, swath : int or None
        As the sounder counted; `swath` is the index within one transmission.
    """

    source: str
    file: str
    offset: int | None = None
    ping_counter: int | None = None
    swath: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSpeedProfile:
    """Sound speed against depth.

    Parameters
    ----------
    depth_m : ndarray, shape (n,), metres below the water surface, strictly increasing, n >= 2
    speed_m_s : ndarray, shape (n,), metres per second, 1350 to 1650

    Raises
    ------
    GeometryError
        The levels are not increasing or a speed is not that of sea water.
    """

    depth_m: FloatArray
    speed_m_s: FloatArray

    def __post_init__(self) -> None:
        depth, speed = np.asarray(self.depth_m, float), np.asarray(self.speed_m_s, float)
        if depth.ndim != 1 or depth.shape != speed.shape or depth.size < 2:
            raise GeometryError(f"expected two equal columns: {depth.shape}, {speed.shape}")
        if not (np.all(np.diff(depth) > 0) and np.all((speed > 1350) & (speed < 1650))):
            raise GeometryError("expected increasing depths and speeds between 1350 and 1650 m/s")
        object.__setattr__(self, "depth_m", read_only(depth))
        object.__setattr__(self, "speed_m_s", read_only(speed))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterColumnPing:
    """One swath of a multibeam echo sounder: a fan of beams, each a series of echo levels.

    Parameters
    ----------
    time_utc : datetime
        Of transmission.
    ping_counter, swath : int
        `swath` is the index within one transmission (0 or 1 for dual swath).
    sounder : str
        Model and serial number, such as "em710-210"; one stream of swaths.
    beam_angle_deg : ndarray, shape (b,), float32
        From the vertical, + starboard, motion already taken out.
    samples_half_db : ndarray, shape (b, s), int8
        Echo level in steps of 0.5 dB; row `i` starts at range sample `first_sample[i]` and is
        filled with -128 (the floor: below threshold, not a level) beyond `sample_count[i]`.
    first_sample, sample_count : ndarray, shape (b,), int32
    detected_sample : ndarray, shape (b,), float32
        Range sample of the detected bottom; NaN where there is none.
    sector : ndarray, shape (b,), int32
        Transmit sector of each beam, an index into the next two.
    sector_frequency_hz, sector_tilt_deg : ndarray, shape (sectors,), float32
        Centre frequency; tilt + forward.
    sample_rate_hz, sound_speed_m_s : float
        Range = sound_speed * sample / (2 * sample_rate).
    tvg_range_factor, tvg_offset_db : float
        The X and C of the time-varying gain X log R + 2 alpha R + C.
    transducer_depth_m : float
        Below the water surface at this ping, heave included.
    lever_forward_m, lever_starboard_m : float
        Vessel frame, from the positioning reference point to the transducer.
    profile : SoundSpeedProfile or None
    runtime : str
        The configuration that shapes the background: one word per distinct setting.
    beam_width_deg : float
        Across-track receive beam width, one-way at -3 dB.
    unit : str
        What tells it from other sounders of its model, as far as it has said so: system and
        serial number, such as "40-53037"; "" where `sounder` says all. See `stream_names`.
    source : SourceRef

    Raises
    ------
    GeometryError
        Shapes that do not belong together, or numbers no sounder has.
    """

    time_utc: datetime
    ping_counter: int
    swath: int
    sounder: str
    beam_angle_deg: Float32Array
    samples_half_db: npt.NDArray[np.int8]
    first_sample: IntArray
    sample_count: IntArray
    detected_sample: Float32Array
    sector: IntArray
    sector_frequency_hz: Float32Array
    sector_tilt_deg: Float32Array
    sample_rate_hz: float
    sound_speed_m_s: float
    tvg_range_factor: float = 30.0
    tvg_offset_db: float = 0.0
    transducer_depth_m: float = 0.0
    lever_forward_m: float = 0.0
    lever_starboard_m: float = 0.0
    profile: SoundSpeedProfile | None = None
    runtime: str = ""
    beam_width_deg: float = 1.0
    unit: str = ""
    source: SourceRef

    def __post_init__(self) -> None:
        beams = np.shape(self.beam_angle_deg)
        for name in ("first_sample", "sample_count", "detected_sample", "sector"):
            if np.shape(getattr(self, name)) != beams:
                raise GeometryError(f"{name}: expected shape {beams}")
        if np.ndim(self.samples_half_db) != 2 or self.samples_half_db.shape[:1] != beams:
            raise GeometryError(f"samples: expected {beams} rows, got {self.samples_half_db.shape}")
        if not np.all(np.abs(self.beam_angle_deg) <= 90):
            raise GeometryError("beam angles: expected -90..90 degrees from the vertical")
        if not (self.sample_rate_hz > 0 and 1300 < self.sound_speed_m_s < 1700):
            raise GeometryError(
                f"expected a sample rate above 0 Hz and a sound speed of sea water, received "
                f"{self.sample_rate_hz} Hz, {self.sound_speed_m_s} m/s"
            )
        for name in (
            "beam_angle_deg",
            "samples_half_db",
            "first_sample",
            "sample_count",
            "detected_sample",
            "sector",
            "sector_frequency_hz",
            "sector_tilt_deg",
        ):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def metres_per_sample(self) -> float:
        """Range of one sample: c / (2 fs)."""
        return self.sound_speed_m_s / (2.0 * self.sample_rate_hz)

    @property
    def frame_id(self) -> str:
        """The id of what was measured: sounder, ping, swath and time."""
        return identify(self.sounder, self.ping_counter, self.swath, iso_utc(self.time_utc))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameGeometry:
    """What ties the pixels of a frame to metres.

    Pixel coordinates are continuous: x = 0 is the left edge of the first column, x = width_px
    the right edge of the last, and across = left + x * (right - left) / width_px.

    Parameters
    ----------
    left_m, right_m : float
        Across-track of the outer edges, + starboard of the transducer.
    top_m, bottom_m : float
        Depth of the outer edges, + down from the water surface.
    width_px, height_px : int
    transducer_depth_m : float
    lever_forward_m, lever_starboard_m : float
        Vessel frame, from the positioning reference point to the transducer.
    beam_width_deg : float
        Drives the position error away from nadir.
    tilt_deg : float
        Of the transmitted fan relative to the vessel, + forward, seen from abeam: the angle
        from the vessel's vertical under which a point lies ahead of the transducer. The median
        over the beams. With the pitch it says how far ahead the fan meets the seabed.
    tilt_spread_deg : float
        Standard deviation of the tilt over the beams: sectors are steered one by one.
    sector_edges_deg : tuple of float
        Inner edges between the transmit sectors, from the vertical at the transducer,
        + starboard, ascending.
    refraction : {"layered", "straight", "given"}
        How rays were traced; "given" when the picture came with its extents.
    minimum_slant_range_m : float or None
        Range of the first bottom echo; beyond it the side lobes of the bottom cover the water.
    seabed_depth_m : ndarray, shape (width_px,), float32, or None
        Depth of the detected bottom below each column; NaN where none is known.

    Raises
    ------
    GeometryError
        Edges beyond 100 km, an image without extent, or a tilt beyond 45 degrees.
    """

    left_m: float
    right_m: float
    top_m: float
    bottom_m: float
    width_px: int
    height_px: int
    transducer_depth_m: float = 0.0
    lever_forward_m: float = 0.0
    lever_starboard_m: float = 0.0
    beam_width_deg: float = 1.0
    tilt_deg: float = 0.0
    tilt_spread_deg: float = 0.0
    sector_edges_deg: tuple[float, ...] = ()
    refraction: Literal["layered", "straight", "given"] = "given"
    minimum_slant_range_m: float | None = None
    seabed_depth_m: Float32Array | None = None

    def __post_init__(self) -> None:
        edges = (self.left_m, self.right_m, self.top_m, self.bottom_m)
        if not all(abs(edge) <= _FURTHEST_M for edge in edges):  # nan is not, either
            raise GeometryError(f"expected edges within {_FURTHEST_M:g} m, received {edges}")
        if self.right_m <= self.left_m or self.bottom_m <= self.top_m:
            raise GeometryError(f"expected left < right and top < bottom, received {edges}")
        if self.width_px < 1 or self.height_px < 1:
            raise GeometryError(f"empty image: {self.width_px} x {self.height_px} px")
        if not (abs(self.tilt_deg) <= _MOST_TILT_DEG and 0 <= self.tilt_spread_deg < math.inf):
            raise GeometryError(
                f"expected a tilt of -{_MOST_TILT_DEG}..{_MOST_TILT_DEG} degrees and a spread of "
                f"0 or more, received {self.tilt_deg}, {self.tilt_spread_deg}"
            )
        if self.seabed_depth_m is not None:
            if self.seabed_depth_m.shape != (self.width_px,):
                raise GeometryError(f"seabed: expected {self.width_px} columns")
            object.__setattr__(self, "seabed_depth_m", read_only(self.seabed_depth_m))

    @property
    def pixel_across_m(self) -> float:
        """Width of one pixel in metres."""
        return (self.right_m - self.left_m) / self.width_px

    @property
    def pixel_depth_m(self) -> float:
        """Height of one pixel in metres."""
        return (self.bottom_m - self.top_m) / self.height_px

    def across_track_m(self, x_px: float) -> float:
        """Return metres to starboard of pixel coordinate `x_px`."""
        return self.left_m + x_px * self.pixel_across_m

    def depth_m(self, y_px: float) -> float:
        """Return metres below the surface of pixel coordinate `y_px`."""
        return self.top_m + y_px * self.pixel_depth_m

    def to_pixels(self, across_track_m: float, depth_m: float) -> tuple[float, float]:
        """Return the pixel coordinates (x, y) of a point in metres."""
        return (
            (across_track_m - self.left_m) / self.pixel_across_m,
            (depth_m - self.top_m) / self.pixel_depth_m,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterColumnFrame:
    """The picture of one swath, with what is needed to put a pixel on the seabed.

    Parameters
    ----------
    frame_id : str
        uuid5 of what was measured.
    time_utc : datetime
    sounder : str
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        Grey or BGR; 0 where there is no data.
    geometry : FrameGeometry
    navigation : NavigationFix or None
        None until the navigation of its instant is known.
    source : SourceRef
    encoding : {"layers", "grey", "picture"}
        What the values mean: the three layers or the one of `watercolumn.encoding`, or whatever
        somebody's program drew.
    absolute : ndarray, shape (h, w), uint8, or None
        Echo levels as recorded, for networks that were taught on these; see
        `watercolumn.encoding.absolute_bytes`.
    frequency_khz : tuple of float (lowest, highest) or None
        Of the transmit sectors; None when it is not known.
    unit : str
        As in `WaterColumnPing`.
    """

    frame_id: str
    time_utc: datetime
    sounder: str
    image: ByteImage
    geometry: FrameGeometry
    navigation: NavigationFix | None = None
    source: SourceRef
    encoding: Encoding = "picture"
    absolute: ByteImage | None = None
    frequency_khz: tuple[float, float] | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        shape = self.image.shape
        size = (self.geometry.height_px, self.geometry.width_px)
        if self.image.dtype != np.uint8 or shape[:2] != size or shape[2:] not in ((), (3,)):
            raise GeometryError(f"image: expected uint8 of {size}, received {shape}")
        object.__setattr__(self, "image", read_only(self.image))
