"""Boxes that cannot be plumes, and why: what the geometry of one frame can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import FrameGeometry, WaterColumnFrame

NO_GROUND_CONTACT = "no ground contact"
BELOW_SEABED = "below the seabed"
NADIR_STRIPE = "nadir stripe"


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoOptions:
    """Limits beyond which a box is turned down.

    Fractions are of the water depth below the transducer.

    Parameters
    ----------
    ground_gap_fraction : float
        A plume rises from the seabed: its lower edge may be this far above it, since the
        bottom's side lobes hide the foot.
    ground_gap_m : float
        The gap in metres that is always allowed.
    nadir_offset_fraction : float
        How far from nadir the middle of a nadir stripe can lie.
    nadir_width_fraction : float
        How wide a nadir stripe can be.
    nadir_height_fraction : float
        How high a box must reach, of the whole water column, to be a nadir stripe.
    """

    ground_gap_fraction: float = 0.25
    ground_gap_m: float = 5.0
    nadir_offset_fraction: float = 0.03
    nadir_width_fraction: float = 0.06
    nadir_height_fraction: float = 0.85

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name}: expected >= 0, received {getattr(self, name)}")


def veto(
    xyxy_px: Sequence[float], frame: WaterColumnFrame, options: VetoOptions | None = None
) -> str | None:
    """Return why a box cannot be a plume, or None.

    Parameters
    ----------
    xyxy_px : sequence of four floats
        Left, top, right, bottom in pixels of the frame.
    frame : WaterColumnFrame
        Without a seabed nothing is turned down.
    options : VetoOptions
    """
    options = options or VetoOptions()
    left, top, right, bottom = (float(value) for value in xyxy_px)
    geometry = frame.geometry
    seabed_m = seabed_below(geometry, left, right)
    if seabed_m is None:
        return None
    water_m = seabed_m - geometry.transducer_depth_m
    foot_m, top_m = geometry.depth_m(bottom), geometry.depth_m(top)
    if (foot_m + top_m) / 2 > seabed_m:
        return BELOW_SEABED
    if seabed_m - foot_m > max(options.ground_gap_m, options.ground_gap_fraction * water_m):
        return NO_GROUND_CONTACT
    middle_m = abs(geometry.across_track_m((left + right) / 2))
    width_m = (right - left) * geometry.pixel_across_m
    narrow = width_m <= options.nadir_width_fraction * water_m
    central = middle_m <= options.nadir_offset_fraction * water_m
    tall = foot_m - top_m >= options.nadir_height_fraction * water_m
    return NADIR_STRIPE if narrow and central and tall else None


def seabed_below(geometry: FrameGeometry, left_px: float, right_px: float) -> float | None:
    """Return the median depth of the seabed, metres + down, between two pixel columns.

    Where none is known there, that of the nearest column; None when the frame has no seabed.
    """
    line = geometry.seabed_depth_m
    if line is None:
        return None
    known = np.flatnonzero(np.isfinite(line))
    if not known.size:
        return None
    inside = known[(known >= int(left_px)) & (known < right_px)]
    if not inside.size:
        inside = known[[int(np.argmin(np.abs(known - (left_px + right_px) / 2)))]]
    return float(np.median(line[inside]))
