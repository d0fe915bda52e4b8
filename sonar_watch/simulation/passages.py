"""A ship passes over a scene: consecutive swaths, some of them with the scene's bodies in them.

Pictures have a memory (see `watercolumn.background`), so training needs sequences: the ship
sails on between swaths, and bodies come into the fan and leave it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from sonar_watch.records import WaterColumnPing
from sonar_watch.simulation.cruise import Line, Survey, ping_cycle_s
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.random_scene import random_scene
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.sheets import Kind
from sonar_watch.simulation.sounders import Sounder, random_sounder
from sonar_watch.simulation.swath import TrueBox

SPEED_M_S = (2.0, 5.0)
"""Ships survey at 4 to 10 knots."""

Heard = tuple[WaterColumnPing, tuple[TrueBox, ...]]
_START_UTC = datetime(2026, 1, 1, tzinfo=UTC)
BESIDE = 0.9
"""Bodies lie beside this share of the way sailed: the ship passes them, few are there all along."""

STRONGER_DB = (8.0, 22.0)
"""Plumes gain up to the first, and no more than to the second: most bodies are faint where the
ship does not pass right over them, and a network is to see them at every strength."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Consecutive swaths of one scene.

    Parameters
    ----------
    survey : str
        Splits are by survey: a simulated scene, or the real file whose pings these are.
    scene : str
    kind : {"simulated", "injected", "real"}
    count : int
        Swaths.
    configurations : int
        Settings of the sounder that take turns; each has a memory of its own.
    hear : callable
        Returns the swath of an index, 0 <= index < count, and the true boxes in it; the same
        at every call.
    hear_water : callable
        Returns that swath without bodies: the sounder, the seabed and the layers alone.
    """

    survey: str
    scene: str
    kind: Kind
    count: int
    configurations: int
    hear: Callable[[int], Heard]
    hear_water: Callable[[int], WaterColumnPing]


def simulated_passage(
    name: str, rng: np.random.Generator, depth_m: tuple[float, float], swaths: int
) -> Passage:
    """Return a passage over a random scene, with a random sounder.

    Parameters
    ----------
    name : str
        Of the scene, which is a survey of its own.
    rng : numpy Generator
        Decides everything.
    depth_m : tuple of float
        Least and greatest depth; drawn evenly on a logarithmic scale.
    swaths : int
        Of each of the sounder's configurations.
    """
    depth = float(np.exp(rng.uniform(*np.log(depth_m))))
    sounder = random_sounder(rng, depth)
    line = _line(rng, sounder, depth, swaths)
    way = BESIDE * line.length_m
    scene = passed_scene(rng, depth, heading_deg=line.heading_deg, along_m=way)
    survey = Survey(scene=scene, sounder=sounder, lines=(line,), seed=int(rng.integers(2**31)))
    states = tuple(survey.states(line))

    bare = replace(scene, plumes=(), schools=(), dolphins=(), wrecks=(), walls=())
    return Passage(
        survey=name,
        scene=name,
        kind="simulated",
        count=len(states),
        configurations=1 + sounder.dual_swath,
        hear=lambda index: hear(scene, sounder, states[index], survey.seed),
        hear_water=lambda index: hear(bare, sounder, states[index], survey.seed)[0],
    )


def _line(rng: np.random.Generator, sounder: Sounder, depth_m: float, swaths: int) -> Line:
    """Return a line of that many transmissions on any course, its middle at the origin."""
    speed = float(rng.uniform(*SPEED_M_S))
    heading = float(rng.uniform(0, 360))
    length = (swaths + 0.5) * speed * ping_cycle_s(sounder, depth_m)
    course = np.radians(heading)
    return Line(
        name="passage",
        start_utc=_START_UTC,
        east_m=float(-0.5 * length * np.sin(course)),
        north_m=float(-0.5 * length * np.cos(course)),
        heading_deg=heading,
        length_m=length,
        speed_m_s=speed,
    )


def passed_scene(
    rng: np.random.Generator, depth_m: float, *, heading_deg: float, along_m: float
) -> Scene:
    """Return a random scene (see `random_scene`) with stronger plumes."""
    scene = random_scene(rng, depth_m, heading_deg=heading_deg, along_m=along_m)
    gain, most = STRONGER_DB
    plumes = tuple(
        replace(plume, contrast_db=min(plume.contrast_db + float(rng.uniform(0, gain)), most))
        for plume in scene.plumes
    )
    return replace(scene, plumes=plumes)
