"""What the sources gave lately, and when: the ears of the dead-man warnings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from sonar_watch.geolocation.geodesy import east_north_m
from sonar_watch.monitoring.windows import SPAN_S, Recent
from sonar_watch.records import (
    NavigationSample,
    SourceItem,
    WaterColumnFrame,
    WaterColumnPing,
)

PRESENT_S = 600.0
"""Navigation dated less than this before the clock tells of now, not of a backlog."""

_BASELINE_S = 20.0
_NMEA = "nmea"


class Hearing:
    """Listens to items as they pass, and remembers when each kind came last.

    Parameters
    ----------
    clock : callable
        Seconds since 1970-01-01 UTC.
    ticks : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._ticks = clock, ticks
        self.newest: dict[str, str] = {}
        """File of the last swath, by source."""
        self.swaths = 0
        self.speed_m_s: float | None = None
        self._swath_s: float | None = None
        self._position_s: float | None = None
        self._sounder_s: float | None = None
        self._latest_utc_s = -math.inf
        self._anchor: tuple[float, float, float] | None = None
        self._offsets = Recent(SPAN_S)

    def hear(self, items: Iterable[SourceItem]) -> None:
        """Note what has come."""
        for item in items:
            if isinstance(item, WaterColumnPing | WaterColumnFrame):
                self._hear_swath(item)
            elif isinstance(item, NavigationSample) and item.time_s.size:
                self._hear_navigation(item)

    def _hear_swath(self, swath: WaterColumnPing | WaterColumnFrame) -> None:
        now_s = self._ticks()
        self.swaths += 1
        self._swath_s = now_s
        if isinstance(swath, WaterColumnFrame) and swath.navigation is not None:
            self._position_s = now_s  # a picture that brings its own
        self.newest[swath.source.source] = swath.source.file
        self._offsets.add(now_s, self._clock() - swath.time_utc.timestamp())

    def _hear_navigation(self, sample: NavigationSample) -> None:
        now_s, last_s = self._ticks(), float(sample.time_s[-1])
        if not sample.sensor.startswith(_NMEA):
            self._sounder_s = now_s
        if sample.latitude is not None:
            self._position_s = now_s
        # An older line beside the present; beside one wrong date of next year nothing is old.
        if last_s < self._latest_utc_s <= self._clock() + PRESENT_S:
            return
        self._latest_utc_s = last_s
        if sample.speed_m_s is not None:
            self.speed_m_s = float(sample.speed_m_s[-1])
            self._anchor = None
        elif sample.latitude is not None and sample.longitude is not None:
            self._made_good(last_s, float(sample.latitude[-1]), float(sample.longitude[-1]))

    def _made_good(self, time_s: float, latitude: float, longitude: float) -> None:
        """Take the speed from positions, where nobody says it."""
        if self._anchor is None or time_s < self._anchor[0]:
            self._anchor = time_s, latitude, longitude
            return
        since_s, *place = self._anchor
        if time_s - since_s >= _BASELINE_S:
            way_m = math.hypot(*east_north_m(place[0], place[1], latitude, longitude))
            self.speed_m_s = way_m / (time_s - since_s)
            self._anchor = time_s, latitude, longitude

    @property
    def ping_age_s(self) -> float | None:
        """Seconds since the last swath was heard; None before the first."""
        return self._age(self._swath_s)

    @property
    def navigation_age_s(self) -> float | None:
        """Seconds since the last position was heard; None before the first."""
        return self._age(self._position_s)

    @property
    def sounder_navigation_age_s(self) -> float | None:
        """Seconds since the sounder's own files or datagrams gave navigation."""
        return self._age(self._sounder_s)

    @property
    def present(self) -> bool:
        """Whether what was heard is of now, not of a backlog or a recorded cruise."""
        quiet_s = min((age for age in (self.ping_age_s, self.navigation_age_s)
                       if age is not None), default=0.0)  # fmt: skip
        return self._clock() - quiet_s - self._latest_utc_s < PRESENT_S

    @property
    def clock_offset_s(self) -> float | None:
        """Least seconds from the data time of a swath to the clock when it was heard, lately.

        Delays only add to it: below 0 the sounder's clock is ahead of this computer's.
        """
        return min(self._offsets.values(self._ticks()), default=None)

    def _age(self, heard_s: float | None) -> float | None:
        return None if heard_s is None else self._ticks() - heard_s
