"""Patterns that belong to a place: the same numbers for the same seed and cell, at every ping.

A body must look the same from consecutive pings, whichever ping draws it first. Its pattern is
therefore no stream of random numbers but a hash of (seed, cell): nothing is stored, any part
can be computed alone, and whole windows are computed at once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sonar_watch.records import Float32Array

_LEVELS = 4096
_PRIMES = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)
"""Large odd constants with evenly spread bits, one per dimension, as 64-bit hashes use."""

_MIX = np.uint64(0xBF58476D1CE4E5B9)

Cells = npt.NDArray[np.integer] | int


def hashed(seed: int | npt.NDArray[np.integer], *cells: Cells) -> npt.NDArray[np.uint64]:
    """Return 64 mixed bits of each cell, of the shape to which the cells broadcast.

    Parameters
    ----------
    seed : int
    *cells : ndarray of int or int
        One to four coordinates.
    """
    # One element at least: numpy warns of the wrap-around of scalars, which is wanted here.
    state = (np.atleast_1d(seed).astype(np.int64) + 1).view(np.uint64) * _MIX
    for prime, cell in zip(_PRIMES, cells, strict=False):
        number = np.asarray(cell).astype(np.int64).view(np.uint64)
        state = (state ^ (state >> np.uint64(31)) ^ number) * np.uint64(prime)
    mixed = (state ^ (state >> np.uint64(29))) * np.uint64(_PRIMES[0])
    return mixed[0] if mixed.shape == (1,) and not any(map(np.ndim, cells)) else mixed


def uniform(seed: int | npt.NDArray[np.integer], *cells: Cells) -> Float32Array:
    """Return evenly distributed numbers, 0 <= value < 1, one per cell."""
    share = (hashed(seed, *cells) >> np.uint64(40)).astype(np.float32)
    return np.asarray(share * np.float32(2.0**-24))


def dots(seed: int, shape: float, *cells: Cells) -> Float32Array:
    """Return positive gains of mean 1, one per cell: bright dots among dark gaps.

    Parameters
    ----------
    shape : float
        Of a gamma distribution: 0.5 few bright dots, 4 nearly even.
    """
    index = (hashed(seed, *cells) >> np.uint64(52)).astype(np.intp)
    return np.asarray(_gamma_levels(round(shape, 2))[index])


@lru_cache(maxsize=64)
def _gamma_levels(shape: float) -> Float32Array:
    """Quantiles of a gamma distribution of mean 1, drawn once with a fixed seed."""
    drawn = np.sort(np.random.default_rng(7).gamma(shape, 1 / shape, 16 * _LEVELS))
    return np.asarray(drawn.reshape(_LEVELS, 16).mean(axis=1), np.float32)


def waver(seed: int, place: npt.NDArray[np.floating], lane: int = 0) -> Float32Array:
    """Return a smooth random line, mean 0, standard deviation about 0.6, knots one unit apart.

    Parameters
    ----------
    place : ndarray
        Where to read the line, in units of its knots.
    lane : int
        Lines of one seed that know nothing of each other.
    """
    first = np.floor(place)
    share = (place - first).astype(np.float32)
    share = share * share * (3 - 2 * share)
    cell = first.astype(np.int64)
    left, right = uniform(seed, cell, lane), uniform(seed, cell + 1, lane)
    return np.asarray((left + (right - left) * share - np.float32(0.5)) * np.float32(2.45))


def relief(seed: int, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Float32Array:
    """Return a smooth random surface over (x, y), mean 0, standard deviation about 0.5."""
    cell_x, cell_y = np.floor(x), np.floor(y)
    share_x, share_y = (x - cell_x).astype(np.float32), (y - cell_y).astype(np.float32)
    i, j = cell_x.astype(np.int64), cell_y.astype(np.int64)
    near = _between(uniform(seed, i, j), uniform(seed, i + 1, j), share_x)
    far = _between(uniform(seed, i, j + 1), uniform(seed, i + 1, j + 1), share_x)
    return np.asarray((_between(near, far, share_y) - np.float32(0.5)) * np.float32(2.45))


def _between(left: Float32Array, right: Float32Array, share: Float32Array) -> Float32Array:
    eased = share * share * (3 - 2 * share)
    return np.asarray(left + (right - left) * eased)
