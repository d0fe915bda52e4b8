"""Which cruises are sailed: seeded, of every depth and sounder, over simulated or real water.

Cruises over plumes and nights without; the same plumes put into the pings of a real file, and
that file as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.simulation.cruise import Line, Survey, ping_cycle_s, random_survey
from sonar_watch.simulation.fish import random_dolphins
from sonar_watch.simulation.played import deepened_survey, injected_survey, untouched_survey
from sonar_watch.simulation.random_scene import WALLS_TO_M
from sonar_watch.simulation.recordings import Recording, read_recording
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.sounders import FAMILIES, Sounder, random_sounder, sounder_for
from sonar_watch.simulation.structures import random_wall, random_wreck

SPEED_M_S = (2.0, 5.0)
DEPTH_M = (40.0, 3500.0)
"""Drawn evenly on a logarithmic scale, where no depth is given."""

NIGHT_DEPTH_M = (200.0, 2000.0)
RUN_IN_SWATHS = 12
RUN_OUT_M = 300.0
"""Sailed past the last plume: its event ends, as at sea, when the ship has left it behind."""

APART_OF_DEPTH, APART_M = 0.8, 150.0
"""Plumes lie this far apart along the line, so that an event belongs to one of them."""

SCHOOL_EVERY_M, DOLPHINS_EVERY_M, WRECK_EVERY_M, WALL_EVERY_M = 250.0, 3000.0, 3000.0, 5000.0
WRECKS_TO_M = 800.0
"""Deeper a sounder hardly shows one."""

BUSY_SPOKES, BUSY_DASHES, BUSY_FISH = 0.25, 0.1, 40
"""What a busy night has at least; the rest is drawn as for any cruise."""

FIRST_SEED = 7_000_001
"""Seeds of trials begin here: no training set is made from them."""

_PLAYED = ("injected", "deepened", "real")
_START_UTC = datetime(2026, 6, 1, 20, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One cruise, or one stretch of a night.

    Parameters
    ----------
    kind : {"cruise", "night", "injected", "deepened", "real"}
    seed : int
        Decides everything that is not given.
    depth_m : float or None
        Drawn when None.
    family : str or None
        Of a sounder in its usual settings; when None a sounder of any family that reaches the
        depth, in settings of its own.
    swaths : int
        Of a cruise, about, without the run in and out.
    hours : float
        Of a night.
    contrast_db : float or None
        Of every plume; drawn when None.
    file : str or None
        Of the last three kinds only: the raw file whose pings are played, with plumes in them,
        as those of a deeper sea, and as they are. `seed` says nothing about "real" ones.
    """

    kind: str = "cruise"
    seed: int = FIRST_SEED
    depth_m: float | None = None
    family: str | None = None
    swaths: int = 300
    hours: float = 1.0
    contrast_db: float | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("cruise", "night", *_PLAYED):
            raise ConfigurationError(
                f"kind: expected cruise, night or one of {_PLAYED}, received {self.kind!r}"
            )
        if (self.file is not None) != (self.kind in _PLAYED):
            raise ConfigurationError(
                f"expected a file for {_PLAYED} alone, received {self.file!r} for {self.kind}"
            )
        if self.swaths < 1 or not self.hours > 0:
            raise ConfigurationError(
                f"expected one swath or more and hours above 0, received {self.swaths}, "
                f"{self.hours}"
            )
        if self.depth_m is not None and not 10 <= self.depth_m <= 11_000:
            raise ConfigurationError(f"depth: expected 10 to 11000 m, received {self.depth_m}")
        if self.family is not None and self.family not in FAMILIES:
            raise ConfigurationError(
                f"family: expected one of {sorted(FAMILIES)}, received {self.family!r}"
            )

    @property
    def name(self) -> str:
        """Of its result, such as "cruise-7000001" or "injected-em710_heincke-7000001"."""
        if self.file is None:
            return f"{self.kind}-{self.seed}"
        return f"{self.kind}-{Path(self.file).stem}-{self.seed}"

    def survey(self) -> Survey:
        """Return the cruise.

        Raises
        ------
        ConfigurationError
            There is no such file, or no swath in it.
        """
        if self.file is not None:
            return _played(self, _recording(self.file))
        return _cruise(self) if self.kind == "cruise" else _night(self)


@lru_cache(maxsize=1)
def _recording(file: str) -> Recording:
    """Read once: a file is played in several plans in a row."""
    return read_recording(Path(file))


def _played(plan: Plan, recording: Recording) -> Survey:
    if plan.kind == "real":
        return untouched_survey(plan.name, recording, swaths=plan.swaths)
    if plan.kind == "deepened":
        return deepened_survey(
            plan.name, plan.seed, recording, swaths=plan.swaths, depth_m=plan.depth_m
        )
    return injected_survey(
        plan.name, plan.seed, recording,
        swaths=plan.swaths, depth_m=plan.depth_m, contrast_db=plan.contrast_db,
    )


def _cruise(plan: Plan) -> Survey:
    """Return one line over plumes and whatever looks like them."""
    drawn = _draw(plan, DEPTH_M)
    swaths = plan.swaths / (1 + drawn.sounder.dual_swath)
    length = swaths * drawn.step_m
    apart = max(APART_M, APART_OF_DEPTH * drawn.depth_m)
    plumes = int(np.clip(length / apart, 1, 5))
    survey = random_survey(
        plan.seed, depth_m=drawn.depth_m, plumes=plumes, schools=plumes, length_m=length,
        contrast_db=plan.contrast_db, look_alikes=True,
    )
    return _sailed(plan, survey.scene, drawn, length)


def _night(plan: Plan) -> Survey:
    """Return one long line over fish, layers, wrecks and interference, and not one plume."""
    drawn = _draw(plan, NIGHT_DEPTH_M)
    length = plan.hours * 3600 * drawn.speed_m_s
    survey = random_survey(
        plan.seed, depth_m=drawn.depth_m, plumes=0,
        schools=max(1, round(length / SCHOOL_EVERY_M)), length_m=length,
    )
    noise = survey.scene.noise
    busy = replace(
        noise,
        spoke_chance=max(noise.spoke_chance, BUSY_SPOKES),
        dash_chance=max(noise.dash_chance, BUSY_DASHES),
        fish_count=max(noise.fish_count, BUSY_FISH),
    )
    rng, depth_m = np.random.default_rng((plan.seed, 2)), drawn.depth_m
    scene = replace(
        survey.scene,
        noise=busy,
        dolphins=tuple(random_dolphins(rng, *place, depth_m)
                       for place in _places(rng, drawn, length, DOLPHINS_EVERY_M)),
        wrecks=tuple(random_wreck(rng, *place, depth_m)
                     for place in _places(rng, drawn, length, WRECK_EVERY_M, WRECKS_TO_M)),
        walls=tuple(random_wall(rng, *place, depth_m, 0.0)
                    for place in _places(rng, drawn, length, WALL_EVERY_M, WALLS_TO_M)),
    )
    return _sailed(plan, scene, drawn, length)


def _places(
    rng: np.random.Generator,
    drawn: _Drawn,
    length_m: float,
    every_m: float,
    deepest_m: float = math.inf,
) -> list[tuple[float, float]]:
    """Return places east and north beside a line; none where it is too deep for them."""
    count = round(length_m / every_m) if drawn.depth_m <= deepest_m else 0
    return [
        (float(rng.uniform(-0.5, 0.5) * drawn.depth_m), float(rng.uniform(-0.5, 0.5) * length_m))
        for _ in range(count)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What a plan leaves open."""

    depth_m: float
    sounder: Sounder
    speed_m_s: float
    northward: bool

    @property
    def step_m(self) -> float:
        """Way sailed from ping to ping."""
        return ping_cycle_s(self.sounder, self.depth_m) * self.speed_m_s


def _draw(plan: Plan, depth_m: tuple[float, float]) -> _Drawn:
    rng = np.random.default_rng((plan.seed, 1))
    low, high = np.log(depth_m)
    drawn_m = round(float(np.exp(rng.uniform(low, high))), 1)
    speed, northward = round(float(rng.uniform(*SPEED_M_S)), 2), bool(rng.random() < 0.5)
    depth = plan.depth_m or drawn_m
    sounder = random_sounder(rng, depth) if plan.family is None else sounder_for(
        plan.family, depth)
    return _Drawn(depth_m=depth, sounder=sounder, speed_m_s=speed, northward=northward)


def _sailed(plan: Plan, scene: Scene, drawn: _Drawn, length_m: float) -> Survey:
    """Return a line north or south through the origin, with a run in and a run out."""
    run_in, run_out = RUN_IN_SWATHS * drawn.step_m, max(RUN_OUT_M, 3 * drawn.step_m)
    side = -1.0 if drawn.northward else 1.0
    line = Line(
        name=plan.name,
        start_utc=_START_UTC,
        east_m=0.0,
        north_m=side * (length_m / 2 + run_in),
        heading_deg=0.0 if drawn.northward else 180.0,
        length_m=run_in + length_m + run_out,
        speed_m_s=drawn.speed_m_s,
    )
    return Survey(scene=scene, sounder=drawn.sounder, lines=(line,), seed=plan.seed)


def cruise_plans(count: int, template: Plan) -> list[Plan]:
    """Return cruises with seeds from the template's on."""
    return [replace(template, kind="cruise", seed=template.seed + each) for each in range(count)]


def night_plans(hours: float, template: Plan, stretch_h: float = 1.0) -> list[Plan]:
    """Return a night in stretches, each over a sea of its own; the last may be shorter."""
    full, rest = divmod(hours, stretch_h)
    lengths = [stretch_h] * int(full) + ([rest] if rest > 1e-9 else [])
    return [
        replace(template, kind="night", seed=template.seed + each, hours=length)
        for each, length in enumerate(lengths)
    ]


