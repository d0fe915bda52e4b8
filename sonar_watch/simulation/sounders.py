"""The simulated sounders: families, not makers' data sheets, and random ones of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.simulation.sounder import SOUND_SPEED_M_S, Sounder

__all__ = ["FAMILIES", "SOUND_SPEED_M_S", "Sounder", "random_sounder", "sounder_for"]

_SAMPLES_PER_BEAM = 1000
_HIGHEST_RATE_HZ = 60_000.0

FAMILIES: dict[str, Sounder] = {
    "em122": Sounder(
        model=122,
        beams=288,
        sector_edges_deg=(-36.0, 0.0, 36.0),
        sector_frequency_hz=(11.5e3, 12.6e3, 12.2e3, 11.8e3),
        sector_offset_db=(2.0, 0.0, 0.0, 1.5),
        sample_rate_hz=280.0,
    ),
    "em124": Sounder(
        model=124,
        beams=256,
        sector_edges_deg=(-45.0, -15.0, 15.0, 45.0),
        sector_frequency_hz=(10.8e3, 11.6e3, 12.6e3, 12.0e3, 11.2e3),
        sector_offset_db=(2.0, 0.5, 0.0, 0.5, 1.5),
        sample_rate_hz=280.0,
    ),
    "em302": Sounder(
        model=302,
        beams=288,
        sector_edges_deg=(-42.0, 0.0, 42.0),
        sector_frequency_hz=(26.5e3, 30.5e3, 32.5e3, 28.5e3),
        sector_offset_db=(2.0, 0.0, 0.5, 1.5),
    ),
    "em304": Sounder(),
    "em304-dual": Sounder(dual_swath=True, beams=256, second_shift_hz=1500.0),
    "em710": Sounder(
        model=710,
        beams=256,
        half_fan_deg=62,
        sector_frequency_hz=(73e3, 97e3, 81e3),
        sample_rate_hz=2300.0,
    ),
    "em712": Sounder(
        model=712,
        beams=256,
        half_fan_deg=65,
        sector_frequency_hz=(71e3, 87e3, 75e3),
        sample_rate_hz=2300.0,
        dual_swath=True,
        second_shift_hz=8e3,
        second_offset_db=-1.5,
    ),
    "em2040": Sounder(
        model=2040,
        beams=256,
        half_fan_deg=68,
        sector_edges_deg=(0.0,),
        sector_frequency_hz=(260e3, 320e3),
        sector_offset_db=(1.0, 0.0),
        sector_isolation_db=3.0,
        sample_rate_hz=9000.0,
        beam_blur=(1, 1, 1),
        range_blur=(1, 1),
    ),
}


def sounder_for(family: str, depth_m: float) -> Sounder:
    """Return a sounder of `family` whose sample rate suits `depth_m`: about 1000 samples a beam.

    Raises
    ------
    ConfigurationError
        No such family.
    """
    if family not in FAMILIES:
        raise ConfigurationError(f"sounder: expected one of {sorted(FAMILIES)}, received {family}")
    return with_samples(FAMILIES[family], depth_m, _SAMPLES_PER_BEAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """What the sounders of a family have in common; ranges are (least, most)."""

    model: int
    depth_m: tuple[float, float]
    band_hz: tuple[float, float]
    beams: tuple[int, ...]
    beam_width_deg: tuple[float, ...]
    sectors: tuple[int, ...]
    isolation_db: tuple[float, float] = (6.0, 17.0)


_KINDS = (
    _Family(
        model=122,
        depth_m=(300, 11_000),
        band_hz=(11e3, 13e3),
        beams=(288,),
        beam_width_deg=(1.0, 1.0, 2.0),
        sectors=(3, 4, 4, 8),
    ),
    _Family(
        model=124,
        depth_m=(300, 11_000),
        band_hz=(10.5e3, 13.5e3),
        beams=(256, 256, 512),
        beam_width_deg=(0.5, 1.0, 2.0),
        sectors=(3, 5, 6, 8),
    ),
    _Family(
        model=302,
        depth_m=(80, 6000),
        band_hz=(26e3, 34e3),
        beams=(144, 288),
        beam_width_deg=(0.5, 1.0, 2.0),
        sectors=(2, 4, 4, 8),
    ),
    _Family(
        model=304,
        depth_m=(60, 6000),
        band_hz=(26e3, 34e3),
        beams=(256, 256, 512),
        beam_width_deg=(0.5, 1.0, 2.0),
        sectors=(2, 3, 4, 4, 8),
    ),
    _Family(
        model=710,
        depth_m=(20, 1800),
        band_hz=(70e3, 100e3),
        beams=(128, 256),
        beam_width_deg=(0.5, 1.0, 2.0),
        sectors=(3, 3, 3, 2),
    ),
    _Family(
        model=712,
        depth_m=(20, 2500),
        band_hz=(40e3, 100e3),
        beams=(128, 256, 256),
        beam_width_deg=(0.5, 1.0, 2.0),
        sectors=(3, 3, 4),
    ),
    _Family(
        model=2040,
        depth_m=(3, 450),
        band_hz=(190e3, 400e3),
        beams=(256,),
        beam_width_deg=(0.4, 0.7, 1.0),
        sectors=(1, 2, 3),
        isolation_db=(0.0, 8.0),
    ),
)


def random_sounder(rng: np.random.Generator, depth_m: float) -> Sounder:
    """Return a sounder of a family that works at `depth_m`, in settings of its own."""
    fitting = [kind for kind in _KINDS if kind.depth_m[0] <= depth_m <= kind.depth_m[1]]
    kind = fitting[rng.integers(len(fitting))] if fitting else _KINDS[-1]
    half_fan = float(rng.choice([rng.uniform(60, 70), rng.uniform(45, 60)], p=[0.75, 0.25]))
    beams, width = int(rng.choice(kind.beams)), float(rng.choice(kind.beam_width_deg))
    sounder = Sounder(
        model=kind.model,
        beams=beams,
        half_fan_deg=half_fan,
        spacing="equidistant" if rng.random() < 0.3 else "equiangle",
        beam_width_deg=width,
        beam_blur=_beam_blur(float(rng.uniform(0.6, 1.1)) * width / (2 * half_fan / beams)),
        range_blur=((1,), (1,), (1, 1), (1, 2))[rng.integers(4)],
        sector_isolation_db=float(rng.uniform(*kind.isolation_db)),
        tvg_range_factor=float(rng.choice([30, 40, 20], p=[0.6, 0.3, 0.1])),
        tvg_offset_db=float(rng.choice([0, 10, 20, 30, 40])),
        past_bottom=float(
            rng.uniform(0.10, 0.17) if rng.random() < 0.85 else rng.uniform(0.17, 0.35)
        ),
        **_sectors(rng, kind, half_fan),
        **_swaths(rng, kind),
        **_mounting(rng),
    )
    return with_samples(sounder, depth_m, float(np.exp(rng.uniform(np.log(450), np.log(1300)))))


def _beam_blur(spread_beams: float) -> tuple[int, ...]:
    """Passes that blur speckle by this many beams: 0.6-0.9 of a beam width on real files."""
    wanted = 4 * spread_beams**2
    choices: tuple[tuple[int, ...], ...] = (
        (1,),
        (1, 1),
        (1, 1, 1),
        (1, 1, 2),
        (1, 1, 2, 2),
        (1, 1, 2, 3),
        (1, 1, 2, 2, 3),
    )
    return min(choices, key=lambda steps: abs(sum(step**2 for step in steps) - wanted))


def _sectors(rng: np.random.Generator, kind: _Family, half_fan: float) -> Mapping[str, Any]:
    """Edges mirror each other about nadir; frequencies and levels differ from one to the next."""
    count = int(rng.choice(kind.sectors))
    if count == 3:
        edge = float(rng.uniform(0.55, 0.8) * half_fan)
        edges = np.array([-edge, edge])
    else:
        edges = np.linspace(-1, 1, count + 1)[1:-1] * half_fan * float(rng.uniform(0.85, 1.1))
    centre = np.abs(np.arange(count) - (count - 1) / 2) < 1
    louder = np.where(centre, 0.0, rng.uniform(-3, 7)) + rng.normal(0, 0.6, count)
    return {
        "sector_edges_deg": tuple(float(edge) for edge in edges),
        "sector_frequency_hz": tuple(float(f) for f in rng.uniform(*kind.band_hz, count).round(-2)),
        "sector_offset_db": tuple(float(level) for level in louder),
    }


def _swaths(rng: np.random.Generator, kind: _Family) -> Mapping[str, Any]:
    dual = bool(rng.random() < 0.35)
    width_hz = kind.band_hz[1] - kind.band_hz[0]
    return {
        "dual_swath": dual,
        "swath_tilt_deg": float(rng.uniform(0.1, 0.8)),
        "second_shift_hz": float(round(rng.uniform(0.05, 0.15) * width_hz, -2)) if dual else 0.0,
        "second_offset_db": float(rng.normal(0, 1.5)) if dual else 0.0,
    }


def _mounting(rng: np.random.Generator) -> Mapping[str, Any]:
    return {
        "transducer_depth_m": float(rng.uniform(3, 8)),
        "lever_forward_m": float(rng.uniform(-5, 30)),
        "lever_starboard_m": float(rng.uniform(-4, 4)),
    }


def with_samples(sounder: Sounder, depth_m: float, samples: float) -> Sounder:
    """Return `sounder` with a sample rate that gives about `samples` along its longest beam."""
    longest_m = depth_m / np.cos(np.radians(sounder.half_fan_deg))
    fitting_hz = samples * SOUND_SPEED_M_S / (2 * longest_m)
    return replace(sounder, sample_rate_hz=round(float(min(fitting_hz, _HIGHEST_RATE_HZ)), 2))
