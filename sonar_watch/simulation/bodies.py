"""Bodies in the water: each function draws one kind into a swath."""

from __future__ import annotations

import numpy as np

from sonar_watch.records import Float32Array, FloatArray
from sonar_watch.simulation.scene import Layer, Plume, School
from sonar_watch.simulation.swath import Swath


def draw_bodies(swath: Swath) -> None:
    """Draw layers, plumes and schools of the swath's scene."""
    for layer in swath.scene.layers:
        draw_layer(swath, layer)
    for plume in swath.scene.plumes:
        draw_plume(swath, plume)
    for school in swath.scene.schools:
        draw_school(swath, school)


def draw_layer(swath: Swath, layer: Layer) -> None:
    """Add a band of raised level at a depth."""
    offset = (swath.grid.depth_m - layer.depth_m) / np.float32(layer.half_height_m)
    shape = np.exp(-0.5 * np.minimum(offset**2, 40))
    swath.power += swath.ambient * shape * np.float32(10 ** (layer.contrast_db / 10))


def draw_plume(swath: Swath, plume: Plume) -> None:
    """Add a leaning, patchy column of one or more strands."""
    forward, starboard = swath.from_transducer(plume.east_m, plume.north_m)
    lean_forward, lean_starboard = swath.state.rotate_to_ship(plume.lean_east, plume.lean_north)
    foot = float(swath.scene.seabed.at(plume.east_m, plume.north_m))
    far = 4 * plume.radius_m + plume.spread_m + 0.02 * foot
    drift = lean_starboard * plume.height_m
    across = (starboard + min(0, drift) - far, starboard + max(0, drift) + far)
    window = swath.window(across, (foot - plume.height_m, foot + 2))
    if window is None or abs(forward) > far + abs(lean_forward) * plume.height_m + 0.05 * foot:
        return
    y, z, reach = swath.cut(window)
    height = foot - z
    body = _column(height, plume)
    spread = swath.footprint(plume.radius_m, reach)
    ahead = forward + lean_forward * height - z * swath.tilt
    body *= plume.radius_m / spread * np.exp(-0.5 * (ahead / spread) ** 2)
    strands = [
        np.exp(-0.5 * ((y - starboard - lean_starboard * height - side) / spread) ** 2)
        * _patches(swath.rng, height)
        for side in _strand_offsets(plume)
    ]
    column = body * np.sum(strands, axis=0)
    swath.add_body(window, column, plume.contrast_db, "signal", plume.name, 0.05 * foot)


def draw_school(swath: Swath, school: School) -> None:
    """Add a patchy ellipsoid."""
    forward, starboard = swath.from_transducer(school.east_m, school.north_m)
    far = 3 * school.radius_m
    window = swath.window(
        (starboard - far, starboard + far),
        (school.depth_m - 3 * school.half_height_m, school.depth_m + 3 * school.half_height_m),
    )
    if window is None or abs(forward) > far:
        return
    y, z, _ = swath.cut(window)
    distance = ((y - starboard) / school.radius_m) ** 2 + (forward / school.radius_m) ** 2
    distance += ((z - school.depth_m) / school.half_height_m) ** 2
    body = np.exp(-0.5 * distance) * swath.rng.gamma(0.8, 1.25, y.shape)
    swath.add_body(window, body, school.contrast_db, "noise", "")


def _strand_offsets(plume: Plume) -> FloatArray:
    places = np.arange(plume.strands) - (plume.strands - 1) / 2
    return np.asarray(places * plume.spread_m)


def _column(height: Float32Array, plume: Plume) -> FloatArray:
    """Full strength at the foot, fading over the upper quarter."""
    fade = np.clip((1 - height / plume.height_m) * 4, 0, 1)
    return np.where(height >= 0, fade, 0.0)


def _patches(rng: np.random.Generator, height: Float32Array) -> FloatArray:
    """Bursts along the rise (a few metres long) and bright dots; mean about 1."""
    knots = np.arange(0, max(float(height.max()), 1) + 40, 8.0)
    bursts = np.exp(rng.normal(-0.3, 0.75, knots.size))
    gain = np.interp(np.maximum(height, 0), knots, bursts)
    return np.asarray(gain * rng.gamma(1.2, 1 / 1.2, height.shape))
