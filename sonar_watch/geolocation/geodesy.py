"""Metres over ground and degrees, on the WGS84 ellipsoid, exactly (geodesics by PROJ)."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyproj import Geod


def offset_position(
    latitude: float, longitude: float, east_m: float, north_m: float
) -> tuple[float, float]:
    """Return (latitude, longitude) of the point `east_m`, `north_m` from a position.

    The two are the components, at the start, of the geodesic to the point.

    >>> latitude, longitude = offset_position(0.0, 179.9999, 111.319, 0.0)
    >>> round(longitude, 4)
    -179.9991
    """
    azimuth_deg = math.degrees(math.atan2(east_m, north_m))
    distance_m = math.hypot(east_m, north_m)
    lon, lat, _ = _wgs84().fwd(longitude, latitude, azimuth_deg, distance_m)
    return float(lat), _wrap_longitude(float(lon))


def east_north_m(
    latitude_from: float, longitude_from: float, latitude_to: float, longitude_to: float
) -> tuple[float, float]:
    """Return (east, north) in metres of the geodesic from one position to another.

    >>> east_m, north_m = east_north_m(0.0, 179.9995, 0.0, -179.9995)
    >>> round(east_m, 1), round(north_m, 1)
    (111.3, 0.0)
    """
    azimuth_deg, _, distance_m = _wgs84().inv(
        longitude_from, latitude_from, longitude_to, latitude_to
    )
    azimuth = math.radians(azimuth_deg)
    return distance_m * math.sin(azimuth), distance_m * math.cos(azimuth)


def _wrap_longitude(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0


@cache
def _wgs84() -> Geod:
    from pyproj import Geod  # 0.2 s: only where positions are made

    return Geod(ellps="WGS84")
