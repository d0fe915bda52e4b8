"""Disturbances drawn into a swath: what stands still, what passes, and bubbles under the hull.

Everything is added as power over the ambient level, before speckle. What passes does so in
bursts of several pings; which pings follows from the seed and the ping counter, not from memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.records import Float32Array, FloatArray
from sonar_watch.simulation.noise import Noise
from sonar_watch.simulation.sounder import SOUND_SPEED_M_S, Sounder
from sonar_watch.simulation.swath import Grid, Swath

PULSE_S = (0.002, 0.2)
"""Shortest and longest pulse of another sonar that is heard: from the CW of a shallow sounder to
the longest FM sweep of a deep one or of a sub-bottom profiler. What lasts longer does not end."""

_GAIN, _STRIPES, _RINGS, _SPOKES, _DASHES, _PROPELLER, _WASH = range(7)


def ambient_power(noise: Noise, sounder: Sounder, grid: Grid, swath: int) -> Float32Array:
    """Return the background power, shape (beams, samples): range, sectors, beam gains, surface."""
    share = np.maximum(grid.range_m / grid.range_m[-1], 1e-3)
    range_db = noise.ambient_db + noise.rise_db * share + noise.decade_db * np.log10(share)
    outer = (grid.angle_deg / sounder.half_fan_deg) ** 2
    ripple = noise.static(_GAIN).normal(0, noise.ripple_db, sounder.beams)
    beam_db = sounder.noise_offset_db(swath) + noise.edge_db * outer + ripple
    along = 10 ** (range_db / 10)
    if noise.surface_db > 0:
        level = noise.ambient_db + noise.surface_db - 10 * share / noise.surface_share
        along += 10 ** (level / 10)
    across = (10 ** (beam_db / 10)).astype(np.float32)
    return np.asarray(across[:, None] * along.astype(np.float32))


def draw_wash(swath: Swath) -> None:
    """Bubbles washed under the hull: a bright cloud near it, and echoes taken away."""
    noise, state = swath.scene.noise, swath.state
    burst = noise.burst(_WASH, state.ping_counter, noise.wash_chance)
    if burst is None:
        return
    # Within a burst the cloud thickens and thins from ping to ping.
    strength = burst.uniform(0.3, 1.0) * swath.rng.uniform(0.3, 1.0)
    middle, half = burst.uniform(-40, 40), burst.uniform(25, 90)
    beams = np.exp(-0.5 * ((swath.grid.angle_deg - middle) / half) ** 2)
    loss_db = noise.wash_db * strength * beams
    swath.hearing *= (10 ** (-loss_db / 10)).astype(np.float32)[:, None]
    deep = burst.uniform(0.02, 0.12) * float(swath.grid.range_m[-1])
    cloud = np.exp(-swath.grid.range_m / np.float32(deep))
    level = (10 ** ((10 + 0.6 * loss_db) / 10)).astype(np.float32)
    swath.power += swath.ambient * (level[:, None] * cloud)


def draw_static(swath: Swath) -> None:
    """Add what stands still from swath to swath: nadir stripe, fixed beams, rings."""
    noise, beams = swath.scene.noise, swath.grid.angle_deg.size
    fixed = noise.static(_STRIPES)
    extra = np.zeros(beams)
    if noise.nadir_stripe_db > 0:
        half = fixed.uniform(0.4, 1.5)
        extra += _excess(noise.nadir_stripe_db) * _bump(swath.grid.angle_deg, 0.0, half)
    for _ in range(noise.stripe_count):
        middle = fixed.uniform(-1, 1) * swath.sounder.half_fan_deg
        width = fixed.uniform(0.3, 1.2)
        extra += _excess(fixed.uniform(2, 9)) * _bump(swath.grid.angle_deg, middle, width)
    if extra.any():
        columns = np.flatnonzero(extra > 1e-2)
        swath.power[columns] += swath.ambient[columns] * extra[columns, None].astype(np.float32)
    for _ in range(noise.ring_count):
        _draw_ring(swath, fixed)


def _draw_ring(swath: Swath, fixed: np.random.Generator) -> None:
    """Add a thin line of constant range, over the whole fan, one sector, or some beams."""
    beams, step = swath.grid.angle_deg.size, swath.sounder.metres_per_sample
    place = fixed.uniform(0.08, 1.3) * swath.bottom_m.min()
    width, level = fixed.uniform(0.7, 2.5) * step, _excess(fixed.uniform(2, 12))
    extent = fixed.random()
    sector = fixed.integers(len(swath.sounder.sector_frequency_hz))
    edges = np.sort(fixed.integers(0, beams, 2))
    chosen = np.ones(beams, bool)
    if extent > 0.75:
        chosen = swath.sounder.sector == sector
    elif extent > 0.5:
        chosen = (np.arange(beams) >= edges[0]) & (np.arange(beams) <= edges[1])
    rows = slice(*np.searchsorted(swath.grid.range_m, [place - 4 * width, place + 4 * width]))
    ring = level * _bump(swath.grid.range_m[rows], place, width)
    at = np.flatnonzero(chosen)
    swath.power[at, rows] += swath.ambient[at, rows] * ring.astype(np.float32)


def draw_passing(swath: Swath) -> None:
    """Add what comes and goes: spokes, dashes, propeller, changing beam gains."""
    noise, counter = swath.scene.noise, swath.state.ping_counter
    spokes = noise.burst(_SPOKES, counter, noise.spoke_chance)
    if spokes is not None:
        _draw_spokes(swath, spokes)
    dashes = noise.burst(_DASHES, counter, noise.dash_chance)
    if dashes is not None:
        _draw_dashes(swath, dashes)
    gain = _propeller(swath)
    if noise.rays_db > 0:
        gain *= 10 ** (_smooth(swath.rng, gain.size, 3) * noise.rays_db / 10)
    if np.any(gain != 1):
        swath.power *= gain.astype(np.float32)[:, None]


def _draw_spokes(swath: Swath, burst: np.random.Generator) -> None:
    """Noise from a direction, in a few beams: a source that never stops, or another sonar's pulse.

    A pulse is as long from ping to ping, and comes whenever it comes.
    """
    beams, samples = swath.power.shape
    for _ in range(burst.integers(1, 4)):
        middle, width = burst.integers(beams) + swath.rng.normal(0, 1.5), burst.uniform(0.5, 2.5)
        level = _excess(burst.uniform(4, 15))
        pulse_s = float(np.exp(burst.uniform(*np.log(PULSE_S))))
        start, end = 0, samples
        if burst.random() < 0.7:
            start = int(swath.rng.integers(samples))
            step_s = 2 * swath.sounder.metres_per_sample / SOUND_SPEED_M_S
            end = start + max(2, round(pulse_s / step_s))
        chosen = slice(max(int(middle - 4 * width), 0), max(int(middle + 4 * width) + 1, 0))
        across = level * _bump(np.arange(beams)[chosen], middle, width)
        part = (chosen, slice(start, end))
        swath.power[part] += swath.ambient[part] * across.astype(np.float32)[:, None]


def _draw_dashes(swath: Swath, burst: np.random.Generator) -> None:
    """Another sonar's pulses: short, evenly spaced in range, drifting from ping to ping."""
    (beams, samples), elapsed = swath.power.shape, swath.state.time_utc.timestamp()
    middle, width = float(burst.integers(beams)), burst.uniform(1.5, beams / 3)
    level = _excess(burst.uniform(5, 18))
    spacing = burst.uniform(0.05, 0.6) * samples
    length, lean = burst.integers(2, 14), burst.normal(0, 0.4)
    start = (elapsed * burst.uniform(0.1, 3.0)) % 1.0 * spacing
    chosen = np.arange(max(int(middle - 2 * width), 0), min(int(middle + 2 * width), beams))
    across = (level * _bump(chosen, middle, width)).astype(np.float32)
    for place in np.arange(start, samples, spacing):
        first = np.rint(place + lean * (chosen - middle)).astype(int)
        for step in range(length):
            usable = (first + step >= 0) & (first + step < samples)
            at = chosen[usable], (first + step)[usable]
            swath.power[at] += swath.ambient[at] * across[usable]


def _propeller(swath: Swath) -> FloatArray:
    """Gain of whole beams, shape (beams,): broad bundles that wax and wane over a minute."""
    noise, angle = swath.scene.noise, swath.grid.angle_deg
    gain = np.ones(angle.size)
    if noise.propeller_db <= 0:
        return gain
    fixed, elapsed = noise.static(_PROPELLER), swath.state.time_utc.timestamp()
    for _ in range(fixed.integers(1, 4)):
        middle = fixed.uniform(-1, 1) * swath.sounder.half_fan_deg
        width, period = fixed.uniform(2, 15), fixed.uniform(20, 120)
        waxing = 0.5 + 0.5 * np.sin(2 * np.pi * (elapsed / period + fixed.random()))
        gain += _excess(noise.propeller_db * waxing) * _bump(angle, middle, width)
    # Cavitation crackles: neighbouring beams are lifted alike, but never quite the same.
    return 1 + (gain - 1) * 10 ** (_smooth(swath.rng, gain.size, 1) * 0.15)


def _excess(level_db: float) -> float:
    """Power to add to 1 to raise it by `level_db`."""
    return float(10 ** (level_db / 10) - 1)


def _bump(at: npt.NDArray[Any], middle: float, width: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * np.minimum(((at - middle) / width) ** 2, 50)))


def _smooth(rng: np.random.Generator, size: int, half: int) -> FloatArray:
    """Gaussian numbers of standard deviation 1, shape (size,), alike within `half` of another."""
    raw = rng.standard_normal(size + 2 * half)
    sums = np.convolve(raw, np.ones(2 * half + 1), "valid")
    return np.asarray(sums / np.sqrt(2 * half + 1))
