"""By how much two pictures of the same spot are shifted against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage, Float32Array

PEAKS = 4
"""How many shifts are told of a pair of pictures: the true one need not be the clearest."""

LEAST_DISTINCTNESS = 3.0
"""Shifts less distinct than this are not told: there are always some."""

_FINE_PX, _COARSE_PX = 2.0, 20.0
"""What is compared: detail between the two, in pixels. Finer is the noise of the camera and of the
JPEG, coarser the fall of the light."""

_LEAST_DETAIL = 0.02
"""Grey levels, standard deviation: glass without noise, or a tile of one colour, has less."""

_LEAST_OF_OTHER = 0.6
"""Detail of one picture over that of the other, where both show the same spot."""

_TAPER_PX = 16
_NEAR_PX = 8
_MOST_CLIMBS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """A shift: what the second picture shows at p, the first one shows at p + (x, y).

    Parameters
    ----------
    x_px, y_px : float
    distinctness : float
        How far the phase correlation rises there over all other shifts, in standard deviations
        of these: what noise alone makes reaches 4.5.
    correlation : float
        Of the two pictures at the shift, -1 to 1: what is nearly empty stays below 0.1.
    """

    x_px: float
    y_px: float
    distinctness: float
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The detail of a part of a tile.

    Parameters
    ----------
    x_px, y_px : int
        Nominal slide position of its top left corner.
    step_px : int
        Pixels of the tile for one of `detail`: 1 or 2.
    detail : ndarray, shape (h, w), float32
    """

    x_px: int
    y_px: int
    step_px: int
    detail: Float32Array


def make_part(image: ByteImage, x_px: int, y_px: int, step_px: int = 1) -> Part:
    """Return what of a picture can be compared: no slow change of the light, no noise.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        The part of the tile.
    x_px, y_px : int
        Nominal slide position of its top left corner.
    step_px : {1, 2}
        Compare at full or at half size: detail is coarser than two pixels.
    """
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    height, width = (side // step_px for side in grey.shape)
    plane = grey[: height * step_px, : width * step_px].astype(np.float32)
    if step_px > 1:
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    plane -= _slope(plane)
    fine, coarse = (
        cv2.GaussianBlur(plane, (0, 0), sigma / step_px) for sigma in (_FINE_PX, _COARSE_PX)
    )
    return Part(x_px=x_px, y_px=y_px, step_px=step_px, detail=fine - coarse)


def _slope(plane: Float32Array) -> Float32Array:
    """Return the fall of the light across a part, as a plane.

    At the rim of a part the slope would be left as detail: on empty glass the rims are alike then,
    at the largest shift, not what lies there.
    """
    down, across = (np.arange(side, dtype=np.float32) - (side - 1) / 2 for side in plane.shape)
    falls = [
        axis * np.float32(np.dot(axis, means) / max(np.dot(axis, axis), 1.0))
        for axis, means in ((down, plane.mean(axis=1)), (across, plane.mean(axis=0)))
    ]
    return np.asarray(falls[0][:, None] + falls[1][None], np.float32)


def measure_offsets(first: Part, second: Part, reach_px: int) -> tuple[Offset, ...]:
    """Return the shifts at which two parts look alike, the most distinct one first.

    Parameters
    ----------
    first, second : Part
        Of two tiles, around the same nominal place on the slide.
    reach_px : int
        Largest shift across and down, on top of the nominal places.

    Returns
    -------
    tuple of Offset
        At most `PEAKS`, in tile pixels; none where one part is without any detail, no shift is
        more distinct than `LEAST_DISTINCTNESS`, or one alone shows what there is to be seen.

    Raises
    ------
    ValueError
        Parts of different step.
    """
    step = first.step_px
    if step != second.step_px:
        raise ValueError(f"expected parts of one step, received {step} and {second.step_px} px")
    if min(first.detail.std(), second.detail.std()) < _LEAST_DETAIL:
        return ()
    surface, x0, y0 = _phase_correlation(first, second, reach_px)
    offsets = []
    for x, y, distinctness in _peaks(surface, max(_NEAR_PX // step, 2)):
        lag_x, lag_y, correlation = _refined(first.detail, second.detail, x0 + x, y0 + y)
        if not _is_in_both(first.detail, second.detail, round(lag_x), round(lag_y)):
            continue
        offsets.append(
            Offset(
                x_px=lag_x * step - (second.x_px - first.x_px),
                y_px=lag_y * step - (second.y_px - first.y_px),
                distinctness=distinctness,
                correlation=correlation,
            )
        )
    return tuple(offsets)


def _phase_correlation(first: Part, second: Part, reach_px: int) -> tuple[Float32Array, int, int]:
    """Return the phase correlation for shifts up to the reach, and the lag of its first pixel.

    A lag is in pixels of the details: how far a pixel of the first one is from its like in the
    second one. Spectra are whitened by half: wholly whitened, the noise of empty glass has the
    say; not at all, the largest grain alone.
    """
    from scipy import fft

    y0, rows, height = _lags(first, second, reach_px, 0)
    x0, columns, width = _lags(first, second, reach_px, 1)
    shape = (fft.next_fast_len(height, real=True), fft.next_fast_len(width, real=True))
    spectra = [fft.rfft2(_tapered(one.detail, one.step_px), s=shape) for one in (first, second)]
    cross = spectra[0] * np.conj(spectra[1])
    size = np.abs(cross)
    cross /= np.sqrt(size + 1e-3 * size.mean() + np.float32(1e-30))
    surface: Any = fft.irfft2(cross, s=shape)
    return np.asarray(surface[np.ix_(rows, columns)], np.float32), x0, y0


def _lags(
    first: Part, second: Part, reach_px: int, axis: int
) -> tuple[int, npt.NDArray[np.intp], int]:
    """Return the least lag, all of them, and the least length at which none of them wraps."""
    step = first.step_px
    apart = (second.y_px - first.y_px, second.x_px - first.x_px)[axis]
    least, most = -((reach_px - apart) // step), (reach_px + apart) // step
    one, other = first.detail.shape[axis], second.detail.shape[axis]
    return least, np.arange(least, most + 1), max(most + other, one - least, one, other)


def _tapered(detail: Float32Array, step: int) -> Float32Array:
    ramps = []
    for side in detail.shape:
        length = min(_TAPER_PX // step, side // 4)
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))
        ramps.append(np.concatenate([rise, np.ones(side - 2 * length), rise[::-1]]))
    return np.asarray((detail - detail.mean()) * np.outer(*ramps), np.float32)


def _peaks(surface: Float32Array, near: int) -> list[tuple[int, int, float]]:
    """Return x, y and distinctness of the highest peaks, each free of what the others raise."""
    left = surface.astype(np.float64)
    peaks = []
    for _ in range(PEAKS):
        y, x = (int(one) for one in np.unravel_index(np.nanargmax(left), left.shape))
        height = left[y, x]
        left[max(y - near, 0) : y + near + 1, max(x - near, 0) : x + near + 1] = np.nan
        if np.isnan(left).all() or not (spread := float(np.nanstd(left))) > 0:
            break
        if (distinctness := float((height - np.nanmean(left)) / spread)) >= LEAST_DISTINCTNESS:
            peaks.append((x, y, distinctness))
    return peaks


def _refined(
    first: Float32Array, second: Float32Array, x: int, y: int
) -> tuple[float, float, float]:
    """Return the lag near (x, y) at which the details are most alike, and their correlation.

    The phase correlation leans towards the lag at which most pixels meet, by half a pixel where
    the overlap is narrow; the correlation of what does meet leans nowhere.
    """
    values: dict[tuple[int, int], float] = {}

    def alike(x: int, y: int) -> float:
        if (x, y) not in values:
            values[x, y] = _correlation(first, second, x, y)
        return values[x, y]

    for _ in range(_MOST_CLIMBS):
        around = [(x + i, y + j) for j in (-1, 0, 1) for i in (-1, 0, 1)]
        best = max(around, key=lambda lag: alike(*lag))
        if best == (x, y):
            break
        x, y = best
    across = _vertex(alike(x - 1, y), alike(x, y), alike(x + 1, y))
    down = _vertex(alike(x, y - 1), alike(x, y), alike(x, y + 1))
    return x + across, y + down, alike(x, y)


def _correlation(first: Float32Array, second: Float32Array, x: int, y: int) -> float:
    """Return the correlation of what both show, second[p] being the like of first[p + (x, y)]."""
    one, other = _shared(first, second, x, y)
    size = float(np.sqrt(np.dot(one, one)) * np.sqrt(np.dot(other, other)))
    return float(np.dot(one, other)) / size if size > 0 else 0.0


def _shared(
    first: Float32Array, second: Float32Array, x: int, y: int
) -> tuple[Float32Array, Float32Array]:
    """Return what both show of one spot, each about its mean; empty where they show none."""
    down, down_to = max(y, 0), min(first.shape[0], second.shape[0] + y)
    across, across_to = max(x, 0), min(first.shape[1], second.shape[1] + x)
    if down >= down_to or across >= across_to:
        return np.empty(0, np.float32), np.empty(0, np.float32)
    one = first[down:down_to, across:across_to].ravel()
    other = second[down - y : down_to - y, across - x : across_to - x].ravel()
    return one - one.mean(), other - other.mean()


def _is_in_both(first: Float32Array, second: Float32Array, x: int, y: int) -> bool:
    """Return whether both show about as much detail: what one shows alone makes no likeness."""
    spreads = [float(part.std()) if part.size else 0.0 for part in _shared(first, second, x, y)]
    return min(spreads) >= _LEAST_OF_OTHER * max(spreads)


def _vertex(before: float, here: float, after: float) -> float:
    """Return where between its neighbours a parabola through the peak is highest, -0.5 to 0.5."""
    bend = before - 2 * here + after
    return min(max((before - after) / (2 * bend), -0.5), 0.5) if bend < 0 else 0.0
