"""Real pings as a background for simulated bodies: what each says of its water, measured once.

A file of a few swaths is played forth and back (`Recording.order`), so that the raster's memory
warms up: artefacts that stand still do so then as well, only speckle returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError
from sonar_watch.geolocation.navigation import NavigationOptions, NavigationTrack
from sonar_watch.opencv import opencv
from sonar_watch.pipeline.hold import NavigationHold, Settled, SwathItem
from sonar_watch.records import (
    Float32Array,
    FloatArray,
    IntArray,
    NavigationFix,
    Quarantined,
    SourceItem,
    WaterColumnPing,
)
from sonar_watch.simulation.swath import Grid
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.replay import open_inputs
from sonar_watch.watercolumn.fan import fan_of, place

_PAIRED = 0.1
"""Of the mean time between swaths: those closer in time are of one transmission."""

_HELD_SWATHS, _HELD_S = 512, 600.0
_KNOTS = 24
"""Rays are traced to this many ranges and interpolated between: bent by centimetres there."""

_QUANTILE = 0.75
"""Of a range row, that stands for its level: above the floor where half of it is censored."""

_FEWEST_BEAMS = 8
_ABOVE_BOTTOM = 0.93
_PLATEAU_DB = 2.0
"""Beyond the first bottom echo the ambient level grows by at most this over that before it:
what is more is side lobes, in which plumes drown."""

_SMOOTHED = 12
"""The ambient level is a running mean over this part of the rows: bodies show no rings."""

_THRESHOLD = np.float32(10**-6.4)
"""Power at the floor of -64 dB: water that is quieter shows no less, so bodies begin above it."""

_FLOOR_SHARE = 0.5
"""Of the threshold's power: what a sample below the threshold has on average."""


def _power_of_levels() -> Float32Array:
    """Linear power of each int8 level, from -128 up."""
    levels = np.arange(-128, 128, dtype=np.float64)
    power = 10 ** (levels / 20)
    power[0] *= _FLOOR_SHARE
    return power.astype(np.float32)


_POWER = _power_of_levels()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The pings of one real file, in order.

    Parameters
    ----------
    name : str
        The file's name without its suffix: the survey.
    pings : tuple of WaterColumnPing
    fixes : tuple of NavigationFix or None, one a ping
    """

    name: str
    pings: tuple[WaterColumnPing, ...]
    fixes: tuple[NavigationFix | None, ...]
    _waters: dict[int, Water] = field(default_factory=dict, repr=False, compare=False)

    def water(self, index: int) -> Water:
        """Return what a ping says of its water, measured once."""
        if index not in self._waters:
            self._waters[index] = water_of(self.pings[index])
        return self._waters[index]

    @property
    def configurations(self) -> int:
        """Settings of the sounder that take turns."""
        kinds = {(ping.swath, ping.runtime, ping.sample_rate_hz) for ping in self.pings}
        return len(kinds)

    @property
    def interval_s(self) -> float:
        """Time from swath to swath, on average."""
        span_s = (self.pings[-1].time_utc - self.pings[0].time_utc).total_seconds()
        return span_s / max(len(self.pings) - 1, 1)

    @property
    def swaths_per_transmission(self) -> int:
        """2 where pings come in pairs milliseconds apart, else 1."""
        times = np.array([ping.time_utc.timestamp() for ping in self.pings])
        return 1 + bool(np.any(np.diff(np.sort(times)) < _PAIRED * self.interval_s))

    @property
    def speed_m_s(self) -> float | None:
        """Speed over ground, None when navigation does not tell."""
        speeds = [fix.speed_m_s for fix in self.fixes if fix and fix.speed_m_s is not None]
        return float(np.median(speeds)) if speeds else None

    def order(self, index: int) -> int:
        """Return which ping comes at an index when the recording is played forth and back.

        >>> from types import SimpleNamespace
        >>> recording = SimpleNamespace(pings=("a", "b", "c"))
        >>> [Recording.order(recording, index) for index in range(6)]
        [0, 1, 2, 1, 0, 1]
        """
        last = len(self.pings) - 1
        return last - abs(index % (2 * last) - last) if last else 0


def read_recording(path: Path) -> Recording:
    """Return the pings of a raw file and its twin, with the ship's fixes.

    Raises
    ------
    ConfigurationError
        No such file, or no swath in it.
    """
    hold = NavigationHold(NavigationTrack(NavigationOptions()), _HELD_SWATHS, _HELD_S)
    source = Merger(open_inputs([path]), live=False)
    settled: list[Settled] = []
    try:
        while not source.exhausted:
            left = hold.take(_usable(source.poll()))
            settled += [item for item in left if isinstance(item, Settled)]
    finally:
        source.close()
    found = [(one.swath, one.fix) for one in settled if isinstance(one.swath, WaterColumnPing)]
    if not found:
        raise ConfigurationError(f"{path}: expected a raw file with swaths, found none in it")
    pings, fixes = zip(*found, strict=True)
    return Recording(name=path.stem, pings=pings, fixes=fixes)


def _usable(items: Iterable[SourceItem]) -> Iterator[SwathItem]:
    for item in items:
        if not isinstance(item, Quarantined):
            yield item


@dataclass(frozen=True, slots=True, kw_only=True)
class Water:
    """What one real ping says of the water under it; beams port to starboard.

    Parameters
    ----------
    ping : WaterColumnPing
        The same swath with its beams in order and none empty.
    samples : ndarray, shape (b, s), int8
        Column 0 is range sample 0.
    recorded : ndarray, shape (b, s), bool
    grid : Grid
        Along the rays as they bend in the ping's own sound speed profile.
    bottom_m : ndarray, shape (b,), metres
        Range to the detected bottom.
    seabed_across_m, seabed_depth_m : ndarray, shape (n,), metres
    power : ndarray, shape (b, s), float32
        Linear; floor samples at half the threshold.
    ambient : ndarray, shape (b, s), float32
        Mean power of the range row in its sector, at least the threshold's.
    surroundings : ndarray, shape (b, s), float32
        Mean power around each sample, at least the ambient: layers, walls and side lobes.
    """

    ping: WaterColumnPing
    samples: npt.NDArray[np.int8]
    recorded: npt.NDArray[np.bool_]
    grid: Grid
    bottom_m: FloatArray
    seabed_across_m: FloatArray
    seabed_depth_m: FloatArray
    power: Float32Array
    ambient: Float32Array
    surroundings: Float32Array


def water_of(ping: WaterColumnPing) -> Water:
    """Return what a ping says of its water.

    Raises
    ------
    GeometryError
        No beam has samples.
    """
    fan = fan_of(ping, ping.profile)
    step = ping.metres_per_sample
    row = np.arange(fan.samples.shape[1])
    recorded = (row >= fan.first[:, None]) & (row < fan.end[:, None])
    power = _POWER[fan.samples.view(np.uint8) ^ np.uint8(0x80)]
    limit = np.minimum(fan.limit, row.size)
    water = recorded & (row < _ABOVE_BOTTOM * limit[:, None])
    ambient = _ambient(fan.samples, water, fan.sector, float(limit.min()))
    np.maximum(ambient, _THRESHOLD, out=ambient)
    # Over 3 beams and 9 samples speckle averages out to a fifth, walls and layers stay.
    around = opencv().blur(power, (9, 3))
    return Water(
        ping=_in_order(ping),
        samples=fan.samples,
        recorded=recorded,
        grid=_bent_grid(ping, fan.angle_deg, row.size),
        bottom_m=limit * step,
        seabed_across_m=fan.seabed_across_m,
        seabed_depth_m=fan.seabed_depth_m,
        power=power,
        ambient=ambient,
        surroundings=np.maximum(around, ambient),
    )


def _in_order(ping: WaterColumnPing) -> WaterColumnPing:
    """The beams that have samples, port to starboard, as `fan_of` puts them."""
    used = np.flatnonzero(ping.sample_count > 0)
    order = used[np.argsort(ping.beam_angle_deg[used], kind="stable")]
    return replace(
        ping,
        beam_angle_deg=ping.beam_angle_deg[order],
        samples_half_db=ping.samples_half_db[order],
        first_sample=ping.first_sample[order],
        sample_count=ping.sample_count[order],
        detected_sample=ping.detected_sample[order],
        sector=ping.sector[order],
    )


def _bent_grid(ping: WaterColumnPing, angle_deg: FloatArray, samples: int) -> Grid:
    """Where the samples lie, traced at some ranges and interpolated between them."""
    knots = np.linspace(0, samples - 1, _KNOTS + 1)
    angle, sample = np.meshgrid(angle_deg, knots, indexing="ij")
    traced = place(ping, angle.ravel(), sample.ravel(), ping.profile)
    straight = place(ping, angle.ravel(), sample.ravel(), None)
    across, depth = (
        np.where(np.isfinite(bent), bent, line).reshape(angle.shape)
        for bent, line in zip(traced, straight, strict=True)
    )
    position = np.arange(samples) * (_KNOTS / max(samples - 1, 1))
    left = np.minimum(position.astype(np.intp), _KNOTS - 1)
    share = position - left

    def between(values: FloatArray) -> Float32Array:
        mixed = values[:, left] * (1 - share) + values[:, left + 1] * share
        return np.asarray(mixed, np.float32)

    range_m = (np.arange(samples) * ping.metres_per_sample).astype(np.float32)
    return Grid(angle_deg, range_m, between(across), between(depth))


def _ambient(
    samples: npt.NDArray[np.int8], water: npt.NDArray[np.bool_], sector: IntArray, first: float
) -> Float32Array:
    """Mean power of each row in its sector; `first` is the sample of the first bottom echo."""
    ambient = np.empty(samples.shape, np.float32)
    for name in np.unique(sector):
        own = sector == name
        picked = own if own.sum() >= _FEWEST_BEAMS else np.ones_like(own)
        ambient[own] = _row_power(samples[picked], water[picked], first)
    return ambient


def _row_power(
    samples: npt.NDArray[np.int8], water: npt.NDArray[np.bool_], first: float
) -> Float32Array:
    """Mean power of each row: speckle is exponential, so a quantile tells the mean."""
    count = water.sum(axis=0)
    ordered = np.sort(np.where(water, samples, np.int8(127)), axis=0)
    place_of = (_QUANTILE * np.maximum(count - 1, 0)).astype(np.intp)
    level = np.take_along_axis(ordered, place_of[None, :], axis=0)[0]
    power = _POWER[level.view(np.uint8) ^ np.uint8(0x80)] / np.float32(-np.log(1 - _QUANTILE))
    good = count >= _FEWEST_BEAMS
    if not good.any():
        return np.full(level.size, _THRESHOLD)
    rows = np.arange(level.size)
    level_db = 10 * np.log10(np.interp(rows, rows[good], power[good]))
    # The bottom's side lobes begin before its peak; smoothing must not carry them upward.
    before = max(1, min(int(_ABOVE_BOTTOM * first), level.size))
    cap_db = _PLATEAU_DB + float(np.median(level_db[int(0.8 * before) : before]))
    level_db[before:] = np.minimum(level_db[before:], cap_db)
    width = 2 * (level.size // (2 * _SMOOTHED)) + 1
    padded = np.pad(level_db, width // 2, mode="edge")
    smooth = np.convolve(padded, np.full(width, 1 / width), "valid")
    return np.asarray(10 ** (smooth / 10), np.float32)
