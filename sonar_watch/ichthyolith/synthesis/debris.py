"""What lies between the ichthyoliths: minerals, glass, needles, rods, lumps.

None of it has the smooth taper of a tooth to a point, and some of it comes close: those are what
a detector has to learn to leave alone.
"""

from __future__ import annotations

from collections.abc import Callable

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
    angular,
    chance,
    clouds,
    grained,
    pick,
    ragged,
    rounded,
    step,
)
from sonar_watch.ichthyolith.synthesis.opaque import draw_blob, draw_bubble, draw_grain, draw_smudge
from sonar_watch.ichthyolith.synthesis.stains import brown, dull, focus

Draw = Callable[[float, Light, np.random.Generator], Particle]


def draw_shard(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a clear angular crystal or piece of glass, its facets faint."""
    outline = angular(int(rng.integers(4, 8)), rng.uniform(1.0, 2.6), rng)
    if chance(rng, 0.45):
        outline = rounded(outline, int(rng.integers(1, 3)))
    board = laid_out(_broken(outline, rng), length_px, light, rng)
    _raise_glass(board, rng)
    _facet(board, outline, rng)
    board.stain += np.float32(max(rng.normal(0.0, 0.06), 0)) * board.inside
    return _noise(board, light, rng)


def draw_cored(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return an angular crystal with a brown core and clear rims: the nearest to a tooth."""
    outline = angular(int(rng.integers(4, 8)), rng.uniform(1.0, 2.0), rng)
    if chance(rng, 0.3):
        outline = rounded(outline, 2)
    board = laid_out(_broken(outline, rng), length_px, light, rng)
    _raise_glass(board, rng)
    core = ragged(
        outline * rng.uniform(0.35, 0.8) + rng.normal(0, 0.05, 2), rng.uniform(0.005, 0.05), 12, rng
    )
    field = board.filled(core)
    soft = rng.uniform(0.004, 0.08) * board.unit_px
    field = np.asarray(_blurred(field, soft) * board.inside, np.float32)
    board.stain += (
        np.float32(rng.uniform(0.25, 1.8))
        * field
        * mottled(board, rng, rng.uniform(0.04, 0.25), rng.uniform(0.05, 0.5))
    )
    board.height += np.float32(rng.uniform(-1.2, 1.2) * board.line_px) * field
    if chance(rng, 0.4):
        _facet(board, outline, rng)
    return _noise(board, light, rng)


def draw_lath(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a prism: straight parallel sides, ends broken, lines along it, sometimes gas in it."""
    half = 0.5 / rng.uniform(1.6, 6.5)
    uneven = rng.uniform(0.7, 1.0)
    cut = rng.normal(0, 0.35, 2) * half
    outline = np.array(
        [
            (-0.5 + cut[0], -half),
            (0.5 - cut[1], -half * uneven),
            (0.5 + cut[1], half * uneven),
            (-0.5 - cut[0], half),
        ]
    )
    board = laid_out(_broken(outline, rng), length_px, light, rng)
    _raise_glass(board, rng)
    lines = []
    for _ in range(int(rng.integers(0, 5))):
        y = rng.uniform(-0.85, 0.85) * half
        start, end = np.sort(rng.uniform(-0.5, 0.5, 2))
        lines.append(np.array([(start, y), (end, y * rng.uniform(0.9, 1.0))]))
    if lines:
        drawn = board.lined(lines) * board.inside
        board.height += np.float32(rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)) * drawn
    if chance(rng, 0.3):
        count = int(rng.integers(1, 16))
        at = np.column_stack([rng.uniform(-0.4, 0.4, count), rng.uniform(-0.6, 0.6, count) * half])
        spots = board.dots(at, rng.exponential(0.012, count) + 0.003) * board.inside
        board.stain += np.float32(rng.uniform(0.8, 3)) * spots
    board.stain += np.float32(max(rng.normal(0.02, 0.12), 0)) * board.inside
    return _noise(board, light, rng)


def draw_splinter(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a sliver with sharp corners: a tooth at first sight, but no cone, no pulp."""
    half = 0.5 / rng.uniform(1.8, 7.0)
    blunt = rng.uniform(0.12, 0.5) * half
    outline = np.array(
        [
            (-0.5, -half * rng.uniform(0.5, 1)),
            (-0.4 * rng.uniform(0.4, 1), half),
            (0.5 * rng.uniform(0.85, 1), blunt),
            (0.5, -blunt),
            (rng.uniform(-0.2, 0.3), -half * rng.uniform(0.8, 1.1)),
        ]
    )
    board = laid_out(_broken(outline, rng), length_px, light, rng)
    _raise_glass(board, rng)
    _facet(board, outline, rng)
    return _noise(board, light, rng)


def draw_spicule(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a thin glassy needle of one width, often with a canal along it."""
    half = 0.5 / rng.uniform(8, 22)
    x = np.linspace(-0.5, 0.5, 12)
    bow = rng.normal(0, 0.03) * (1 - 4 * x * x)
    ends = np.clip((0.5 - np.abs(x)) / rng.uniform(0.02, 0.2), 0.25, 1)
    side = np.column_stack([x, bow + half * ends])
    board = laid_out(
        np.vstack([side, (side * [1, 0] + np.column_stack([0 * x, bow - half * ends]))[::-1]]),
        length_px,
        light,
        rng,
    )
    raise_plate(board, rng.uniform(0.7, 2.0), rng.uniform(0.7, 1.5))
    if chance(rng, 0.6):
        canal = board.lined([np.column_stack([x, bow])[1:-1]]) * board.inside
        board.height -= np.float32(rng.uniform(0.4, 1.2)) * canal
    return _noise(board, light, rng)


def draw_fibrous(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a brown bundle of fibres, its ends frayed: dark lines all along it."""
    half = 0.5 / rng.uniform(1.3, 5.0)
    outline = np.array(
        [
            (-0.5, -half),
            (0.5, -half * rng.uniform(0.5, 1)),
            (0.5, half * rng.uniform(0.5, 1)),
            (-0.5, half),
        ]
    )
    board = laid_out(ragged(outline, rng.uniform(0.006, 0.035), 40, rng), length_px, light, rng)
    raise_plate(board, rng.uniform(0.7, 1.8), rng.uniform(0.8, 2.0))
    y = board.across / np.float32(half)
    fibres = grained(board.along, y, (rng.uniform(1, 3), rng.uniform(4, 10)), rng)
    board.height += np.float32(rng.uniform(0.3, 1.0) * board.line_px) * fibres * board.inside
    dark = np.clip(fibres - np.float32(rng.uniform(-0.5, 0.8)), 0, 2)
    board.stain += np.float32(rng.uniform(0.2, 1.3)) * dark * board.inside
    board.stain += np.float32(rng.uniform(0.05, 0.45)) * board.inside
    return _noise(board, light, rng)


def draw_lump(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a rough roundish grain: a mosaic of small crystals, dark between them."""
    outline = ragged(angular(9, rng.uniform(1.0, 1.7), rng), rng.uniform(0.02, 0.06), 16, rng)
    board = laid_out(outline, length_px, light, rng)
    raise_plate(board, rng.uniform(0.8, 2.2), rng.uniform(1.0, 3.0))
    cell = max(rng.uniform(0.06, 0.22) * board.unit_px, 2.0)
    relief = clouds(board.shape, cell, rng)
    board.height += np.float32(rng.uniform(0.4, 1.8) * board.line_px) * relief * board.inside
    seams = step(np.abs(clouds(board.shape, cell, rng)), rng.uniform(0.1, 0.35), 0.0)
    board.stain += np.float32(rng.uniform(0, 1.3)) * seams * board.inside
    if chance(rng, 0.5):
        patches = np.clip(clouds(board.shape, max(0.2 * board.unit_px, 3), rng), 0, 2)
        board.stain += np.float32(rng.uniform(0.2, 1.5)) * patches * board.inside
    board.stain += np.float32(rng.uniform(0, 0.2)) * board.inside
    return _noise(board, light, rng)


def draw_capsule(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a smooth clear capsule with a dark thread in it."""
    half = 0.5 / rng.uniform(1.6, 5.0)
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.column_stack(
        [0.5 * np.cos(t), half * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.7]
    )
    board = laid_out(ragged(outline, 0.008, 12, rng), length_px, light, rng)
    _raise_glass(board, rng)
    walk = np.column_stack([np.linspace(-0.38, 0.38, 9), rng.normal(0, 0.3 * half, 9)])
    thread = board.lined([walk], rng.uniform(0.01, 0.06))
    thread = np.asarray(_blurred(thread, 0.01 * board.unit_px), np.float32)
    board.stain += (
        np.float32(rng.uniform(0.3, 3.0)) * thread * board.inside * mottled(board, rng, 0.05, 0.7)
    )
    return _noise(board, light, rng)


KINDS: dict[str, tuple[Draw, float]] = {
    "shard": (draw_shard, 0.27),
    "cored": (draw_cored, 0.11),
    "lath": (draw_lath, 0.12),
    "splinter": (draw_splinter, 0.09),
    "spicule": (draw_spicule, 0.03),
    "fibrous": (draw_fibrous, 0.06),
    "lump": (draw_lump, 0.13),
    "capsule": (draw_capsule, 0.02),
    "bubble": (draw_bubble, 0.06),
    "grain": (draw_grain, 0.07),
    "blob": (draw_blob, 0.04),
    "smudge": (draw_smudge, 0.04),
}
"""How each kind of debris is drawn, and its share."""


def draw_debris(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a particle that is no ichthyolith, of any kind, by chance."""
    kind = pick(rng, {name: share for name, (_, share) in KINDS.items()})
    return KINDS[kind][0](length_px, light, rng)


def _broken(outline: Points, rng: np.random.Generator) -> Points:
    return ragged(outline, rng.choice([0.002, 0.006, 0.014]), int(rng.integers(12, 50)), rng)


def _raise_glass(board: Board, rng: np.random.Generator) -> None:
    """Give a crystal a sharp edge, here and there worn."""
    rough = np.asarray(np.exp(0.55 * clouds(board.shape, 0.15 * board.unit_px, rng)), np.float32)
    raise_plate(board, rng.uniform(0.35, 1.9), rng.uniform(0.8, 2.4), rough)
    tilt = rng.normal(0, 0.02 * board.unit_px, 2)
    slope = np.float32(tilt[0]) * board.along + np.float32(tilt[1]) * board.across
    board.height += slope * board.inside
    add_cracks(board, int(rng.integers(0, 3)), rng, deep=rng.uniform(0.2, 0.8))


def _facet(board: Board, outline: Points, rng: np.random.Generator) -> None:
    """Cut a facet or two: planes that meet in a straight line across the crystal."""
    for _ in range(int(rng.integers(0, 3))):
        a, b = rng.choice(len(outline), 2, replace=False)
        run = outline[b] - outline[a]
        far = (board.along - np.float32(outline[a][0])) * np.float32(-run[1])
        far += (board.across - np.float32(outline[a][1])) * np.float32(run[0])
        side = np.clip(far / np.float32(max(float(np.hypot(*run)), 0.05)), 0, 1)
        if chance(rng, 0.5):
            board.height += np.float32(rng.normal(0, 0.06) * board.unit_px) * side * board.inside
        else:
            cut = step(np.asarray(side, np.float32), 0.0, 1.5 / board.unit_px)
            board.height += np.float32(rng.normal(0, 0.8) * board.line_px) * cut * board.inside


def _blurred(field: Float32Array, deviation_px: float) -> Float32Array:
    from sonar_watch.opencv import opencv

    blurred = opencv().GaussianBlur(field, (0, 0), max(deviation_px, 0.3))
    return np.asarray(blurred, np.float32)


def _noise(board: Board, light: Light, rng: np.random.Generator) -> Particle:
    colour = brown(rng) if chance(rng, 0.8) else dull(rng)
    return finished(board, "noise", light, rng, colour=colour, blur_px=focus(rng, light))
