"""Random scenes: what a ship may sail over, wider than any one cruise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonar_watch.simulation.fish import (
    Dolphins,
    School,
    random_dolphins,
    random_layers,
    random_school,
)
from sonar_watch.simulation.noise import random_noise
from sonar_watch.simulation.plumes import Plume, random_current, random_plume
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.structures import Wall, Wreck, random_wall, random_wreck
from sonar_watch.simulation.terrain import random_seabed

EMPTY, PLUMES = 0.25, 0.55
"""Shares of scenes with nothing to box and with plumes; the others hold look-alikes only."""

WALLS_TO_M = 60.0
"""Nobody builds quays in deeper water: a wall that stands free on a flat seabed in 300 m is nothing
at sea, and looks like a plume to anyone."""


@dataclass(frozen=True, slots=True)
class _Strip:
    """Where bodies may lie: beside a straight way through the origin."""

    rng: np.random.Generator
    heading_deg: float
    along_m: float
    across_m: float

    def place(self) -> tuple[float, float]:
        """Return (east, north) of a random place, more often near the way than far from it."""
        ahead = float(self.rng.uniform(-0.5, 0.5)) * self.along_m
        aside = float(self.rng.triangular(-1, 0, 1)) * self.across_m
        course = np.radians(self.heading_deg)
        sin, cos = float(np.sin(course)), float(np.cos(course))
        return ahead * sin + aside * cos, ahead * cos - aside * sin


def random_scene(
    rng: np.random.Generator,
    depth_m: float,
    *,
    heading_deg: float = 0.0,
    along_m: float | None = None,
) -> Scene:
    """Return a scene under a ship: a quarter empty, over half with plumes, the rest look-alikes.

    Parameters
    ----------
    rng : numpy Generator
    depth_m : float
    heading_deg : float
        Of the ship's way through the origin; bodies lie beside it, as far as a fan reaches.
    along_m : float, optional
        Length of that way; a fiftieth of the depth, what one swath hears, when not given.
    """
    way = along_m if along_m is not None else 0.02 * depth_m
    strip = _Strip(rng, heading_deg, way, 1.9 * depth_m)
    kind = float(rng.random())
    with_plumes = EMPTY <= kind < EMPTY + PLUMES
    alike = kind >= EMPTY + PLUMES or (with_plumes and rng.random() < 0.5)
    return Scene(
        seabed=random_seabed(rng, depth_m),
        plumes=_plumes(strip, depth_m) if with_plumes else (),
        schools=_schools(strip, depth_m) if alike else (),
        dolphins=_dolphins(strip, depth_m) if alike else (),
        wrecks=_wrecks(strip, depth_m) if alike else (),
        walls=_walls(strip, depth_m) if alike else (),
        layers=random_layers(rng, depth_m),
        noise=random_noise(rng),
    )


def _plumes(strip: _Strip, depth_m: float) -> tuple[Plume, ...]:
    current = random_current(strip.rng)
    return tuple(
        random_plume(strip.rng, f"plume-{number}", *strip.place(), depth_m, current)
        for number in range(strip.rng.integers(1, 4))
    )


def _schools(strip: _Strip, depth_m: float) -> tuple[School, ...]:
    return tuple(
        random_school(strip.rng, *strip.place(), depth_m) for _ in range(strip.rng.integers(1, 6))
    )


def _dolphins(strip: _Strip, depth_m: float) -> tuple[Dolphins, ...]:
    if strip.rng.random() > 0.12:
        return ()
    return (random_dolphins(strip.rng, *strip.place(), depth_m),)


def _wrecks(strip: _Strip, depth_m: float) -> tuple[Wreck, ...]:
    if strip.rng.random() > 0.12 or depth_m > 800:
        return ()
    return (random_wreck(strip.rng, *strip.place(), depth_m),)


def _walls(strip: _Strip, depth_m: float) -> tuple[Wall, ...]:
    if strip.rng.random() > 0.3 or depth_m > WALLS_TO_M:
        return ()
    return (random_wall(strip.rng, *strip.place(), depth_m, strip.heading_deg),)
