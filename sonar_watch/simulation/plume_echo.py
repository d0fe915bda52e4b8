"""How plumes sound: columns smeared by the beam, broken into bursts of bright dots.

The pattern belongs to the rising water: it moves upwards with the bubbles, in data time, so
that consecutive pings show the same bursts. Speckle comes on top, new at every ping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.records import Float32Array
from sonar_watch.simulation.axes import ground_to_ship
from sonar_watch.simulation.plumes import Plume
from sonar_watch.simulation.swath import Swath, Window
from sonar_watch.simulation.texture import dots, uniform, waver

_REACH = 3.0
"""Standard deviations of a strand that are drawn."""
_SHORTEST_SHARE = 0.05
"""Of the water depth: what is seen of a plume and is lower than this is not boxed."""
_BURST, _WAVER_SD = 1.8, 0.6
"""Strength of bursts at full patchiness, as an exponent; standard deviation of `waver`."""
_CORE_SHARE = 0.75
"""Mean of a bell curve over what is visible of it."""
_FAINTEST = 0.004
"""Share of the contrast below which the pattern does not matter."""
_WRAP_M = 100_000.0
"""The pattern repeats after this much rise: keeps the cells small enough for single precision."""


@dataclass(frozen=True, slots=True)
class _View:
    """A plume as one swath sees it: shape (beams, samples), metres, but for `foot_m`."""

    plume: Plume
    foot_m: float
    height: Float32Array
    side: Float32Array
    """Starboard of the axis of the middle strand."""
    ahead: Float32Array
    """From the fan forward to that axis."""
    across_m: Float32Array
    """Standard deviation across the track as the beam smears it."""
    along_m: Float32Array


def draw_plume(swath: Swath, plume: Plume) -> None:
    """Add a plume to a swath and note its true box, class "signal"."""
    foot_m = float(swath.scene.seabed.at(plume.east_m, plume.north_m))
    window = _window(swath, plume, foot_m)
    if window is None:
        return
    view = _view(swath, plume, foot_m, window)
    strength = _strength(swath, view)
    body, shape = np.zeros_like(strength), np.zeros_like(strength)
    for number, place in enumerate(plume.strand_places()):
        strand = strength * _strand(swath, view, number, place)
        lit = strand > _FAINTEST
        shape += strand
        body[lit] += strand[lit] * _pattern(swath, view, lit, number, place)
    shortest_m = min(_SHORTEST_SHARE * foot_m, 0.5 * plume.height_m)
    swath.add_body(window, body, plume.contrast_db, "signal", plume.name, shortest_m, outline=shape)


def _window(swath: Swath, plume: Plume, foot_m: float) -> Window | None:
    """Where the fan can cut the plume, or None."""
    forward, starboard = swath.from_transducer(plume.east_m, plume.north_m)
    beam_m = swath.sounder.beam_width_deg / 100 * np.hypot(foot_m, starboard)
    widest = plume.radius_m * max(1.0, 1 + plume.widening)
    far = _REACH * (widest + beam_m) + plume.strands * plume.spread_m / 2
    heights = np.linspace(0, plume.height_m, 5)
    ahead, aside = ground_to_ship(swath.state, *plume.drift(heights))
    nearest, furthest = sorted((0.0, foot_m * swath.tilt))
    if np.max(forward + ahead) + far < nearest or np.min(forward + ahead) - far > furthest:
        return None
    across = (float(starboard + aside.min() - far), float(starboard + aside.max() + far))
    return swath.window(across, (foot_m - plume.height_m, foot_m + 2))


def _view(swath: Swath, plume: Plume, foot_m: float, window: Window) -> _View:
    y, z, reach = swath.cut(window)
    height = np.float32(foot_m) - z
    share = np.clip(height / np.float32(plume.height_m), 0, 1)
    ahead, aside = ground_to_ship(swath.state, *plume.drift(share * np.float32(plume.height_m)))
    forward, starboard = swath.from_transducer(plume.east_m, plume.north_m)
    down = z - np.float32(swath.sounder.transducer_depth_m)
    radius = np.float32(plume.radius_m) * (1 + np.float32(plume.widening) * share)
    return _View(
        plume=plume,
        foot_m=foot_m,
        height=height,
        side=np.asarray(y - (np.float32(starboard) + aside), np.float32),
        ahead=np.float32(forward) + ahead - down * np.float32(swath.tilt),
        across_m=np.hypot(radius, swath.footprint(0.0, reach, window[0])),
        along_m=np.hypot(radius, swath.footprint(0.0, reach)),
    )


def _strength(swath: Swath, view: _View) -> Float32Array:
    """Echo of a strand's axis, its mean over the height 1 right below: taper and dilution.

    The beam mixes the plume with the water beside it: the echo falls with the area that the
    smeared plume takes. A plume that widens thins out as well; one that narrows dissolves.
    """
    plume = view.plume
    left = np.clip(1 - view.height / np.float32(plume.height_m), 0, 1)
    beam_m = np.radians(swath.sounder.beam_width_deg) / 2.355 * view.foot_m
    narrowest = plume.radius_m * (1 + np.minimum(plume.widening, 0) * (1 - left))
    area = (narrowest**2 + np.float32(beam_m**2)) / (view.across_m * view.along_m)
    even = np.float32((1 + plume.taper) / _CORE_SHARE)
    column = even * left ** np.float32(plume.taper) * np.minimum(area, 4)
    column[view.height < 0] = 0
    return np.asarray(column, np.float32)


def _strand(swath: Swath, view: _View, number: int, place: tuple[float, float]) -> Float32Array:
    """Cross-section of one strand; strands beyond the first are fainter and lower by chance."""
    ahead, aside = swath.state.rotate_to_ship(*place)
    square = ((view.side - np.float32(aside)) / view.across_m) ** 2
    square += ((view.ahead + np.float32(ahead)) / view.along_m) ** 2
    section = np.exp(np.float32(-0.5) * np.minimum(square, 60))
    if number:
        draw = uniform(view.plume.seed, np.arange(2), number)
        top_m = np.float32(view.plume.height_m * (0.5 + 0.5 * float(draw[0])))
        section *= np.clip((top_m - view.height) / (0.15 * top_m), 0, 1)
        section *= np.float32(10 ** (-0.5 * float(draw[1])))
    return np.asarray(section, np.float32)


def _pattern(
    swath: Swath,
    view: _View,
    lit: npt.NDArray[np.bool_],
    number: int,
    place: tuple[float, float],
) -> Float32Array:
    """Gains of mean about 1 where `lit`: streaks along the rise, each in bursts of bright dots."""
    plume, width_m = view.plume, _resolved_m(swath, view)
    if plume.patchiness <= 0:
        return np.ones(int(lit.sum()), np.float32)
    ahead, aside = swath.state.rotate_to_ship(*place)
    lane = np.floor((view.side[lit] - np.float32(aside)) / np.float32(width_m) + np.float32(0.5))
    row = np.floor((view.ahead[lit] + np.float32(ahead)) / np.float32(width_m) + np.float32(0.5))
    stream = (lane + np.float32(64) * row + np.float32(4096 * number)).astype(np.int64)
    risen = (swath.state.time_utc.timestamp() * plume.rise_m_s) % _WRAP_M
    # Neighbouring streams are shifted in height, so that no rows of dots appear.
    parcel = view.height[lit].astype(np.float64) - risen + stream * (0.37 * plume.burst_m)
    depth = np.float32(_BURST * plume.patchiness)
    bursts = np.exp(depth * waver(plume.seed, parcel / plume.burst_m))
    bursts *= np.float32(np.exp(-0.5 * (_WAVER_SD * depth) ** 2))
    tall_m = max(plume.dot_m, 1.6 * width_m, 2 * swath.sounder.metres_per_sample)
    shape = min(0.35 / plume.patchiness**1.5, 8.0)
    return np.asarray(bursts * dots(plume.seed, shape, np.floor(parcel / tall_m), stream))


def _resolved_m(swath: Swath, view: _View) -> float:
    """Width of a stream: what the beam resolves, or a fifth of the strand where that is wider."""
    middle_m = max(view.foot_m - 0.4 * view.plume.height_m, 1.0)
    beam_m = 0.7 * float(np.radians(swath.sounder.beam_width_deg)) * middle_m
    return max(beam_m, 0.2 * view.plume.radius_m)
