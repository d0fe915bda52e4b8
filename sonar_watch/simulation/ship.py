"""The ship at one transmission, and the turn between its axes and the compass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sonar_watch.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipState:
    """The ship at one transmission; position of the reference point in metres from the origin.

    The sounder steers its fan against the pitch (+ bow up): echoes are those of a level ship.
    """

    time_utc: datetime
    east_m: float
    north_m: float
    heading_deg: float
    ping_counter: int
    swath: int = 0
    speed_m_s: float = 2.5
    heave_m: float = 0.0
    pitch_deg: float = 0.0

    def to_ship(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Return metres (forward, starboard) of the ship's reference point of a place."""
        return self.rotate_to_ship(east_m - self.east_m, north_m - self.north_m)

    def to_world(
        self, forward_m: FloatArray, starboard_m: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return metres (east, north) of the origin of a place seen from the ship."""
        sin, cos = np.sin(np.radians(self.heading_deg)), np.cos(np.radians(self.heading_deg))
        return (
            self.east_m + forward_m * sin + starboard_m * cos,
            self.north_m + forward_m * cos - starboard_m * sin,
        )

    def rotate_to_ship(self, east: float, north: float) -> tuple[float, float]:
        """Return a vector of the ground as (forward, starboard)."""
        sin, cos = np.sin(np.radians(self.heading_deg)), np.cos(np.radians(self.heading_deg))
        return float(east * sin + north * cos), float(east * cos - north * sin)
