"""A fan over beams and range rows: its layers before they are drawn in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.records import ByteImage, Float32Array
from sonar_watch.watercolumn.background import ROWS, Background, BackgroundOptions
from sonar_watch.watercolumn.contrast import backgrounds, decimate, fan_median, valid_rows
from sonar_watch.watercolumn.encoding import absolute_bytes, to_bytes
from sonar_watch.watercolumn.fan import Fan

ABOVE_BOTTOM = 0.93
"""Fraction of the range to the bottom that counts as water: the echo begins before its peak."""

CUT_SLACK = 0.04
"""Beams are cut this much later, as a fraction of range, than columns: hides their steps."""

_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanRows:
    """Echo levels over beams and range rows.

    Parameters
    ----------
    levels : ndarray, shape (b, rows), uint8
        Means of `factor` samples, half dB above -64 dB.
    base : ndarray, shape (b, rows) or (1, rows), float32
        Median of the range row in the sector, in the same unit.
    valid, water : ndarray, shape (b, rows), bool
        What is drawn, and the part of it above the bottom.
    end : ndarray, shape (b,)
        Where drawing ends, range samples.
    factor : int
        Samples in a row.
    """

    levels: ByteImage
    base: Float32Array
    valid: npt.NDArray[np.bool_]
    water: npt.NDArray[np.bool_]
    end: npt.NDArray[np.float64]
    factor: int

    def contrast(self) -> ByteImage:
        """Return the contrast over the row's median alone, as values of a picture."""
        return self._shown(to_bytes((self.levels - self.base) * _HALF, "contrast"))

    def absolute(self) -> ByteImage:
        """Return the levels as recorded, as values of a picture of absolute levels."""
        return self._shown(absolute_bytes(self.levels))

    def layers(self, background: Background) -> ByteImage:
        """Return level and contrast over the static background, shape (b, rows, 2)."""
        level = self.levels - np.float32(fan_median(self.levels, self.water))
        contrast = (self.levels - self.base) * _HALF
        contrast -= _stretched(background, self.factor, self.levels.shape[1])
        return np.dstack((
            self._shown(to_bytes(level * _HALF, "level")),
            self._shown(to_bytes(contrast, "contrast")),
        ))

    def _shown(self, values: ByteImage) -> ByteImage:
        values *= self.valid
        return values


def fan_rows(fan: Fan, factor: int, below_bottom: float, sector_beams: int) -> FanRows:
    """Return a fan with `factor` samples to a row, cut `below_bottom` (a fraction) below it."""
    cut = np.minimum(fan.end, fan.limit * (1.0 + below_bottom + CUT_SLACK))
    first, end = fan.first / factor, cut / factor
    levels = decimate(fan.samples, factor, int(np.max(end) * factor) + factor)
    rows = levels.shape[1]
    water = valid_rows(first, np.minimum(end, fan.limit * (ABOVE_BOTTOM / factor)), rows)
    return FanRows(
        levels=levels,
        base=backgrounds(levels, water, fan.sector, sector_beams),
        valid=valid_rows(first, end, rows),
        water=water,
        end=cut,
        factor=factor,
    )


def take_in(
    fan: Fan, drawn: FanRows, background: Background, time_s: float, options: BackgroundOptions
) -> ByteImage:
    """Let a background take a ping in; return its change layer, shape (b, background's rows)."""
    samples = drawn.levels.shape[1] * drawn.factor
    factor = background.fit(samples)
    levels = decimate(fan.samples, factor, samples)[:, :ROWS]
    rows = levels.shape[1]
    first = fan.first / factor
    valid = valid_rows(first, drawn.end / factor, rows)
    water = valid & valid_rows(first, fan.limit * (ABOVE_BOTTOM / factor), rows)
    contrast = (levels - _averaged(drawn.base, drawn.factor, factor, rows)) * _HALF
    recent = background.take(contrast, valid, water, time_s, options)
    shown = to_bytes(recent, "change")
    shown *= valid
    return shown


def _stretched(background: Background, factor: int, rows: int) -> Float32Array:
    """The static background for rows of `factor` samples, the nearest of its own each."""
    own = np.pad(background.static_db(ROWS), ((0, 0), (0, 1)))  # beyond: nothing is known
    index = ((np.arange(rows) + 0.5) * (factor / background.factor)).astype(np.intp)
    return np.asarray(np.take(own, np.minimum(index, ROWS), axis=1))


def _averaged(base: Float32Array, factor: int, wanted: int, rows: int) -> Float32Array:
    """Means of rows of `factor` samples over rows of `wanted` samples, to the nearest row."""
    edges = np.rint(np.arange(rows + 1) * (wanted / factor)).astype(np.intp)
    first = np.minimum(edges[:-1], base.shape[1] - 1)
    if wanted <= factor:
        return np.asarray(np.take(base, first, axis=1))
    count = np.diff(np.append(first, base.shape[1]))
    return np.asarray(np.add.reduceat(base, first, axis=1) / np.maximum(count, 1), np.float32)
