"""Hard things that stand on the seabed: wrecks and walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Wreck:
    """A bright block on the seabed with a shadow behind it and perhaps a mast.

    Parameters
    ----------
    east_m, north_m : float
        Of its middle.
    bearing_deg : float
    length_m, width_m, height_m : float
    mast_m : float
        Height of the mast over the hull; 0 for none.
    contrast_db : float
        Over the ambient level.
    seed : int
    """

    east_m: float
    north_m: float
    bearing_deg: float = 0.0
    length_m: float = 80.0
    width_m: float = 14.0
    height_m: float = 10.0
    mast_m: float = 0.0
    contrast_db: float = 32.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """A quay wall or cliff: upright, straight, bright along its face, shadow behind.

    Parameters
    ----------
    east_m, north_m : float
        Of the middle of its foot line.
    bearing_deg : float
        Along the wall.
    length_m, height_m : float
    contrast_db : float
        Over the ambient level.
    seed : int
    """

    east_m: float
    north_m: float
    bearing_deg: float = 0.0
    length_m: float = 200.0
    height_m: float = 50.0
    contrast_db: float = 22.0
    seed: int = 0


def random_wreck(rng: np.random.Generator, east_m: float, north_m: float, depth_m: float) -> Wreck:
    """Return a wreck of 15-200 m, smaller in water that would not float it."""
    length = float(min(np.exp(rng.uniform(np.log(15), np.log(200))), 1.5 * depth_m))
    height = float(length * rng.uniform(0.06, 0.18))
    return Wreck(
        east_m=east_m,
        north_m=north_m,
        bearing_deg=float(rng.uniform(0, 180)),
        length_m=length,
        width_m=float(length * rng.uniform(0.1, 0.25)),
        height_m=height,
        mast_m=float(rng.choice([0.0, rng.uniform(0.5, 2.5) * height])),
        contrast_db=float(rng.uniform(22, 40)),
        seed=int(rng.integers(2**31)),
    )


def random_wall(
    rng: np.random.Generator, east_m: float, north_m: float, depth_m: float, bearing_deg: float
) -> Wall:
    """Return a wall nearly parallel to `bearing_deg`, a tenth of the depth high or up to all."""
    return Wall(
        east_m=east_m,
        north_m=north_m,
        bearing_deg=float(bearing_deg + rng.normal(0, 12)),
        length_m=float(depth_m * rng.uniform(0.5, 4)),
        height_m=float(depth_m * rng.uniform(0.1, 0.95)),
        contrast_db=float(rng.uniform(12, 30)),
        seed=int(rng.integers(2**31)),
    )
