"""Where the ship was: as instruments said it, and as the track knows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from sonar_watch.errors import NavigationError
from sonar_watch.records.basics import FloatArray, read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationSample:
    """One sentence's or datagram's worth of navigation, as it came.

    Parameters
    ----------
    sensor : str
        Which instrument said it, such as "spo", "skm", "nmea:INGGA"; series are kept apart by it.
    time_s : ndarray, shape (n,), seconds since 1970-01-01 UTC, increasing
    latitude, longitude : ndarray, shape (n,), degrees WGS84, or None
        Of the positioning reference point (see `WaterColumnPing.lever_forward_m`).
    heading_deg, course_deg : ndarray, shape (n,), degrees clockwise from true north, or None
    speed_m_s : ndarray, shape (n,), over ground, or None
    roll_deg : ndarray, shape (n,), + port side up, or None
    pitch_deg : ndarray, shape (n,), + bow up, or None
    heave_m : ndarray, shape (n,), + down, or None
    depth_m : ndarray, shape (n,), water depth below the surface, or None
    position_sigma_m : float or None
        One standard deviation of the horizontal position, when the instrument says it.

    Raises
    ------
    NavigationError
        Shapes differ, or a latitude, longitude or time is not finite or out of range.
    """

    sensor: str
    time_s: FloatArray
    latitude: FloatArray | None = None
    longitude: FloatArray | None = None
    heading_deg: FloatArray | None = None
    course_deg: FloatArray | None = None
    speed_m_s: FloatArray | None = None
    roll_deg: FloatArray | None = None
    pitch_deg: FloatArray | None = None
    heave_m: FloatArray | None = None
    depth_m: FloatArray | None = None
    position_sigma_m: float | None = None

    def __post_init__(self) -> None:
        size = np.size(self.time_s)
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, (np.ndarray, list, tuple)):
                continue
            array = np.atleast_1d(np.asarray(value, float))
            if array.shape != (size,) or not np.all(np.isfinite(array)):
                raise NavigationError(
                    f"{self.sensor}: {name} expected {size} finite values, received {array}"
                )
            object.__setattr__(self, name, read_only(array))
        if self.latitude is not None and np.any(np.abs(self.latitude) > 90):
            raise NavigationError(f"{self.sensor}: latitude beyond 90 degrees: {self.latitude}")
        if self.longitude is not None and np.any(np.abs(self.longitude) > 360):
            raise NavigationError(f"{self.sensor}: longitude beyond 360 degrees: {self.longitude}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationFix:
    """The ship at one instant.

    Parameters
    ----------
    time_utc : datetime
    latitude, longitude : float
        Degrees WGS84, of the positioning reference point; longitude in -180..180.
    heading_deg : float
        Of the vessel's bow, clockwise from true north, 0..360.
    heading_source : {"heading", "course"}
        "course" when no compass was heard and course over ground stands in for it.
    roll_deg, pitch_deg, heave_m : float or None
        + port up, + bow up, + down.
    speed_m_s : float or None
        Over ground.
    position_sigma_m, heading_sigma_deg : float
        One standard deviation each.
    source : str
        Sensors used, such as "spo+skm".
    age_s : float
        Distance in time to the nearest position sample used, >= 0; 0..1 s is usual.
    """

    time_utc: datetime
    latitude: float
    longitude: float
    heading_deg: float
    heading_source: Literal["heading", "course"] = "heading"
    roll_deg: float | None = None
    pitch_deg: float | None = None
    heave_m: float | None = None
    speed_m_s: float | None = None
    position_sigma_m: float = 5.0
    heading_sigma_deg: float = 0.5
    source: str = ""
    age_s: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.latitude, self.longitude, self.heading_deg)
        if not all(math.isfinite(number) for number in numbers):
            raise NavigationError(f"expected finite position and heading, received {numbers}")
        if abs(self.latitude) > 90 or abs(self.longitude) > 180:
            raise NavigationError(f"position out of range: {self.latitude}, {self.longitude}")
