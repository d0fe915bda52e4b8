"""The sounder's and the ship's own disturbances: what they are and how they are drawn by lot.

Ranges follow real EM710, EM2040 and EM2042 files: the nadir bottom echo stands 60-77 dB over
clear water, the side-lobe plateau 32-50 dB below it, clear water rises by up to 16 dB from a
quarter of the depth to the bottom, and quiet files lie at the floor for 40 % of their samples.
Quieter bottoms than those are for deep water, where no real file was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_QUIET_SHARE = 0.15
"""Surveys whose clear water lies below the lowest level that samples can hold."""
_LOUDEST_DB = 50.0
"""Bottom echoes above this would be cut at the highest level that samples can hold (63.5 dB)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The sounder's and the ship's own disturbances; levels in dB over ambient.

    What is static follows from `static_seed` and stands still from ping to ping; what comes and
    goes does so in bursts of about `burst_pings` pings that follow from it and the ping counter.

    Parameters
    ----------
    ambient_db : float
        Level in clear water in the sounder's own scale; the next two are added to it.
    rise_db, decade_db : float
        Rise of the ambient level from the transducer to the longest range, even with range;
        rise per tenfold range (the time-varying gain over noise), 0 at the longest.
    surface_db, surface_share : float
        Clutter at the transducer; the share of the range over which it falls to 1 / e.
    edge_db, ripple_db : float
        How much noisier the outermost beams are; standard deviation of static beam gains.
    bottom_db : float
        Nadir bottom echo over ambient.
    bottom_fall_db, bottom_jitter_db : float
        Loss of the bottom echo at 65 degrees; its standard deviation over patches of beams.
    plateau_below_bottom_db : float
        Side-lobe plateau beyond the minimum slant range, below the nadir bottom echo (35-44 dB
        on real EM710 data).
    plateau_slope_db, plateau_texture : float
        Loss of the plateau at the fan's edge; 0 smooth, 1 broken into arcs by a rough bottom.
    nadir_stripe_db, ring_count, stripe_count, spoke_chance, lost_bottom : float or int
        Static stripe at nadir; rings at constant range; static beams; chance per ping of another
        source's spoke; share of beams without a bottom detection.
    dash_chance, propeller_db, rays_db : float
        Chance of a burst of another sonar's dashes; broad bundles of noisy beams, slowly
        varying; standard deviation of beam gains that change at every ping.
    wash_chance, wash_db : float
        Chance of a burst of bubbles washed under the hull; how much they take from echoes.
    lost_run_chance, lost_ping_chance, wrong_run_chance : float
        Chances per ping that a run of beams, or all, lose the bottom, or that a run follows
        something else.
    wobble_deg : float
        Roll left in the beam angles.
    ghost_db, ghost_share : float
        Ghost of the bottom at this share of its range; 0 dB for none.
    fish_count : int
        Single fish per swath, scattered.
    """

    ambient_db: float = -30.0
    rise_db: float = 6.0
    decade_db: float = 0.0
    surface_db: float = 0.0
    surface_share: float = 0.02
    edge_db: float = 0.0
    ripple_db: float = 0.0
    bottom_db: float = 45.0
    bottom_fall_db: float = 18.0
    bottom_jitter_db: float = 1.5
    plateau_below_bottom_db: float = 39.0
    plateau_slope_db: float = 0.0
    plateau_texture: float = 0.0
    nadir_stripe_db: float = 3.0
    ring_count: int = 1
    stripe_count: int = 1
    spoke_chance: float = 0.1
    dash_chance: float = 0.0
    propeller_db: float = 0.0
    rays_db: float = 0.0
    wash_chance: float = 0.0
    wash_db: float = 20.0
    lost_bottom: float = 0.02
    lost_run_chance: float = 0.0
    lost_ping_chance: float = 0.0
    wrong_run_chance: float = 0.0
    wobble_deg: float = 0.0
    ghost_db: float = 0.0
    ghost_share: float = 0.5
    fish_count: int = 10
    burst_pings: int = 6
    static_seed: int = 0

    def static(self, kind: int) -> np.random.Generator:
        """Return a generator that is the same for every ping; one stream per `kind`."""
        return np.random.default_rng((self.static_seed, kind))

    def burst(self, kind: int, ping_counter: int, chance: float) -> np.random.Generator | None:
        """Return the generator of the burst that a ping belongs to, or None between bursts.

        Without memory: pings are parted into groups of `burst_pings`, shifted for each kind, and
        each group draws for itself. All pings of a burst get the same stream.
        """
        if chance <= 0:
            return None
        group = (ping_counter + 3 * kind) // max(self.burst_pings, 1)
        rng = np.random.default_rng((self.static_seed, kind, group))
        return rng if rng.random() < chance else None


def random_noise(rng: np.random.Generator) -> Noise:
    """Return disturbances within what real files show; each kind is absent from most surveys."""
    bottom_db = float(rng.uniform(46, 76))
    quiet = rng.random() < _QUIET_SHARE
    ambient_db = float(rng.uniform(-70, -50) if quiet else rng.uniform(-50, -12))
    return Noise(
        ambient_db=min(ambient_db, _LOUDEST_DB - bottom_db),
        **_background(rng),
        **_seabed_echo(rng),
        bottom_db=bottom_db,
        **_static(rng),
        **_passing(rng),
        **_failures(rng),
        fish_count=int(rng.integers(0, 40)),
        burst_pings=int(rng.integers(3, 15)),
        static_seed=int(rng.integers(2**31)),
    )


def _sometimes(rng: np.random.Generator, share: float, low: float, high: float) -> float:
    value = float(rng.uniform(low, high))
    return value if rng.random() < share else 0.0


def _background(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "rise_db": float(rng.uniform(0, 6)),
        "decade_db": float(rng.uniform(3, 30)),
        "surface_db": _sometimes(rng, 0.7, 5, 30),
        "surface_share": float(rng.uniform(0.005, 0.04)),
        "edge_db": float(rng.uniform(-1, 6)),
        "ripple_db": float(rng.uniform(0, 1.2)),
    }


def _seabed_echo(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "bottom_fall_db": float(rng.uniform(2, 24)),
        "bottom_jitter_db": float(rng.uniform(1, 4)),
        "plateau_below_bottom_db": float(rng.uniform(32, 54)),
        "plateau_slope_db": float(rng.uniform(0, 8)),
        "plateau_texture": _sometimes(rng, 0.6, 0.1, 0.9),
    }


def _static(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "nadir_stripe_db": _sometimes(rng, 0.5, 1, 9),
        "ring_count": _few(rng, 0.5, 4),
        "stripe_count": _few(rng, 0.5, 4),
        "ghost_db": _sometimes(rng, 0.3, 4, 20),
        "ghost_share": float(rng.choice([0.5, 1 / 3, rng.uniform(0.25, 0.9)], p=[0.6, 0.2, 0.2])),
        "wobble_deg": _sometimes(rng, 0.2, 0.05, 0.5),
    }


def _few(rng: np.random.Generator, share: float, most: int) -> int:
    count = int(rng.integers(1, most + 1))
    return count if rng.random() < share else 0


def _passing(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "spoke_chance": _sometimes(rng, 0.4, 0.05, 0.5),
        "dash_chance": _sometimes(rng, 0.35, 0.1, 0.6),
        "propeller_db": _sometimes(rng, 0.25, 2, 12),
        "rays_db": _sometimes(rng, 0.25, 0.3, 3),
        "wash_chance": _sometimes(rng, 0.15, 0.05, 0.4),
        "wash_db": float(rng.uniform(4, 40)),
    }


def _failures(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "lost_bottom": _sometimes(rng, 0.7, 0.002, 0.1),
        "lost_run_chance": _sometimes(rng, 0.4, 0.02, 0.5),
        "lost_ping_chance": _sometimes(rng, 0.2, 0.005, 0.08),
        "wrong_run_chance": _sometimes(rng, 0.3, 0.02, 0.4),
    }
