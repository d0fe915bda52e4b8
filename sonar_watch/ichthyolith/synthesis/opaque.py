"""Bubbles, opaque grains, blobs out of focus and faint smudges."""

from __future__ import annotations

import numpy as np

from sonar_watch.ichthyolith.synthesis.board import (
    Light,
    Particle,
    finished,
    laid_out,
    mottled,
    raise_plate,
)
from sonar_watch.ichthyolith.synthesis.fields import Points, angular, chance, ragged, step
from sonar_watch.ichthyolith.synthesis.stains import brown, dull, focus


def _disc() -> Points:
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return 0.5 * np.column_stack([np.cos(turn), np.sin(turn)])


def draw_bubble(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a gas bubble: black, for it bends all light away, but for its middle."""
    size = min(length_px, rng.uniform(14, 75) * light.scale)
    outline = _disc() * [1.0, rng.uniform(0.85, 1.0) if chance(rng, 0.1) else 1.0]
    board = laid_out(outline, size, light, rng)
    far = np.sqrt(board.along**2 + board.across**2) * 2
    heart = rng.uniform(0.08, 0.3) if chance(rng, 0.75) else rng.uniform(0.3, 0.7)
    ring = step(far, 1.02, 0.9) * (1 - step(far, heart * 1.4, heart * 0.6))
    board.stain += np.float32(rng.uniform(1.8, 4)) * np.asarray(ring, np.float32)
    colour = dull(rng) if chance(rng, 0.6) else brown(rng)
    return finished(board, "noise", light, rng, colour=colour, blur_px=focus(rng, light))


def draw_grain(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a black opaque grain, jagged; brown where it is thin."""
    outline = angular(int(rng.integers(6, 13)), rng.uniform(1.0, 2.2), rng)
    jag = rng.choice([0.01, 0.025, 0.05])
    board = laid_out(
        ragged(outline, jag, int(rng.integers(14, 40)), rng), length_px * 0.8, light, rng
    )
    raise_plate(board, 1.0, 1.0)
    thin = step(board.depth * board.unit_px, 0.0, rng.uniform(1.0, 4.0) * board.line_px)
    dense = rng.uniform(2.5, 5.0) if chance(rng, 0.85) else rng.uniform(1.0, 2.0)
    board.stain += np.float32(dense) * thin
    if chance(rng, 0.2):
        board.stain *= mottled(board, rng, 0.12, 0.35)
    colour = dull(rng) if chance(rng, 0.7) else brown(rng)
    return finished(board, "noise", light, rng, colour=colour, blur_px=1.3 * focus(rng, light))


def draw_blob(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a round particle far out of focus: a brown or blue-black disc, often with a heart."""
    board = laid_out(_disc(), length_px * rng.uniform(0.35, 0.8), light, rng, pad=16)
    far = np.sqrt(board.along**2 + board.across**2) * 2
    board.stain += np.float32(rng.uniform(0.4, 3.0)) * step(far, 1.0, rng.uniform(0.2, 0.85))
    if chance(rng, 0.4):
        board.stain -= np.float32(rng.uniform(0.2, 0.7)) * board.stain * step(far, 0.3, 0.05)
    colour = brown(rng) if chance(rng, 0.6) else (0.8, 1.0, 1.15)
    blur = rng.uniform(2.0, 7.0) * light.scale
    return finished(board, "noise", light, rng, colour=colour, blur_px=blur)


def draw_smudge(length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a faint shadow, of what lies on another face of the glass."""
    outline = ragged(angular(8, rng.uniform(1.0, 1.8), rng), 0.05, 10, rng)
    board = laid_out(outline, length_px, light, rng, pad=20)
    board.stain += np.float32(rng.uniform(0.05, 0.3)) * step(board.depth, 0.0, 0.3)
    colour = brown(rng) if chance(rng, 0.5) else dull(rng)
    blur = rng.uniform(5, 12) * light.scale
    return finished(board, "noise", light, rng, colour=colour, blur_px=blur)
