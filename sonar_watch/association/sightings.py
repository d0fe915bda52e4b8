"""What one swath shows of one plume, with its error split into what is random and what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sonar_watch.association.options import TrackerOptions
from sonar_watch.association.plane import (
    ZERO,
    Covariance,
    Offset,
    circle,
    east_north_m,
    scaled,
    smallest_variance,
    streak,
    total,
)
from sonar_watch.records import GeolocatedDetection, GeolocatedFrame, NavigationFix

_SMALLEST_SIGMA_M = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """One box, seen from the tracker.

    Parameters
    ----------
    position : tuple of float (latitude, longitude) or None
    random_m2 : tuple of float (ee, en, nn)
        The part of its covariance that differs from swath to swath.
    systematic_m2 : tuple of float (ee, en, nn)
        The part that all swaths of the pass share.
    confidence : float
    across_m : tuple of float
        Extents of the box (port, starboard), + starboard.
    foot_depth_m, top_depth_m : float
    note : str or None
        Why there is no position.
    seconded : bool or None
        Whether a second opinion shares it; None when it was not asked.
    """

    position: tuple[float, float] | None
    random_m2: Covariance
    systematic_m2: Covariance
    confidence: float
    across_m: tuple[float, float]
    foot_depth_m: float
    top_depth_m: float
    note: str | None = None
    seconded: bool | None = None

    @property
    def middle_m(self) -> float:
        """Across-track of the middle of the box, + starboard."""
        return 0.5 * (self.across_m[0] + self.across_m[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The boxes of one swath that are one plume: strands come in two and more.

    Parameters
    ----------
    feet : tuple of Foot
        In order of falling confidence; those with a position, or all when none has one.
    """

    feet: tuple[Foot, ...]

    @property
    def placed(self) -> bool:
        """Whether it has a position."""
        return self.feet[0].position is not None

    @property
    def confidence(self) -> float:
        """Highest confidence of the strands."""
        return max(foot.confidence for foot in self.feet)

    @property
    def foot_depth_m(self) -> float:
        """Depth of the deepest strand."""
        return max(foot.foot_depth_m for foot in self.feet)

    @property
    def top_depth_m(self) -> float:
        """Depth of the shallowest strand's top."""
        return min(foot.top_depth_m for foot in self.feet)

    @property
    def across_m(self) -> tuple[float, float]:
        """Extents of all strands together (port, starboard)."""
        return (
            min(foot.across_m[0] for foot in self.feet),
            max(foot.across_m[1] for foot in self.feet),
        )

    @property
    def width_m(self) -> float:
        """Across-track width of all strands together."""
        return self.across_m[1] - self.across_m[0]

    @property
    def seconded(self) -> bool | None:
        """Whether a second opinion shares any of the strands; None when it was not asked."""
        opinions = [foot.seconded for foot in self.feet if foot.seconded is not None]
        return any(opinions) if opinions else None

    @property
    def note(self) -> str | None:
        """Why there is no position."""
        return self.feet[0].note

    def offset_m(self, anchor: tuple[float, float]) -> Offset:
        """Return the confidence-weighted foot, metres east and north of `anchor`."""
        weight = sum(foot.confidence for foot in self.feet)
        offsets = [(foot.confidence / weight, foot_offset_m(foot, anchor)) for foot in self.feet]
        return sum(w * at[0] for w, at in offsets), sum(w * at[1] for w, at in offsets)

    def mean(self, part: str) -> Covariance:
        """Return the mean of "random_m2" or "systematic_m2" over the strands.

        Not divided by their number: strands of one swath share most of their error.
        """
        parts: Iterator[Covariance] = (getattr(foot, part) for foot in self.feet)
        return scaled(total(*parts), 1.0 / len(self.feet))


def foot_offset_m(foot: Foot, anchor: tuple[float, float]) -> Offset:
    """Return metres (east, north) from `anchor` to a foot that has a position."""
    if foot.position is None:
        return 0.0, 0.0
    return east_north_m(*anchor, *foot.position)


def sighting_of(feet: Sequence[Foot]) -> Sighting:
    """Return the boxes as one sighting; strands without a position give way to those with one."""
    placed = [foot for foot in feet if foot.position is not None]
    return Sighting(feet=tuple(sorted(placed or feet, key=lambda foot: -foot.confidence)))


def counts(detection: GeolocatedDetection) -> bool:
    """Return whether a detection can be a plume: "signal", not vetoed, measured."""
    signal = detection.class_name == "signal" and detection.veto is None
    return signal and measured(detection)


def measured(detection: GeolocatedDetection) -> bool:
    """Return whether the numbers of a detection are finite and its confidence above 0."""
    numbers = (detection.confidence, detection.foot_depth_m, *detection.across_track_m,
               *detection.depth_m)
    return detection.confidence > 0 and all(math.isfinite(number) for number in numbers)


def foot_of(
    detection: GeolocatedDetection, frame: GeolocatedFrame, options: TrackerOptions
) -> Foot:
    """Return the tracker's view of `detection`, its error split in two."""
    position, note = _position(detection)
    random, systematic = _split(detection, frame, options) if position else (ZERO, ZERO)
    return Foot(
        position=position,
        random_m2=random,
        systematic_m2=systematic,
        confidence=float(detection.confidence),
        across_m=(float(detection.across_track_m[0]), float(detection.across_track_m[1])),
        foot_depth_m=float(detection.foot_depth_m),
        top_depth_m=float(min(detection.depth_m)),
        note=note,
        seconded=detection.seconded,
    )


def _position(detection: GeolocatedDetection) -> tuple[tuple[float, float] | None, str | None]:
    latitude, longitude = detection.latitude, detection.longitude
    if latitude is None or longitude is None:
        return None, detection.position_note or "no navigation"
    if not (math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90):
        return None, f"position is not one: {latitude}, {longitude}"
    return (float(latitude), float(longitude)), None


def _split(
    detection: GeolocatedDetection, frame: GeolocatedFrame, options: TrackerOptions
) -> tuple[Covariance, Covariance]:
    """Return the random and the systematic part of the covariance of a foot."""
    whole = total(_covariance(detection, options), circle(_SMALLEST_SIGMA_M))
    shared = _navigation_part(detection, frame.navigation)
    own = total(whole, scaled(shared, -1.0))
    if smallest_variance(own) < 0.1 * smallest_variance(whole):
        own, shared = scaled(whole, 0.25), scaled(whole, 0.75)
    hanging = circle(options.lean_slope * detection.clearance_m)
    fraction = options.systematic_fraction
    return (
        total(scaled(own, 1.0 - fraction), hanging),
        total(shared, scaled(own, fraction), hanging, _lean_along(detection, frame, options)),
    )


def _lean_along(
    detection: GeolocatedDetection, frame: GeolocatedFrame, options: TrackerOptions
) -> Covariance:
    """Return what an unknown lean along track does to the mean of all sightings."""
    if frame.navigation is None:
        return ZERO
    seen_at_m = detection.clearance_m + 0.5 * detection.height_m
    return streak(options.lean_along * seen_at_m, forward(frame.navigation))


def _covariance(detection: GeolocatedDetection, options: TrackerOptions) -> Covariance:
    given = detection.covariance_m2
    if given is None or not all(math.isfinite(number) for number in given):
        return circle(options.default_sigma_m)
    if smallest_variance(given) < 0:
        return circle(options.default_sigma_m)
    return float(given[0]), float(given[1]), float(given[2])


def _navigation_part(detection: GeolocatedDetection, fix: NavigationFix | None) -> Covariance:
    """Return what the fix contributes: its position, and its heading over the distance across."""
    if fix is None:
        return ZERO
    across = 0.5 * (detection.across_track_m[0] + detection.across_track_m[1])
    swing = math.radians(fix.heading_sigma_deg) * across
    return total(circle(fix.position_sigma_m), streak(swing, forward(fix)))


def forward(fix: NavigationFix) -> Offset:
    """Return the unit vector (east, north) of the bow."""
    heading = math.radians(fix.heading_deg)
    return math.sin(heading), math.cos(heading)
