"""The seabed's echo, its side lobes beyond the minimum slant range, and its ghosts.

Side lobes follow from the bottom itself: at range R every beam hears, weakened, whatever bottom
lies at R in any direction. From the first bottom echo on (the minimum slant range) that is a
plateau in the beams of the sector that lit it, brightest at its beginning (the arc); beams of
other sectors, at other frequencies, hear it weaker until their own sector's first return.
"""

from __future__ import annotations

import numpy as np

from sonar_watch.records import Float32Array, FloatArray
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounder import Sounder
from sonar_watch.simulation.swath import Swath, tilt_tangent

_FINE = 8
"""Directions between two beams from which the bottom is heard."""
_ARC_RATIO = 6.0
"""Most that the side lobes of the first echo stand over those of the rest (power)."""
_GHOST_DEG = 25.0
_STREAK_BEAMS = 12
_TAIL_LEVEL, _TAIL_DECAY, _TAIL_RISE = np.float32(np.log(0.02)), np.float32(-0.2), np.float32(5)
_NOTHING = np.float32(-60)
_KIND = 11


def bottom_range_m(scene: Scene, sounder: Sounder, state: ShipState) -> FloatArray:
    """Return the range to the seabed along each beam, shape (beams,): fixed-point iteration."""
    wobble = np.radians(scene.noise.wobble_deg) * np.sin(state.time_utc.timestamp() / 1.7)
    angle, tilt = np.radians(sounder.beam_angle_deg) + wobble, tilt_tangent(sounder, state)
    sin, cos = np.sin(angle), np.cos(angle)
    reach = np.full(angle.size, scene.seabed.depth_m) / cos
    for _ in range(6):
        forward = sounder.lever_forward_m + reach * cos * tilt
        east, north = state.to_world(forward, sounder.lever_starboard_m + reach * sin)
        depth = scene.seabed.at(east, north) - sounder.transducer_depth_m
        reach = 0.5 * reach + 0.5 * np.maximum(depth, 1.0) / cos
    return np.asarray(reach)


def draw_bottom(swath: Swath) -> None:
    """Add the bottom echo of each beam, its side lobes and its ghosts."""
    echo = _echo_power(swath) * swath.hearing[:, 0]
    _draw_echo(swath, echo)
    _draw_side_lobes(swath, echo)
    if swath.scene.noise.ghost_db > 0:
        _draw_ghost(swath, echo)


def _reference(swath: Swath) -> float:
    """Ambient power at the first bottom echo: what levels of the bottom count from."""
    first = int(np.argmin(swath.bottom_m))
    sample = int(swath.bottom_m[first] / swath.sounder.metres_per_sample)
    return float(swath.ambient[first, min(sample, swath.ambient.shape[1] - 1)])


def _echo_power(swath: Swath) -> FloatArray:
    """Peak power of the bottom echo in each beam, shape (beams,)."""
    noise, angle = swath.scene.noise, np.abs(swath.grid.angle_deg)
    patches = swath.rng.normal(0, noise.bottom_jitter_db, angle.size + 2)
    patches = (patches[:-2] + patches[1:-1] + patches[2:]) / np.sqrt(3)
    specular = 4 * np.exp(-0.5 * (angle / 6) ** 2)
    level = noise.bottom_db - noise.bottom_fall_db * angle / 65 + specular - 4 + patches
    return np.asarray(_reference(swath) * 10 ** (level / 10))


def _draw_echo(swath: Swath, echo: FloatArray) -> None:
    """Add the echo where the beam meets the seabed: long when it meets it at a grazing angle."""
    reach = swath.bottom_m.astype(np.float32)[:, None]
    slope = np.abs(np.tan(np.radians(swath.grid.angle_deg)))
    pulse = 2 * swath.sounder.metres_per_sample
    length = np.radians(swath.sounder.beam_width_deg) * swath.bottom_m * slope / 2
    width = np.maximum(length, pulse).astype(np.float32)[:, None]
    first = int(np.clip((reach - 5 * width).min() / (pulse / 2), 0, swath.power.shape[1]))
    offset = swath.grid.range_m[first:] - reach
    offset /= width
    # Behind the peak the echo of the rough bottom trails off; one exponential for both.
    tail = np.minimum(offset * _TAIL_DECAY, offset * _TAIL_RISE)
    tail += _TAIL_LEVEL
    np.square(offset, out=offset)
    offset *= np.float32(-0.5)
    np.maximum(offset, tail, out=offset)
    np.maximum(offset, _NOTHING, out=offset)
    np.exp(offset, out=offset)
    offset *= echo.astype(np.float32)[:, None]
    swath.power[:, first:] += offset


def _draw_side_lobes(swath: Swath, echo: FloatArray) -> None:
    noise, sounder = swath.scene.noise, swath.sounder
    heard = _bottom_by_range(swath, echo)
    sectors = heard.shape[0]
    crosstalk = np.full((sectors, sectors), 10 ** (-sounder.sector_isolation_db / 10))
    np.fill_diagonal(crosstalk, 1.0)
    lobes = (crosstalk @ heard).astype(np.float32)
    angle = np.abs(swath.grid.angle_deg) / sounder.half_fan_deg
    loss_db = noise.plateau_below_bottom_db + noise.plateau_slope_db * angle + _ripple_db(swath)
    gain = (10 ** (-loss_db / 10)).astype(np.float32)[:, None]
    first = int(np.argmax(lobes.max(axis=0) > 0))
    plateau = gain * lobes[sounder.sector, first:]
    if noise.plateau_texture > 0:
        plateau *= _streaks(swath, plateau.shape)
    swath.power[:, first:] += plateau


def _streaks(swath: Swath, shape: tuple[int, int]) -> Float32Array:
    """Gain of the plateau: arcs of some 20 beams, for neighbours hear the same rough bottom."""
    knots = np.linspace(0, shape[0] // _STREAK_BEAMS + 1, shape[0], dtype=np.float32)
    left = knots.astype(int)
    share = (knots - left)[:, None]
    field = swath.rng.standard_normal((left[-1] + 2, shape[1]), dtype=np.float32)
    field = np.exp(field * np.float32(swath.scene.noise.plateau_texture))
    return np.asarray((1 - share) * field[left] + share * field[left + 1])


def _ripple_db(swath: Swath) -> FloatArray:
    """Side lobes differ from beam to beam, but always in the same way."""
    return swath.scene.noise.static(_KIND).normal(0, 0.8, swath.grid.angle_deg.size)


def _bottom_by_range(swath: Swath, echo: FloatArray) -> FloatArray:
    """Bottom power that each sector lights at each range, shape (sectors, samples).

    The mean over the ranges at which the nadir's sector has bottom is the echo's own power there.
    """
    sounder, samples = swath.sounder, swath.power.shape[1]
    at = np.arange(sounder.beams)
    fine = np.linspace(0, sounder.beams - 1, (sounder.beams - 1) * _FINE + 1)
    places = np.interp(fine, at, swath.bottom_m / sounder.metres_per_sample)
    power = np.interp(fine, at, echo)
    sector = sounder.sector[np.rint(fine).astype(int)]
    inside = places < samples - 1
    counts = np.zeros((len(sounder.sector_frequency_hz), samples))
    np.add.at(counts, (sector[inside], places[inside].astype(int)), power[inside])
    kernel = np.hanning(max(7, 2 * (samples // 120) + 1) + 2)
    smooth = np.stack([np.convolve(row, kernel / kernel.sum(), "same") for row in counts])
    first = int(swath.bottom_m.min() / sounder.metres_per_sample)
    centre = smooth[sounder.sector[int(np.argmin(swath.bottom_m))]]
    usual = float(np.median(centre[first:][centre[first:] > 0])) if centre.any() else 0.0
    if usual <= 0:
        return np.zeros_like(smooth)
    # The pulse begins at once: no side lobe before the first echo.
    smooth[:, : max(first - 1, 0)] = 0
    return np.minimum(smooth / usual, _ARC_RATIO) * float(echo.max())


def _draw_ghost(swath: Swath, echo: FloatArray) -> None:
    """Add a fainter copy of the bottom at a share of its range, around nadir, and its arc."""
    noise, grid = swath.scene.noise, swath.grid
    place = (noise.ghost_share * swath.bottom_m).astype(np.float32)[:, None]
    first = float(place.min())
    width = np.float32(max(first / 80, 2 * swath.sounder.metres_per_sample))
    near = np.exp(-0.5 * (grid.angle_deg / _GHOST_DEG) ** 2) * (echo / echo.max())
    rows = slice(*np.searchsorted(grid.range_m, [first - 4 * width, first * 1.4 + 4 * width]))
    own = np.exp(-0.5 * np.minimum(((grid.range_m[rows] - place) / width) ** 2, 50))
    arc = 0.1 * np.exp(-0.5 * np.minimum(((grid.range_m[rows] - first) / width) ** 2, 50))
    level = 10 ** (noise.ghost_db / 10) * near
    swath.power[:, rows] += swath.ambient[:, rows] * ((own + arc) * level[:, None])
