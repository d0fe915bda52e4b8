"""How fish and dolphins sound."""

from __future__ import annotations

import numpy as np

from sonar_watch.records import Float32Array, FloatArray, IntArray
from sonar_watch.simulation.axes import ground_to_ship, ship_to_body
from sonar_watch.simulation.fish import Dolphins, School
from sonar_watch.simulation.point_echo import light_up
from sonar_watch.simulation.swath import Swath, Window
from sonar_watch.simulation.texture import dots, uniform, waver

_DOLPHIN_M = 3.0
_FISH_PER_CELL = 4
_CELL_SHARE = 0.05
"""Side of a cell over ground with fish of its own, as a share of the depth."""
_HEARD_PER_DEG = 120.0
"""Fish within the fan when every cell is full, per degree of beam width."""
_FAINTEST = 0.004
"""Share of a school's contrast that is not drawn."""
_FISH_DB = (8.0, 20.0)


def draw_school(swath: Swath, school: School) -> None:
    """Add a school and note its true box, class "noise"."""
    middle_m = _middle_m(swath, school)
    forward, starboard = swath.from_transducer(school.east_m, school.north_m)
    longest = school.radius_m * school.elongation
    far = 3 * np.hypot(longest, np.radians(swath.sounder.beam_width_deg) / 2 * middle_m)
    tall = 3 * school.half_height_m + abs(school.dip) * far
    if abs(forward - middle_m * swath.tilt) > far:
        return
    window = swath.window((starboard - far, starboard + far), (middle_m - tall, middle_m + tall))
    if window is None:
        return
    along, cross, up = _school_axes(swath, school, window, middle_m)
    shape = _ellipsoid(swath, school, window, along, cross, up)
    lit, body = shape > _FAINTEST, np.zeros_like(shape)
    body[lit] = shape[lit] * _clumps(swath, school, middle_m, along[lit], cross[lit], up[lit])
    swath.add_body(window, body, school.contrast_db, "noise", "", outline=shape)


def _clumps(
    swath: Swath,
    school: School,
    middle_m: float,
    along: Float32Array,
    cross: Float32Array,
    up: Float32Array,
) -> Float32Array:
    """Gains of mean 1: denser and thinner parts, their borders wavy."""
    beam_m = 0.7 * float(np.radians(swath.sounder.beam_width_deg)) * middle_m
    tall_m = max(0.35 * school.half_height_m, 3 * swath.sounder.metres_per_sample)
    wide_m = max(0.35 * school.radius_m, beam_m)
    level, beside, ahead = up / tall_m, cross / wide_m, along / wide_m
    column = np.floor(ahead + waver(school.seed, 0.7 * level, 2))
    row = np.floor(beside + waver(school.seed, 0.7 * level, 1))
    tier = np.floor(level + waver(school.seed, 0.7 * (beside + ahead), 3))
    return dots(school.seed, min(0.5 / max(school.patchiness, 0.06), 8.0), column, row, tier)


def _middle_m(swath: Swath, school: School) -> float:
    if school.above_bottom_m is None:
        return school.depth_m
    return float(swath.scene.seabed.at(school.east_m, school.north_m)) - school.above_bottom_m


def _school_axes(
    swath: Swath, school: School, window: Window, middle_m: float
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Metres from the school's middle: along its bearing, across it, upwards."""
    y, z, _ = swath.cut(window)
    forward, starboard = swath.from_transducer(school.east_m, school.north_m)
    down = z - np.float32(swath.sounder.transducer_depth_m)
    ahead = down * np.float32(swath.tilt) - np.float32(forward)
    along, cross = ship_to_body(swath.state, school.bearing_deg, ahead, y - np.float32(starboard))
    return along, cross, np.float32(middle_m) - z + np.float32(school.dip) * along


def _ellipsoid(
    swath: Swath,
    school: School,
    window: Window,
    along: Float32Array,
    cross: Float32Array,
    up: Float32Array,
) -> Float32Array:
    """1 in the middle, falling outwards as softly as the school and the beam do."""
    reach = swath.grid.range_m[window[1]]
    length = swath.footprint(school.radius_m * school.elongation, reach)
    width = swath.footprint(school.radius_m, reach)
    square = (along / length) ** 2 + (cross / width) ** 2
    square += (up / np.float32(school.half_height_m)) ** 2
    diluted = np.float32(school.radius_m) / width
    hard = np.minimum(square, 20) ** np.float32(school.hardness / 2)
    return np.asarray(diluted * np.exp(np.float32(-0.5) * np.minimum(hard, 60)), np.float32)


def draw_dolphins(swath: Swath, group: Dolphins) -> None:
    """Add a group of dolphins and note its true box, class "noise"."""
    forward, starboard = swath.from_transducer(group.east_m, group.north_m)
    far = 1.6 * group.radius_m
    beam_m = 3 * np.radians(swath.sounder.beam_width_deg) * group.deepest_m
    if abs(forward) > far + beam_m:
        return
    window = swath.window((starboard - far, starboard + far), (0.0, 1.1 * group.deepest_m))
    if window is None:
        return
    ahead, aside, depth, gain = _animals(group, swath.state.time_utc.timestamp())
    points = light_up(swath, forward + ahead, starboard + aside, depth, gain, _DOLPHIN_M)
    body = np.zeros(swath.power.shape, np.float32)
    np.add.at(body, (points.beam, points.sample), points.gain)
    swath.add_body(window, body[window], group.contrast_db, "noise", "")


def _animals(
    group: Dolphins, time_s: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return where the animals are at a time: two places across, depth, and echo strength.

    Each circles around its own place and dives on its own.
    """
    number = np.arange(group.count)
    draw = [uniform(group.seed, number, lane).astype(float) for lane in range(6)]
    phase = 2 * np.pi * (time_s / group.dive_s + draw[0])
    out, way = group.radius_m * np.sqrt(draw[1]), 2 * np.pi * draw[2]
    circle = 0.2 * group.radius_m * (0.3 + draw[3])
    ahead = out * np.cos(way) + circle * np.cos(phase / 3)
    aside = out * np.sin(way) + circle * np.sin(phase / 3)
    depth = 2 + group.deepest_m * (0.3 + 0.7 * draw[4]) * np.sin(phase / 2) ** 2
    return ahead, aside, depth, 10 ** (-1.0 * draw[5])


def draw_fish(swath: Swath, count: int, seed: int) -> None:
    """Add single fish: about `count` within the fan, the same ones as long as they are in it."""
    if not count:
        return
    deep_m, time_s = swath.scene.seabed.depth_m, swath.state.time_utc.timestamp()
    cell_m = _CELL_SHARE * deep_m
    column, row = _cells_below(swath, cell_m)
    slot = np.arange(_FISH_PER_CELL)[:, None]
    draw = [uniform(seed + slot, column, row, lane).astype(float) for lane in range(5)]
    sway = 0.1 * cell_m * np.sin(time_s / 40.0 + 6.3 * draw[4])
    east, north = (column + draw[1]) * cell_m + sway, (row + draw[2]) * cell_m
    there = draw[0] < count / (_HEARD_PER_DEG * swath.sounder.beam_width_deg)
    origin = swath.from_transducer(0.0, 0.0)
    ahead, aside = ground_to_ship(swath.state, east[there], north[there])
    depth = deep_m * (0.03 + 0.97 * draw[3][there])
    low, high = _FISH_DB
    gain = 10 ** ((low + (high - low) * draw[4][there]) / 10)
    points = light_up(swath, origin[0] + ahead, origin[1] + aside, depth, gain)
    echo = points.gain * swath.ambient[points.beam, points.sample]
    np.add.at(swath.power, (points.beam, points.sample), echo * swath.hearing[points.beam, 0])


def _cells_below(swath: Swath, cell_m: float) -> tuple[IntArray, IntArray]:
    """Return column and row of the cells over ground that the fan can touch."""
    angle = np.radians(np.abs(swath.grid.angle_deg).max())
    reach = swath.scene.seabed.depth_m * min(float(np.tan(angle)), 3.0)
    aside = np.arange(-reach, reach, 0.7 * cell_m)
    ahead = 0.7 * cell_m * np.array([-1.0, 0.0, 1.0])[:, None]
    east, north = swath.state.to_world(ahead + swath.sounder.lever_forward_m, aside)
    cells = np.floor(np.stack((east.ravel(), north.ravel())) / cell_m).astype(np.int64)
    first, count = cells.min(axis=1), np.ptp(cells[1]) + 1
    number = np.unique((cells[0] - first[0]) * count + cells[1] - first[1])
    return number // count + first[0], number % count + first[1]
