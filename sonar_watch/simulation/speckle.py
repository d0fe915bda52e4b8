"""Speckle: the power of many echoes at random phase, shared by overlapping beams and samples.

The power of a complex Gaussian is exponential, which in decibels has a standard deviation of
5.6 dB. Real beams lie closer than they are wide, and pulses are longer than a sample: on real
files the power of neighbouring beams is correlated by 0.55-0.9 and that of the second neighbour
by 0.2-0.7, of neighbouring samples by 0.2-0.7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sonar_watch.records import Float32Array


def speckle(
    rng: np.random.Generator,
    shape: tuple[int, int],
    beam_blur: Sequence[int],
    range_blur: Sequence[int],
) -> Float32Array:
    """Return exponentially distributed power of mean 1, shape (beams, samples).

    Parameters
    ----------
    beam_blur, range_blur : sequence of int
        Steps d of passes z[i] + z[i + d] along beams and samples. Amplitudes of neighbours are
        correlated as if blurred with a variance of sum(d ** 2) / 4; (1, 1, 2) gives a correlation
        of power of 0.73 and 0.33 with the first and second neighbour.

    Notes
    -----
    Sums of bytes stand in for Gaussian numbers: with the passes 16 and more are added up. It is
    several times faster than drawing them, and the whole simulator waits for its speckle.
    """
    beam_steps, range_steps = tuple(beam_blur) or (1,), tuple(range_blur) or (1,)
    rows, columns = shape[0] + sum(beam_steps), shape[1] + sum(range_steps)
    raw = np.frombuffer(rng.bytes(4 * rows * columns), np.int8).reshape(2, 2, rows, columns)
    field: npt.NDArray[np.int16] = np.add(raw[0], raw[1], dtype=np.int16)
    for step in beam_steps:
        field = field[:, :-step] + field[:, step:]
    for step in range_steps:
        field = field[:, :, :-step] + field[:, :, step:]
    amplitude = field.astype(np.float32)
    # A byte is uniform over 256 values: mean -0.5, variance (256**2 - 1) / 12.
    amplitude += np.float32(2.0 ** (len(beam_steps) + len(range_steps)))
    amplitude *= np.float32((2 * 2 * _gain(beam_steps) * _gain(range_steps) * 65535 / 12) ** -0.5)
    np.square(amplitude, out=amplitude)
    return np.asarray(amplitude[0] + amplitude[1])


def _gain(steps: Sequence[int]) -> float:
    """Return the sum of squared weights of the passes together."""
    kernel = np.ones(1)
    for step in steps:
        one = np.zeros(step + 1)
        one[0] = one[-1] = 1
        kernel = np.convolve(kernel, one)
    return float(np.sum(kernel**2))
