"""A ship passes over a scene: consecutive swaths, some of them with the scene's bodies in them.

Pictures have a memory (see `watercolumn.background`), so training needs sequences: the ship
sails on between swaths, and bodies come into the fan and leave it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sonar_watch.records import WaterColumnPing
from sonar_watch.simulation.cruise import Line, Survey, ping_cycle_s
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.scene import (
    Scene,
    random_layers,
    random_noise,
    random_plume,
    random_school,
    random_seabed,
)
from sonar_watch.simulation.sheets import Kind
from sonar_watch.simulation.sounders import FAMILIES, Sounder, sounder_for
from sonar_watch.simulation.swath import TrueBox

SPEED_M_S = (2.0, 5.0)
"""Ships survey at 4 to 10 knots."""

Heard = tuple[WaterColumnPing, tuple[TrueBox, ...]]
_START_UTC = datetime(2026, 1, 1, tzinfo=UTC)
_MARGIN = 0.6
"""Bodies lie along this share of the way sailed, to either side of its middle: some beyond it."""


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
    """

    survey: str
    scene: str
    kind: Kind
    count: int
    configurations: int
    hear: Callable[[int], Heard]


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
    sounder = sounder_for(str(rng.choice(sorted(FAMILIES))), depth)
    line = _line(rng, sounder, depth, swaths)
    scene = laid_along(random_scene(rng, depth), rng, line.heading_deg, line.length_m)
    survey = Survey(scene=scene, sounder=sounder, lines=(line,), seed=int(rng.integers(2**31)))
    states = tuple(survey.states(line))

    def hear_one(index: int) -> Heard:
        return hear(scene, sounder, states[index], survey.seed)

    return Passage(
        survey=name,
        scene=name,
        kind="simulated",
        count=len(states),
        configurations=1 + sounder.dual_swath,
        hear=hear_one,
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


def laid_along(
    scene: Scene, rng: np.random.Generator, heading_deg: float, length_m: float
) -> Scene:
    """Return a scene with its bodies beside a line through the origin.

    A body's distance east becomes that to starboard; along the line it gets a new place.
    """
    course = np.radians(heading_deg)

    def moved(body: Any) -> Any:
        if not (is_dataclass(body) and hasattr(body, "north_m")):
            return body
        side = float(getattr(body, "east_m"))  # noqa: B009
        along = float(rng.uniform(-_MARGIN, _MARGIN)) * length_m
        return replace(  # type: ignore[type-var]
            body,
            east_m=float(along * np.sin(course) + side * np.cos(course)),
            north_m=float(along * np.cos(course) - side * np.sin(course)),
        )

    bodies: dict[str, Any] = {
        field.name: tuple(map(moved, value))
        for field in fields(scene)
        if isinstance(value := getattr(scene, field.name), tuple) and field.name != "origin"
    }
    return replace(scene, **bodies)


def random_scene(rng: np.random.Generator, depth_m: float) -> Scene:
    """Return a scene under the ship: a fifth empty, the others with plumes, fish or both."""
    reach = 1.2 * depth_m
    kind = rng.random()
    plumes = int(rng.integers(1, 4)) if kind < 0.65 else 0
    schools = int(rng.integers(1, 5)) if 0.35 < kind < 0.82 else 0
    return Scene(
        seabed=random_seabed(rng, depth_m),
        plumes=tuple(
            random_plume(
                rng,
                f"plume-{number}",
                float(rng.uniform(-reach, reach)),
                float(rng.uniform(-reach, reach)) * 0.02,
                depth_m,
            )
            for number in range(plumes)
        ),
        schools=tuple(
            random_school(
                rng, float(rng.uniform(-reach, reach)), float(rng.normal(0, 0.01 * reach)), depth_m
            )
            for _ in range(schools)
        ),
        layers=random_layers(rng, depth_m),
        noise=random_noise(rng),
    )
