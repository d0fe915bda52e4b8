"""The bottom as the sounder detects it: mostly right, sometimes lost, sometimes something else."""

from __future__ import annotations

import numpy as np

from sonar_watch.records import Float32Array, FloatArray
from sonar_watch.simulation.swath import Swath

_JITTER = 0.002
_DEAF = 0.03
"""Below this share of echo power the sounder finds no bottom."""


def detected_samples(swath: Swath) -> Float32Array:
    """Return the range sample of the detected bottom, shape (beams,), NaN where there is none."""
    rng, noise, beams = swath.rng, swath.scene.noise, swath.bottom_m.size
    found = swath.bottom_m / swath.sounder.metres_per_sample
    found = found * (1 + rng.normal(0, _JITTER, beams))
    if rng.random() < noise.wrong_run_chance:
        run = _run(rng, beams)
        found[run] = _something_else(swath, run)
    if rng.random() < noise.lost_run_chance:
        found[_run(rng, beams)] = np.nan
    if rng.random() < noise.lost_ping_chance:
        # Now and then a few beams hold on.
        found[rng.random(beams) < rng.choice([1.0, 0.9])] = np.nan
    lost = (rng.random(beams) < noise.lost_bottom) | (swath.hearing[:, 0] < _DEAF)
    found[lost | (found >= swath.power.shape[1])] = np.nan
    return np.asarray(found, np.float32)


def _run(rng: np.random.Generator, beams: int) -> slice:
    """A run of neighbouring beams, more often towards a side of the fan."""
    length = int(rng.integers(4, max(5, beams // 4)))
    start = int(rng.beta(0.6, 0.6) * (beams - length))
    return slice(start, start + length)


def _something_else(swath: Swath, run: slice) -> FloatArray:
    """Samples that follow the arc of the first echo, a shallower layer, or nothing at all."""
    rng, step = swath.rng, swath.sounder.metres_per_sample
    first, own = swath.bottom_m.min() / step, swath.bottom_m[run] / step
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(first * (1.02 + rng.normal(0, 0.01, own.size)))
    if kind == 1:
        return np.asarray(own * (rng.uniform(0.6, 0.97) + rng.normal(0, 0.005, own.size)))
    return np.asarray(rng.uniform(0.4, 1.05) * own * rng.uniform(0.7, 1.05, own.size))
