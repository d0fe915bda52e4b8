"""What is in the simulated sea: seabed, plumes, fish, layers and the sounder's noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sonar_watch.records import FloatArray
from sonar_watch.simulation.noise import Noise, random_noise

__all__ = [
    "Layer",
    "Noise",
    "Plume",
    "Scene",
    "School",
    "Seabed",
    "random_layers",
    "random_noise",
    "random_plume",
    "random_school",
    "random_seabed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seabed:
    """A plane with slopes and long waves.

    Parameters
    ----------
    depth_m : float
        At the origin, below the surface.
    slope_east, slope_north : float
        Metres of depth per metre.
    waves : tuple of (amplitude_m, wavelength_m, bearing_deg, phase_rad)
    """

    depth_m: float = 500.0
    slope_east: float = 0.0
    slope_north: float = 0.0
    waves: tuple[tuple[float, float, float, float], ...] = ()

    def at(self, east_m: FloatArray | float, north_m: FloatArray | float) -> FloatArray:
        """Return the depth below the surface at a place in metres from the origin."""
        depth = self.depth_m + self.slope_east * np.asarray(east_m, float)
        depth = depth + self.slope_north * np.asarray(north_m, float)
        for amplitude, wavelength, bearing, phase in self.waves:
            along = np.sin(np.radians(bearing)) * east_m + np.cos(np.radians(bearing)) * north_m
            depth = depth + amplitude * np.sin(2 * np.pi * along / wavelength + phase)
        return np.maximum(depth, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plume:
    """A column of bubbles or droplets.

    Parameters
    ----------
    name : str
    east_m, north_m : float
        Of the foot.
    radius_m : float
        One standard deviation of the echo across the column.
    height_m : float
    contrast_db : float
        Echo of the axis over the ambient level.
    lean_east, lean_north : float
        Metres the column drifts per metre it rises.
    strands : int
        Separate streams, `spread_m` apart.
    """

    name: str
    east_m: float
    north_m: float
    radius_m: float = 20.0
    height_m: float = 180.0
    contrast_db: float = 14.0
    lean_east: float = 0.0
    lean_north: float = 0.0
    strands: int = 1
    spread_m: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """A school of fish: an ellipsoid in mid-water."""

    east_m: float
    north_m: float
    depth_m: float
    radius_m: float = 25.0
    half_height_m: float = 10.0
    contrast_db: float = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A scattering layer: a band of raised level at a depth."""

    depth_m: float
    half_height_m: float
    contrast_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything a simulated ship can sail over; positions in metres from `origin`.

    Parameters
    ----------
    origin : tuple of float
        Latitude and longitude of (0, 0), degrees WGS84.
    """

    origin: tuple[float, float] = (32.45, 139.95)
    seabed: Seabed = field(default_factory=Seabed)
    plumes: tuple[Plume, ...] = ()
    schools: tuple[School, ...] = ()
    layers: tuple[Layer, ...] = ()
    noise: Noise = field(default_factory=Noise)


def random_seabed(rng: np.random.Generator, depth_m: float) -> Seabed:
    """Return a seabed around `depth_m`: flat to 12 % slope, with up to three waves."""
    waves = tuple(
        (
            float(depth_m * rng.uniform(0.0, 0.05)),
            float(depth_m * rng.uniform(0.5, 4)),
            float(rng.uniform(0, 360)),
            float(rng.uniform(0, 2 * np.pi)),
        )
        for _ in range(rng.integers(0, 4))
    )
    slopes = rng.normal(0, 0.05, 2).clip(-0.12, 0.12)
    return Seabed(
        depth_m=depth_m, slope_east=float(slopes[0]), slope_north=float(slopes[1]), waves=waves
    )


def random_plume(
    rng: np.random.Generator, name: str, east_m: float, north_m: float, depth_m: float
) -> Plume:
    """Return a plume of the sizes FACTS gives: 10-60 m wide, 80-250 m high where depth allows."""
    height = float(rng.uniform(0.15, 0.75) * min(depth_m, 500.0))
    radius = float(np.clip(rng.uniform(4, 22) * (depth_m / 500.0) ** 0.35, 0.006 * depth_m, 40.0))
    lean = rng.normal(0, 0.12, 2).clip(-0.35, 0.35)
    strands = int(rng.choice([1, 1, 2]))
    return Plume(
        name=name,
        east_m=east_m,
        north_m=north_m,
        radius_m=radius,
        height_m=height,
        contrast_db=float(rng.uniform(7, 22)),
        lean_east=float(lean[0]),
        lean_north=float(lean[1]),
        strands=strands,
        spread_m=float(rng.uniform(2, 4) * radius) if strands > 1 else 0.0,
    )


def random_school(
    rng: np.random.Generator, east_m: float, north_m: float, depth_m: float
) -> School:
    """Return a school between 10 % and 75 % of the water depth, wider than high."""
    half_height = float(rng.uniform(0.008, 0.04) * depth_m + 2)
    return School(
        east_m=east_m,
        north_m=north_m,
        depth_m=float(rng.uniform(0.12, 0.75) * depth_m),
        radius_m=float(half_height * rng.uniform(1.0, 3.5)),
        half_height_m=half_height,
        contrast_db=float(rng.uniform(8, 24)),
    )


def random_layers(rng: np.random.Generator, depth_m: float) -> tuple[Layer, ...]:
    """Return none to two scattering layers."""
    return tuple(
        Layer(
            depth_m=float(rng.uniform(0.08, 0.7) * depth_m),
            half_height_m=float(rng.uniform(0.01, 0.06) * depth_m),
            contrast_db=float(rng.uniform(2, 8)),
        )
        for _ in range(rng.integers(0, 3))
    )
