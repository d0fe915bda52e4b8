"""How sure a count is: 95 % intervals of shares, rates and scores."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Z_95 = 1.959964
RESAMPLES = 1000


def share_interval(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson (J. Am. Stat. Assoc. 22, 209, 1927).

    It is sound for few cases and for shares near 0 and 1, where hits / of plus or minus two
    standard errors is not. Without cases it is all of 0 to 1.

    >>> [round(edge, 3) for edge in share_interval(9, 10)]
    [0.596, 0.982]
    """
    if of == 0:
        return 0.0, 1.0
    share, weight = hits / of, Z_95**2 / of
    middle = (share + weight / 2) / (1 + weight)
    half = Z_95 / (1 + weight) * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def count_interval(count: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a Poisson count (Garwood 1936, exact).

    Nothing seen still allows three and a half: one silent night proves little.

    >>> [[round(edge, 2) for edge in count_interval(count)] for count in (0, 3)]
    [[0.0, 3.69], [0.62, 8.77]]
    """
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - _at_most(count - 1, mean), 0.025, count)
    return low, _solve(lambda mean: 1 - _at_most(count, mean), 0.975, count)


def _at_most(count: int, mean: float) -> float:
    """Return the probability of `count` or fewer."""
    steps = np.arange(count + 1)
    logs = steps * math.log(max(mean, 1e-300)) - mean
    return float(np.exp(logs - np.array([math.lgamma(step + 1) for step in steps])).sum())


def _solve(rising: Callable[[float], float], wanted: float, count: int) -> float:
    """Return where a rising function of the mean reaches a value, by halving."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def resampled_interval(
    parts: npt.NDArray[np.float64],
    score: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    seed: int = 1,
) -> tuple[float, float]:
    """Return the 95 % interval of a score by drawing the surveys anew (Efron's bootstrap).

    Pictures of one survey are alike, so it is surveys that are drawn, not pictures.

    Parameters
    ----------
    parts : ndarray, shape (surveys, counts)
        What each survey adds to the counts.
    score : callable
        From summed counts, shape (draws, counts), to scores, shape (draws,).
    seed : int
        Of the draws.
    """
    if not len(parts):
        return 0.0, 1.0
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(parts), size=(RESAMPLES, len(parts)))
    scores = score(parts[drawn].sum(axis=1))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)
