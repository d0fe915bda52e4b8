"""Echo levels to grey values: decibels above what the other beams show at the same range.

Absolute levels cannot be compared between files (gain differs), the background rises with
range, and transmit sectors differ by up to 17 dB: so each range row of each sector is shown
against its own median. Samples at the sounder's floor are "below threshold": they count as
that threshold in the median, which is then still right while fewer than half are censored.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sonar_watch.records import ByteImage, Float32Array, FloatArray, IntArray

MEDIAN_BEAMS = 96
"""Beams that a row's median is taken over; more cost time and change nothing."""

MEDIAN_FEWEST = 12
"""Rows seen by fewer beams borrow the median of the last row that had enough."""

NO_DATA = 255


def decimate(samples: npt.NDArray[np.int8], factor: int, count: int) -> ByteImage:
    """Return the first `count` samples averaged by `factor`, shape (b, count // factor).

    Values are half dB above -64 dB (0: the floor).
    """
    rows = max(1, min(count, samples.shape[1]) // factor)
    levels = np.bitwise_xor(samples[:, : rows * factor].view(np.uint8), np.uint8(0x80))
    if factor == 1:
        return np.ascontiguousarray(levels)
    return np.asarray(cv2.resize(levels, (rows, len(levels)), interpolation=cv2.INTER_AREA))


def valid_rows(first: FloatArray, end: FloatArray, rows: int) -> npt.NDArray[np.bool_]:
    """Return which of `rows` lie in first <= row < end, shape (b, rows)."""
    row = np.arange(rows, dtype=np.float32)
    inside: npt.NDArray[np.bool_] = row < end[:, None].astype(np.float32)
    if first.any():
        inside &= row >= first[:, None].astype(np.float32)
    return inside


def row_medians(levels: ByteImage, valid: npt.NDArray[np.bool_]) -> Float32Array:
    """Return the median of each range row over the valid beams, shape (rows,)."""
    step = max(1, len(levels) // MEDIAN_BEAMS)
    picked, seen = levels[::step], valid[::step]
    marked = np.where(seen, picked, np.uint8(NO_DATA)).T
    ordered = np.sort(marked, axis=1)
    count = np.sum(seen, axis=0)
    middle = np.maximum(count - 1, 0)
    row = np.arange(count.size)
    median = ordered[row, middle // 2].astype(np.float32) + ordered[row, (middle + 1) // 2]
    enough = count >= min(MEDIAN_FEWEST, len(picked))
    return _hold(np.asarray(median / 2, np.float32), enough)


def _hold(values: Float32Array, good: npt.NDArray[np.bool_]) -> Float32Array:
    """Replace values that are not good by the last good one (the first, at the start)."""
    if not good.any():
        return np.full_like(values, np.median(values))
    last = np.maximum.accumulate(np.where(good, np.arange(values.size), int(np.argmax(good))))
    return values[last]


def backgrounds(
    levels: ByteImage, valid: npt.NDArray[np.bool_], sector: IntArray, fewest_beams: int
) -> Float32Array:
    """Return the level each sample is compared with, shape (b, rows) or (1, rows).

    Sectors of fewer than `fewest_beams` share the median of the whole fan.
    """
    names, sizes = np.unique(sector, return_counts=True)
    if names.size == 1 or not np.any(sizes >= fewest_beams):
        return row_medians(levels, valid)[None, :]
    base = np.empty(levels.shape, np.float32)
    if np.any(sizes < fewest_beams):
        base[:] = row_medians(levels, valid)
    for name in names[sizes >= fewest_beams]:
        own = sector == name
        base[own] = row_medians(levels[own], valid[own])
    return base


def encode(
    levels: ByteImage,
    base: Float32Array,
    valid: npt.NDArray[np.bool_],
    contrast_db: tuple[float, float],
) -> ByteImage:
    """Return grey values: the window `contrast_db` about the base to 1..255, 0 = no data."""
    low, high = contrast_db
    gain = np.float32(254.0 / (high - low))
    grey = levels.astype(np.float32)
    grey -= base
    grey *= gain / 2
    grey += np.float32(1.5) - gain * np.float32(low)
    np.clip(grey, 1.0, 255.0, out=grey)
    encoded = grey.astype(np.uint8)
    encoded *= valid
    return encoded
