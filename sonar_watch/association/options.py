"""What can be set about plumes, and the settings that could never confirm one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sonar_watch.errors import ConfigurationError

_POSITIVE = (
    "swath_spacing_m", "gate_sigmas", "gate_m", "reach_m", "along_gate_m", "end_after_m",
    "gone_after_m", "end_after_s", "unplaced_gap_s", "default_sigma_m", "site_radius_m",
)

_USUAL_STEP_M = 25.0
_OF_STEP = {
    "swath_spacing_m": 1.0, "spread_m": 0.4, "gate_m": 2.4, "reach_m": 4.0, "along_gate_m": 2.0,
    "gone_after_m": 6.0, "end_after_m": 10.0,
}
"""Least values in steps from swath to swath: what the defaults are at 25 m apart."""

MOST_RADIUS_M = 10_000.0
"""Of a site: what is further apart is no one place."""

MOST_SWATHS = 10_000
"""Over which a plume may be looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """How detections of many swaths become one plume.

    Parameters
    ----------
    confirm_swaths, of_swaths : int
        A plume is announced when it was seen on `confirm_swaths` of the last `of_swaths` swaths
        that passed over it.
    lone_confidence : float
        A plume that the classical detector saw on none of its swaths is announced only when the
        network was this sure of it on one, 0 to 1; 0 asks for no second opinion.
    swath_spacing_m : float
        Largest distance in metres between swaths that is expected (speed times the cycle of the
        deepest work); settings that could never confirm a plume at it are refused.
    gate_sigmas : float
        A detection joins a plume within this many standard deviations of a recent sighting ...
    gate_m : float
        ... and within this many metres of it, whatever the deviations say ...
    reach_m : float
        ... and within this many metres of the plume's mean position, so that sightings in a row
        do not chain one plume to the next.
    spread_m : float
        Metres by which sightings of one plume lie apart beyond their errors: the plume is wide.
    strand_gap_m : float
        Boxes of one swath are strands of one plume when no wider gap lies between them.
    along_gate_m : float
        Half the length of a plume along track in metres: a swath this near could have shown it.
    end_after_m : float
        An event ends when the ship is this many metres from where it last saw the plume ...
    gone_after_m : float
        ... or has sailed this many metres over the plume without seeing it ...
    end_after_s : float
        ... or pings go on this many seconds of data time after the last sighting.
    unplaced_gap_s : float
        Without navigation, detections at the same distance across track join within this many
        seconds of data time.
    update_interval_s : float
        Seconds of data time between two alerts of one event, at least; 0 and more.
    systematic_fraction : float
        Share 0..1 of a detection's own variance that all swaths have in common (sound speed, lean),
        beside the position and heading errors of the navigation, which all are.
    lean_slope : float
        Metres sideways per metre of height that a plume may lean: what a box that hangs above the
        seabed does not say about the foot.
    lean_along : float
        The same along track for the mean height at which a plume is seen: as it leans, swaths
        beside the foot show its upper part, and the mean of all lies beside the foot.
    default_sigma_m : float
        Metres, for positions that come without a covariance.
    site_radius_m : float
        Events within this many metres are one site; up to twice as far when errors are large.

    Raises
    ------
    ConfigurationError
        A number is out of range, or no plume could be confirmed.
    """

    confirm_swaths: int = 3
    of_swaths: int = 6
    lone_confidence: float = 0.6
    swath_spacing_m: float = 20.0
    gate_sigmas: float = 3.0
    gate_m: float = 60.0
    reach_m: float = 100.0
    spread_m: float = 10.0
    strand_gap_m: float = 30.0
    along_gate_m: float = 50.0
    end_after_m: float = 250.0
    gone_after_m: float = 150.0
    end_after_s: float = 3600.0
    unplaced_gap_s: float = 60.0
    update_interval_s: float = 30.0
    systematic_fraction: float = 0.5
    lean_slope: float = 0.2
    lean_along: float = 0.15
    default_sigma_m: float = 25.0
    site_radius_m: float = 50.0

    def __post_init__(self) -> None:
        self._check_ranges()
        self._check_counts()
        self._check_reachable()

    def at_pace(self, step_m: float) -> TrackerOptions:
        """Return the options for swaths this many metres apart.

        In deep water the ship sails as far from swath to swath as a beam is wide: what is near
        is then what is a few swaths away. Up to 25 m apart nothing changes.
        """
        if step_m <= _USUAL_STEP_M:
            return self
        least = {name: share * step_m for name, share in _OF_STEP.items()}
        return replace(self, **{name: max(value, getattr(self, name))
                                for name, value in least.items()})

    def _check_ranges(self) -> None:
        for name in _POSITIVE:
            _expect(0 < getattr(self, name) < math.inf, f"{name}: expected more than 0", self, name)
        most_m = f"site_radius_m: expected less than {MOST_RADIUS_M:g}"
        _expect(self.site_radius_m < MOST_RADIUS_M, most_m, self, "site_radius_m")
        for name in ("spread_m", "strand_gap_m", "update_interval_s", "lean_slope",
                     "lean_along"):
            _expect(0 <= getattr(self, name) < math.inf, f"{name}: expected 0 or more", self, name)
        _expect(0 <= self.lone_confidence <= 1, "lone_confidence: expected 0 to 1", self,
                "lone_confidence")
        fraction = self.systematic_fraction
        _expect(0 <= fraction <= 0.9, "systematic_fraction: expected 0 to 0.9", self,
                "systematic_fraction")

    def _check_counts(self) -> None:
        _expect(self.confirm_swaths >= 1, "confirm_swaths: expected 1 or more", self,
                "confirm_swaths")
        _expect(self.of_swaths <= MOST_SWATHS, f"of_swaths: expected {MOST_SWATHS} or less", self,
                "of_swaths")
        if self.confirm_swaths > self.of_swaths:
            raise ConfigurationError(
                f"confirm_swaths {self.confirm_swaths} of of_swaths {self.of_swaths} can never be "
                "reached: expected confirm_swaths <= of_swaths"
            )

    def _check_reachable(self) -> None:
        """Refuse counts that no plume could reach at the expected spacing of swaths."""
        spacing, needed = self.swath_spacing_m, self.confirm_swaths
        missable = (self.of_swaths - needed) * spacing
        length, longest = (needed - 1) * spacing, 2.0 * self.along_gate_m
        for reached, why in (
            (length <= longest,
             f"{needed} swaths {spacing:g} m apart span {length:g} m, but a plume is looked for "
             f"over 2 x along_gate_m = {longest:g} m"),
            (needed == 1 or spacing <= self.gate_m,
             f"swaths {spacing:g} m apart never join within gate_m = {self.gate_m:g} m"),
            (length <= 2.0 * self.reach_m,
             f"{needed} swaths span {length:g} m, but sightings join within 2 x reach_m = "
             f"{2.0 * self.reach_m:g} m"),
            (needed == 1 or spacing < self.end_after_m,
             f"a plume is given up end_after_m = {self.end_after_m:g} m after one sighting, "
             f"before the next swath at {spacing:g} m"),
            (needed == 1 or missable < self.gone_after_m,
             f"{self.of_swaths - needed} swaths may miss it, which is {missable:g} m, but it is "
             f"given up after gone_after_m = {self.gone_after_m:g} m"),
        ):
            if not reached:
                raise ConfigurationError(
                    f"confirm_swaths {needed} of {self.of_swaths} can never be reached at "
                    f"swath_spacing_m {spacing:g}: {why}"
                )


def _expect(holds: bool, expected: str, options: TrackerOptions, name: str) -> None:
    if not holds:
        raise ConfigurationError(f"{expected}, received {getattr(options, name)!r}")
