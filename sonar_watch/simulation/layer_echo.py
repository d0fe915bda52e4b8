"""How scattering layers sound."""

from __future__ import annotations

import numpy as np

from sonar_watch.simulation.fish import Layer
from sonar_watch.simulation.swath import Swath
from sonar_watch.simulation.texture import relief


def draw_layer(swath: Swath, layer: Layer) -> None:
    """Add a band of raised level that wanders in depth and strength over ground."""
    sounder, angle = swath.sounder, np.radians(swath.grid.angle_deg)
    down_m = max(layer.depth_m - sounder.transducer_depth_m, 1.0)
    ahead = np.full(angle.size, sounder.lever_forward_m + down_m * swath.tilt)
    aside = sounder.lever_starboard_m + down_m * np.tan(angle)
    east, north = swath.state.to_world(ahead, aside)
    wander = (
        1.7
        * layer.undulation_m
        * relief(layer.seed, east / layer.wavelength_m, north / layer.wavelength_m)
    )
    patches = (
        2 * layer.patch_db * relief(layer.seed + 1, east / layer.patch_m, north / layer.patch_m)
    )
    strength = (10 ** ((layer.contrast_db + patches) / 10)).astype(np.float32)
    rows = _rows_of_band(swath, layer)
    middle = np.float32(layer.depth_m) + wander
    offset = (swath.grid.depth_m[:, rows] - middle[:, None]) / np.float32(layer.half_height_m)
    shape = np.exp(np.float32(-0.5) * np.minimum(offset * offset, 40)) * strength[:, None]
    swath.power[:, rows] += swath.ambient[:, rows] * shape * swath.hearing


def _rows_of_band(swath: Swath, layer: Layer) -> slice:
    """Samples at which any beam can be in the band."""
    margin = 3.5 * layer.half_height_m + 1.5 * layer.undulation_m
    top, low = (
        max(layer.depth_m + side * margin - swath.sounder.transducer_depth_m, 0) for side in (-1, 1)
    )
    slant = np.cos(np.radians(np.abs(swath.grid.angle_deg).max()))
    size = swath.sounder.metres_per_sample
    return slice(int(top / size), int(low / slant / size) + 1)
