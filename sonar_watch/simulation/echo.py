"""What a sounder hears of a scene: one swath of echo levels, and the true boxes in it.

Levels are built as linear power over a (beam, sample) grid: ambient noise, bubbles under the
hull, bottom echo with its side lobes, what stands still, what passes, volume scatterers; then
speckle; then int8 steps of 0.5 dB with a floor at -64 dB. Rays are straight, at one sound speed.
"""

from __future__ import annotations

import numpy as np

from sonar_watch.formats.datagrams_beams import runtime_word
from sonar_watch.records import FLOOR_HALF_DB, Float32Array, IntArray, SourceRef, WaterColumnPing
from sonar_watch.simulation.bodies import draw_bodies
from sonar_watch.simulation.bottom import bottom_range_m, draw_bottom
from sonar_watch.simulation.disturbances import (
    ambient_power,
    draw_passing,
    draw_static,
    draw_wash,
)
from sonar_watch.simulation.picks import detected_samples
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounder import PROFILE, SOUND_SPEED_M_S, Sounder
from sonar_watch.simulation.speckle import speckle
from sonar_watch.simulation.swath import Swath, TrueBox, sounder_grid

__all__ = ["TrueBox", "hear"]

_BLOCK = 64
_LONGEST = 2.2
"""Beams are recorded to at most this many times the range that a flat seabed would ask for."""
_HALF_DB = np.float32(20 / np.log(10))


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
    swath = open_swath(scene, sounder, state, rng)
    draw_wash(swath)
    draw_bottom(swath)
    draw_static(swath)
    draw_passing(swath)
    draw_bodies(swath)
    return _to_ping(swath, source), tuple(swath.boxes)


def open_swath(scene: Scene, sounder: Sounder, state: ShipState, rng: np.random.Generator) -> Swath:
    """Return a swath of clear water: ranges to the seabed and the ambient level."""
    bottom_m = bottom_range_m(scene, sounder, state)
    level_m = scene.seabed.depth_m / np.cos(np.radians(sounder.half_fan_deg))
    longest_m = (1 + sounder.past_bottom) * min(float(bottom_m.max()), _LONGEST * level_m)
    blocks = -(-(int(longest_m / sounder.metres_per_sample) + 8) // _BLOCK)
    grid = sounder_grid(sounder, blocks * _BLOCK)
    ambient = ambient_power(scene.noise, sounder, grid, state.swath)
    return Swath(scene, sounder, state, rng, bottom_m=bottom_m, grid=grid, ambient=ambient)


def half_db(power: Float32Array) -> Float32Array:
    """Return linear power in steps of half a decibel, not yet rounded; changes `power`."""
    np.maximum(power, np.float32(1e-12), out=power)
    np.log(power, out=power)
    power *= _HALF_DB
    return power


def _samples(swath: Swath, counts: IntArray) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """Levels with speckle, in int8 half decibels, at the floor beyond each beam's count."""
    sounder, power = swath.sounder, swath.power
    power *= speckle(swath.rng, power.shape, sounder.beam_blur, sounder.range_blur)
    levels = half_db(power)
    np.clip(np.rint(levels, out=levels), -128, 127, out=levels)
    samples = levels.astype(np.int8)
    samples[np.arange(samples.shape[1]) >= counts[:, None]] = FLOOR_HALF_DB
    return samples


def _to_ping(swath: Swath, source: SourceRef | None) -> WaterColumnPing:
    """Speckle, quantise, detect the bottom."""
    sounder, state = swath.sounder, swath.state
    past = (1 + sounder.past_bottom) / sounder.metres_per_sample
    counts = np.minimum(past * swath.bottom_m, swath.power.shape[1]).astype(np.int32) // 2 * 2
    frequency = np.asarray(sounder.frequencies_hz(state.swath), np.float32)
    factor, offset = sounder.tvg_range_factor, sounder.tvg_offset_db
    word = runtime_word(frequency, factor, offset, sounder.sample_rate_hz)
    return WaterColumnPing(
        time_utc=state.time_utc,
        ping_counter=state.ping_counter,
        swath=state.swath,
        sounder=sounder.name,
        beam_angle_deg=sounder.beam_angle_deg.astype(np.float32),
        detected_sample=detected_samples(swath),
        samples_half_db=_samples(swath, counts),
        first_sample=np.zeros(sounder.beams, np.int32),
        sample_count=counts,
        sector=sounder.sector,
        sector_frequency_hz=frequency,
        sector_tilt_deg=_sector_tilt_deg(swath),
        sample_rate_hz=sounder.sample_rate_hz,
        sound_speed_m_s=SOUND_SPEED_M_S,
        profile=PROFILE,
        tvg_range_factor=factor,
        tvg_offset_db=offset,
        transducer_depth_m=sounder.transducer_depth_m,
        lever_forward_m=sounder.lever_forward_m,
        lever_starboard_m=sounder.lever_starboard_m,
        runtime=f"{word}_s{state.swath}",
        beam_width_deg=sounder.beam_width_deg,
        source=source or _simulated(state),
    )


def _simulated(state: ShipState) -> SourceRef:
    return SourceRef(
        source="simulation", file="", ping_counter=state.ping_counter, swath=state.swath
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
