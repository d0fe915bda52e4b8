"""Fish teeth: cones, needles and triangles with a point, and a pulp cavity within."""

from __future__ import annotations

import numpy as np

from sonar_watch.detection.detections import Float32Array
from sonar_watch.ichthyolith.synthesis.board import (
    Board,
    Light,
    Particle,
    add_cracks,
    finished,
    laid_out,
    mottled,
    raise_plate,
)
from sonar_watch.ichthyolith.synthesis.fields import (
    Points,
    chance,
    clouds,
    grained,
    pick,
    ragged,
    step,
)
from sonar_watch.ichthyolith.synthesis.stains import brown, focus

_KINDS = {"brown": 0.48, "clear": 0.26, "dark": 0.12, "stained": 0.14}


class _Cone:
    """The shape of one tooth: base at x 0, point at x 1, slightly bent."""

    def __init__(self, rng: np.random.Generator) -> None:
        aspect = float(np.clip(rng.lognormal(np.log(2.5), 0.48), 1.15, 8.0))
        self.half = 0.5 / aspect
        self.taper = rng.uniform(0.5, 1.05) if aspect < 4 else rng.uniform(0.7, 1.1)
        self.bend = rng.normal(0, 0.05 if aspect < 2 else 0.10)
        self.skew = rng.normal(0, 0.25) if chance(rng, 0.4) else 0.0
        self.notch = self._notch_of(rng)
        self.tip = rng.uniform(0.72, 0.95) if chance(rng, 0.12) else 1.0

    def _notch_of(self, rng: np.random.Generator) -> float:
        kind = pick(rng, {"straight": 0.35, "forked": 0.45, "convex": 0.2})
        if kind == "forked":
            return float(rng.uniform(0.1, 0.4))
        return float(-rng.uniform(0.02, 0.1)) if kind == "convex" else float(rng.normal(0, 0.02))

    def axis(self, x: np.ndarray) -> np.ndarray:
        """Return y of the axis."""
        return np.asarray(self.bend * x * x * 2 + self.skew * self.half * x)

    def width(self, x: np.ndarray) -> np.ndarray:
        """Return the half width."""
        return np.asarray(self.half * np.clip(1 - x, 0, 1) ** self.taper)

    def outline(self, rng: np.random.Generator) -> Points:
        """Return the closed outline, its base broken or forked."""
        x = self.tip * (1 - np.linspace(1, 0, 26) ** 1.6)
        upper = np.column_stack([x, self.axis(x) + self.width(x)])
        lower = np.column_stack([x, self.axis(x) - self.width(x)])[::-1]
        v = np.linspace(-1, 1, 13)[1:-1]
        profile = 1 - np.abs(v) ** rng.uniform(1.0, 2.5)
        torn = rng.normal(0, rng.choice([0.004, 0.02, 0.045]), len(v))
        base = np.column_stack([np.clip(self.notch, -0.1, 0.4) * profile + torn, v * self.half])
        points = np.vstack([upper, lower, base])
        return ragged(points, rng.uniform(0.001, 0.006), int(rng.integers(10, 40)), rng)


def draw_tooth(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a tooth of any kind, by chance.

    Parameters
    ----------
    length_px : float
        From base to point, pixels of the picture.
    light : Light
    rng : Generator
    """
    cone = _Cone(rng)
    board = laid_out(cone.outline(rng), length_px, light, rng)
    x = board.along
    across = (board.across - cone.axis(x)) / np.maximum(cone.width(x), 0.01)
    r = np.asarray(np.clip(across, -1.5, 1.5), np.float32)
    _raise_cone(board, r, rng)
    kind = pick(rng, _KINDS)
    if kind == "dark":
        _stain_dark(board, x, r, rng)
    else:
        if kind == "stained":
            board.stain += (
                board.inside
                * np.float32(rng.uniform(0.1, 0.5))
                * mottled(board, rng, rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.6))
            )
        filled = rng.uniform(0.0, 0.12) if kind == "clear" else rng.uniform(0.35, 1.9)
        _hollow(board, x, r, filled, rng)
    _fill_in(board, x, r, cone, rng)
    return finished(board, "tooth", light, rng, colour=brown(rng), blur_px=focus(rng, light))


def _raise_cone(board: Board, r: Float32Array, rng: np.random.Generator) -> None:
    """Give the cone its roundness, its edge and its grain along the axis."""
    rough = np.asarray(np.exp(0.45 * clouds(board.shape, 0.12 * board.unit_px, rng)), np.float32)
    raise_plate(board, rng.uniform(0.7, 2.4), rng.uniform(1.0, 2.6), rough)
    dome = np.sqrt(np.clip(1 - r * r, 0, 1)) * board.inside
    board.height += np.float32(rng.uniform(0, 0.07) * board.unit_px / 3) * dome
    if chance(rng, 0.5):
        fibre = grained(board.along, r, (rng.uniform(1.5, 4), rng.uniform(3, 9)), rng)
        board.height += np.float32(rng.uniform(0.1, 0.45) * board.line_px) * fibre * board.inside
    add_cracks(board, int(rng.integers(0, 4)), rng, along=0.9, deep=rng.uniform(0.3, 1.0))


def _hollow(
    board: Board, x: Float32Array, r: Float32Array, filled: float, rng: np.random.Generator
) -> None:
    """Cut the pulp cavity out of a tooth and fill it with stain."""
    reach, wide = rng.uniform(0.35, 0.95), rng.uniform(0.3, 0.85)
    part = wide * np.clip(1 - x / reach, 0, 1) ** rng.uniform(0.35, 1.0)
    wander = clouds(board.shape, 0.15 * board.unit_px, rng) * np.float32(rng.uniform(0.02, 0.15))
    gap = np.asarray(part - np.abs(r + rng.normal(0, 0.1)) + wander, np.float32)
    soft = rng.choice([0.08, 0.2, 0.45])
    cavity = step(gap, -soft / 2, soft) * board.inside
    board.height -= np.float32(rng.uniform(0.0, 1.4) * board.line_px) * cavity
    streaks = grained(x, r, (rng.uniform(2, 6), rng.uniform(2, 8)), rng)
    texture = np.clip(1 + np.float32(rng.uniform(0.05, 0.5)) * streaks, 0.05, 3)
    texture *= mottled(board, rng, rng.uniform(0.03, 0.2), rng.uniform(0.05, 0.35))
    faded = step(x, reach * rng.uniform(0.9, 1.3), reach * rng.uniform(0.1, 0.7))
    if chance(rng, 0.25):
        faded = step(x, 0.0, rng.uniform(0.2, 0.6))
    board.stain += np.float32(filled) * cavity * texture * faded


def _stain_dark(board: Board, x: Float32Array, r: Float32Array, rng: np.random.Generator) -> None:
    """Make a tooth nearly opaque, but for its rim and its point."""
    rim = rng.uniform(0.01, 0.06)
    body = step(board.depth, rim * 0.2, rim * rng.uniform(1.2, 3.0))
    clear = 1 - step(x, rng.uniform(0.6, 0.9), 1.05) * np.float32(rng.uniform(0.2, 0.9))
    texture = mottled(board, rng, rng.uniform(0.04, 0.2), rng.uniform(0.1, 0.35))
    streaks = 1 + np.float32(rng.uniform(0, 0.25)) * grained(x, r, (3, 4), rng)
    board.stain += np.float32(rng.uniform(1.3, 4.0)) * body * clear * texture * streaks
    board.stain += np.float32(rng.uniform(0.1, 0.5)) * board.inside


def _fill_in(
    board: Board, x: Float32Array, r: Float32Array, cone: _Cone, rng: np.random.Generator
) -> None:
    """Put gas, specks and dirt into a tooth."""
    if chance(rng, 0.22):
        at, long = rng.uniform(0.12, 0.5), rng.uniform(0.05, 0.22)
        wide = rng.uniform(0.12, 0.4)
        egg = ((x - at) / long) ** 2 + ((r - rng.normal(0, 0.1)) / wide) ** 2
        ring = step(np.asarray(egg, np.float32), 1.15, 0.85)
        heart = step(np.asarray(egg, np.float32), 0.35, 0.1) * np.float32(rng.uniform(0, 0.95))
        board.stain += 3.5 * ring * (1 - heart) * board.inside
    if chance(rng, 0.3):
        count = int(rng.integers(2, 14))
        places = rng.uniform(0.02, 0.8, count)
        across = cone.axis(places) + cone.width(places) * rng.uniform(-0.7, 0.7, count)
        spots = board.dots(np.column_stack([places, across]), rng.exponential(0.005, count) + 0.002)
        ragged_spots = spots * np.clip(mottled(board, rng, 0.02, 0.6), 0, 2)
        board.stain += np.float32(rng.uniform(0.3, 1.8)) * ragged_spots * board.inside
    if chance(rng, 0.15):
        dirt = clouds(board.shape, max(0.03 * board.unit_px, 1.5), rng) * step(x, 0.22, 0.0)
        board.stain += np.float32(rng.uniform(0.3, 1.2)) * np.clip(dirt, 0, 2) * board.inside
