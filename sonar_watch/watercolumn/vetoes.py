"""Boxes that cannot be plumes, and why: what one frame can tell.

By their place: below the seabed, without ground contact, all along the nadir. By what the
picture shows in and around them (`stripes.py`): pieces of stripes, spokes, arcs and steps. By
what else the network takes them for (`rivals.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import Float32Array, FrameGeometry, WaterColumnFrame
from sonar_watch.watercolumn.rivals import TAKEN_FOR_A_BODY
from sonar_watch.watercolumn.stripes import (
    NADIR_STRIPE,
    SECTOR_EDGE,
    SLANT_RANGE_ARC,
    SPOKE,
    STATIC_ANGLE,
    backdrop_of,
    stripe_reason,
)

NO_GROUND_CONTACT = "no ground contact"
BELOW_SEABED = "below the seabed"
REASONS = (
    NO_GROUND_CONTACT,
    BELOW_SEABED,
    NADIR_STRIPE,
    SECTOR_EDGE,
    SLANT_RANGE_ARC,
    STATIC_ANGLE,
    SPOKE,
    TAKEN_FOR_A_BODY,
)
"""All that a veto can say."""

HIDDEN_FROM = 0.9
"""Share of the minimum slant range from which on side lobes of the bottom may hide a foot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoOptions:
    """Limits beyond which a box is turned down.

    Fractions are of the water depth below the transducer.

    Parameters
    ----------
    ground_gap_fraction : float
        A plume rises from the seabed: its lower edge may be this far above it, since the
        bottom's side lobes hide the foot and a lean puts it into another swath.
    hidden_gap_fraction : float
        The same where the side lobes of the bottom may hide more of it: beyond the minimum slant
        range.
    ground_gap_m : float
        The gap in metres that is always allowed.
    nadir_offset_fraction : float
        How far from nadir the middle of a nadir stripe can lie.
    nadir_width_fraction : float
        How wide a nadir stripe can be.
    nadir_height_fraction : float
        How high a box must reach, of the whole water column, to be a nadir stripe.
    stripes : bool
        Look in the picture for pieces of stripes, spokes, arcs and sector edges, too.
    rival_share : float
        A plume is turned down where the network sees a body (fish, a wreck) on the same place
        with this share of the plume's confidence or more; above 1 next to nothing is.
    """

    ground_gap_fraction: float = 0.35
    hidden_gap_fraction: float = 0.45
    ground_gap_m: float = 5.0
    nadir_offset_fraction: float = 0.03
    nadir_width_fraction: float = 0.06
    nadir_height_fraction: float = 0.85
    stripes: bool = True
    rival_share: float = 0.3

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:  # nor NaN
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
    return vetoes_of(np.asarray([xyxy_px], np.float32), frame, options)[0]


def vetoes_of(
    xyxy_px: Float32Array, frame: WaterColumnFrame, options: VetoOptions | None = None
) -> list[str | None]:
    """Return for each box of a frame why it cannot be a plume, or None.

    Parameters
    ----------
    xyxy_px : ndarray, shape (n, 4), pixels
        Left, top, right, bottom.
    frame : WaterColumnFrame
    options : VetoOptions
    """
    options = options or VetoOptions()
    reasons = [_by_place(box, frame.geometry, options) for box in xyxy_px.tolist()]
    if not options.stripes or None not in reasons:
        return reasons
    backdrop = backdrop_of(frame)
    return [
        stripe_reason(box, backdrop) if reason is None else reason
        for box, reason in zip(xyxy_px.tolist(), reasons, strict=True)
    ]


def _by_place(
    xyxy_px: Sequence[float], geometry: FrameGeometry, options: VetoOptions
) -> str | None:
    left, top, right, bottom = xyxy_px
    seabed_m = seabed_below(geometry, left, right)
    if seabed_m is None:
        return None
    water_m = seabed_m - geometry.transducer_depth_m
    foot_m, top_m = geometry.depth_m(bottom), geometry.depth_m(top)
    if (foot_m + top_m) / 2 > seabed_m:
        return BELOW_SEABED
    allowed = options.ground_gap_fraction
    if _foot_may_hide(xyxy_px, geometry):
        allowed = max(allowed, options.hidden_gap_fraction)
    if seabed_m - foot_m > max(options.ground_gap_m, allowed * water_m):
        return NO_GROUND_CONTACT
    middle_m = abs(geometry.across_track_m((left + right) / 2))
    width_m = (right - left) * geometry.pixel_across_m
    narrow = width_m <= options.nadir_width_fraction * water_m
    central = middle_m <= options.nadir_offset_fraction * water_m
    tall = foot_m - top_m >= options.nadir_height_fraction * water_m
    return NADIR_STRIPE if narrow and central and tall else None


def _foot_may_hide(xyxy_px: Sequence[float], geometry: FrameGeometry) -> bool:
    """Return whether the lower edge of a box nears or passes the minimum slant range."""
    if geometry.minimum_slant_range_m is None:
        return False
    left, _, right, bottom = xyxy_px
    across_m = max(abs(geometry.across_track_m(left)), abs(geometry.across_track_m(right)))
    below_m = geometry.depth_m(bottom) - geometry.transducer_depth_m
    return float(np.hypot(across_m, below_m)) >= HIDDEN_FROM * geometry.minimum_slant_range_m


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
