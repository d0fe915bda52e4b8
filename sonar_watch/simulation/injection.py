"""Simulated plumes and fish put into real pings, sample by sample, over consecutive pings.

The functions that draw bodies over simulated water draw them here over real water: the rays,
bottom and background power are those of the ping (`recordings.Water`). Their power, with
speckle of its own, is added to the real power; what the sounder would write is rounded to half
decibels, and what stays below its threshold stays at the floor. Samples without a body keep
their bytes.

Real files with water column are mostly of shallow water. There the bodies live in a sea of
metres that are made longer (`_Sea.stretch`): a harbour of 4 m holds the plumes of 200 m,
fifty times smaller.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sonar_watch.records import FLOOR_HALF_DB, FloatArray, WaterColumnPing
from sonar_watch.simulation.bodies import draw_bodies
from sonar_watch.simulation.cruise import ping_cycle_s
from sonar_watch.simulation.echo import half_db
from sonar_watch.simulation.passages import BESIDE, SPEED_M_S, Heard, Passage, passed_scene
from sonar_watch.simulation.recordings import Recording, Water
from sonar_watch.simulation.scene import Scene, Seabed
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import SOUND_SPEED_M_S, Sounder
from sonar_watch.simulation.speckle import speckle
from sonar_watch.simulation.swath import Grid, Swath, TrueBox

MOST_SWATHS = 45
"""Of an injected passage, however many configurations take turns."""

_BODIES = frozenset({"plumes", "schools", "dolphins"})
"""Of a scene, what is put into real water: its layers, walls and noise are its own."""

_SEA_M = (60.0, 600.0)
"""Depths for which bodies are drawn into shallower water."""

_NOTICEABLE = 0.02
"""A body of less than this share of the real power leaves a sample as it is."""


class MakeScene(Protocol):
    """Returns a scene of bodies beside a way through the origin."""

    def __call__(
        self, rng: np.random.Generator, depth_m: float, *, heading_deg: float, along_m: float
    ) -> Scene: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSeabed(Seabed):
    """The seabed a ship on a straight course recorded: the same all along it."""

    heading_deg: float
    across_m: tuple[float, ...]
    level_m: tuple[float, ...]

    def at(self, east_m: FloatArray | float, north_m: FloatArray | float) -> FloatArray:
        """Return the depth below the surface at a place in metres from the origin."""
        course = np.radians(self.heading_deg)
        starboard = np.asarray(east_m) * np.cos(course) - np.asarray(north_m) * np.sin(course)
        return np.asarray(np.interp(starboard, self.across_m, self.level_m))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sea:
    """Where the bodies live: the world of a recording, its metres `stretch` times as long."""

    scene: Scene
    heading_deg: float
    stretch: float
    step_m: float
    seed: int


def untouched_passage(recording: Recording) -> Passage:
    """Return a recording as it is: each ping once, no bodies."""

    return Passage(
        survey=recording.name,
        scene="",
        kind="real",
        count=len(recording.pings),
        configurations=recording.configurations,
        hear=lambda index: (recording.pings[index], ()),
        hear_water=lambda index: recording.pings[index],
    )


def injected_passage(
    name: str,
    rng: np.random.Generator,
    recording: Recording,
    swaths: int,
    make_scene: MakeScene = passed_scene,
) -> Passage:
    """Return a passage over the plumes and fish of a random scene, heard in real pings.

    The ship sails on straight while the recording is played forth and back, at the speed it had
    where its navigation tells one that ships survey at.

    Parameters
    ----------
    name : str
        Of the scene; the survey is the recording.
    rng : numpy Generator
        Decides everything.
    recording : Recording
    swaths : int
        Of each of the recording's configurations.
    make_scene : callable
        As `passed_scene`.
    """
    count = min(swaths * recording.configurations, max(swaths, MOST_SWATHS))
    sea = _open_sea(rng, recording, count, make_scene)

    def water(index: int) -> Water:
        return _played(recording, index)

    def hear_one(index: int) -> Heard:
        return _heard(water(index), sea, (index - count / 2) * sea.step_m, index)

    return Passage(
        survey=recording.name,
        scene=name,
        kind="injected",
        count=count,
        configurations=recording.configurations,
        hear=hear_one,
        hear_water=lambda index: water(index).ping,
    )


def _played(recording: Recording, index: int) -> Water:
    """The ping that comes at an index, at the time and with the number it then has."""
    water, first = recording.water(recording.order(index)), recording.pings[0]
    time_s = index * max(recording.interval_s, 0.01)
    ping = replace(
        water.ping,
        time_utc=first.time_utc + timedelta(seconds=time_s),
        ping_counter=first.ping_counter + index,
    )
    return replace(water, ping=ping)


def _open_sea(
    rng: np.random.Generator,
    recording: Recording,
    count: int,
    make_scene: MakeScene,
) -> _Sea:
    depth = recorded_depth_m(recording)
    sea_depth = max(depth, float(np.exp(rng.uniform(*np.log(_SEA_M)))))
    stretch = 1.0 if depth > _SEA_M[0] and rng.random() < 0.5 else sea_depth / depth
    heading = float(rng.uniform(0, 360))
    step_m = _step_m(rng, recording, depth * stretch, stretch)
    seabed = recorded_seabed(recording, stretch, heading)
    way = BESIDE * count * step_m
    scene = make_scene(rng, depth * stretch, heading_deg=heading, along_m=way)
    return _Sea(
        scene=replace(bodies_alone(scene), seabed=seabed),
        heading_deg=heading,
        stretch=stretch,
        step_m=step_m,
        seed=int(rng.integers(2**31)),
    )


def recorded_depth_m(recording: Recording) -> float:
    """Return the depth of the seabed under a recording, the median over its fans."""
    return float(np.median(_seabed(recording)[1]))


def recorded_seabed(recording: Recording, stretch: float, heading_deg: float) -> RecordedSeabed:
    """Return the seabed under a recording for a ship on a course, its metres `stretch` long."""
    across_m, level_m = _seabed(recording)
    return RecordedSeabed(
        depth_m=float(np.median(level_m)) * stretch,
        heading_deg=heading_deg,
        across_m=tuple((across_m * stretch).tolist()),
        level_m=tuple((level_m * stretch).tolist()),
    )


def _seabed(recording: Recording) -> tuple[FloatArray, FloatArray]:
    """Across-track and depth of the seabed, the median over the pings."""
    waters = [recording.water(index) for index in range(len(recording.pings))]
    known = [one for one in waters if one.seabed_across_m.size > 1]
    if not known:
        deepest = float(np.median([one.grid.depth_m.max() for one in waters]))
        return np.array([-deepest, deepest]), np.array([deepest, deepest])
    edges = [one.seabed_across_m[[0, -1]] for one in known]
    port, starboard = np.median(edges, axis=0)
    across = np.linspace(port, starboard, 65)
    depths = [
        np.interp(across, *_ascending(one.seabed_across_m, one.seabed_depth_m)) for one in known
    ]
    return across, np.median(depths, axis=0)


def _ascending(across: FloatArray, depth: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(across, kind="stable")
    return across[order], depth[order]


def _step_m(
    rng: np.random.Generator, recording: Recording, depth_m: float, stretch: float
) -> float:
    """Metres from swath to swath: the ship's own where they are those of a survey."""
    cycle_s = ping_cycle_s(Sounder(), depth_m)
    slow, fast = (speed * cycle_s / recording.configurations for speed in SPEED_M_S)
    if recording.speed_m_s is not None:
        own = recording.speed_m_s * recording.interval_s * stretch
        if slow / 2 < own < 2 * fast:
            return own
    return float(rng.uniform(slow, fast))


def bodies_alone(scene: Scene) -> Scene:
    """Return a scene without what real water has of its own; single fish stay."""
    others: dict[str, Any] = {
        field.name: ()
        for field in fields(scene)
        if isinstance(getattr(scene, field.name), tuple)
        and field.name not in _BODIES
        and field.name != "origin"
    }
    return replace(scene, **others)


def _heard(water: Water, sea: _Sea, along_m: float, index: int) -> Heard:
    """One real ping with the bodies of the sea in it, and their boxes in real metres."""
    course = np.radians(sea.heading_deg)
    state = ShipState(
        time_utc=water.ping.time_utc,
        east_m=along_m * float(np.sin(course)),
        north_m=along_m * float(np.cos(course)),
        heading_deg=sea.heading_deg,
        ping_counter=water.ping.ping_counter,
        swath=water.ping.swath,
    )
    rng = np.random.default_rng((sea.seed, index))
    ping, boxes = put_into(water, sea.scene, state, sea.stretch, rng)
    return ping, tuple(_in_real_metres(box, sea.stretch) for box in boxes)


def put_into(
    water: Water, scene: Scene, state: ShipState, stretch: float, rng: np.random.Generator
) -> Heard:
    """Return a real ping with the bodies of a scene in it, and their boxes.

    Parameters
    ----------
    water : Water
    scene : Scene
    state : ShipState
        Where the transducer is, in the metres of the scene.
    stretch : float
        Metres of the scene, and of the boxes, in a metre of the ping.
    rng : numpy Generator
        Of the speckle of the bodies.
    """
    swath = _open_swath(water, scene, state, stretch, rng)
    draw_bodies(swath)
    samples = _mixed(water, swath)
    ping = water.ping if samples is None else _with_samples(water.ping, samples)
    return ping, tuple(swath.boxes)


def _open_swath(
    water: Water, scene: Scene, state: ShipState, stretch: float, rng: np.random.Generator
) -> Swath:
    """The real ping's rays, bottom and power, in the metres of the scene."""
    ping, grid = water.ping, water.grid
    sounder = Sounder(
        beams=grid.angle_deg.size,
        half_fan_deg=float(np.abs(grid.angle_deg).max()),
        beam_width_deg=ping.beam_width_deg,
        sample_rate_hz=SOUND_SPEED_M_S / (2 * ping.metres_per_sample * stretch),
        transducer_depth_m=ping.transducer_depth_m * stretch,
        lever_forward_m=0.0,
        lever_starboard_m=0.0,
    )
    k = np.float32(stretch)
    longer = Grid(grid.angle_deg, grid.range_m * k, grid.across_m * k, grid.depth_m * k)
    swath = Swath(
        scene, sounder, state, rng,
        bottom_m=water.bottom_m * stretch, grid=longer, ambient=water.ambient,
    )
    swath.power = water.surroundings.copy()
    return swath


def _mixed(water: Water, swath: Swath) -> npt.NDArray[np.int8] | None:
    """Real power and that of the bodies, as samples; None when no sample changes.

    Where a body takes power away (a shadow), real power is scaled down.
    """
    added = swath.power - water.surroundings
    touched = np.abs(added) > _NOTICEABLE * water.surroundings
    touched &= water.recorded
    if not touched.any():
        return None
    window = np.ix_(touched.any(axis=1), touched.any(axis=0))
    gain = np.minimum(1 + added[window] / water.surroundings[window], 1)
    sounder = swath.sounder
    own = speckle(swath.rng, gain.shape, sounder.beam_blur, sounder.range_blur)
    total = water.power[window] * gain + np.maximum(added[window], 0) * own
    level = np.clip(np.rint(half_db(total)), FLOOR_HALF_DB, 127).astype(np.int8)
    samples = water.samples.copy()
    samples[window] = np.where(touched[window], level, samples[window])
    return samples


def _with_samples(ping: WaterColumnPing, samples: npt.NDArray[np.int8]) -> WaterColumnPing:
    """Put samples that begin at range 0 back to where the beams begin."""
    if not ping.first_sample.any():
        return replace(ping, samples_half_db=samples)
    width = ping.samples_half_db.shape[1]
    column = ping.first_sample[:, None] + np.arange(width)
    column = np.minimum(column, samples.shape[1] - 1)
    moved = np.take_along_axis(samples, column, axis=1)
    moved[np.arange(width) >= ping.sample_count[:, None]] = FLOOR_HALF_DB
    return replace(ping, samples_half_db=moved)


def _in_real_metres(box: TrueBox, stretch: float) -> TrueBox:
    left, right = box.across_track_m
    top, low = box.depth_m
    return replace(
        box,
        across_track_m=(left / stretch, right / stretch),
        depth_m=(top / stretch, low / stretch),
    )
