"""One swath while it is being built: linear power over (beam, sample), and the true boxes in it.

Bodies are functions that cut a window out of the swath, compute their share of power there
relative to the ambient level, and add it. The same functions draw over simulated water and
over real pings: whoever makes the `Swath` says what the ambient level and the bottom are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sonar_watch.records import FLOOR_HALF_DB, Float32Array, FloatArray
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounder import Sounder

_FWHM = 2.355
VISIBLE_DB = 3.0
"""A true box holds what raises the level by this much."""
_VISIBLE = 10 ** (VISIBLE_DB / 10) - 1
_BARELY = 0.26
"""Power over that of the surroundings (1 dB) below which a body's core is drowned."""
_FEWEST_SAMPLES = 12
"""Fewer samples than this are no body that a person would box."""
_FLOOR_POWER = np.float32(10 ** (FLOOR_HALF_DB / 20))
_CORE = 0.5
"""Share of a body's peak that still counts as its core."""

Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueBox:
    """What should be found in one swath.

    Parameters
    ----------
    class_name : {"signal", "noise"}
    name : str
        Of the plume; "" for fish.
    across_track_m, depth_m : tuple of float (min, max)
        Across-track + starboard of the transducer, depth below the surface.
    contrast_db : float
        10 log10(1 + mean power of the body over that of its surroundings), over the samples of
        the box that it raises by `VISIBLE_DB` or that belong to its core.
    """

    class_name: str
    name: str
    across_track_m: tuple[float, float]
    depth_m: tuple[float, float]
    contrast_db: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each sample of a fan lies.

    Parameters
    ----------
    angle_deg : ndarray, shape (beams,), degrees from the vertical, + starboard, ascending
    range_m : ndarray, shape (samples,), metres from the transducer
    across_m, depth_m : ndarray, shape (beams, samples), metres
        + starboard of the transducer; below the surface.
    """

    angle_deg: FloatArray
    range_m: Float32Array
    across_m: Float32Array
    depth_m: Float32Array


def fan_grid(
    angle_deg: FloatArray, samples: int, metres_per_sample: float, transducer_depth_m: float
) -> Grid:
    """Return where the samples of straight rays lie, the first at the transducer."""
    range_m = (np.arange(samples) * metres_per_sample).astype(np.float32)
    angle = np.radians(angle_deg).astype(np.float32)[:, None]
    across = range_m * np.sin(angle)
    depth = range_m * np.cos(angle) + np.float32(transducer_depth_m)
    return Grid(np.asarray(angle_deg, float), range_m, across, depth)


@lru_cache(maxsize=4)
def sounder_grid(sounder: Sounder, samples: int) -> Grid:
    """Return the grid of a simulated sounder, the same object for the same arguments."""
    return fan_grid(
        sounder.beam_angle_deg, samples, sounder.metres_per_sample, sounder.transducer_depth_m
    )


class Swath:
    """The power of one swath while it is being built.

    Parameters
    ----------
    scene : Scene
    sounder : Sounder
    state : ShipState
    rng : numpy Generator
        Of what is new at every ping; what stays has its own seed.
    bottom_m : ndarray, shape (beams,), float, metres
        Range to the seabed along each beam.
    grid : Grid
    ambient : ndarray, shape (beams, samples), float32
        Linear power of the background without bottom and bodies.

    Attributes
    ----------
    power : ndarray, shape (beams, samples), float32
        Expected linear power so far, before speckle.
    boxes : list of TrueBox
    tilt : float
        Tangent of the angle by which the fan looks forward.
    hearing : ndarray, shape (beams, 1), float32
        Share of echo power that reaches the receiver; below 1 under bubbles.
    """

    def __init__(
        self,
        scene: Scene,
        sounder: Sounder,
        state: ShipState,
        rng: np.random.Generator,
        *,
        bottom_m: FloatArray,
        grid: Grid,
        ambient: Float32Array,
    ) -> None:
        self.scene, self.sounder, self.state, self.rng = scene, sounder, state, rng
        self.bottom_m, self.grid, self.ambient = bottom_m, grid, ambient
        self.power: Float32Array = ambient.copy()
        self.tilt = tilt_tangent(sounder, state)
        self.hearing = np.ones((grid.angle_deg.size, 1), np.float32)
        self.boxes: list[TrueBox] = []

    def window(self, across: tuple[float, float], depth: tuple[float, float]) -> Window | None:
        """Return beams and samples that can hold a body within these bounds, or None.

        Parameters
        ----------
        across, depth : tuple of float (min, max)
            Metres starboard of the transducer; metres below the surface.
        """
        sounder = self.sounder
        top = max(depth[0] - sounder.transducer_depth_m, 1.0)
        low = max(depth[1] - sounder.transducer_depth_m, 1.0)
        corners = np.degrees([np.arctan2(y, z) for y in across for z in (top, low)])
        beams = np.searchsorted(self.grid.angle_deg, [corners.min() - 2, corners.max() + 2])
        nearest = np.hypot(0 if across[0] * across[1] < 0 else np.abs(across).min(), top)
        ranges = np.array([nearest, np.hypot(np.abs(across).max(), low)])
        samples = (ranges / sounder.metres_per_sample).astype(int) + np.array([-2, 3])
        first, last = np.clip(samples, 0, self.grid.range_m.size)
        if beams[1] - beams[0] < 1 or last - first < 2:
            return None
        return slice(int(beams[0]), int(beams[1])), slice(int(first), int(last))

    def from_transducer(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Return metres (forward, starboard) of the transducer of a place in the world."""
        forward, starboard = self.state.to_ship(east_m, north_m)
        return forward - self.sounder.lever_forward_m, starboard - self.sounder.lever_starboard_m

    def cut(self, window: Window) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return across-track and depth, shape (beams, samples), and range (samples,), metres."""
        return self.grid.across_m[window], self.grid.depth_m[window], self.grid.range_m[window[1]]

    def footprint(
        self, radius_m: float, range_m: Float32Array, beams: slice | None = None
    ) -> Float32Array:
        """Return the standard deviation in metres of a body as the beam smears it.

        Parameters
        ----------
        radius_m : float
            Standard deviation of the body itself.
        range_m : ndarray, shape (samples,)
        beams : slice, optional
            With it the receive beam grows as 1 / cos of the steering angle (a flat array is
            foreshortened), and the result has the shape (beams, samples).
        """
        width = self.sounder.beam_width_deg / _FWHM
        beam_m = range_m * np.float32(np.radians(width))
        if beams is None:
            return np.asarray(np.hypot(np.float32(radius_m), beam_m))
        growth = 1 / np.cos(np.radians(self.grid.angle_deg[beams])).astype(np.float32)
        return np.asarray(np.hypot(np.float32(radius_m), growth[:, None] * beam_m))

    def add_body(
        self,
        window: Window,
        body: npt.NDArray[np.floating],
        contrast_db: float,
        class_name: str,
        name: str,
        min_height_m: float = 0.0,
        outline: Float32Array | None = None,
    ) -> None:
        """Add a body's power; note its true box where it stands out of its surroundings.

        Parameters
        ----------
        window : tuple of slice
        body : ndarray, shape of the window
            Power relative to the body's peak, about 1 at its core.
        contrast_db : float
            Of the peak over the ambient level.
        class_name : str
            "signal", "noise", or "" for what nobody would box.
        name : str
        min_height_m : float
            Lower boxes are not noted.
        outline : ndarray, shape of the window, optional
            The body without its pattern: what its box follows, so that gaps do not cut it.
        """
        reach = self.grid.range_m[window[1]]
        before = reach < (0.995 * self.bottom_m[window[0]]).astype(np.float32)[:, None]
        scale = before * self.ambient[window] * self.hearing[window[0]]
        scale *= np.float32(10 ** (contrast_db / 10))
        # What lies below the lowest sample value is not seen, however far over its surroundings.
        surroundings = np.maximum(self.power[window], _FLOOR_POWER)
        added = body * scale
        self.power[window] += added.astype(np.float32)
        if not class_name:
            return
        even = body if outline is None else outline
        seen = even * scale > _VISIBLE * surroundings
        core = (even > _CORE) & (even * scale > _BARELY * surroundings)
        if outline is not None:
            seen |= core
        self._note(window, seen, seen | core, added / surroundings, class_name, name, min_height_m)

    def _note(
        self,
        window: Window,
        seen: npt.NDArray[np.bool_],
        counted: npt.NDArray[np.bool_],
        ratio: npt.NDArray[np.floating],
        class_name: str,
        name: str,
        min_height_m: float,
    ) -> None:
        if seen.sum() < _FEWEST_SAMPLES:
            return
        y, z, _ = self.cut(window)
        left, right = np.percentile(y[seen], [3, 97])
        top, low = np.percentile(z[seen], [2, 99.5])
        if low - top < max(min_height_m, 4 * self.sounder.metres_per_sample):
            return
        counted &= (y >= left) & (y <= right) & (z >= top) & (z <= low)
        self.boxes.append(
            TrueBox(
                class_name=class_name,
                name=name,
                across_track_m=(float(left), float(right)),
                depth_m=(float(top), float(low)),
                contrast_db=float(10 * np.log10(1 + ratio[counted].mean())),
            )
        )


def tilt_tangent(sounder: Sounder, state: ShipState) -> float:
    """Return the tangent of the angle by which a swath looks forward of the vertical."""
    tilt = sounder.swath_tilt_deg * (1 if state.swath == 0 else -1) * sounder.dual_swath
    return float(np.tan(np.radians(tilt)))
