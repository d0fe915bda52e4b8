"""Statistics of one ping that real and simulated pings are compared by.

Each is a number that says how a background looks: how strongly it speckles, how it changes
with range and from sector to sector, and what the side lobes of the bottom put over it. All
levels are dB as recorded; samples at the floor count as absent for the speckle only.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.records import FLOOR_HALF_DB, Float32Array, WaterColumnPing

_NADIR_DEG = 12.0
_FEWEST_BEAMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PingStatistics:
    """How the background of one ping looks; NaN where the ping does not show it.

    Parameters
    ----------
    speckle_db : float
        Median over range rows of the standard deviation along a row, centre sector, above the
        bottom.
    grain_db : float
        The same of the difference of every third beam (neighbours overlap) over sqrt(2):
        speckle without slow changes across the fan.
    rise_db : float
        Level near 0.9 of the minimum slant range less that near 0.25 of it.
    bottom_db : float
        Median nadir bottom echo less the water's level just above it.
    plateau_below_bottom_db : float
        Nadir bottom echo less the level beyond the minimum slant range, centre sector, well off
        nadir.
    plateau_step_db : float
        Centre sector less outer sectors at equal ranges beyond the minimum slant range.
    sector_step_db : float
        Outer sectors less centre sector at equal ranges in clear water.
    floor_share : float
        Share of the recorded samples at the floor.
    past_bottom : float
        Recorded range over bottom range, less 1; median over beams.
    lost_share : float
        Share of beams without a detected bottom.
    beam_correlation : float
        Of speckle between neighbouring beams in clear water.
    """

    speckle_db: float
    grain_db: float
    rise_db: float
    bottom_db: float
    plateau_below_bottom_db: float
    plateau_step_db: float
    sector_step_db: float
    floor_share: float
    past_bottom: float
    lost_share: float
    beam_correlation: float


def measure(ping: WaterColumnPing) -> PingStatistics:
    """Return the statistics of a ping."""
    view = _View(ping)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN says: nothing to measure
        return PingStatistics(
            speckle_db=view.speckle_db(),
            grain_db=view.grain_db(),
            rise_db=view.rise_db(),
            bottom_db=view.bottom_db() - view.level(view.centre, 0.8, 0.95),
            plateau_below_bottom_db=view.bottom_db() - view.plateau_db(view.centre),
            plateau_step_db=view.plateau_db(view.centre) - view.plateau_db(view.outer),
            sector_step_db=view.level(view.outer, 0.3, 0.9) - view.level(view.centre, 0.3, 0.9),
            floor_share=float(np.mean(view.samples[view.recorded] == FLOOR_HALF_DB)),
            past_bottom=float(np.nanmedian(view.end / ping.detected_sample)) - 1,
            lost_share=float(np.mean(np.isnan(ping.detected_sample))),
            beam_correlation=view.beam_correlation(),
        )


class _View:
    """A ping with its beams parted into centre and outer sectors."""

    def __init__(self, ping: WaterColumnPing) -> None:
        self.ping, self.samples = ping, ping.samples_half_db
        index = np.arange(self.samples.shape[1])
        self.end = ping.first_sample + ping.sample_count
        self.recorded = (index >= ping.first_sample[:, None]) & (index < self.end[:, None])
        self.level_db = self.samples.astype(np.float32) / 2
        middle = ping.sector[np.argmin(np.abs(ping.beam_angle_deg))]
        self.centre = ping.sector == middle
        # Two halves (EM2042) have no outer sectors: a step between them is no step to the side.
        self.outer = ~self.centre & (np.abs(ping.beam_angle_deg) > 20)
        bottom = ping.detected_sample
        self.first = float(np.nanpercentile(bottom, 1)) if not np.all(np.isnan(bottom)) else 0.0
        self.bottom = np.where(np.isnan(bottom), self.first, bottom)

    def rows(self, low: float, high: float) -> slice:
        """Range rows between two shares of the minimum slant range."""
        return slice(int(low * self.first), max(int(high * self.first), int(low * self.first) + 1))

    def clear(self, beams: npt.NDArray[np.bool_]) -> Float32Array:
        """Levels of clear water, floor samples NaN."""
        block = self.level_db[beams, self.rows(0.3, 0.9)]
        return np.where(block <= FLOOR_HALF_DB / 2, np.float32(np.nan), block)

    def speckle_db(self) -> float:
        return float(np.nanmedian(np.nanstd(self.clear(self.centre), axis=0)))

    def grain_db(self) -> float:
        block = self.clear(self.centre)
        return float(np.nanmedian(np.nanstd(block[3:] - block[:-3], axis=0)) / np.sqrt(2))

    def beam_correlation(self) -> float:
        block = self.clear(self.centre)
        block -= np.nanmedian(block, axis=0)
        block -= np.nanmedian(block, axis=1)[:, None]
        left, right = block[:-1].ravel(), block[1:].ravel()
        both = ~np.isnan(left + right)
        return float(np.corrcoef(left[both], right[both])[0, 1])

    def level(self, beams: npt.NDArray[np.bool_], low: float, high: float) -> float:
        """Median level between two shares of the minimum slant range."""
        if beams.sum() < _FEWEST_BEAMS:
            return float("nan")
        return float(np.median(self.level_db[beams, self.rows(low, high)]))

    def rise_db(self) -> float:
        return self.level(self.centre, 0.85, 0.95) - self.level(self.centre, 0.2, 0.3)

    def bottom_db(self) -> float:
        """Median over the nadir beams of the strongest level near their bottom."""
        near = np.flatnonzero(
            (np.abs(self.ping.beam_angle_deg) < _NADIR_DEG) & ~np.isnan(self.ping.detected_sample)
        )
        peaks = []
        for beam in near:
            middle = round(float(self.bottom[beam]))
            reach = max(4, round(0.02 * middle))
            peaks.append(self.level_db[beam, max(middle - reach, 0) : middle + reach + 1].max())
        return float(np.median(peaks)) if peaks else float("nan")

    def plateau_db(self, beams: npt.NDArray[np.bool_]) -> float:
        """Median level beyond the minimum slant range and above the beams' own bottom."""
        index = np.arange(self.level_db.shape[1])
        far = beams & (self.bottom > 1.12 * self.first) & ~np.isnan(self.ping.detected_sample)
        between = (index > 1.04 * self.first) & (index < 0.94 * self.bottom[far, None])
        if self.outer.any():  # the same ranges for all sectors: those that the centre has
            between &= index < 0.94 * self.bottom[self.centre].max()
        values = self.level_db[far][between]
        return float(np.median(values)) if values.size > 50 else float("nan")
