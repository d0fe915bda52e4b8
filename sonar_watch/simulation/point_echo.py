"""Single echoes: where points in the water light up in a fan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonar_watch.records import Float32Array, FloatArray, IntArray
from sonar_watch.simulation.swath import Swath

_FWHM = 2.355
_BEAMS = np.arange(-4, 5)
_SAMPLES = np.arange(-2, 3)
_FAINTEST = 0.01


@dataclass(frozen=True, slots=True)
class Points:
    """Samples lit by points: shape (n,) each.

    Parameters
    ----------
    beam, sample : ndarray of int
    gain : ndarray
        Power relative to a point of gain 1 in a beam's axis.
    """

    beam: IntArray
    sample: IntArray
    gain: Float32Array


def light_up(
    swath: Swath,
    ahead_m: FloatArray,
    starboard_m: FloatArray,
    depth_m: FloatArray,
    gain: FloatArray,
    size_m: float = 0.0,
) -> Points:
    """Return the samples that points light up, those beyond the fan or the seabed left out.

    Parameters
    ----------
    ahead_m, starboard_m : ndarray, shape (p,), metres from the transducer
    depth_m : ndarray, shape (p,), metres below the surface
    gain : ndarray, shape (p,), power
    size_m : float
        Of each along the track: it is heard while any of it is in the beam.
    """
    down = np.maximum(depth_m - swath.sounder.transducer_depth_m, 0.1)
    reach, angle = np.hypot(starboard_m, down), np.degrees(np.arctan2(starboard_m, down))
    width_deg = swath.sounder.beam_width_deg / _FWHM
    from_fan = (ahead_m - down * swath.tilt) / np.hypot(reach * np.radians(width_deg), size_m / 2)
    angles = swath.grid.angle_deg
    nearest = np.searchsorted(angles, angle)
    beam = (nearest[:, None] + _BEAMS).clip(0, angles.size - 1)
    off_beam = (angles[beam] - angle[:, None]) * np.cos(np.radians(angle))[:, None] / width_deg
    place = reach / swath.sounder.metres_per_sample
    sample = np.rint(place).astype(np.int64)[:, None] + _SAMPLES
    heard = gain * np.exp(-0.5 * np.minimum(from_fan**2, 60))
    lit = heard[:, None] * np.exp(-0.5 * np.minimum(off_beam**2, 60))
    pulse = np.exp(-0.5 * (sample - place[:, None]) ** 2)
    return _inside(swath, beam, sample, lit[:, :, None] * pulse[:, None, :])


def _inside(swath: Swath, beam: IntArray, sample: IntArray, gain: FloatArray) -> Points:
    """Points over (p, beams, samples) flattened, without those that nobody hears."""
    beams, samples = (
        np.broadcast_to(part, gain.shape) for part in (beam[:, :, None], sample[:, None, :])
    )
    last = swath.grid.range_m.size - 1
    reach = samples * swath.sounder.metres_per_sample
    kept = (gain > _FAINTEST) & (samples >= 0) & (samples <= last)
    kept &= reach < 0.99 * swath.bottom_m[beams]
    return Points(beams[kept], samples[kept], gain[kept].astype(np.float32))
