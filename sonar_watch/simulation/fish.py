"""Fish, dolphins and scattering layers: where they are and how they are built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """A school of fish: an ellipsoid in mid-water, a disc, a streak, a mound on the seabed.

    Parameters
    ----------
    east_m, north_m : float
        Of its middle.
    depth_m : float
        Of its middle.
    above_bottom_m : float, optional
        Height of its middle over the seabed, in place of `depth_m`: the school stands on the
        seabed or just above it.
    radius_m, half_height_m : float
        One standard deviation across and up.
    contrast_db : float
        Mean echo of the middle over the ambient level.
    elongation : float
        How many times longer it is towards `bearing_deg`.
    bearing_deg : float
    dip : float
        Metres of depth per metre towards `bearing_deg`.
    hardness : float
        2 fades outwards as a bell curve, 6 has a sharp rim.
    patchiness : float
        0 even, 1 clumps and gaps.
    seed : int
        Of the clumps.
    """

    east_m: float
    north_m: float
    depth_m: float
    above_bottom_m: float | None = None
    radius_m: float = 25.0
    half_height_m: float = 10.0
    contrast_db: float = 16.0
    elongation: float = 1.0
    bearing_deg: float = 0.0
    dip: float = 0.0
    hardness: float = 2.0
    patchiness: float = 0.6
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dolphins:
    """A group of dolphins: strong single echoes that dive and come up on their own.

    Parameters
    ----------
    east_m, north_m : float
        Of the middle of the group.
    radius_m : float
    deepest_m : float
        Below the surface.
    count : int
    contrast_db : float
        Of one animal in the beam's axis over the ambient level.
    dive_s : float
        From breath to breath.
    seed : int
    """

    east_m: float
    north_m: float
    radius_m: float = 60.0
    deepest_m: float = 80.0
    count: int = 12
    contrast_db: float = 20.0
    dive_s: float = 120.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A scattering layer: a band of raised level at a depth.

    Parameters
    ----------
    depth_m, half_height_m : float
    contrast_db : float
        Over the ambient level, at its middle.
    undulation_m, wavelength_m : float
        How far its depth wanders over ground, and over what distance.
    patch_db, patch_m : float
        Standard deviation of its strength over ground, and size of the patches.
    seed : int
    """

    depth_m: float
    half_height_m: float
    contrast_db: float
    undulation_m: float = 0.0
    wavelength_m: float = 500.0
    patch_db: float = 0.0
    patch_m: float = 100.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habit:
    """The ranges of one kind of school."""

    aspect: tuple[float, float]
    """Radius over half height."""
    elongation: tuple[float, float] = (1.0, 1.8)
    dip: float = 0.0
    above_bottom: tuple[float, float] | None = None
    """Of the middle, in half heights."""


HABITS: dict[str, _Habit] = {
    "ball": _Habit(aspect=(0.8, 1.6)),
    "disc": _Habit(aspect=(2.0, 5.0)),
    "streak": _Habit(aspect=(1.0, 2.5), elongation=(2.0, 6.0), dip=0.15),
    "upright": _Habit(aspect=(0.3, 0.8)),
    "mound": _Habit(aspect=(0.8, 3.0), above_bottom=(0.0, 1.0)),
    "tower": _Habit(aspect=(0.3, 0.8), above_bottom=(0.2, 1.6)),
    "hovering": _Habit(aspect=(0.8, 4.0), above_bottom=(1.5, 3.5)),
}


def random_school(
    rng: np.random.Generator, east_m: float, north_m: float, depth_m: float
) -> School:
    """Return a school: ball, disc, streak, upright, or one that stands or hovers on the seabed."""
    habit = HABITS[str(rng.choice(list(HABITS)))]
    half_height = float(rng.uniform(0.006, 0.035) * min(depth_m, 800.0) + min(2.0, 0.02 * depth_m))
    above = habit.above_bottom
    return School(
        east_m=east_m,
        north_m=north_m,
        depth_m=float(rng.uniform(0.1, 0.8) * depth_m),
        above_bottom_m=None if above is None else float(rng.uniform(*above)) * half_height,
        radius_m=float(half_height * rng.uniform(*habit.aspect)),
        half_height_m=half_height,
        contrast_db=float(rng.uniform(5, 24)),
        elongation=float(rng.uniform(*habit.elongation)),
        bearing_deg=float(rng.uniform(0, 180)),
        dip=float(rng.normal(0, 1)) * habit.dip,
        hardness=float(rng.uniform(2, 6)),
        patchiness=float(rng.uniform(0.1, 1.0)),
        seed=int(rng.integers(2**31)),
    )


def random_dolphins(
    rng: np.random.Generator, east_m: float, north_m: float, depth_m: float
) -> Dolphins:
    """Return a group of 4 to 40 in the upper 20-200 m."""
    return Dolphins(
        east_m=east_m,
        north_m=north_m,
        radius_m=float(min(rng.uniform(8, 50), 0.5 * depth_m)),
        deepest_m=float(min(rng.uniform(20, 200), 0.8 * depth_m)),
        count=int(rng.integers(4, 41)),
        contrast_db=float(rng.uniform(12, 28)),
        dive_s=float(rng.uniform(60, 300)),
        seed=int(rng.integers(2**31)),
    )


def random_layers(rng: np.random.Generator, depth_m: float) -> tuple[Layer, ...]:
    """Return none to three scattering layers, level or slanted, even or in patches."""
    return tuple(_random_layer(rng, depth_m) for _ in range(rng.integers(0, 4)))


def _random_layer(rng: np.random.Generator, depth_m: float) -> Layer:
    half_height = float(depth_m * np.exp(rng.uniform(np.log(0.004), np.log(0.06))))
    slanted = rng.random() < 0.4
    return Layer(
        depth_m=float(rng.uniform(0.05, 0.85) * depth_m),
        half_height_m=half_height,
        contrast_db=float(rng.uniform(0, 10)),
        undulation_m=float(0.1 * depth_m if slanted else half_height) * float(rng.uniform(0, 1)),
        wavelength_m=float(depth_m * (rng.uniform(3, 8) if slanted else rng.uniform(0.1, 1.5))),
        patch_db=float(rng.choice([0.0, rng.uniform(1, 6)])),
        patch_m=float(depth_m * rng.uniform(0.03, 0.6)),
        seed=int(rng.integers(2**31)),
    )
