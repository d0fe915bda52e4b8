"""From a box in the picture of one swath to the place where the plume stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np

from sonar_watch.errors import GeometryError
from sonar_watch.geolocation.budget import Foot, PositionOptions, covariance_m2, depth_sigma_m
from sonar_watch.geolocation.geodesy import east_north_m, offset_position
from sonar_watch.records import (
    FrameGeometry,
    GeolocatedDetection,
    NavigationFix,
    WaterColumnFrame,
)

__all__ = [
    "NO_NAVIGATION",
    "PositionOptions",
    "ahead_m",
    "east_north_m",
    "georeference",
    "offset_position",
    "position_of",
    "vessel_to_ground",
]

NO_NAVIGATION = "no navigation at the time of the swath"
"""What `position_note` says of a detection in a frame without a fix."""


_Each = TypeVar("_Each")


class Box(Protocol):
    """One row of `Detections`: the box in pixels, how sure, and what."""

    @property
    def xyxy(self) -> tuple[float, float, float, float]: ...
    @property
    def confidence(self) -> float: ...
    @property
    def class_name(self) -> str: ...


class FootPoint(Protocol):
    """Where a line through the plume meets the seabed, in pixels of the frame."""

    @property
    def x_px(self) -> float: ...
    @property
    def sigma_px(self) -> float: ...


def georeference(
    frame: WaterColumnFrame,
    boxes: Iterable[Box],
    vetoes: Sequence[str | None] | None = None,
    options: PositionOptions | None = None,
    seconded: Sequence[bool | None] | None = None,
    feet: Sequence[FootPoint | None] | None = None,
) -> tuple[GeolocatedDetection, ...]:
    """Return where the boxes of one frame are, in the same order.

    The foot is where the line through the plume meets the seabed, without one the middle of the
    lower edge, raised to the seabed where the box reaches below it. Without a fix a detection
    keeps its metres and has no position.

    Parameters
    ----------
    frame : WaterColumnFrame
    boxes : iterable of Box
        Such as a `Detections`.
    vetoes : sequence of str or None, optional
        Why each was turned down, as many as boxes.
    options : PositionOptions, optional
    seconded : sequence of bool or None, optional
        Whether a second opinion shares each, as many as boxes.
    feet : sequence of FootPoint or None, optional
        Where the plume in each meets the seabed, as many as boxes.

    Raises
    ------
    GeometryError
        A box that is not finite or inside out, or another number of vetoes, opinions or feet
        than of boxes.
    """
    rows = list(boxes)
    reasons = _one_each(rows, vetoes, "vetoes")
    opinions = _one_each(rows, seconded, "opinions")
    points = _one_each(rows, feet, "feet")
    chosen = options or PositionOptions()
    return tuple(
        replace(_place(frame, box, point, chosen), veto=why, seconded=opinion)
        for box, why, opinion, point in zip(rows, reasons, opinions, points, strict=True)
    )


def _one_each(rows: Sequence[Box], given: Sequence[_Each] | None, what: str) -> list[_Each | None]:
    each: list[_Each | None] = [None] * len(rows) if given is None else [*given]
    if len(each) != len(rows):
        raise GeometryError(f"expected {len(rows)} {what}, received {len(each)}")
    return each


def vessel_to_ground(
    forward_m: float, starboard_m: float, heading_deg: float
) -> tuple[float, float]:
    """Return (east, north) of an offset in the vessel's frame.

    >>> east_m, north_m = vessel_to_ground(10.0, 0.0, 90.0)
    >>> round(east_m, 6), round(north_m, 6)
    (10.0, 0.0)
    """
    sine, cosine = math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))
    return forward_m * sine + starboard_m * cosine, forward_m * cosine - starboard_m * sine


def ahead_m(below_m: float, geometry: FrameGeometry, fix: NavigationFix) -> float:
    """Return how far ahead of the transducer the fan is `below_m` below it, in metres.

    Pitch and transmit tilt turn the fan about the axis across, so that all of it moves ahead
    by the depth times the tangent of their sum: 35 m at 1000 m and 2 degrees, as much far
    beside as straight below (so do the soundings in real files). A pitch that is not known is
    taken as 0; the budget allows for it.
    """
    return below_m * math.tan(math.radians((fix.pitch_deg or 0.0) + geometry.tilt_deg))


def position_of(
    across_track_m: float, below_m: float, geometry: FrameGeometry, fix: NavigationFix
) -> tuple[float, float]:
    """Return (latitude, longitude) of a point of the fan.

    `across_track_m` is + starboard and `below_m` + down, from the transducer. The vessel's
    heading turns both the lever arm and the fan; pitch and transmit tilt move the point ahead
    (see `ahead_m`); roll and the mounting angles of the arrays are already in the beam angles.
    """
    forward_m = geometry.lever_forward_m + ahead_m(below_m, geometry, fix)
    starboard_m = geometry.lever_starboard_m + across_track_m
    offset = vessel_to_ground(forward_m, starboard_m, fix.heading_deg)
    return offset_position(fix.latitude, fix.longitude, *offset)


def _place(
    frame: WaterColumnFrame, box: Box, point: FootPoint | None, options: PositionOptions
) -> GeolocatedDetection:
    geometry = frame.geometry
    x1, y1, x2, y2 = _checked(box.xyxy)
    across = geometry.across_track_m(x1), geometry.across_track_m(x2)
    top_m, bottom_m = geometry.depth_m(y1), geometry.depth_m(y2)
    seabed_m = _seabed_m(geometry, x1, x2)
    foot_depth_m = min([bottom_m, *seabed_m])
    below_m = foot_depth_m - geometry.transducer_depth_m
    middle_m = sum(across) / 2.0 if point is None else geometry.across_track_m(point.x_px)
    fix = frame.navigation
    foot = Foot(
        across_m=middle_m,
        below_m=below_m,
        width_m=across[1] - across[0],
        ahead_m=ahead_m(below_m, geometry, fix) if fix else 0.0,
        line_sigma_m=None if point is None else point.sigma_px * geometry.pixel_across_m,
    )
    located = position_of(middle_m, below_m, geometry, fix) if fix else None
    return GeolocatedDetection(
        frame_id=frame.frame_id,
        time_utc=frame.time_utc,
        class_name=box.class_name,
        confidence=float(box.confidence),
        across_track_m=across,
        depth_m=(top_m, bottom_m),
        foot_depth_m=foot_depth_m,
        height_m=max(0.0, foot_depth_m - top_m),
        latitude=located[0] if located else None,
        longitude=located[1] if located else None,
        covariance_m2=covariance_m2(foot, geometry, fix, options) if fix else None,
        depth_sigma_m=depth_sigma_m(foot, geometry, options),
        clearance_m=max([0.0, *(depth_m - foot_depth_m for depth_m in seabed_m)]),
        position_note=None if located else NO_NAVIGATION,
    )


def _checked(xyxy: Sequence[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in xyxy)
    if not (math.isfinite(x1 + y1 + x2 + y2) and x1 <= x2 and y1 <= y2):
        raise GeometryError(f"expected a finite box x1 <= x2, y1 <= y2, received {tuple(xyxy)}")
    return x1, y1, x2, y2


def _seabed_m(geometry: FrameGeometry, x1: float, x2: float) -> list[float]:
    """Return the seabed's depth under the middle of the box, or of the box; empty if unknown."""
    if geometry.seabed_depth_m is None:
        return []
    last = geometry.width_px - 1
    middle = geometry.seabed_depth_m[min(max(int((x1 + x2) / 2.0), 0), last)]
    if math.isfinite(middle):
        return [float(middle)]
    under = geometry.seabed_depth_m[max(int(x1), 0) : max(math.ceil(x2), 1)]
    known = under[np.isfinite(under)]
    return [float(np.median(known))] if known.size else []
