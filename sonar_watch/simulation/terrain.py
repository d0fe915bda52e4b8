"""The simulated seabed: planes and waves with ridges, seamounts, calderas and steps on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sonar_watch.records import FloatArray

SHOALEST_SHARE = 0.2
"""No terrain rises above this share of the depth at the origin: over less water a sounder would
long have been given other settings, and the ship another course."""

FAR_SHARE = 0.5
"""A slope levels out towards so much less and more depth, as share of that at the origin: no
plane goes on for the miles of a night."""


class Feature(Protocol):
    """Something that stands on the seabed."""

    def rise(self, east_m: FloatArray, north_m: FloatArray) -> FloatArray:
        """Return by how many metres the seabed is shallower at a place."""
        ...


def _beside(
    east_m: FloatArray, north_m: FloatArray, through: tuple[float, float], bearing_deg: float
) -> FloatArray:
    """Metres to the right of a straight line."""
    bearing = np.radians(bearing_deg)
    return np.asarray(
        (east_m - through[0]) * np.cos(bearing) - (north_m - through[1]) * np.sin(bearing)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """A straight ridge, or a trough when its height is negative.

    Parameters
    ----------
    east_m, north_m : float
        A place on its crest.
    bearing_deg : float
        Along the crest.
    height_m : float
    half_width_m : float
        One standard deviation of its cross-section.
    """

    east_m: float
    north_m: float
    bearing_deg: float
    height_m: float
    half_width_m: float

    def rise(self, east_m: FloatArray, north_m: FloatArray) -> FloatArray:
        """Return by how many metres the seabed is shallower at a place."""
        beside = _beside(east_m, north_m, (self.east_m, self.north_m), self.bearing_deg)
        return np.asarray(self.height_m * np.exp(-0.5 * (beside / self.half_width_m) ** 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Escarpment:
    """A step: the seabed to the right of a line lies `height_m` higher."""

    east_m: float
    north_m: float
    bearing_deg: float
    height_m: float
    half_width_m: float

    def rise(self, east_m: FloatArray, north_m: FloatArray) -> FloatArray:
        """Return by how many metres the seabed is shallower at a place."""
        beside = _beside(east_m, north_m, (self.east_m, self.north_m), self.bearing_deg)
        return np.asarray(self.height_m * 0.5 * (1 + np.tanh(beside / self.half_width_m)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seamount:
    """A cone with rounded top, with a crater in it when `crater_m` is more than 0.

    Parameters
    ----------
    east_m, north_m : float
        Of the summit.
    height_m : float
    radius_m : float
        Where half the height is left.
    crater_m : float
        Depth of the crater below the summit; its radius is a quarter of `radius_m`.
    """

    east_m: float
    north_m: float
    height_m: float
    radius_m: float
    crater_m: float = 0.0

    def rise(self, east_m: FloatArray, north_m: FloatArray) -> FloatArray:
        """Return by how many metres the seabed is shallower at a place."""
        square = (east_m - self.east_m) ** 2 + (north_m - self.north_m) ** 2
        share = square / self.radius_m**2
        return np.asarray(self.height_m / (1 + share) - self.crater_m * np.exp(-8 * share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caldera:
    """A level floor within a ring wall that is steep inside and gentle outside.

    Parameters
    ----------
    east_m, north_m : float
        Of the middle.
    height_m : float
        Of the rim over the floor.
    radius_m : float
        Of the rim.
    wall_m, flank_m : float
        Width of the inner wall and length of the outer flank.
    """

    east_m: float
    north_m: float
    height_m: float
    radius_m: float
    wall_m: float
    flank_m: float

    def rise(self, east_m: FloatArray, north_m: FloatArray) -> FloatArray:
        """Return by how many metres the seabed is shallower at a place."""
        outward = np.hypot(east_m - self.east_m, north_m - self.north_m) - self.radius_m
        wall = 0.5 * (1 + np.tanh(outward / self.wall_m))
        return np.asarray(self.height_m * wall * np.exp(-np.maximum(outward, 0) / self.flank_m))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seabed:
    """A plane with slopes, long waves and features.

    Parameters
    ----------
    depth_m : float
        At the origin, below the surface, before waves and features.
    slope_east, slope_north : float
        Metres of depth per metre, at the origin.
    waves : tuple of (amplitude_m, wavelength_m, bearing_deg, phase_rad)
    features : tuple of Ridge, Escarpment, Seamount or Caldera
        Steep ones throw no acoustic shadow.
    """

    depth_m: float = 500.0
    slope_east: float = 0.0
    slope_north: float = 0.0
    waves: tuple[tuple[float, float, float, float], ...] = ()
    features: tuple[Feature, ...] = ()

    def at(self, east_m: FloatArray | float, north_m: FloatArray | float) -> FloatArray:
        """Return the depth below the surface at a place in metres from the origin."""
        east, north = np.asarray(east_m, float), np.asarray(north_m, float)
        far_m = FAR_SHARE * self.depth_m
        plane = self.slope_east * east + self.slope_north * north
        depth = self.depth_m + far_m * np.tanh(plane / far_m)
        for amplitude, wavelength, bearing, phase in self.waves:
            along = np.sin(np.radians(bearing)) * east + np.cos(np.radians(bearing)) * north
            depth = depth + amplitude * np.sin(2 * np.pi * along / wavelength + phase)
        for feature in self.features:
            depth = depth - feature.rise(east, north)
        return np.maximum(depth, SHOALEST_SHARE * self.depth_m)


def random_seabed(rng: np.random.Generator, depth_m: float) -> Seabed:
    """Return a seabed around `depth_m`: flat to 30 % slope, waves, and half of them features."""
    rough = float(rng.choice([0.2, 0.5, 1.0]))
    waves = tuple(
        (
            float(rough * depth_m * rng.uniform(0.0, 0.04)),
            float(depth_m * np.exp(rng.uniform(np.log(0.3), np.log(4)))),
            float(rng.uniform(0, 360)),
            float(rng.uniform(0, 2 * np.pi)),
        )
        for _ in range(rng.integers(0, 5))
    )
    slopes = rng.normal(0, 0.07 * rough, 2).clip(-0.3, 0.3)
    return Seabed(
        depth_m=depth_m,
        slope_east=float(slopes[0]),
        slope_north=float(slopes[1]),
        waves=waves,
        features=random_features(rng, depth_m),
    )


def random_features(rng: np.random.Generator, depth_m: float) -> tuple[Feature, ...]:
    """Return no feature (half of the time), or one or two within two depths of the origin."""
    count = int(rng.choice([0, 0, 1, 1, 2]) if rng.random() < 0.85 else 0)
    return tuple(_random_feature(rng, depth_m) for _ in range(count))


def _random_feature(rng: np.random.Generator, depth_m: float) -> Feature:
    kind = str(rng.choice(["ridge", "trough", "step", "seamount", "crater", "caldera"]))
    east, north = (float(value) for value in rng.uniform(-2, 2, 2) * depth_m)
    height = float(depth_m * rng.uniform(0.04, 0.35))
    bearing = float(rng.uniform(0, 360))
    size = float(height * np.exp(rng.uniform(np.log(1.0), np.log(4.0))))
    if kind in ("ridge", "trough"):
        sign = 1 if kind == "ridge" else -1
        return Ridge(
            east_m=east,
            north_m=north,
            bearing_deg=bearing,
            height_m=sign * height,
            half_width_m=size,
        )
    if kind == "step":
        return Escarpment(
            east_m=east, north_m=north, bearing_deg=bearing, height_m=height, half_width_m=size / 2
        )
    if kind == "caldera":
        radius = float(depth_m * rng.uniform(0.6, 2.0))
        return Caldera(
            east_m=east,
            north_m=north,
            height_m=height,
            radius_m=radius,
            wall_m=size / 2,
            flank_m=3 * radius,
        )
    crater = float(height * rng.uniform(0.2, 0.6)) if kind == "crater" else 0.0
    return Seamount(east_m=east, north_m=north, height_m=height, radius_m=2 * size, crater_m=crater)
