"""What a sounder hears of a scene: one swath of echo levels, and the true boxes in it.

Levels are built as linear power over a (beam, sample) grid: ambient noise that rises with
range (the TVG amplifies it), bottom echo, its side-lobe plateau beyond the minimum slant range
within the centre sector, volume scatterers, then speckle (exponential power: a standard
deviation of 5.6 dB, as real files show), then int8 steps of 0.5 dB with a floor at -64 dB.
Rays are straight, at one sound speed.
"""

from __future__ import annotations

import numpy as np

from sonar_watch.records import Float32Array, SourceRef, WaterColumnPing
from sonar_watch.simulation.bodies import draw_bodies
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import SOUND_SPEED_M_S, Sounder
from sonar_watch.simulation.swath import Grid, Swath, TrueBox, bottom_range_m, sounder_grid

__all__ = ["TrueBox", "hear"]


def hear(
    scene: Scene, sounder: Sounder, state: ShipState, seed: int, source: SourceRef | None = None
) -> tuple[WaterColumnPing, tuple[TrueBox, ...]]:
    """Return one swath over a scene and the true boxes in it.

    Parameters
    ----------
    seed : int
        Of everything random; mixed with ping counter and swath, so a swath can be made alone.
    """
    rng = np.random.default_rng((seed, state.ping_counter, state.swath))
    swath = _open_swath(scene, sounder, state, rng)
    add_bottom(swath)
    draw_bodies(swath)
    add_passing(swath)
    add_static(swath)
    return _to_ping(swath, source), tuple(swath.boxes)


def _open_swath(
    scene: Scene, sounder: Sounder, state: ShipState, rng: np.random.Generator
) -> Swath:
    bottom_m = bottom_range_m(scene, sounder, state)
    longest = int(1.12 * bottom_m.max() / sounder.metres_per_sample) + 8
    grid = sounder_grid(sounder, -(-longest // 64) * 64)
    ambient = _ambient(scene, sounder, grid)
    return Swath(scene, sounder, state, rng, bottom_m=bottom_m, grid=grid, ambient=ambient)


def _ambient(scene: Scene, sounder: Sounder, grid: Grid) -> Float32Array:
    """Ambient power, shape (beams, samples): range slope and sector levels."""
    noise, share = scene.noise, grid.range_m / grid.range_m[-1]
    by_sector = np.asarray(sounder.sector_offset_db)[sounder.sector]
    level = noise.ambient_db + noise.rise_db * share[None, :] + by_sector[:, None]
    return np.asarray(10 ** (level / 10), np.float32)


def add_bottom(swath: Swath) -> None:
    """Bottom echo of each beam; its side lobes in the centre sector beyond the first echo."""
    noise, grid, sounder = swath.scene.noise, swath.grid, swath.sounder
    reach = swath.bottom_m.astype(np.float32)[:, None]
    angle = np.radians(sounder.beam_angle_deg)[:, None]
    length = np.radians(sounder.beam_width_deg) * reach * np.tan(np.abs(angle)) / 2
    width = np.maximum(length, 2 * sounder.metres_per_sample).astype(np.float32)
    level = noise.bottom_db - 18 * np.abs(angle) / np.radians(65)
    offset = (grid.range_m - reach) / width
    tail = np.where(offset > 0, np.exp(-offset / 4), 0) * 0.05
    echo = (np.exp(-0.5 * np.minimum(offset**2, 50)) + tail) * 10 ** (level / 10)
    swath.power += (swath.ambient * echo).astype(np.float32)
    _add_side_lobes(swath)


def _add_side_lobes(swath: Swath) -> None:
    noise, grid, sector = swath.scene.noise, swath.grid, swath.sounder.sector
    centre = sector == sector[len(sector) // 2]
    first = float(swath.bottom_m.min())
    beyond = (grid.range_m - first) / first
    plateau = noise.bottom_db - noise.plateau_below_bottom_db - 12 * beyond
    ring = 7 * np.exp(-0.5 * (beyond / 0.012) ** 2)
    level = np.where(beyond >= -0.02, plateau + ring, -60)
    swath.power[centre] += swath.ambient[centre] * (10 ** (level / 10)).astype(np.float32)
    if noise.ghost_db:
        ghost = noise.ghost_db * np.exp(-0.5 * ((grid.range_m - first / 2) / (first / 80)) ** 2)
        swath.power *= (10 ** (ghost / 10)).astype(np.float32)


def add_static(swath: Swath) -> None:
    """What stands still from swath to swath: nadir stripe, fixed beams, rings."""
    noise, beams = swath.scene.noise, swath.sounder.beams
    fixed = np.random.default_rng(noise.static_seed)
    gain = np.zeros(beams)
    gain[beams // 2 - 1 : beams // 2 + 1] += noise.nadir_stripe_db
    for beam in fixed.integers(0, beams, noise.stripe_count):
        gain[beam] += fixed.uniform(2, 7)
    rings = np.zeros(swath.grid.range_m.size)
    for place in fixed.uniform(0.1, 0.9, noise.ring_count) * swath.bottom_m.min():
        rings += fixed.uniform(2, 8) * np.exp(
            -0.5 * ((swath.grid.range_m - place) / (2 * swath.sounder.metres_per_sample)) ** 2
        )
    swath.power *= (10 ** ((gain[:, None] + rings[None, :]) / 10)).astype(np.float32)


def add_passing(swath: Swath) -> None:
    """What comes and goes: another sonar's spoke, single fish."""
    noise, rng, (beams, samples) = swath.scene.noise, swath.rng, swath.power.shape
    if rng.random() < noise.spoke_chance:
        beam, start = int(rng.integers(beams)), int(rng.integers(samples))
        end = start + int(rng.integers(20, max(21, samples // 2)))
        swath.power[beam : beam + 1, start:end] *= 10 ** (rng.uniform(6, 15) / 10)
    for _ in range(rng.poisson(noise.fish_count)):
        beam, sample = int(rng.integers(beams)), int(rng.integers(samples))
        level = 10 ** (rng.uniform(8, 20) / 10) * swath.ambient[beam, sample]
        swath.power[max(beam - 1, 0) : beam + 2, sample : sample + 2] += level


def _to_ping(swath: Swath, source: SourceRef | None) -> WaterColumnPing:
    """Speckle, quantise, detect the bottom."""
    sounder, state = swath.sounder, swath.state
    speckle = swath.rng.standard_exponential(swath.power.shape, dtype=np.float32)
    level_db = 10 * np.log10(swath.power * speckle + 1e-12)
    quantised = np.clip(np.round(2 * level_db), -128, 127).astype(np.int8)
    counts = (
        np.minimum(1.12 * swath.bottom_m / sounder.metres_per_sample, swath.power.shape[1]).astype(
            np.int32
        )
        // 2
        * 2
    )
    quantised[np.arange(quantised.shape[1]) >= counts[:, None]] = -128
    detected = swath.bottom_m / sounder.metres_per_sample
    detected = detected * (1 + swath.rng.normal(0, 0.002, detected.size))
    detected[swath.rng.random(detected.size) < swath.scene.noise.lost_bottom] = np.nan
    return WaterColumnPing(
        time_utc=state.time_utc,
        ping_counter=state.ping_counter,
        swath=state.swath,
        sounder=sounder.name,
        beam_angle_deg=sounder.beam_angle_deg.astype(np.float32),
        samples_half_db=quantised,
        first_sample=np.zeros(sounder.beams, np.int32),
        sample_count=counts,
        detected_sample=detected.astype(np.float32),
        sector=sounder.sector,
        sector_frequency_hz=np.asarray(sounder.sector_frequency_hz, np.float32),
        sector_tilt_deg=_sector_tilt_deg(swath),
        sample_rate_hz=sounder.sample_rate_hz,
        sound_speed_m_s=SOUND_SPEED_M_S,
        transducer_depth_m=sounder.transducer_depth_m,
        lever_forward_m=sounder.lever_forward_m,
        lever_starboard_m=sounder.lever_starboard_m,
        beam_width_deg=sounder.beam_width_deg,
        source=source
        or SourceRef(
            source="simulation", file="", ping_counter=state.ping_counter, swath=state.swath
        ),
    )


def _sector_tilt_deg(swath: Swath) -> Float32Array:
    """Return the tilt of each sector relative to the vessel, as a pitch-stabilised sounder steers.

    It undoes the pitch, so that with the pitch the wanted tilt remains; outer sectors are
    steered less, as a steered transmitter sounds a cone.
    """
    sounder = swath.sounder
    level_deg = np.degrees(np.arctan(swath.tilt)) - swath.state.pitch_deg
    cosine = np.cos(np.radians(sounder.beam_angle_deg))
    of_sector = [
        np.median(cosine[sounder.sector == sector])
        for sector in range(len(sounder.sector_frequency_hz))
    ]
    tangent = np.tan(np.radians(level_deg)) * np.array(of_sector)
    return np.asarray(np.degrees(np.arctan(tangent)), np.float32)
