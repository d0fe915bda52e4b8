"""Rays through the water: launch angle and travel time to place, and back.

In a layer whose speed changes linearly with depth, Snell's law keeps p = sin(angle) / c along
the ray, and the horizontal distance has the closed form used here (Medwin & Clay 1998,
section 3.3, rearranged so that it does not divide by the gradient). Travel time is the
integral of dz / (c cos(angle)), by Simpson's rule in each layer.

The speed at the transducer is what the sounder's own sensor read, below it the profile's: as
the sounders do themselves. Since p is kept, a look-up table made for one sensor reading serves
for others close to it: only a beam's angle has to be turned into the p of its own reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.records import Float32Array, FloatArray, SoundSpeedProfile

MAX_LAYER_M = 100.0
"""Thicker layers are divided: keeps Simpson's rule below a millimetre."""

FINEST_LAYERS = 64
"""Levels closer than a 64th of the depth traced are passed over: casts hold thousands."""

STEEPEST_DEG = 89.5


def trace(
    angle_deg: npt.ArrayLike,
    time_s: npt.ArrayLike,
    profile: SoundSpeedProfile | None,
    *,
    transducer_depth_m: float,
    sound_speed_m_s: float,
) -> tuple[FloatArray, FloatArray]:
    """Return where sound is after travelling one way for `time_s` along each ray.

    Parameters
    ----------
    angle_deg : array_like, shape (n,), degrees from the vertical, + starboard
        At the transducer.
    time_s : array_like, shape (n,), seconds, one way
    profile : SoundSpeedProfile or None
        None traces straight lines. Below its last level the speed stays what it is there.
    transducer_depth_m : float
    sound_speed_m_s : float
        At the transducer, whatever the profile says there.

    Returns
    -------
    across_m, depth_m : ndarray, shape (n,), metres
        + starboard of the transducer; + down from the surface. NaN where the ray has turned
        back up before that time, and where the time is NaN.

    >>> trace([0.0, 30.0], [0.1, 0.1], None, transducer_depth_m=5, sound_speed_m_s=1500)[0].round(1)
    array([ 0., 75.])
    """
    angle, time = np.broadcast_arrays(np.radians(angle_deg), np.asarray(time_s, float))
    if profile is None:
        reach = time * sound_speed_m_s
        return reach * np.sin(angle), transducer_depth_m + reach * np.cos(angle)
    longest = np.max(time * np.cos(angle), initial=0.0, where=np.isfinite(time))
    deepest = transducer_depth_m + sound_speed_m_s * 1.2 * float(longest)
    levels = ray_levels(profile, transducer_depth_m, deepest, sound_speed_m_s)
    slowness = np.abs(np.sin(angle)) / sound_speed_m_s
    return _end_points(np.sign(angle), slowness, time, *levels)


def ray_levels(
    profile: SoundSpeedProfile, top_m: float, bottom_m: float, sound_speed_m_s: float
) -> tuple[FloatArray, FloatArray]:
    """Return depths from `top_m` to `bottom_m` (metres) and the speeds there (m/s).

    `sound_speed_m_s` is the speed at `top_m`; from the next level down the profile holds.
    """
    bottom_m = max(bottom_m, top_m + 1.0)
    inside = profile.depth_m[(profile.depth_m > top_m) & (profile.depth_m < bottom_m)]
    slot = ((inside - top_m) * (FINEST_LAYERS / (bottom_m - top_m))).astype(int)
    first_in_slot = np.diff(slot, prepend=-1) > 0
    knots = np.concatenate(([top_m], inside[first_in_slot], [bottom_m]))
    speed = np.interp(knots, profile.depth_m, profile.speed_m_s)
    speed[0] = sound_speed_m_s
    parts = np.maximum(1, np.ceil(np.diff(knots) / MAX_LAYER_M)).astype(int)
    index = np.repeat(np.arange(parts.size), parts)
    step = np.arange(index.size) - np.repeat(np.cumsum(parts) - parts, parts)
    depth = np.append(knots[index] + np.diff(knots)[index] * step / parts[index], knots[-1])
    return depth, np.interp(depth, knots, speed)


def cross_layers(
    slowness: FloatArray, depth_m: FloatArray, speed_m_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return distance and time of each ray at each level.

    Parameters
    ----------
    slowness : ndarray, shape (n,), s/m
        Snell's constant sin(angle) / c, >= 0.
    depth_m, speed_m_s : ndarray, shape (k,)
        Levels from the transducer down.

    Returns
    -------
    across_m, time_s : ndarray, shape (k, n)
        Infinite below the depth where a ray turns.
    """
    middle = (speed_m_s[1:] + speed_m_s[:-1]) / 2
    cosine = _cosine(slowness, speed_m_s)
    cosine_middle = _cosine(slowness, middle)
    thick = np.diff(depth_m)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        across = 2 * slowness * thick * middle[:, None] / (cosine[1:] + cosine[:-1])
        inverse = 1 / (speed_m_s[:, None] * cosine)
        time = thick / 6 * (inverse[1:] + inverse[:-1] + 4 / (middle[:, None] * cosine_middle))
    turned = cosine[1:] <= 0
    across[turned], time[turned] = np.inf, np.inf
    start = np.zeros((1, slowness.size))
    return (
        np.concatenate((start, np.cumsum(across, axis=0))),
        np.concatenate((start, np.cumsum(time, axis=0))),
    )


def _cosine(slowness: FloatArray, speed_m_s: FloatArray) -> FloatArray:
    sine = slowness * speed_m_s[:, None]
    return np.asarray(np.sqrt(np.maximum(0.0, 1.0 - sine * sine)))


def _end_points(
    side: FloatArray, slowness: FloatArray, time: FloatArray, depth: FloatArray, speed: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Walk to the last level reached in time, then the rest within its layer."""
    across_at, time_at = cross_layers(slowness, depth, speed)
    layer = np.clip(np.sum(time_at <= time, axis=0) - 1, 0, depth.size - 2)
    ray = np.arange(slowness.size)
    rest = time - time_at[layer, ray]
    start = speed[layer]
    gradient = (speed[layer + 1] - start) / (depth[layer + 1] - depth[layer])
    down = _descent(rest, start, slowness)
    down = _descent(rest, start + gradient * down / 2, slowness)
    end = start + gradient * down
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.sqrt(1 - (slowness * start) ** 2) + np.sqrt(1 - (slowness * end) ** 2)
        aside = slowness * down * (start + end) / cosines
    return side * (across_at[layer, ray] + aside), depth[layer] + down


def _descent(time: FloatArray, speed: FloatArray, slowness: FloatArray) -> FloatArray:
    """Depth gained in `time` where the speed half-way is `speed`."""
    with np.errstate(invalid="ignore"):
        return np.asarray(time * speed * np.sqrt(1 - (slowness * speed) ** 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchMap:
    """For each pixel, the ray that passes through it.

    Parameters
    ----------
    angle_deg : ndarray, shape (h, w), float32, degrees from the vertical, + starboard
        Launch angle in water of `speed_m_s`; beyond +-90 where no ray arrives.
    range_m : ndarray, shape (h, w), float32
        Travel time times `speed_m_s`.
    speed_m_s : float or None
        Speed at the transducer the two refer to. None for straight rays, which are the same
        at any speed.
    """

    angle_deg: Float32Array
    range_m: Float32Array
    speed_m_s: float | None

    def launch_angle_deg(self, angle_deg: FloatArray, sound_speed_m_s: float) -> FloatArray:
        """Return beam angles, formed with `sound_speed_m_s`, as this map counts them."""
        if self.speed_m_s is None:
            return angle_deg
        sine = np.sin(np.radians(angle_deg)) * (self.speed_m_s / sound_speed_m_s)
        return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))


def launch_map(
    across_m: FloatArray,
    below_m: FloatArray,
    profile: SoundSpeedProfile | None,
    transducer_depth_m: float = 0.0,
    sound_speed_m_s: float = 1500.0,
) -> LaunchMap:
    """Return launch angle and range for the grid of columns `across_m` and rows `below_m`.

    Parameters
    ----------
    across_m : ndarray, shape (w,), metres to starboard of the transducer
    below_m : ndarray, shape (h,), metres below the transducer, increasing, > 0
    profile : SoundSpeedProfile or None
    transducer_depth_m : float
    sound_speed_m_s : float
        At the transducer; straight rays do not depend on it.
    """
    if profile is None:
        angle = np.degrees(np.arctan2(across_m[None, :], below_m[:, None]))
        reach = np.hypot(across_m[None, :], below_m[:, None])
        return LaunchMap(
            angle_deg=angle.astype(np.float32), range_m=reach.astype(np.float32), speed_m_s=None
        )
    return _traced_map(across_m, below_m, profile, transducer_depth_m, sound_speed_m_s)


def _traced_map(
    across_m: FloatArray,
    below_m: FloatArray,
    profile: SoundSpeedProfile,
    top_m: float,
    speed_m_s: float,
) -> LaunchMap:
    """Tabulate rays from nadir to nearly horizontal, then interpolate along each row."""
    angles = np.linspace(0.0, STEEPEST_DEG, 4 * 90)
    levels = ray_levels(profile, top_m, top_m + float(below_m[-1]), speed_m_s)
    depth = np.union1d(levels[0], top_m + below_m)
    speed = np.interp(depth, *levels)
    across, time = cross_layers(np.sin(np.radians(angles)) / speed_m_s, depth, speed)
    rows = np.searchsorted(depth, top_m + below_m)
    angle_deg = np.empty((below_m.size, across_m.size), np.float32)
    range_m = np.empty_like(angle_deg)
    distance = np.abs(across_m)
    for line, row in enumerate(rows):
        reached = int(np.sum(np.isfinite(across[row])))
        ray = across[row, :reached]
        angle_deg[line] = np.interp(distance, ray, angles[:reached], right=999.0)
        range_m[line] = np.interp(distance, ray, time[row, :reached]) * speed_m_s
    angle_deg *= np.where(across_m < 0, -1, 1)
    return LaunchMap(angle_deg=angle_deg, range_m=range_m, speed_m_s=speed_m_s)
