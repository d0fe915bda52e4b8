"""Denticles and saw-toothed plates: stars, frames, crowns, and bars with one scalloped rim."""

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

_KINDS = {"frame": 0.42, "crown": 0.28, "keel": 0.14, "rosette": 0.16}


def draw_denticle(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a denticle of any kind, by chance; `length_px` is about its longer side."""
    draw = {
        "frame": _draw_frame,
        "crown": _draw_crown,
        "keel": _draw_keel,
        "rosette": _draw_rosette,
    }[pick(rng, _KINDS)]
    board = draw(length_px, light, rng)
    add_cracks(board, int(rng.integers(0, 3)), rng, deep=rng.uniform(0.2, 0.7))
    return finished(board, "denticle", light, rng, colour=brown(rng), blur_px=focus(rng, light))


def _star(corners: int, inner: float, rng: np.random.Generator) -> Points:
    """Return a polygon with points and hollow sides, about 0, 0 and one unit across."""
    turn = 2 * np.pi * np.arange(corners) / corners + rng.normal(0, 0.13, corners)
    far = 0.5 * rng.uniform(0.72, 1.05, corners)
    points: list[tuple[float, float]] = []
    for index in range(corners):
        here, there = turn[index], turn[(index + 1) % corners] + 2 * np.pi * (index == corners - 1)
        a = far[index] * np.array([np.cos(here), np.sin(here)])
        b = far[(index + 1) % corners] * np.array([np.cos(there), np.sin(there)])
        pulled = (a + b) / 2 * inner * rng.uniform(0.85, 1.1)
        for t in np.linspace(0, 1, 9)[:-1]:
            at = (1 - t) ** 2 * a + 2 * t * (1 - t) * pulled + t * t * b
            points.append((float(at[0]), float(at[1])))
    return np.array(points)


def _speckled(board: Board, share: float, rng: np.random.Generator) -> Float32Array:
    """Return the grainy stain of a porous crown."""
    coarse = clouds(board.shape, max(0.25 * board.unit_px, 3), rng)
    fine = clouds(board.shape, max(0.022 * board.unit_px, 1.3), rng)
    return np.asarray(np.clip(share + 0.3 * coarse + 0.26 * fine, 0, 1.6), np.float32)


def _draw_frame(length_px: float, light: Light, rng: np.random.Generator) -> Board:
    """Return a board with a plate of 3 to 5 drawn-out corners and a frame within."""
    corners = int(rng.choice([3, 4, 4, 4, 5, 5]))
    star = _star(corners, rng.uniform(0.45, 0.95), rng)
    star = star * [1.0, rng.uniform(0.6, 1.0)]
    board = laid_out(
        ragged(star, rng.uniform(0.004, 0.016), int(rng.integers(14, 40)), rng),
        length_px,
        light,
        rng,
    )
    raise_plate(board, rng.uniform(0.4, 1.4), rng.uniform(1.0, 2.5))
    inner = star * rng.uniform(0.5, 0.78) + rng.normal(0, 0.03, 2)
    field = board.filled(inner)
    board.height += np.float32(rng.uniform(-1.6, 1.6) * board.line_px) * field
    if chance(rng, 0.6):
        ring = [np.vstack([inner, inner[:1]])]
        spokes = [np.array([inner[8 * k], star[8 * k] * 0.97]) for k in range(corners)]
        ridges = board.lined(ring + spokes) * board.inside
        board.height += np.float32(rng.uniform(0.4, 1.2) * board.line_px) * ridges
    if chance(rng, 0.72):
        spread = field if chance(rng, 0.65) else board.inside
        share = rng.uniform(-0.1, 0.9)
        board.stain += np.float32(rng.uniform(0.4, 1.7)) * spread * _speckled(board, share, rng)
    board.stain += np.float32(rng.uniform(0, 0.1)) * board.inside
    return board


def _draw_crown(length_px: float, light: Light, rng: np.random.Generator) -> Board:
    """Return a board with a shield: round in front, cusps behind, ridges lengthwise."""
    cusps = int(rng.choice([1, 3, 3, 4, 5]))
    half = rng.uniform(0.26, 0.45)
    front = np.linspace(-np.pi / 2, np.pi / 2, 14)
    nose = np.column_stack([-np.cos(front) * 0.5 * rng.uniform(0.6, 1), np.sin(front) * half])
    y = np.linspace(half, -half, 2 * cusps + 1)
    deep = rng.uniform(0.05, 0.3) if cusps > 1 else 0.0
    middle = 0.45 - 0.35 * (y / half) ** 2 * rng.uniform(0.2, 1)
    tail = np.column_stack([middle - deep * (np.arange(2 * cusps + 1) % 2 == 0), y])
    tail[1:-1, 1] += rng.normal(0, 0.02, len(y) - 2)
    outline = ragged(np.vstack([nose, tail]), rng.uniform(0.002, 0.012), 24, rng)
    board = laid_out(outline, length_px, light, rng)
    rough = np.asarray(np.exp(0.4 * clouds(board.shape, 0.1 * board.unit_px, rng)), np.float32)
    raise_plate(board, rng.uniform(0.5, 1.8), rng.uniform(1.2, 3.0), rough)
    fan = board.across / np.float32(half) / (0.75 + 0.35 * board.along)
    ridges = np.abs(np.sin(fan * np.float32(np.pi * max(cusps, 2) / 2) + rng.uniform(0, 3)))
    strong = rng.uniform(0.4, 2.2) * board.line_px
    board.height += np.asarray(strong * ridges ** rng.uniform(0.5, 2) * board.inside, np.float32)
    if chance(rng, 0.6):
        where = step(board.along, rng.uniform(-0.1, 0.5), rng.uniform(-0.6, -0.2))
        stain = _speckled(board, rng.uniform(0, 0.8), rng) * where
        board.stain += np.float32(rng.uniform(0.3, 1.6)) * stain * board.inside
    board.stain += np.float32(rng.uniform(0, 0.25)) * board.inside
    return board


def _draw_keel(length_px: float, light: Light, rng: np.random.Generator) -> Board:
    """Return a board with a rhomb on a stem, a keel along it."""
    half, stem = rng.uniform(0.16, 0.36), rng.uniform(0.02, 0.06)
    wide = rng.uniform(-0.15, 0.15)
    side = [
        (-0.5, 0.0),
        (-0.2 + wide, half * rng.uniform(0.5, 0.9)),
        (wide, half),
        (0.12 + wide, half * 0.75),
        (0.25, stem * 2),
        (0.5, stem),
    ]
    points = np.array(side + [(x, -y * rng.uniform(0.8, 1.1)) for x, y in side[::-1][:-1]])
    board = laid_out(ragged(points, rng.uniform(0.003, 0.012), 26, rng), length_px, light, rng)
    raise_plate(board, rng.uniform(0.5, 1.6), rng.uniform(1.2, 3.0))
    bent = np.array([(-0.45, 0.0), (rng.uniform(-0.1, 0.1), rng.normal(0, 0.03)), (0.48, 0.0)])
    keel = board.lined([bent], 0.02)
    board.height += np.float32(rng.uniform(0.8, 2.2) * board.line_px) * keel * board.inside
    near = step(np.abs(board.across), rng.uniform(0.05, 0.12), 0.0)
    board.stain += (
        np.float32(rng.uniform(0, 1.3)) * near * board.inside * mottled(board, rng, 0.06, 0.5)
    )
    board.stain += np.float32(rng.uniform(0, 0.3)) * board.inside
    return board


def _draw_rosette(length_px: float, light: Light, rng: np.random.Generator) -> Board:
    """Return a board with a plate of 5 to 8 short points, rings and rays on it."""
    corners = int(rng.integers(5, 9))
    star = _star(corners, rng.uniform(0.7, 0.98), rng) * [1.0, rng.uniform(0.75, 1.0)]
    board = laid_out(ragged(star, rng.uniform(0.006, 0.02), 36, rng), length_px, light, rng)
    raise_plate(board, rng.uniform(0.5, 1.8), rng.uniform(1.2, 3.0))
    for share in rng.uniform(0.25, 0.8, int(rng.integers(1, 3))):
        ring = ragged(star * share, 0.015, 16, rng)
        strength = rng.uniform(-1.4, 1.4) * board.line_px
        board.height += np.float32(strength) * board.filled(ring)
    if chance(rng, 0.6):
        rays = [np.array([star[8 * k] * 0.25, star[8 * k] * 0.9]) for k in range(corners)]
        ridges = board.lined(rays, 0.012) * board.inside
        board.height += np.float32(rng.uniform(0.4, 1.3) * board.line_px) * ridges
    if chance(rng, 0.5):
        stain = _speckled(board, rng.uniform(-0.1, 0.7), rng)
        board.stain += np.float32(rng.uniform(0.3, 1.6)) * stain * board.inside
    return board


def draw_sawtoothed(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a short bar with a brown central band, clear rims and one scalloped rim."""
    aspect = float(np.clip(rng.lognormal(np.log(2.6), 0.45), 1.15, 7.0))
    half = 0.5 / aspect
    board = laid_out(_bar(half, aspect, rng), length_px, light, rng)
    y = board.across / np.float32(half)
    rough = np.asarray(np.exp(0.5 * clouds(board.shape, 0.07 * board.unit_px, rng)), np.float32)
    raise_plate(board, rng.uniform(0.4, 1.5), rng.uniform(1.0, 2.4), rough)
    cross = grained(board.along, y, (rng.uniform(0.5, 1.2) * 10 * min(aspect, 3), 1.2), rng)
    board.height += np.float32(rng.uniform(0.1, 0.6) * board.line_px) * cross * board.inside
    wave = 0.07 * clouds(board.shape, 0.12 * board.unit_px, rng)
    shifted = np.asarray(np.abs(y + rng.uniform(-0.25, 0.25) + wave), np.float32)
    band = step(shifted, rng.uniform(0.55, 0.95), rng.uniform(0.05, 0.45))
    texture = np.clip(1 + np.float32(rng.uniform(0.08, 0.35)) * cross, 0, 2.5)
    texture *= mottled(board, rng, rng.uniform(0.04, 0.2), rng.uniform(0.02, 0.2))
    board.stain += np.float32(rng.uniform(0.4, 2.1)) * band * texture * board.inside
    if chance(rng, 0.6):
        line = step(shifted, rng.uniform(0.06, 0.16), 0.0) * board.inside
        board.height -= np.float32(rng.uniform(0.3, 1.2) * board.line_px) * line
        board.stain += np.float32(rng.uniform(0, 0.9)) * line * texture
    board.stain += np.float32(rng.uniform(0.02, 0.2)) * board.inside
    return finished(board, "sawtoothed", light, rng, colour=brown(rng), blur_px=focus(rng, light))


def _bar(half: float, aspect: float, rng: np.random.Generator) -> Points:
    """Return the outline of a bar about 0, 0 with one scalloped rim."""
    x = np.linspace(-0.5, 0.5, 56)
    lobes, deep = rng.uniform(0.8, 1.6) * aspect, rng.uniform(0.08, 0.35)
    phase = np.cumsum(rng.uniform(0.6, 1.4, 56))
    phase = phase / phase[-1] * np.pi * max(round(lobes), 2)
    scalloped = half * (1 - deep + deep * np.abs(np.sin(phase)) ** rng.uniform(0.4, 1.0))
    straight = -half * (1 + 0.05 * np.sin(phase * rng.uniform(0.2, 0.6)))
    bow = rng.normal(0, 0.06) * (1 - (2 * x) ** 2)
    ends = half * rng.uniform(-0.25, 0.25, 2)
    upper = np.column_stack([x + np.linspace(ends[0], ends[1], 56) * 0.3, scalloped + bow])
    lower = np.column_stack([x, straight + bow])[::-1]
    return ragged(np.vstack([upper, lower]), rng.uniform(0.003, 0.011), 50, rng)
