"""By how much two pictures of the same spot are shifted against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sonar_watch.detection.detections import ByteImage, Float32Array


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetOptions:
    """How steps between neighbouring tiles are measured.

    Parameters
    ----------
    max_shift_px : int
        Furthest that a tile may lie from its nominal place relative to its neighbour.
    least_distinctness : float
        Height of the peak of the phase correlation over the rest of it, in its standard
        deviations: noise reaches 4.5.
    """

    max_shift_px: int = 40
    least_distinctness: float = 5.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """A shift: what the second picture shows at p, the first one shows at p + (x, y).

    Parameters
    ----------
    x_px, y_px : float
    distinctness : float
        Of the peak: see `OffsetOptions`.
    correlation : float
        Of the two pictures at the shift, -1 to 1.
    """

    x_px: float
    y_px: float
    distinctness: float
    correlation: float


def measure_offset(
    first: Float32Array, second: Float32Array, options: OffsetOptions
) -> Offset | None:
    """Return the shift between two pictures, None where none stands out.

    Parameters
    ----------
    first, second : ndarray, shape (h, w), float32
        Of the same size, as `detail` gives them.
    options : OffsetOptions
    """
    reach = min(options.max_shift_px, min(first.shape) // 3)
    if reach < 2:
        return None
    surface = _phase_correlation(first, second, reach)
    y, x = (int(one) for one in np.unravel_index(surface.argmax(), surface.shape))
    rest = np.ones(surface.shape, bool)
    rest[max(y - 5, 0) : y + 6, max(x - 5, 0) : x + 6] = False
    spread = float(surface[rest].std())
    if spread <= 0:
        return None
    distinctness = float((surface[y, x] - surface[rest].mean()) / spread)
    correlation = _correlation(first, second, x - reach, y - reach)
    if distinctness < options.least_distinctness or correlation <= 0:
        return None
    return Offset(
        x_px=x - reach + _vertex(surface[y], x),
        y_px=y - reach + _vertex(surface[:, x], y),
        distinctness=distinctness,
        correlation=correlation,
    )


def detail(image: ByteImage) -> Float32Array:
    """Return a picture without the slow change of its light: what neighbours have in common.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8

    Returns
    -------
    ndarray, shape (h, w), float32
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    plane = grey.astype(np.float32)
    fine = cv2.GaussianBlur(plane, (0, 0), 1.5) - cv2.GaussianBlur(plane, (0, 0), 15)
    return np.asarray(fine, np.float32)


def _phase_correlation(first: Float32Array, second: Float32Array, reach: int) -> Float32Array:
    """Return the phase correlation for shifts up to `reach`, shape (2 reach + 1, 2 reach + 1)."""
    from scipy import fft

    height, width = first.shape
    shape = tuple(fft.next_fast_len(side + reach, real=True) for side in (height, width))
    taper = np.sqrt(np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]))
    taper = taper.astype(np.float32)
    one, other = (fft.rfft2((each - each.mean()) * taper, s=shape) for each in (first, second))
    cross = one * np.conj(other)
    size = np.abs(cross)
    cross /= size + 1e-3 * size.mean() + np.float32(1e-12)
    down, across = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None]
    cross *= np.exp(-2 * (np.pi * 1.5) ** 2 * (across**2 + down**2)).astype(np.float32)
    surface: Any = fft.irfft2(cross, s=shape)
    surface = np.roll(surface, (reach, reach), axis=(0, 1))
    return np.asarray(surface[: 2 * reach + 1, : 2 * reach + 1], np.float32)


def _correlation(first: Float32Array, second: Float32Array, x: int, y: int) -> float:
    """Return the correlation of what both show when the second is moved by (x, y)."""
    height, width = first.shape
    one = first[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
    other = second[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one * one).sum(dtype=float) * (other * other).sum(dtype=float)))
    return float((one * other).sum(dtype=float) / size) if size > 0 else 0.0


def _vertex(values: Float32Array, at: int) -> float:
    """Return where between its neighbours a parabola through the peak is highest, -0.5 to 0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(one) for one in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
