"""A ping seen as a fan: its beams from port to starboard and the seabed under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import GeometryError
from sonar_watch.records import FloatArray, IntArray, SoundSpeedProfile, WaterColumnPing
from sonar_watch.watercolumn.geometry import trace

SMOOTHED_BEAMS = 11
"""Running median over the bottom detections: a plume taken for the bottom is thrown out."""

FEWEST_DETECTIONS = 5
"""A ping with fewer has no known bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """The beams of a ping that recorded something, port to starboard.

    Parameters
    ----------
    angle_deg : ndarray, shape (b,), degrees from the vertical, + starboard, ascending
    samples : ndarray, shape (b, s), int8, half dB
    first, end : ndarray, shape (b,), range samples
        What was recorded: first <= sample < end. Column 0 of `samples` is range sample 0.
    bottom : ndarray, shape (b,), range samples
        Detected bottom, outliers smoothed away; NaN without detection.
    limit : ndarray, shape (b,), range samples
        The same where every beam has one, interpolated between detections and at least as far
        as the detection itself; infinite when the ping has no bottom.
    sector : ndarray, shape (b,)
    seabed_across_m, seabed_depth_m : ndarray, shape (n,), metres
        Where `bottom` lies: + starboard of the transducer, + down from the surface; port to
        starboard, beams without one left out.
    """

    angle_deg: FloatArray
    samples: npt.NDArray[np.int8]
    first: IntArray
    end: IntArray
    bottom: FloatArray
    limit: FloatArray
    sector: IntArray
    seabed_across_m: FloatArray
    seabed_depth_m: FloatArray


def fan_of(ping: WaterColumnPing, profile: SoundSpeedProfile | None = None) -> Fan:
    """Return the beams of `ping` in order, with the seabed traced through `profile`.

    Raises
    ------
    GeometryError
        No beam has samples.
    """
    used = np.flatnonzero(ping.sample_count > 0)
    if not used.size:
        raise GeometryError(f"ping {ping.ping_counter}: expected samples, every beam is empty")
    order = used[np.argsort(ping.beam_angle_deg[used], kind="stable")]
    angle = ping.beam_angle_deg[order].astype(float)
    first = ping.first_sample[order]
    bottom, limit = _seabed_samples(angle, ping.detected_sample[order].astype(float))
    across_m, depth_m = _seabed(ping, angle, bottom, profile)
    return Fan(
        angle_deg=angle,
        samples=_from_zero(ping.samples_half_db, order, first),
        first=first,
        end=first + np.minimum(ping.sample_count[order], ping.samples_half_db.shape[1]),
        bottom=bottom,
        limit=limit,
        sector=ping.sector[order],
        seabed_across_m=across_m,
        seabed_depth_m=depth_m,
    )


def _from_zero(
    samples: npt.NDArray[np.int8], order: npt.NDArray[np.intp], first: IntArray
) -> npt.NDArray[np.int8]:
    """Rows in order, shifted so that column 0 is range sample 0."""
    picked = samples if np.array_equal(order, np.arange(len(samples))) else samples[order]
    if not first.any():
        return picked
    shifted = np.full((len(order), samples.shape[1] + int(first.max())), -128, np.int8)
    for row, start in enumerate(first):
        shifted[row, start : start + samples.shape[1]] = picked[row]
    return shifted


def _seabed_samples(angle_deg: FloatArray, detected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smooth, and fill, in terms of the vertical range: a flat bottom is then a constant."""
    cosine = np.maximum(np.cos(np.radians(angle_deg)), 1e-3)
    found = np.flatnonzero(np.isfinite(detected) & (detected > 0))
    if found.size < FEWEST_DETECTIONS:
        return np.full(detected.size, np.nan), np.full(detected.size, np.inf)
    vertical = detected[found] * cosine[found]
    smooth = running_median(vertical, SMOOTHED_BEAMS)
    bottom = np.full(detected.size, np.nan)
    bottom[found] = smooth / cosine[found]
    deeper = np.maximum(vertical, smooth)
    return bottom, np.interp(angle_deg, angle_deg[found], deeper) / cosine


def running_median(values: FloatArray, width: int) -> FloatArray:
    """Return the median of the `width` (odd) values around each; the ends are repeated."""
    half = min(width, values.size - 1 + values.size % 2) // 2
    ends = np.concatenate((np.repeat(values[0], half), values, np.repeat(values[-1], half)))
    windows = np.lib.stride_tricks.sliding_window_view(ends, 2 * half + 1)
    return np.asarray(np.sort(windows, axis=1)[:, half])


def _seabed(
    ping: WaterColumnPing,
    angle_deg: FloatArray,
    bottom: FloatArray,
    profile: SoundSpeedProfile | None,
) -> tuple[FloatArray, FloatArray]:
    """Across-track and depth of the bottom samples that can be reached."""
    found = np.isfinite(bottom)
    across, depth = place(ping, angle_deg[found], bottom[found], profile)
    reached = np.isfinite(across) & np.isfinite(depth)
    return across[reached], depth[reached]


def place(
    ping: WaterColumnPing,
    angle_deg: FloatArray,
    sample: FloatArray,
    profile: SoundSpeedProfile | None,
) -> tuple[FloatArray, FloatArray]:
    """Return across-track and depth in metres of range samples along beams."""
    return trace(
        angle_deg,
        sample / (2.0 * ping.sample_rate_hz),
        profile,
        transducer_depth_m=ping.transducer_depth_m,
        sound_speed_m_s=ping.sound_speed_m_s,
    )
