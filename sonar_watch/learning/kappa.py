"""Cohen's kappa: how far two people agree beyond what chance alone would give.

Two who answer "noise" nearly always agree nearly always, whatever they saw; kappa takes that
out: 1 is full agreement, 0 what chance gives (Cohen, Educ. Psychol. Meas. 20, 37, 1960).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sonar_watch.learning.intervals import Z_95


def cohens_kappa(table: npt.ArrayLike) -> float | None:
    """Return kappa of a table of counts; None when it is not defined.

    Parameters
    ----------
    table : array_like, shape (k, k)
        How often the first said the class of the row and the second that of the column.

    Returns
    -------
    float or None
        At most 1; None without counts, and when both say one and the same class of all.

    Raises
    ------
    ValueError
        A table that is not square, or counts below 0.

    Examples
    --------
    >>> cohens_kappa([[20, 5], [10, 15]])
    0.4
    """
    counts, chance = _checked(table)
    total = counts.sum()
    if not total or chance == total**2:
        return None
    return float((total * np.trace(counts) - chance) / (total**2 - chance))


def kappa_interval(table: npt.ArrayLike) -> tuple[float, float] | None:
    """Return the 95 % interval of kappa; None where kappa is not defined.

    From the standard error of large samples (Fleiss, Cohen & Everitt, Psychol. Bull. 72, 323,
    1969); it takes the objects as drawn independently. Where two agree on everything that error
    is 0: there as many of n are taken to differ as can hide, 3 / n (the rule of three).

    Parameters
    ----------
    table : array_like, shape (k, k)
        As of `cohens_kappa`.

    Raises
    ------
    ValueError
        As `cohens_kappa`.
    """
    kappa = cohens_kappa(table)
    if kappa is None:
        return None
    counts, chance = _checked(table)
    total = counts.sum()
    if np.trace(counts) == total:
        return max(1.0 - 3.0 / total / (1.0 - chance / total**2), -1.0), 1.0
    half = Z_95 * _standard_error(counts / total, kappa, total)
    return max(kappa - half, -1.0), min(kappa + half, 1.0)


def _standard_error(shares: npt.NDArray[np.float64], kappa: float, total: float) -> float:
    """Return the standard error of kappa; the three terms of Fleiss et al.'s equation 13."""
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    chance = float(rows @ columns)
    same = np.diagonal(shares)
    both = rows + columns
    on = float((same * (1 - both * (1 - kappa)) ** 2).sum())
    weights = (columns[:, None] + rows[None, :]) ** 2
    off = float(((shares * weights).sum() - (same * both**2).sum()) * (1 - kappa) ** 2)
    variance = on + off - (kappa - chance * (1 - kappa)) ** 2
    return math.sqrt(max(variance, 0.0) / total) / (1 - chance)


def _checked(table: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], float]:
    """Return the counts, and the sum of products of the two marginals."""
    counts = np.asarray(table, float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any():
        raise ValueError(f"expected a square table of counts, received {counts.tolist()}")
    return counts, float(counts.sum(axis=1) @ counts.sum(axis=0))
