"""Colours of what stains a particle, and how sharply it is seen."""

from __future__ import annotations

import numpy as np

from sonar_watch.ichthyolith.synthesis.board import Light
from sonar_watch.ichthyolith.synthesis.fields import chance

Colour = tuple[float, float, float]


def brown(rng: np.random.Generator) -> Colour:
    """Return density in blue, green, red of stained phosphate: as measured on real teeth."""
    blue = np.clip(rng.normal(1.25, 0.11), 1.02, 1.6)
    return float(blue), 1.0, float(np.clip(rng.normal(0.82, 0.05), 0.68, 0.95))


def dull(rng: np.random.Generator) -> Colour:
    """Return density of what is grey or opaque."""
    return float(rng.uniform(0.98, 1.1)), 1.0, float(rng.uniform(0.92, 1.0))


def focus(rng: np.random.Generator, light: Light) -> float:
    """Return the blur of one particle: most are sharp, some lie above or below the plane."""
    if chance(rng, 0.72):
        blur = rng.uniform(0.4, 1.2)
    elif chance(rng, 0.75):
        blur = rng.uniform(1.2, 2.6)
    else:
        blur = rng.uniform(2.6, 6.0)
    return float(blur * light.scale)
