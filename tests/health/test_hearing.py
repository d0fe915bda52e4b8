"""What is remembered of the items that pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from health_builders import make_ping

from sonar_watch.health.hearing import Hearing
from sonar_watch.records import (
    FrameGeometry,
    NavigationFix,
    NavigationSample,
    SourceRef,
    WaterColumnFrame,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Time:
    """The clock and the seconds that only grow, together."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def clock(self) -> float:
        return NOW.timestamp() + self.passed_s

    def ticks(self) -> float:
        return 50.0 + self.passed_s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def hearing(time: Time) -> Hearing:
    return Hearing(time.clock, time.ticks)


def at(seconds: float, sensor: str = "nmea:GPGGA", **more: Any) -> NavigationSample:
    values = {name: np.array([value]) for name, value in more.items()}
    return NavigationSample(sensor=sensor, time_s=np.array([NOW.timestamp() + seconds]), **values)


def test_nothing_was_heard_yet(hearing: Hearing) -> None:
    assert hearing.ping_age_s is None
    assert hearing.navigation_age_s is None
    assert hearing.clock_offset_s is None
    assert not hearing.present


def test_ages_are_of_hearing_not_of_data(hearing: Hearing, time: Time) -> None:
    hearing.hear([make_ping(1, NOW - timedelta(hours=5)), at(-1.0, latitude=1.0, longitude=2.0)])
    time.passed_s = 7.0
    assert (hearing.ping_age_s, hearing.navigation_age_s) == (7.0, 7.0)
    assert hearing.sounder_navigation_age_s is None
    hearing.hear([at(0.0, "spo", latitude=1.0, longitude=2.0)])
    assert hearing.sounder_navigation_age_s == 0.0


def test_the_least_delay_tells_of_the_clocks(hearing: Hearing) -> None:
    for delay_s in (40.0, 3.0, 900.0):
        hearing.hear([make_ping(1, NOW - timedelta(seconds=delay_s))])
    assert hearing.clock_offset_s == 3.0


def test_speed_as_it_is_said(hearing: Hearing) -> None:
    hearing.hear([at(-2.0, speed_m_s=3.0), at(-50.0, speed_m_s=9.0)])
    assert hearing.speed_m_s == 3.0


def test_speed_as_it_is_made_good(hearing: Hearing) -> None:
    """A degree of latitude is 110.57 km at the equator."""
    for second in range(0, 61, 5):
        hearing.hear([at(second - 60.0, latitude=second * 4.0 / 110_574.0, longitude=10.0)])
    assert hearing.speed_m_s == pytest.approx(4.0, rel=1e-3)


def test_one_date_of_next_year_does_not_freeze_the_speed(hearing: Hearing) -> None:
    hearing.hear([at(3e7, speed_m_s=9.0), at(-2.0, speed_m_s=3.0)])
    assert hearing.speed_m_s == 3.0
    places = [at(3e7, latitude=0.0, longitude=10.0)]
    places += [at(second - 60.0, latitude=second * 4.0 / 110_574.0, longitude=10.0)
               for second in range(59, 61)]  # fmt: skip
    places += [at(float(second), latitude=(60 + second) * 4.0 / 110_574.0, longitude=10.0)
               for second in range(1, 60)]  # fmt: skip
    hearing.hear(places)
    assert hearing.speed_m_s == pytest.approx(4.0, rel=1e-3)


def test_a_backlog_is_not_the_present(hearing: Hearing, time: Time) -> None:
    hearing.hear([at(-86_400.0, latitude=1.0, longitude=2.0)])
    assert not hearing.present
    hearing.hear([at(-5.0, latitude=1.0, longitude=2.0)])
    assert hearing.present
    time.passed_s = 7200.0  # all has fallen silent since
    assert hearing.present


def test_a_picture_may_bring_its_own_position(hearing: Hearing) -> None:
    geometry = FrameGeometry(
        left_m=-1, right_m=1, top_m=0, bottom_m=1, width_px=4, height_px=4
    )
    picture = WaterColumnFrame(
        frame_id="f", time_utc=NOW, sounder="em304-1", image=np.zeros((4, 4), np.uint8),
        geometry=geometry, source=SourceRef(source="images", file="7.png"),
    )  # fmt: skip
    hearing.hear([picture])
    assert hearing.navigation_age_s is None
    fix = NavigationFix(time_utc=NOW, latitude=1.0, longitude=2.0, heading_deg=3.0)
    hearing.hear([replace(picture, navigation=fix)])
    assert hearing.navigation_age_s == 0.0
    assert hearing.newest == {"images": "7.png"}
