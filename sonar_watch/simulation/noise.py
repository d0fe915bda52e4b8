"""The sounder's and the ship's own disturbances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The sounder's and the ship's own disturbances; levels in dB over ambient.

    Parameters
    ----------
    ambient_db : float
        Level near the transducer, in the sounder's own scale.
    rise_db : float
        How much the ambient level rises to the longest range.
    bottom_db : float
        Nadir bottom echo over ambient.
    plateau_below_bottom_db : float
        Side-lobe plateau beyond the minimum slant range, below the nadir bottom echo (35-44 dB
        on real EM710 data).
    nadir_stripe_db, ring_count, stripe_count, spoke_chance, lost_bottom : float or int
        Static stripe at nadir; rings at constant range; static beams; chance per swath of another
        sonar's spoke; share of beams without a bottom detection.
    ghost_db : float
        Ghost of the bottom at half its range; 0 for none.
    fish_count : int
        Single fish per swath, scattered.
    """

    ambient_db: float = -30.0
    rise_db: float = 6.0
    bottom_db: float = 45.0
    plateau_below_bottom_db: float = 39.0
    nadir_stripe_db: float = 3.0
    ring_count: int = 1
    stripe_count: int = 1
    spoke_chance: float = 0.1
    lost_bottom: float = 0.02
    ghost_db: float = 0.0
    fish_count: int = 10
    static_seed: int = 0


def random_noise(rng: np.random.Generator) -> Noise:
    """Return disturbances within what real files show."""
    return Noise(
        ambient_db=float(rng.uniform(-50, -15)),
        rise_db=float(rng.uniform(0, 12)),
        bottom_db=float(rng.uniform(38, 52)),
        plateau_below_bottom_db=float(rng.uniform(33, 46)),
        nadir_stripe_db=float(rng.choice([0.0, rng.uniform(1, 8)])),
        ring_count=int(rng.integers(0, 4)),
        stripe_count=int(rng.integers(0, 4)),
        spoke_chance=float(rng.choice([0.0, 0.1, 0.4])),
        lost_bottom=float(rng.choice([0.0, 0.02, 0.1])),
        ghost_db=float(rng.choice([0.0, 0.0, rng.uniform(4, 12)])),
        fish_count=int(rng.integers(0, 40)),
        static_seed=int(rng.integers(2**31)),
    )
