"""One plume being followed: what was seen of it, of what could have been."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sonar_watch.association.estimate import FootEstimate, MeasureSample
from sonar_watch.association.options import TrackerOptions
from sonar_watch.association.plane import (
    Covariance,
    Offset,
    distance_m,
    east_north_m,
    position_at,
    shifted,
)
from sonar_watch.association.sightings import Sighting, foot_offset_m, forward
from sonar_watch.records import (
    EventState,
    GeolocatedFrame,
    NavigationFix,
    SourceRef,
    identify,
)

_THIN_M = 10.0
_POINTS = 24
STRIDE_M = 10.0
"""Metres below which a ship is taken to lie still."""

Place = tuple[float, float]
"""(latitude, longitude) in degrees WGS84."""


@dataclass(slots=True, kw_only=True)
class Track:
    """What is remembered of one plume.

    Parameters
    ----------
    points : list of tuple of float
        Recent feet, thinned, metres east and north of the anchor of `foot`.
    mean, here : tuple of float
        What `foot` says, kept because it is asked for at every swath: in the plane, and
        (latitude, longitude).
    across_m : float
        Across-track of the last sighting, + starboard.
    window : list of int
        1 seen, 0 not: the last swaths that could have shown it.
    ship, mark : tuple of float or None
        Where the ship last saw it; where the metres sailed without seeing it count from.
    ahead_m : float
        Mean distance of the feet ahead of the ship's reference point, + forward.
    length_m : float
        Along-track extent of the points.
    quiet : int
        Swaths with navigation since the last sighting.
    asked, seconded : int
        Sightings on which a second opinion was asked, and those that it shared.
    told_utc, told_at, told_m2
        When, where and with which covariance it was last announced.
    """

    event_id: str
    sounder: str
    first_seen_utc: datetime
    last_seen_utc: datetime
    across_m: float
    best_frame_id: str
    best_source: SourceRef
    peak_confidence: float = 0.0
    state: EventState = "tentative"
    foot: FootEstimate | None = None
    mean: Offset = (0.0, 0.0)
    here: Place | None = None
    points: list[Offset] = field(default_factory=list)
    measures: MeasureSample = field(default_factory=MeasureSample)
    window: list[int] = field(default_factory=list)
    seen: int = 0
    possible: int = 0
    vetoed: dict[str, int] = field(default_factory=dict)
    note: str | None = None
    site_id: str = ""
    ship: Place | None = None
    mark: Place | None = None
    bow: Offset = (0.0, 1.0)
    ahead_m: float = 0.0
    length_m: float = 0.0
    unseen_m: float = 0.0
    left_m: float = 0.0
    quiet: int = 0
    asked: int = 0
    seconded: int = 0
    dirty: bool = False
    told_utc: datetime | None = None
    told_at: Place | None = None
    told_m2: Covariance | None = None

    def see(self, frame: GeolocatedFrame, sighting: Sighting, options: TrackerOptions) -> None:
        """Take in what a swath showed of this plume."""
        self.first_seen_utc = min(self.first_seen_utc, frame.time_utc)
        self.across_m = sum(sighting.across_m) / 2.0
        self.seen += 1
        self.dirty = True
        self._count(1, options)
        self._measure(frame, sighting)
        if sighting.placed:
            self._locate(frame.navigation, sighting)
        elif self.foot is None:
            self.note = sighting.note
        if frame.navigation is not None and frame.time_utc >= self.last_seen_utc:
            self.ship = self.mark = _place(frame.navigation)
        self.last_seen_utc = max(self.last_seen_utc, frame.time_utc)
        self.unseen_m = self.left_m = 0.0
        self.quiet = 0

    def pass_by(self, frame: GeolocatedFrame, options: TrackerOptions) -> None:
        """Take in that a swath did not show this plume, and whether it could have."""
        possible = self.could_show(frame, options)
        if possible:
            self._count(0, options)
        fix = frame.navigation
        if fix is None:
            return
        here = _place(fix)
        self.ship = self.ship or here
        self.quiet += 1
        self.left_m = max(self.left_m, apart_m(self.ship, here))
        self._sail(here, possible, max(STRIDE_M, 3.0 * fix.position_sigma_m))

    def could_show(self, frame: GeolocatedFrame, options: TrackerOptions) -> bool:
        """Return whether the fan of `frame` passed over this plume."""
        port, starboard = frame.coverage_across_m
        if self.foot is None:
            gap_s = abs((frame.time_utc - self.last_seen_utc).total_seconds())
            return port <= self.across_m <= starboard and gap_s <= options.unplaced_gap_s
        if frame.navigation is None:
            return False
        along, across = self._from_ship(frame.navigation, self.foot)
        reach = max(options.along_gate_m, 0.5 * self.length_m)
        return abs(along - self.ahead_m) <= reach and port <= across <= starboard

    def passed(self, options: TrackerOptions) -> bool:
        """Return whether so many possible swaths in a row missed it that its edge was crossed.

        What shows up beyond the edge is the next plume, so its rim draws nothing in any more.
        """
        run = max(2, options.of_swaths - options.confirm_swaths)
        return len(self.window) > run and not any(self.window[-run:])

    def ship_distance_m(self, fix: NavigationFix | None) -> float:
        """Return metres from where the ship last saw it to where it is; 0 when not known."""
        return 0.0 if fix is None or self.ship is None else apart_m(self.ship, _place(fix))

    def confirmed(self, options: TrackerOptions) -> bool:
        """Return whether enough of the last possible swaths showed it, and one would believe it.

        What no second opinion ever shared must be sure of itself.
        """
        believed = self.agreement != 0 or self.peak_confidence >= options.lone_confidence
        return believed and sum(self.window) >= options.confirm_swaths

    @property
    def agreement(self) -> float | None:
        """Share of the sightings that a second opinion shared; None when it was not asked."""
        return self.seconded / self.asked if self.asked else None

    def hopeless(self, options: TrackerOptions) -> bool:
        """Return whether none of the last possible swaths showed it."""
        return len(self.window) >= options.of_swaths and not any(self.window)

    def turn_down(self, reason: str) -> None:
        """Count a vetoed detection beside this plume."""
        self.vetoed[reason] = self.vetoed.get(reason, 0) + 1

    def absorb(self, other: Track) -> None:
        """Take over what is known of `other`, which turned out to be this plume.

        Swaths that showed both count once at most, so the larger numbers stand.
        """
        self.first_seen_utc = min(self.first_seen_utc, other.first_seen_utc)
        self.last_seen_utc = max(self.last_seen_utc, other.last_seen_utc)
        self.asked = max(self.asked, other.asked)
        self.seconded = max(self.seconded, other.seconded)
        self.seen, self.possible = max(self.seen, other.seen), max(self.possible, other.possible)
        self.dirty = True
        for reason, number in other.vetoed.items():
            self.vetoed[reason] = self.vetoed.get(reason, 0) + number
        if other.peak_confidence > self.peak_confidence:
            self.peak_confidence = other.peak_confidence
            self.best_frame_id, self.best_source = other.best_frame_id, other.best_source
        self._absorb_feet(other)

    def _absorb_feet(self, other: Track) -> None:
        if self.foot is None or other.foot is None:
            return
        offset = east_north_m(*self.foot.anchor, *other.foot.anchor)
        self._move(self.foot.merged(other.foot, offset))
        for point in other.points:
            self._mark_point(shifted(point, offset))

    def _move(self, foot: FootEstimate) -> None:
        self.foot, self.mean = foot, foot.mean_m()
        self.here = position_at(*foot.anchor, self.mean)

    def _count(self, shown: int, options: TrackerOptions) -> None:
        self.possible += 1
        self.window = [*self.window, shown][-options.of_swaths :]

    def _measure(self, frame: GeolocatedFrame, sighting: Sighting) -> None:
        self.measures.add(
            sighting.confidence, sighting.foot_depth_m, sighting.top_depth_m, sighting.width_m
        )
        self.asked += sighting.seconded is not None
        self.seconded += sighting.seconded is True
        if sighting.confidence > self.peak_confidence:
            self.peak_confidence = sighting.confidence
            self.best_frame_id, self.best_source = frame.frame_id, frame.source

    def _locate(self, fix: NavigationFix | None, sighting: Sighting) -> None:
        """Take the feet of a sighting into the estimate."""
        anchor = sighting.feet[0].position
        if self.foot is None and anchor is not None:
            self.foot = FootEstimate(anchor=anchor)
        if self.foot is None:
            return
        at = sighting.offset_m(self.foot.anchor)
        self._move(
            self.foot.added(
                at, sighting.confidence, sighting.mean("random_m2"), sighting.mean("systematic_m2")
            )
        )
        for strand in sighting.feet:
            self._mark_point(foot_offset_m(strand, self.foot.anchor))
        if fix is not None:
            self._mark_bow(fix, at)

    def _mark_point(self, point: Offset) -> None:
        if all(distance_m(point, known) >= _THIN_M for known in self.points):
            self.points = [*self.points, point][-_POINTS:]

    def _mark_bow(self, fix: NavigationFix, at: Offset) -> None:
        """Learn how far ahead of the reference point the fan lies, and the plume's length."""
        if self.foot is None:
            return
        self.bow = forward(fix)
        east, north = shifted(east_north_m(*_place(fix), *self.foot.anchor), at)
        ahead = east * self.bow[0] + north * self.bow[1]
        self.ahead_m += (ahead - self.ahead_m) / self.foot.count
        along = [point[0] * self.bow[0] + point[1] * self.bow[1] for point in self.points]
        self.length_m = max(along) - min(along)

    def _from_ship(self, fix: NavigationFix, foot: FootEstimate) -> Offset:
        """Return where the plume lies from the ship (forward, starboard), metres."""
        east, north = shifted(east_north_m(*_place(fix), *foot.anchor), self.mean)
        bow = forward(fix)
        return east * bow[0] + north * bow[1], east * bow[1] - north * bow[0]

    def _sail(self, here: Place, possible: bool, stride_m: float) -> None:
        """Count metres sailed over the plume without seeing it; a jittering fix sails none."""
        if self.mark is None or not possible:
            self.mark = here
            return
        sailed = apart_m(self.mark, here)
        if sailed >= stride_m:
            self.unseen_m += sailed
            self.mark = here


def begin_track(frame: GeolocatedFrame, sighting: Sighting, options: TrackerOptions) -> Track:
    """Return a tentative track of a plume seen for the first time."""
    first = sighting.feet[0]
    where = (
        f"{first.position[0]:.6f},{first.position[1]:.6f}" if first.position
        else f"{first.middle_m:.1f},{first.foot_depth_m:.1f}"
    )
    track = Track(
        event_id=identify("event", frame.frame_id, where),
        sounder=frame.sounder,
        first_seen_utc=frame.time_utc,
        last_seen_utc=frame.time_utc,
        across_m=first.middle_m,
        best_frame_id=frame.frame_id,
        best_source=frame.source,
    )
    track.see(frame, sighting, options)
    return track


def apart_m(a: Place, b: Place) -> float:
    """Return metres between two places near each other."""
    return distance_m(east_north_m(*a, *b), (0.0, 0.0))


def _place(fix: NavigationFix) -> Place:
    return fix.latitude, fix.longitude
