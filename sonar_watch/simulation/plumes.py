"""Plumes of bubbles and droplets: how they stand in the water.

Bubbles of 0.6-6 mm rise at 0.15-0.37 m/s, so a current of 0.1 m/s leans a column of 190 m by
76 m; the lean is the current over the rise speed, and changes with height where the current
does. Sizes follow what is published: a cone of CO2 droplets 80 m wide at its base and 190 m
high that dissolves at its top (Higashi-Aogashima), columns of up to 1000 m of nearly constant
width (Okinawa Trough), methane flares about 100 m wide and 200-700 m high (Japan Sea), and
streams 10-60 m wide and 80-250 m high, often two strands, seen by a Reson 7150 at 600 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonar_watch.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Plume:
    """A column of bubbles or droplets.

    Parameters
    ----------
    name : str
    east_m, north_m : float
        Of the foot.
    radius_m : float
        One standard deviation of the echo across a strand, at the foot.
    height_m : float
        Nothing is left of it above this height.
    contrast_db : float
        Mean echo of the core over the ambient level, as a beam hears it from right above;
        slanted and longer beams dilute it with water, nearer ones less.
    lean_east, lean_north : float
        Metres the column drifts per metre it rises, at the foot.
    shear_east, shear_north : float
        By how much the lean differs at the top.
    strands : int
        Separate streams.
    spread_m : float
        From strand to strand, towards `strand_bearing_deg`.
    widening : float
        Relative change of the radius from foot to top: -0.7 a cone, 0 a column.
    taper : float
        The echo falls as the remaining share of the height to this power: 0.2 ends abruptly,
        2 dissolves on the way.
    rise_m_s : float
        Of bubbles or droplets; the pattern moves upwards with it.
    patchiness : float
        0 a smooth column, 1 separate bursts of bright dots.
    burst_m, dot_m : float
        Height of a burst and of a bright dot within it.
    seed : int
        Of the pattern.
    """

    name: str
    east_m: float
    north_m: float
    radius_m: float = 20.0
    height_m: float = 180.0
    contrast_db: float = 14.0
    lean_east: float = 0.0
    lean_north: float = 0.0
    shear_east: float = 0.0
    shear_north: float = 0.0
    strands: int = 1
    spread_m: float = 0.0
    strand_bearing_deg: float = 90.0
    widening: float = 0.0
    taper: float = 0.4
    rise_m_s: float = 0.25
    patchiness: float = 0.6
    burst_m: float = 25.0
    dot_m: float = 5.0
    seed: int = 0

    def drift(self, height_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return metres (east, north) from the foot to the axis at a height.

        The integral of the current over the rise speed, for a current that changes evenly.

        >>> Plume(name="p", east_m=0, north_m=0, height_m=190, lean_east=0.4).drift(190.0)
        (76.0, 0.0)
        """
        bend = 0.5 * height_m * height_m / self.height_m
        east = self.lean_east * height_m + self.shear_east * bend
        return east, self.lean_north * height_m + self.shear_north * bend

    def strand_places(self) -> tuple[tuple[float, float], ...]:
        """Return (east, north) of each strand's foot from the plume's, in metres."""
        bearing = np.radians(self.strand_bearing_deg)
        middle = (self.strands - 1) / 2
        steps = [(number - middle) * self.spread_m for number in range(self.strands)]
        return tuple(
            (step * float(np.sin(bearing)), step * float(np.cos(bearing))) for step in steps
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """A horizontal current near the seabed and how much it differs higher up, metres per second."""

    east_m_s: float = 0.0
    north_m_s: float = 0.0
    shear_east_m_s: float = 0.0
    shear_north_m_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habit:
    """The ranges of one kind of plume; heights and radii in metres for deep water."""

    height_m: tuple[float, float]
    radius_m: tuple[float, float]
    widening: tuple[float, float]
    taper: tuple[float, float]
    patchiness: tuple[float, float]
    strands: tuple[int, ...]


HABITS: dict[str, _Habit] = {
    "stream": _Habit(
        height_m=(60, 300),
        radius_m=(3, 14),
        widening=(0.0, 0.8),
        taper=(0.3, 1.2),
        patchiness=(0.5, 1.0),
        strands=(1, 1, 2, 2, 3),
    ),
    "flare": _Habit(
        height_m=(150, 700),
        radius_m=(10, 40),
        widening=(-0.3, 0.6),
        taper=(0.3, 1.5),
        patchiness=(0.4, 0.9),
        strands=(1, 2, 3, 4),
    ),
    "cone": _Habit(
        height_m=(80, 300),
        radius_m=(12, 36),
        widening=(-0.85, -0.4),
        taper=(0.6, 2.0),
        patchiness=(0.3, 0.8),
        strands=(1,),
    ),
    "column": _Habit(
        height_m=(300, 1000),
        radius_m=(8, 30),
        widening=(-0.1, 0.3),
        taper=(0.1, 0.6),
        patchiness=(0.3, 0.8),
        strands=(1, 1, 2),
    ),
}


def random_current(rng: np.random.Generator) -> Current:
    """Return a current of mostly below 0.15 m/s near the seabed, and about as much shear."""
    speeds, ways = rng.rayleigh(0.05, 2).clip(0, 0.25), rng.uniform(0, 2 * np.pi, 2)
    return Current(
        east_m_s=float(speeds[0] * np.sin(ways[0])),
        north_m_s=float(speeds[0] * np.cos(ways[0])),
        shear_east_m_s=float(speeds[1] * np.sin(ways[1])),
        shear_north_m_s=float(speeds[1] * np.cos(ways[1])),
    )


def random_plume(
    rng: np.random.Generator,
    name: str,
    east_m: float,
    north_m: float,
    depth_m: float,
    current: Current | None = None,
) -> Plume:
    """Return a plume of one of the published kinds, fitted to the water depth.

    Parameters
    ----------
    current : Current, optional
        Shared by the plumes of a place; random when not given.
    """
    habit = HABITS[str(rng.choice(list(HABITS)))]
    current = current or random_current(rng)
    rise_m_s = float(rng.uniform(0.15, 0.37))
    scale = min(1.0, depth_m / 600.0)
    radius = scale**0.75 * _between(rng, *habit.radius_m)
    height = min(scale * _between(rng, *habit.height_m), float(rng.uniform(0.3, 0.95)) * depth_m)
    strands = int(rng.choice(habit.strands))
    return Plume(
        name=name,
        east_m=east_m,
        north_m=north_m,
        radius_m=radius,
        height_m=height,
        contrast_db=random_contrast(rng),
        lean_east=current.east_m_s / rise_m_s,
        lean_north=current.north_m_s / rise_m_s,
        shear_east=current.shear_east_m_s / rise_m_s,
        shear_north=current.shear_north_m_s / rise_m_s,
        strands=strands,
        spread_m=float(rng.uniform(2, 5) * radius) if strands > 1 else 0.0,
        strand_bearing_deg=float(rng.uniform(0, 180)),
        widening=float(rng.uniform(*habit.widening)),
        taper=float(rng.uniform(*habit.taper)),
        rise_m_s=rise_m_s,
        patchiness=float(rng.uniform(*habit.patchiness)),
        burst_m=float(height * rng.uniform(0.05, 0.25)),
        dot_m=float(np.clip(height * rng.uniform(0.015, 0.04), 0.1, 12.0)),
        seed=int(rng.integers(2**31)),
    )


def random_contrast(rng: np.random.Generator) -> float:
    """Return 4 to 24 dB: as heard, slanted and off the fan's plane, 3 to 20, most of it 5 to 14."""
    return float(np.clip(rng.normal(13.5, 4.2), 4.0, 24.0))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Drawn evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
