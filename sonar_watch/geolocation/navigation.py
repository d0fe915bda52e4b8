"""Where the ship was at an instant, from everything that its instruments said.

Instruments are kept apart and ranked; the fix at an instant takes position, heading, motion
and speed each from the first in rank that says something on both sides of it. `fix` depends
only on what has been heard, never on the order in which it was heard.

Live and replay hear the instruments in another order, so a swath must wait until what is
still to come cannot alter its fix. `covers` says when, on these assumptions:

- one instrument's samples come in order of time (a late or repeated one is sorted in, but
  `covers` may by then have said yes);
- an instrument known to the track is waited for until it has spoken past the instant, or has
  fallen `wait_s` of data time behind the others: it then counts as silent, and no swath waits;
- an instrument not heard before is waited for `settle_s`, unless what is at hand has the
  highest rank there is.

What breaks them breaks the equality of live and replay at that place, and no more: an
instrument that lags by more than `wait_s`, one that speaks for the first time more than
`settle_s` behind the others, and readers that start in the middle of the data.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np

from sonar_watch.errors import ConfigurationError, NavigationError
from sonar_watch.geolocation.channels import CIRCULAR, columns_of
from sonar_watch.geolocation.geodesy import offset_position
from sonar_watch.geolocation.series import Series
from sonar_watch.records import NavigationFix, NavigationSample

_JUMP_S = 600.0
_CONFIRM_S = 60.0
_MOST_PENDING = 64
_ASSUMED_SPEED_M_S = 5.0
_ASSUMED_TURN_DEG_S = 0.5
_SWEEP_S = 60.0
_SWEEP_ROWS = 100_000
_MOST_ROWS = 4_000_000  # about 110 MB; SKM at 100 Hz gives 300 rows a second


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationOptions:
    """What counts as good navigation.

    Parameters
    ----------
    sensors : tuple of str
        Instruments from most to least trusted. A name stands for itself and for all that
        begin with it and a colon or hyphen: "nmea" for every sentence, "nmea:INGGA" for one.
        Those not named come last, in alphabetical order.
    max_age_s : float
        Seconds from a swath to the nearest position or heading; beyond it there is no fix.
    max_gap_s : float
        Seconds between two samples that may be interpolated.
    wait_s : float
        Seconds of data time that a silent instrument is waited for.
    settle_s : float
        Seconds of data time that an instrument not heard before is waited for.
    memory_s : float
        Seconds of navigation that are kept before the latest swath that asked for its fix.
    position_sigma_m, heading_sigma_deg : float
        One standard deviation, where the instrument does not say it.
    course_sigma_deg : float
        One standard deviation of the heading when course over ground stands in for it: wind
        and current turn the bow away from the course.
    min_course_speed_m_s : float
        Below it (1 knot) course over ground says nothing about the heading.

    Raises
    ------
    ConfigurationError
        A length of time or a sigma that is not above 0.
    """

    sensors: tuple[str, ...] = ("spo", "skm", "em", "nmea")
    max_age_s: float = 5.0
    max_gap_s: float = 10.0
    wait_s: float = 60.0
    settle_s: float = 1.0
    memory_s: float = 3600.0
    position_sigma_m: float = 5.0
    heading_sigma_deg: float = 0.5
    course_sigma_deg: float = 10.0
    min_course_speed_m_s: float = 0.5144

    def __post_init__(self) -> None:
        for name in ("max_age_s", "max_gap_s", "wait_s", "memory_s", "position_sigma_m",
                     "heading_sigma_deg", "course_sigma_deg"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ConfigurationError(f"{name}: expected a number above 0, received {value}")
        for name in ("settle_s", "min_course_speed_m_s"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name}: expected 0 or more")
        if self.wait_s < self.settle_s + self.max_age_s:
            raise ConfigurationError(f"wait_s: expected settle_s + max_age_s or more, "
                                     f"received {self.wait_s}")
        if self.memory_s < self.wait_s + self.max_gap_s:
            raise ConfigurationError(f"memory_s: expected wait_s + max_gap_s or more, "
                                     f"received {self.memory_s}")


class _Found(NamedTuple):
    """The values of one channel at an instant, and whose they are.

    `lag_s` is the instant minus the time of the row; when interpolated, the distance to the
    nearer row and `is_held` is false.
    """

    row: tuple[float, ...]
    lag_s: float
    sensor: str
    is_held: bool


class NavigationTrack:
    """The ship's way, indexed by time.

    Samples are kept until `memory_s` before the latest instant that `covers` or `fix` was asked
    for, as far as samples had come by then: navigation may be hours ahead of a backlog of
    swaths. Only when some millions of rows would be kept, `memory_s` before the newest sample
    is all that stays.

    Parameters
    ----------
    options : NavigationOptions
    """

    def __init__(self, options: NavigationOptions | None = None) -> None:
        self._options = options or NavigationOptions()
        self._channels: dict[str, list[Series]] = {name: [] for name in CIRCULAR}
        self._newest_s = -math.inf
        self._asked_s = -math.inf
        self._swept_s = -math.inf
        self._unswept_rows = 0
        self._pending: deque[NavigationSample] = deque(maxlen=_MOST_PENDING)

    def add(self, sample: NavigationSample) -> None:
        """Take a sample, in any order; one that was heard before changes nothing.

        Samples more than ten minutes ahead of all others (a broken clock, a flipped bit: KMALL
        has no checksum) are kept apart until two of different instants lie near one another;
        then all that were kept apart up to there are taken, in whatever order they came.
        Positions of exactly 0 N 0 E are an instrument's word for "none" and are dropped.
        """
        if not sample.time_s.size:
            return
        if self._is_far_ahead(sample):
            confirmed = any(_confirms(sample, each) for each in self._pending)
            self._pending.append(sample)
            if confirmed:
                self._take_pending(until_s=float(sample.time_s[-1]))
            return
        self._store(sample)

    def covers(self, time_utc: datetime) -> bool:
        """Return whether samples still to come can no longer change what `fix` answers.

        True once the instruments of position and heading have spoken past the instant, or are
        silent, and no better one is still to be heard; or once others are `wait_s` past it.
        Where `fix` then answers with `NavigationError`, it will go on doing so. See the module
        for what is assumed.
        """
        instant = time_utc.timestamp()
        self._note_asked(instant)
        if self._newest_s >= instant + self._options.wait_s:
            return True
        needed = all(self._is_settled(name, instant) for name in ("position", "heading"))
        return needed and all(
            self._is_settled(name, instant, needed=False) for name in ("motion", "speed", "course")
        )

    def fix(self, time_utc: datetime) -> NavigationFix:
        """Return the ship at `time_utc`.

        Interpolated between samples at most `max_gap_s` apart; else, at the end of what is
        known, from the nearest sample within `max_age_s`: the position carried along by course
        and speed where they are known, and the sigmas widened by half the way and by half a
        degree of heading per second. Motion and speed are given only when interpolated.

        Raises
        ------
        NavigationError
            No position or no heading near enough; the message says which and how far.
        """
        instant = time_utc.timestamp()
        self._note_asked(instant)
        position = self._require("position", instant)
        course = self._find("course", instant) if position.is_held else None
        heading_deg, sigma_deg, source, heading_sensor = self._heading(instant)
        roll, pitch, heave = map(_known, self._bracketed("motion", instant))
        latitude, longitude = _carried(position, course)
        return NavigationFix(
            time_utc=time_utc,
            latitude=latitude,
            longitude=(longitude + 180.0) % 360.0 - 180.0,
            heading_deg=heading_deg % 360.0,
            heading_source=source,
            roll_deg=roll,
            pitch_deg=pitch,
            heave_m=heave,
            speed_m_s=_known(self._bracketed("speed", instant)[0]),
            position_sigma_m=self._position_sigma_m(position, course),
            heading_sigma_deg=sigma_deg,
            source="+".join(dict.fromkeys((position.sensor, heading_sensor))),
            age_s=abs(position.lag_s),
        )

    def forget_before(self, time_utc: datetime) -> None:
        """Drop what is older; a little may stay until more can be dropped at once."""
        self._forget_before(time_utc.timestamp())

    def _is_far_ahead(self, sample: NavigationSample) -> bool:
        heard = math.isfinite(self._newest_s)
        return heard and float(sample.time_s[-1]) > self._newest_s + _JUMP_S

    def _take_pending(self, until_s: float) -> None:
        """Store what was kept apart up to a confirmed time, and what that brings within reach."""
        ahead = [each for each in self._pending if each.time_s[-1] > self._newest_s]
        waiting = sorted(ahead, key=lambda each: float(each.time_s[-1]))
        self._pending.clear()
        for sample in waiting:
            if sample.time_s[-1] <= until_s + _CONFIRM_S or not self._is_far_ahead(sample):
                self._store(sample)
            else:
                self._pending.append(sample)

    def _note_asked(self, instant: float) -> None:
        """Remember the latest instant asked for, unless it is ahead of all that was heard.

        That may be a swath of a broken clock: it must not make the track forget everything.
        """
        if instant <= self._newest_s:
            self._asked_s = max(self._asked_s, instant)

    def _store(self, sample: NavigationSample) -> None:
        self._newest_s = max(self._newest_s, float(sample.time_s.max()))
        for name, columns in columns_of(sample).items():
            keep = np.ones(sample.time_s.size, bool)
            if name == "position":
                keep = (columns[0] != 0) | (columns[1] != 0)
            if not keep.any():
                continue
            self._series(name, sample.sensor).add(
                sample.time_s[keep], [column[keep] for column in columns]
            )
            self._unswept_rows += int(keep.sum())
        if self._newest_s > self._swept_s + _SWEEP_S or self._unswept_rows > _SWEEP_ROWS:
            self._sweep()

    def _sweep(self) -> None:
        self._swept_s, self._unswept_rows = self._newest_s, 0
        self._forget_before(self._asked_s - self._options.memory_s)
        if sum(len(series) for group in self._channels.values() for series in group) > _MOST_ROWS:
            self._forget_before(self._newest_s - self._options.memory_s)

    def _forget_before(self, instant: float) -> None:
        """Drop old rows, and instruments that have none left: they count as not heard."""
        for group in self._channels.values():
            for series in group:
                series.forget_before(instant)
            group[:] = [series for series in group if len(series)]

    def _series(self, channel: str, sensor: str) -> Series:
        group = self._channels[channel]
        for series in group:
            if series.sensor == sensor:
                return series
        group.append(Series(sensor, CIRCULAR[channel]))
        group.sort(key=lambda series: self._rank(series.sensor))
        return next(series for series in group if series.sensor == sensor)

    def _rank(self, sensor: str) -> tuple[int, str]:
        names = self._options.sensors
        matches = (
            place for place, name in enumerate(names)
            if sensor == name or sensor.startswith((f"{name}:", f"{name}-"))
        )
        return next(matches, len(names)), sensor

    def _is_settled(self, channel: str, instant: float, *, needed: bool = True) -> bool:
        """Whether the choice of instrument and its values at `instant` are final."""
        heard_later = self._newest_s >= instant + self._options.settle_s
        for series in self._channels[channel]:
            if series.last_s < instant:
                if self._newest_s < series.last_s + self._options.wait_s:
                    return False
                continue  # silent: should it speak again, that is too far off to be interpolated
            if series.between(instant, self._options.max_gap_s):
                return heard_later or self._is_top(series.sensor)
        if not needed:
            return heard_later
        # Everyone has spoken past the instant, nobody on both sides of it: the nearest will do,
        # and that may be one that follows, of an instrument not heard before.
        reach_s = self._options.max_age_s + self._options.settle_s
        return bool(self._channels[channel]) and self._newest_s >= instant + reach_s

    def _is_top(self, sensor: str) -> bool:
        """Whether no instrument could rank higher."""
        return (sensor,) == self._options.sensors[:1]

    def _find(self, channel: str, instant: float) -> _Found | None:
        """Return the first in rank that brackets the instant, else the first that is near."""
        for series in self._channels[channel]:
            if found := series.between(instant, self._options.max_gap_s):
                return _Found(*found, series.sensor, False)
        for series in self._channels[channel]:
            if found := series.nearest(instant, self._options.max_age_s):
                return _Found(*found, series.sensor, True)
        return None

    def _bracketed(self, channel: str, instant: float) -> tuple[float, ...]:
        """Return what is known on both sides of the instant, NaN where nothing is."""
        found = self._find(channel, instant)
        if found is None or found.is_held:
            return (math.nan,) * len(CIRCULAR[channel])
        return found.row

    def _require(self, channel: str, instant: float) -> _Found:
        found = self._find(channel, instant)
        if found is None:
            raise NavigationError(f"no {channel} within {self._options.max_age_s} s; "
                                  f"{self._describe_last(channel, instant)}")
        return found

    def _describe_last(self, channel: str, instant: float) -> str:
        """Say who spoke last before the instant; what follows may not all be heard yet."""
        heard = [
            (time_s, series.sensor)
            for series in self._channels[channel]
            if (time_s := series.last_before(instant)) is not None
        ]
        if not heard:
            return "none before it"
        time_s, sensor = max(heard)
        return f"the last was {instant - time_s:.1f} s before ({sensor})"

    def _heading(
        self, instant: float
    ) -> tuple[float, float, Literal["heading", "course"], str]:
        options = self._options
        heading = self._find("heading", instant)
        if heading is not None:
            turn_deg = _ASSUMED_TURN_DEG_S * heading.lag_s if heading.is_held else 0.0
            sigma_deg = math.hypot(options.heading_sigma_deg, turn_deg)
            return heading.row[0], sigma_deg, "heading", heading.sensor
        course = self._find("course", instant)
        if course is not None and course.row[1] >= options.min_course_speed_m_s:
            return course.row[0], options.course_sigma_deg, "course", course.sensor
        reason = self._describe_last("heading", instant)
        if course is not None:
            reason += f"; at {course.row[1]:.2f} m/s the course over ground is no heading"
        raise NavigationError(f"no heading within {options.max_age_s} s; {reason}")

    def _position_sigma_m(self, position: _Found, course: _Found | None) -> float:
        said = position.row[2]
        sigma_m = self._options.position_sigma_m if math.isnan(said) else said
        if not position.is_held:
            return sigma_m
        speed_m_s = _ASSUMED_SPEED_M_S if course is None else course.row[1] / 2.0
        return math.hypot(sigma_m, position.lag_s * speed_m_s)


def _carried(position: _Found, course: _Found | None) -> tuple[float, float]:
    """Return latitude and longitude, a held position carried along by course and speed."""
    latitude, longitude, _ = position.row
    if course is None:
        return latitude, longitude
    course_rad, way_m = math.radians(course.row[0]), course.row[1] * position.lag_s
    return offset_position(
        latitude, longitude, way_m * math.sin(course_rad), way_m * math.cos(course_rad)
    )


def _confirms(one: NavigationSample, other: NavigationSample) -> bool:
    """Whether two samples are near one another, and not the same heard twice."""
    return 0 < abs(float(one.time_s[0] - other.time_s[0])) <= _CONFIRM_S


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
