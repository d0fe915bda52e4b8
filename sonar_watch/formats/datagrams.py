"""What both Kongsberg families share: datagrams, installation, line context, navigation rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import FormatError, GeometryError, NavigationError
from sonar_watch.records import (
    FloatArray,
    NavigationSample,
    Quarantined,
    SoundSpeedProfile,
    WaterColumnPing,
)

RawItem: TypeAlias = WaterColumnPing | NavigationSample | Quarantined
"""What a raw file hands on."""

ATTITUDE_RATE_HZ = 10.0
"""Attitude recorded faster than this is thinned: ships move at 0.1 Hz, files hold 100 Hz."""

_LARGEST_SETTING = 10_000.0
"""Metres, degrees, counts of an installation text: larger ones are broken text."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """One whole datagram, framing included.

    Parameters
    ----------
    kind : str
        "#MWC" or "k".
    data : bytes
        From the first byte of its header to the last of its trailer.
    offset : int
        In its file.
    """

    kind: str
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounting:
    """Where the transducer sits, from the installation text.

    Parameters
    ----------
    lever_forward_m, lever_starboard_m : float
        Vessel frame, from the positioning reference point to the transducer.
    depth_m : float
        Of the transducer below the water line of the ship at rest.
    beam_width_deg : float
        Across-track receive beam width.
    """

    lever_forward_m: float = 0.0
    lever_starboard_m: float = 0.0
    depth_m: float = 0.0
    beam_width_deg: float = 1.0


@dataclass(slots=True, kw_only=True)
class LineContext:
    """What the files of one line share; the first to say something is believed.

    A file always prefers what it says itself, so that its pings do not depend on how far its
    twin has been read. The context helps files that begin without installation or profile.

    Parameters
    ----------
    mounting : Mounting or None
    profile : SoundSpeedProfile or None
    mode : str
        Word for the runtime settings that shape the background and that pings do not say.
    beam_width_deg : float or None
        Of the receiver as set at runtime; goes before that of the mounting.
    serial : str
        Of the sounder, where its datagrams do not carry it.
    """

    mounting: Mounting | None = None
    profile: SoundSpeedProfile | None = None
    mode: str = ""
    beam_width_deg: float | None = None
    serial: str = ""

    def offer(self, other: LineContext) -> None:
        """Fill what is still unknown from `other`."""
        self.mounting = self.mounting or other.mounting
        self.profile = self.profile or other.profile
        self.mode = self.mode or other.mode
        self.beam_width_deg = self.beam_width_deg or other.beam_width_deg
        self.serial = self.serial or other.serial

    def completed_by(self, other: LineContext) -> LineContext:
        """Return a copy where `other` fills what is unknown."""
        known = replace(self)
        known.offer(other)
        return known

    def ping_fields(self, heave_m: float) -> dict[str, Any]:
        """Return what a ping takes from its line, at this heave of the transducer (+ down)."""
        mounting = self.mounting or Mounting()
        return {
            "transducer_depth_m": mounting.depth_m + heave_m,
            "lever_forward_m": mounting.lever_forward_m,
            "lever_starboard_m": mounting.lever_starboard_m,
            "beam_width_deg": self.beam_width_deg or mounting.beam_width_deg,
            "profile": self.profile,
        }


class Decoder(Protocol):
    """Datagrams of one family -> records, with the state that one file or stream needs."""

    def wants(self, head: bytes) -> bool:
        """Tell from the first bytes of a datagram whether to read it at all."""

    def decode(self, datagram: Datagram) -> list[RawItem]:
        """Return what this datagram completes; FormatError when it breaks its format."""

    def flush(self) -> list[RawItem]:
        """Return what was still held when the stream ended."""


IsDone = Callable[[str], bool]


def never(_frame_id: str) -> bool:
    """Answer that no frame has been done yet."""
    return False


def unpack(layout: Struct, data: bytes, offset: int, what: str) -> tuple[Any, ...]:
    """Return the fields of `layout` at `offset`.

    Raises
    ------
    FormatError
        The datagram ends before them.
    """
    if offset < 0 or offset + layout.size > len(data):
        raise FormatError(
            f"{what}: expected {layout.size} bytes at {offset} of the datagram, "
            f"which has {len(data)}"
        )
    return layout.unpack_from(data, offset)


@contextmanager
def as_format_error(what: str) -> Iterator[None]:
    """Turn the refusal of a record into a FormatError: its bytes were the cause.

    Broken bytes may also be numbers that arithmetic warns of; the records refuse those.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except (GeometryError, NavigationError) as refused:
        raise FormatError(f"{what}: {refused}") from refused


def utc_from(seconds: int, microseconds: int) -> datetime:
    """Return the instant `seconds` and `microseconds` after 1970."""
    return _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)


def seconds_of(time_utc: datetime) -> tuple[int, int]:
    """Return whole seconds since 1970 and the microseconds beyond."""
    since = time_utc - _EPOCH
    return since.days * 86_400 + since.seconds, since.microseconds


def finite(number: float, low: float, high: float) -> bool:
    """Tell whether `number` is a real value within the limits."""
    return math.isfinite(number) and low <= number <= high


def check_position(latitude: float, longitude: float, what: str) -> None:
    """Check a position that its sensor does not call unavailable.

    Raises
    ------
    FormatError
        Not finite, or on no globe.
    """
    if not (finite(latitude, -90, 90) and finite(longitude, -180, 180)):
        raise FormatError(
            f"{what}: expected a latitude of -90 to 90 and a longitude of -180 to 180 degrees, "
            f"received {latitude}, {longitude}"
        )


def check_heave(heave_m: float, what: str) -> None:
    """Check that a ship may heave so far.

    Raises
    ------
    FormatError
        Not within 100 m.
    """
    if not finite(heave_m, -100.0, 100.0):
        raise FormatError(f"{what}: impossible heave {heave_m} m")


def number(settings: Mapping[str, str], key: str, default: float = 0.0) -> float:
    """Return the number under `key`; `default` where there is none or one of no ship."""
    try:
        value = float(settings.get(key, default))
    except ValueError:
        return default
    return value if finite(value, -_LARGEST_SETTING, _LARGEST_SETTING) else default


def thin(time_s: FloatArray, usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return which rows to keep: usable ones, in order of time, at most one each 0.1 s.

    The first of each tenth of a second of data time is kept, so the choice does not depend on
    how rows were spread over datagrams.
    """
    rows = np.flatnonzero(usable & np.isfinite(time_s))
    rows = rows[np.argsort(time_s[rows], kind="stable")]
    _, first = np.unique(np.floor(time_s[rows] * ATTITUDE_RATE_HZ), return_index=True)
    return rows[first]


def profile_of(depth_m: FloatArray, speed_m_s: FloatArray, what: str) -> SoundSpeedProfile:
    """Return the usable levels as a profile.

    Levels that do not go down or whose speed is not that of sea water are dropped.

    Raises
    ------
    FormatError
        Fewer than two are usable.
    """
    sound = np.isfinite(depth_m) & (speed_m_s > 1350) & (speed_m_s < 1650)
    depth, speed = depth_m[sound], speed_m_s[sound]
    before = np.concatenate(([-np.inf], np.maximum.accumulate(depth)[:-1]))
    down = depth > before if depth.size else sound[:0]
    with as_format_error(what):
        return SoundSpeedProfile(depth_m=depth[down], speed_m_s=speed[down])
