"""Do probabilities mean what they say? One temperature, fitted on crops held out.

Networks learn to be surer than they are right; dividing what they say before the softmax by one
number mends most of it and changes no verdict (Guo et al. 2017, ICML, PMLR 70, 1321).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.learning.intervals import share_interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures between which the best is looked for."""

_GOLDEN = (math.sqrt(5) - 1) / 2


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> FloatArray:
    """Return probabilities, shape (n, classes), of what a network says before the softmax.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    scaled = np.asarray(logits, float) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), float)


def log_loss(probabilities: FloatArray, labels: IntArray) -> float:
    """Return the mean negative logarithm of the probability of what is true; NaN of nothing."""
    if not len(labels):
        return math.nan
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, 1e-12)).mean()) + 0.0  # never -0.0


def fit_temperature(logits: npt.NDArray[np.floating], labels: IntArray) -> float:
    """Return the temperature that fits the crops held out best; 1 where there are none.

    The truth is taken for 1 - 1/(n + 2) certain, not for 1: else a few crops that are all told
    right would make the network certain of everything (after Platt 1999, Advances in Large
    Margin Classifiers, 61).

    Parameters
    ----------
    logits : ndarray, shape (n, classes)
    labels : ndarray, shape (n,), int
        Of the true classes.
    """
    if not len(labels):
        return 1.0
    doubt = 1 / (len(labels) + 2)
    wanted = np.full(logits.shape, doubt / (logits.shape[1] - 1))
    wanted[np.arange(len(labels)), labels] = 1 - doubt

    def loss(log_temperature: float) -> float:
        shares = np.maximum(softmax(logits, math.exp(log_temperature)), 1e-300)
        return float(-(wanted * np.log(shares)).sum(axis=1).mean())

    low, high = math.log(COLDEST), math.log(HOTTEST)  # one valley: it is convex in 1/temperature
    for _ in range(60):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return math.exp((low + high) / 2)


def calibration_error(probabilities: FloatArray, labels: IntArray, bins: int = 10) -> float:
    """Return the mean distance of confidence from the share that is right, by confidence.

    Parameters
    ----------
    probabilities : ndarray, shape (n, classes)
    labels : ndarray, shape (n,), int
    bins : int
        Of equal width in confidence.

    Returns
    -------
    float
        0 to 1; NaN of nothing.
    """
    if not len(labels):
        return math.nan
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = (right - confidence) * 1.0
    return float(np.abs(np.bincount(place, gaps, minlength=bins)).sum() / len(labels))


def held_out_scores(
    logits: npt.NDArray[np.floating],
    labels: IntArray,
    class_names: Sequence[str],
    temperature: float,
) -> dict[str, Any]:
    """Return how right the verdicts on crops held out are, JSON-able.

    Parameters
    ----------
    logits : ndarray, shape (n, classes)
    labels : ndarray, shape (n,), int
    class_names : sequence of str
    temperature : float
        What it was calibrated with, on these very crops.
    """
    before, after = softmax(logits), softmax(logits, temperature)
    verdicts = before.argmax(axis=1)
    right = int((verdicts == labels).sum())
    return {
        "held_out": len(labels),
        "right": right / len(labels) if len(labels) else None,
        "right_95": share_interval(right, len(labels)),
        "temperature": temperature,
        "log_loss": [_or_none(log_loss(one, labels)) for one in (before, after)],
        "calibration_error": [_or_none(calibration_error(one, labels)) for one in (before, after)],
        "classes": {name: _class_scores(verdicts == number, labels == number)
                    for number, name in enumerate(class_names)},
    }


def _class_scores(found: npt.NDArray[np.bool_], there: npt.NDArray[np.bool_]) -> dict[str, Any]:
    hits, founds, truths = (int(one.sum()) for one in (found & there, found, there))
    return {
        "crops": truths,
        "precision": hits / founds if founds else None,
        "recall": hits / truths if truths else None,
        "f1": 2 * hits / (founds + truths) if truths else None,
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
