"""Random fields and curves that particles are made of, all from the generator that is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import Float32Array
from sonar_watch.opencv import opencv

Points = npt.NDArray[np.float64]


def chance(rng: np.random.Generator, share: float) -> bool:
    """Return True in that share of the calls."""
    return bool(rng.random() < share)


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Return one of the keys, each as often as its weight says."""
    at = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        at -= weight
        if at < 0:
            return name
    return name


def clouds(shape: tuple[int, int], cell_px: float, rng: np.random.Generator) -> Float32Array:
    """Return smooth noise with blobs of about `cell_px`, mean 0, deviation about 1.

    Returns
    -------
    ndarray, shape `shape`, float32
    """
    rows, columns = (max(round(side / cell_px), 1) + 3 for side in shape)
    small = rng.standard_normal((rows, columns), np.float32)
    cv2 = opencv()
    size = (round(columns * cell_px) + 1, round(rows * cell_px) + 1)
    large = cv2.resize(
        small, (max(size[0], shape[1]), max(size[1], shape[0])), interpolation=cv2.INTER_CUBIC
    )
    y, x = ((full - wanted) // 2 for full, wanted in zip(large.shape, shape, strict=True))
    return np.asarray(large[y : y + shape[0], x : x + shape[1]] * 1.25, np.float32)


def grained(
    along: Float32Array, across: Float32Array, cells: tuple[float, float], rng: np.random.Generator
) -> Float32Array:
    """Return noise that follows two coordinates: `cells` blobs per unit of each.

    Few cells along and many across make the streaks of a fibre.

    Parameters
    ----------
    along, across : ndarray, shape (h, w), float32

    Returns
    -------
    ndarray, shape (h, w), float32
        Mean 0, deviation about 1.
    """
    tile = rng.standard_normal((64, 64), np.float32)
    cv2 = opencv()
    x = along * np.float32(cells[0]) + np.float32(rng.uniform(0, 64))
    y = across * np.float32(cells[1]) + np.float32(rng.uniform(0, 64))
    found = cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(found * np.float32(1.4), np.float32)


def step(value: Float32Array, low: float, high: float) -> Float32Array:
    """Return a smooth step from 0 at `low` to 1 at `high`; `low` may be the larger."""
    part = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def resampled(points: Points | Sequence[tuple[float, float]], count: int) -> Points:
    """Return `count` points at equal distances along a closed line."""
    ring = np.asarray(points, float)
    closed = np.vstack([ring, ring[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0, length[-1], count, endpoint=False)
    return np.column_stack([np.interp(at, length, closed[:, axis]) for axis in (0, 1)])


def rounded(points: Points, times: int = 2) -> Points:
    """Return a closed line with its corners cut, `times` over (Chaikin's scheme)."""
    for _ in range(times):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1)
        points = points.reshape(-1, 2)
    return points


def ragged(points: Points, size: float, cells: int, rng: np.random.Generator) -> Points:
    """Return a closed line that strays by about `size` at right angles, `cells` times around."""
    count = max(len(points), 3 * cells, 60)
    line = resampled(points, count)
    knots = rng.standard_normal(cells)
    stray = np.interp(
        np.linspace(0, cells, count, endpoint=False),
        np.arange(cells + 1),
        np.append(knots, knots[0]),
    )
    run = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    normal = np.column_stack([run[:, 1], -run[:, 0]])
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    return np.asarray(line + normal * (size * stray)[:, None], float)


def angular(corners: int, elongation: float, rng: np.random.Generator) -> Points:
    """Return a polygon about 0, 0 of an angular grain, its longer axis along x.

    Corners lie on an ellipse, unevenly: cleaved glass, not dice.
    """
    gaps = rng.dirichlet(np.full(corners, 5.0)) * 2 * np.pi
    turn = np.cumsum(gaps) + rng.uniform(0, 2 * np.pi)
    far = 0.5 * rng.uniform(0.8, 1.0, corners)
    return np.column_stack([far * np.cos(turn), far * np.sin(turn) / elongation])
