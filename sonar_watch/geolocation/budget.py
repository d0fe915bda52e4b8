"""Where the uncertainty of a position comes from.

The terms are independent and given as one standard deviation. A beam of width w (at -3 dB)
blurs a point at range R by R w / 2.355; a heading error turns the offset from the ship; a
clock error moves the point along the track, as do a pitch that nobody said and transmit
sectors that are tilted one by one, by depth times the angle; a relative error e of the sound
speed moves the end of a ray at angle a by 2 e |across| sideways and e depth |1 - tan^2 a| in
depth (Snell's law with the angle at the transducer held: 2 % at 60 degrees and 1000 m gives
the 74 m and 38 m by which straight rays were seen to err there).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import FloatArray, FrameGeometry, NavigationFix

_SIGMAS_PER_WIDTH = math.sqrt(8.0 * math.log(2.0))  # a Gaussian's width at half power: 2.355
_UNIFORM = 1.0 / math.sqrt(12.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionOptions:
    """How sure a position on the seabed is; one standard deviation each.

    Parameters
    ----------
    foot_in_box : float
        Of the foot about the middle of the box, as a fraction of its width, where no line
        through the plume says more: a plume leans.
    foot_line_factor : float
        By how much the foot of a line through the plume is less sure than the line says: strands
        and shear are not straight (measured on simulated plumes: 1.4).
    sound_speed_relative : float
        Of the mean sound speed when rays were traced through a profile, as a fraction.
    straight_relative : float
        The same when rays were taken as straight lines.
    given_relative : float
        The same when a picture came with its extents.
    attitude_deg : float
        Of roll and pitch.
    assumed_pitch_deg : float
        Of pitch and transmit tilt together where the pitch is not known and 0 is assumed: about
        what ships pitch; a sounder that steers against it still tilts two swaths apart.
    clock_s : float
        Of the sounder's clock against the navigation's.
    vertical_m : float
        Of the transducer's depth, tide and heave.
    assumed_speed_m_s : float
        Over ground, where it is not known.

    Raises
    ------
    ConfigurationError
        A number below 0.
    """

    foot_in_box: float = 0.25
    foot_line_factor: float = 1.4
    sound_speed_relative: float = 0.001
    straight_relative: float = 0.015
    given_relative: float = 0.005
    attitude_deg: float = 0.1
    assumed_pitch_deg: float = 1.0
    clock_s: float = 0.1
    vertical_m: float = 0.5
    assumed_speed_m_s: float = 2.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value >= 0 and math.isfinite(value)):
                raise ConfigurationError(f"{field.name}: expected 0 or more, received {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """The foot of a box, seen from the transducer.

    Parameters
    ----------
    across_m : float
        + starboard of the transducer.
    below_m : float
        + down from the transducer.
    width_m : float
        Of the box.
    ahead_m : float
        + forward of the transducer: what pitch and transmit tilt do.
    line_sigma_m : float or None
        Of the line through the plume that gave `across_m`; None for the middle of the box.
    """

    across_m: float
    below_m: float
    width_m: float
    ahead_m: float = 0.0
    line_sigma_m: float | None = None

    def sigma_m(self, options: PositionOptions) -> float:
        """Return the standard deviation of the foot in the plane of the fan, without the beam's."""
        if self.line_sigma_m is None:
            return options.foot_in_box * self.width_m
        return options.foot_line_factor * self.line_sigma_m

    @property
    def range_m(self) -> float:
        """Distance from the transducer in the plane across the vessel."""
        return math.hypot(self.across_m, self.below_m)


def covariance_m2(
    foot: Foot, geometry: FrameGeometry, fix: NavigationFix, options: PositionOptions
) -> tuple[float, float, float]:
    """Return the covariance of the foot's position: (east-east, east-north, north-north)."""
    heading = math.radians(fix.heading_deg)
    # Columns: the vessel's forward and starboard axes, in east and north.
    axes = np.array(
        [[math.sin(heading), math.cos(heading)], [math.cos(heading), -math.sin(heading)]]
    )
    turned = _turned_by_heading(foot, geometry) * math.radians(fix.heading_sigma_deg)
    vessel = np.diag([_along_m2(foot, geometry, fix, options),
                      _across_m2(foot, geometry, options)]) + np.outer(turned, turned)
    ground = axes @ vessel @ axes.T + np.eye(2) * fix.position_sigma_m**2
    return float(ground[0, 0]), float(ground[0, 1]), float(ground[1, 1])


def depth_sigma_m(foot: Foot, geometry: FrameGeometry, options: PositionOptions) -> float:
    """Return the standard deviation of the foot's depth."""
    angular = _angular_rad(geometry, options)
    tangent = foot.across_m / max(abs(foot.below_m), 1.0)
    return math.hypot(
        angular * foot.across_m,
        geometry.pixel_depth_m * _UNIFORM,
        _speed_relative(geometry, options) * foot.below_m * (1.0 - tangent**2),
        options.vertical_m,
    )


def _along_m2(
    foot: Foot, geometry: FrameGeometry, fix: NavigationFix, options: PositionOptions
) -> float:
    speed = options.assumed_speed_m_s if fix.speed_m_s is None else fix.speed_m_s
    pitch_deg = options.assumed_pitch_deg if fix.pitch_deg is None else 0.0
    tilted = math.radians(math.hypot(pitch_deg, geometry.tilt_spread_deg)) * foot.below_m
    beam = _angular_rad(geometry, options) * foot.range_m
    return beam**2 + tilted**2 + (options.clock_s * speed) ** 2


def _across_m2(foot: Foot, geometry: FrameGeometry, options: PositionOptions) -> float:
    terms = (
        _angular_rad(geometry, options) * foot.below_m,
        geometry.pixel_across_m * _UNIFORM,
        foot.sigma_m(options),
        2.0 * _speed_relative(geometry, options) * foot.across_m,
    )
    return math.fsum(term**2 for term in terms)


def _turned_by_heading(foot: Foot, geometry: FrameGeometry) -> FloatArray:
    """Return how (forward, starboard) move per radian of heading: the offset, turned by 90."""
    return np.array(
        [
            -(geometry.lever_starboard_m + foot.across_m),
            geometry.lever_forward_m + foot.ahead_m,
        ]
    )


def _angular_rad(geometry: FrameGeometry, options: PositionOptions) -> float:
    beam = geometry.beam_width_deg / _SIGMAS_PER_WIDTH
    return math.radians(math.hypot(beam, options.attitude_deg))


def _speed_relative(geometry: FrameGeometry, options: PositionOptions) -> float:
    return {
        "layered": options.sound_speed_relative,
        "straight": options.straight_relative,
        "given": options.given_relative,
    }[geometry.refraction]
