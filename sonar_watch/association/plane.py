"""A local plane, metres east and north of an anchor, and 2 x 2 covariances in it.

The plane is tangent to the WGS84 ellipsoid: within a kilometre of its anchor it departs from
the geodesic by centimetres, far below any sounder, and it costs a microsecond.
"""

from __future__ import annotations

import math
from functools import lru_cache

Covariance = tuple[float, float, float]
"""(ee, en, nn) in square metres."""

Offset = tuple[float, float]
"""(east, north) in metres."""

_EQUATOR_M = 6378137.0
_ECCENTRICITY2 = 0.0066943799901413165  # WGS84
ZERO: Covariance = (0.0, 0.0, 0.0)


@lru_cache(maxsize=4096)  # anchors are few and come back at every swath
def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Return the metres of one degree of longitude and of latitude (east, north).

    >>> [round(length) for length in metres_per_degree(0.0)]
    [111319, 110574]
    """
    phi = math.radians(latitude)
    squash = 1.0 - _ECCENTRICITY2 * math.sin(phi) ** 2
    across = _EQUATOR_M / math.sqrt(squash)
    east = math.radians(across * max(math.cos(phi), 1e-9))
    return east, math.radians(across * (1.0 - _ECCENTRICITY2) / squash)


def wrap_longitude(longitude: float) -> float:
    """Return `longitude` in -180..180 degrees.

    >>> wrap_longitude(180.5)
    -179.5
    """
    return (longitude + 180.0) % 360.0 - 180.0 if abs(longitude) > 180.0 else longitude


def east_north_m(latitude0: float, longitude0: float, latitude: float, longitude: float) -> Offset:
    """Return metres (east, north) from the anchor, the first pair, to the second pair."""
    east, north = metres_per_degree(latitude0)
    return (
        wrap_longitude(longitude - longitude0) * east,
        (latitude - latitude0) * north,
    )


def position_at(latitude0: float, longitude0: float, offset: Offset) -> tuple[float, float]:
    """Return latitude and longitude of a point `offset` metres from the anchor."""
    east, north = metres_per_degree(latitude0)
    return latitude0 + offset[1] / north, wrap_longitude(longitude0 + offset[0] / east)


def distance_m(a: Offset, b: Offset) -> float:
    """Return metres between two points of one plane."""
    return math.hypot(a[0] - b[0], a[1] - b[1])


def shifted(point: Offset, by: Offset) -> Offset:
    """Return `point` moved by `by`."""
    return point[0] + by[0], point[1] + by[1]


def circle(sigma_m: float) -> Covariance:
    """Return the covariance that is `sigma_m` in every direction."""
    return sigma_m * sigma_m, 0.0, sigma_m * sigma_m


def streak(sigma_m: float, direction: Offset) -> Covariance:
    """Return the covariance that is `sigma_m` along the unit vector `direction` alone."""
    variance, (east, north) = sigma_m * sigma_m, direction
    return variance * east * east, variance * east * north, variance * north * north


def total(*parts: Covariance) -> Covariance:
    """Return the sum: independent errors add."""
    ee = en = nn = 0.0
    for part in parts:
        ee, en, nn = ee + part[0], en + part[1], nn + part[2]
    return ee, en, nn


def scaled(covariance: Covariance, factor: float) -> Covariance:
    """Return `covariance` times `factor`."""
    return covariance[0] * factor, covariance[1] * factor, covariance[2] * factor


def inverse(covariance: Covariance) -> Covariance:
    """Return the inverse of a positive definite covariance.

    Raises
    ------
    ZeroDivisionError
        It is singular.
    """
    ee, en, nn = covariance
    determinant = ee * nn - en * en
    return nn / determinant, -en / determinant, ee / determinant


def product(matrix: Covariance, vector: Offset) -> Offset:
    """Return matrix times vector."""
    return (
        matrix[0] * vector[0] + matrix[1] * vector[1],
        matrix[1] * vector[0] + matrix[2] * vector[1],
    )


def quadratic(matrix: Covariance, vector: Offset) -> float:
    """Return v' M v: with M an inverse covariance, the squared Mahalanobis distance."""
    ee, en, nn = matrix
    east, north = vector
    return ee * east * east + 2.0 * en * east * north + nn * north * north


def sandwich(outer: Covariance, inner: Covariance) -> Covariance:
    """Return A B A, both symmetric."""
    a, b, c = outer
    p, q, r = inner
    ap, aq, bp, bq = a * p + b * q, a * q + b * r, b * p + c * q, b * q + c * r
    return ap * a + aq * b, ap * b + aq * c, bp * b + bq * c


def trace(covariance: Covariance) -> float:
    """Return the sum of the variances."""
    return covariance[0] + covariance[2]


def largest_variance(covariance: Covariance) -> float:
    """Return the variance along the major axis of the ellipse."""
    ee, en, nn = covariance
    return 0.5 * (ee + nn + math.hypot(ee - nn, 2.0 * en))


def smallest_variance(covariance: Covariance) -> float:
    """Return the variance along the minor axis of the ellipse; below 0 it is no covariance."""
    ee, en, nn = covariance
    return 0.5 * (ee + nn - math.hypot(ee - nn, 2.0 * en))
