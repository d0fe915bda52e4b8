"""What is in the simulated sea: seabed, plumes, fish, layers, hard things, and the noise."""

from __future__ import annotations

from dataclasses import dataclass, field

from sonar_watch.simulation.fish import (
    Dolphins,
    Layer,
    School,
    random_dolphins,
    random_layers,
    random_school,
)
from sonar_watch.simulation.noise import Noise, random_noise
from sonar_watch.simulation.plumes import Plume, random_plume
from sonar_watch.simulation.structures import Wall, Wreck
from sonar_watch.simulation.terrain import Seabed, random_seabed

__all__ = [
    "Dolphins",
    "Layer",
    "Noise",
    "Plume",
    "Scene",
    "School",
    "Seabed",
    "Wall",
    "Wreck",
    "random_dolphins",
    "random_layers",
    "random_noise",
    "random_plume",
    "random_school",
    "random_seabed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything a simulated ship can sail over; positions in metres from `origin`.

    Parameters
    ----------
    origin : tuple of float
        Latitude and longitude of (0, 0), degrees WGS84.
    """

    origin: tuple[float, float] = (32.45, 139.95)
    seabed: Seabed = field(default_factory=Seabed)
    plumes: tuple[Plume, ...] = ()
    schools: tuple[School, ...] = ()
    dolphins: tuple[Dolphins, ...] = ()
    wrecks: tuple[Wreck, ...] = ()
    walls: tuple[Wall, ...] = ()
    layers: tuple[Layer, ...] = ()
    noise: Noise = field(default_factory=Noise)
