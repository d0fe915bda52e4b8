"""How wrecks and walls sound: bright, with side lobes at their range and a shadow behind."""

from __future__ import annotations

import numpy as np

from sonar_watch.records import Float32Array
from sonar_watch.simulation.axes import ship_to_body
from sonar_watch.simulation.structures import Wall, Wreck
from sonar_watch.simulation.swath import Swath, Window
from sonar_watch.simulation.texture import dots

_SIDE_LOBES_DB = 28.0
"""Of the receiver, below the echo that causes them."""
_LOGISTIC = 1.702
"""Steepness with which a logistic comes nearest to the normal distribution (Haley 1952)."""
_SHADOW_DB = -3.0
"""Level behind what blocks a beam, over the ambient level."""


def draw_wreck(swath: Swath, wreck: Wreck) -> None:
    """Add a wreck and note its true box, class "noise"."""
    bottom_m = float(swath.scene.seabed.at(wreck.east_m, wreck.north_m))
    tallest = wreck.height_m + wreck.mast_m
    far = wreck.length_m + 0.02 * bottom_m
    window = _window(swath, wreck, (far, far), (bottom_m - tallest, bottom_m))
    if window is None:
        return
    along, cross = _own_axes(swath, wreck, window)
    up = np.float32(bottom_m) - swath.grid.depth_m[window]
    beam_m = _beam_m(swath, bottom_m)
    ends = _slab(along, 0.5 * wreck.length_m, beam_m)
    hull = ends * _slab(cross, 0.5 * wreck.width_m, beam_m) * _standing(up, wreck.height_m)
    if wreck.mast_m:
        mast = np.exp(np.float32(-0.5) * (along**2 + cross**2) / np.float32(beam_m**2 + 0.25))
        hull = np.maximum(hull, np.float32(0.1) * mast * _standing(up, tallest))
    size = max(0.1 * wreck.height_m, 2 * swath.sounder.metres_per_sample)
    cells = (np.floor(part / np.float32(size)) for part in (along, cross, up))
    _add_hard(swath, window, hull, hull * dots(wreck.seed, 0.8, *cells), wreck.contrast_db)


def draw_wall(swath: Swath, wall: Wall) -> None:
    """Add a wall and note its true box, class "noise"."""
    bottom_m = float(swath.scene.seabed.at(wall.east_m, wall.north_m))
    top_m = bottom_m - wall.height_m
    slant = abs(np.sin(np.radians(wall.bearing_deg - swath.state.heading_deg)))
    far = 0.5 * wall.length_m + 0.02 * bottom_m
    aside = 0.5 * wall.length_m * float(slant) + 0.02 * bottom_m
    window = _window(swath, wall, (far, aside), (top_m, bottom_m))
    if window is None:
        return
    along, cross = _own_axes(swath, wall, window)
    up = np.float32(bottom_m) - swath.grid.depth_m[window]
    thick_m = 2 * swath.sounder.metres_per_sample + 0.003 * bottom_m
    face = np.exp(np.float32(-0.5) * np.minimum((cross / np.float32(thick_m)) ** 2, 60))
    beam_m = _beam_m(swath, bottom_m)
    face = face * _slab(along, 0.5 * wall.length_m, beam_m) * _standing(up, wall.height_m)
    size = max(0.02 * wall.height_m, 2 * swath.sounder.metres_per_sample)
    cells = (np.floor(part / np.float32(size)) for part in (along, up))
    _add_hard(swath, window, face, face * dots(wall.seed, 1.0, *cells), wall.contrast_db)


def _window(
    swath: Swath, body: Wreck | Wall, far: tuple[float, float], depth: tuple[float, float]
) -> Window | None:
    """Where the fan can cut a body that reaches `far` metres ahead and aside of its middle."""
    forward, starboard = swath.from_transducer(body.east_m, body.north_m)
    if abs(forward - depth[1] * swath.tilt) > far[0]:
        return None
    return swath.window((starboard - far[1], starboard + far[1]), depth)


def _own_axes(
    swath: Swath, body: Wreck | Wall, window: Window
) -> tuple[Float32Array, Float32Array]:
    """Metres along the body's bearing, and to the right of it."""
    y, z, _ = swath.cut(window)
    forward, starboard = swath.from_transducer(body.east_m, body.north_m)
    down = z - np.float32(swath.sounder.transducer_depth_m)
    ahead = down * np.float32(swath.tilt) - np.float32(forward)
    return ship_to_body(swath.state, body.bearing_deg, ahead, y - np.float32(starboard))


def _beam_m(swath: Swath, range_m: float) -> float:
    return float(np.radians(swath.sounder.beam_width_deg) / 2.355 * range_m)


def _slab(distance: Float32Array, half_m: float, beam_m: float) -> Float32Array:
    """Share of a beam, of standard deviation `beam_m`, that falls within `half_m` of the middle.

    A logistic for the integral of the beam's Gaussian: beyond its end a body soon is gone.
    """
    ends = (np.float32(half_m) + side * distance for side in (np.float32(1), np.float32(-1)))
    inward = (np.clip(end * np.float32(_LOGISTIC / beam_m), -60, 60) for end in ends)
    return np.asarray(sum(1 / (1 + np.exp(-one)) for one in inward) - 1, np.float32)


def _standing(up: Float32Array, height_m: float) -> Float32Array:
    return np.asarray((up >= 0) & (up <= height_m), np.float32)


def _add_hard(
    swath: Swath, window: Window, shape: Float32Array, body: Float32Array, contrast_db: float
) -> None:
    """Add a body that blocks its beams, and what the receiver's side lobes hear of it."""
    _cast_shadow(swath, window, shape)
    swath.add_body(window, body, contrast_db, "noise", "", outline=shape)
    lobes = shape.max(axis=0) * np.float32(10 ** ((contrast_db - _SIDE_LOBES_DB) / 10))
    rows = window[1]
    swath.power[:, rows] += swath.ambient[:, rows] * lobes * swath.hearing


def _cast_shadow(swath: Swath, window: Window, shape: Float32Array) -> None:
    """Beams that a body blocks hear nothing beyond it."""
    hit = shape > 0.5
    last = window[1].start + shape.shape[1] - 1 - np.argmax(hit[:, ::-1], axis=1)
    number = np.arange(swath.grid.range_m.size)
    for beam in np.flatnonzero(hit.any(axis=1)):
        behind = number > last[beam]
        row = window[0].start + beam
        quiet = swath.ambient[row, behind] * np.float32(10 ** (_SHADOW_DB / 10))
        swath.power[row, behind] = np.minimum(swath.power[row, behind], quiet)
