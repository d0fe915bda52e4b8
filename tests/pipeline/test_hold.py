"""Swaths leave the hold in order, and only when their navigation is settled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.pipeline.hold import NavigationHold
from sonar_watch.records import (
    FrameGeometry,
    LineEnd,
    NavigationSample,
    SourceRef,
    WaterColumnFrame,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def frame(second: float, source: str = "images") -> WaterColumnFrame:
    return WaterColumnFrame(
        frame_id=f"{source}-{second}",
        time_utc=START + timedelta(seconds=second),
        sounder="em304",
        image=np.zeros((4, 8), np.uint8),
        geometry=FrameGeometry(left_m=-4, right_m=4, top_m=0, bottom_m=4, width_px=8, height_px=4),
        source=SourceRef(source=source, file=f"{second}.png"),
    )


def navigation(second: float) -> NavigationSample:
    return NavigationSample(
        sensor="spo",
        time_s=np.array([START.timestamp() + second]),
        latitude=np.array([10.0]),
        longitude=np.array([20.0]),
        heading_deg=np.array([90.0]),
    )


def released(hold: NavigationHold) -> list[str]:
    return [
        "checkpoint" if isinstance(item, Mapping) else item.frame_id for item in hold.release(100)
    ]


@pytest.fixture
def track() -> NavigationTrack:
    return NavigationTrack()


def test_a_swath_waits_until_navigation_brackets_it(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    hold.add(frame(5.0))
    track.add(navigation(4.0))
    assert released(hold) == []
    track.add(navigation(8.0))
    assert released(hold) == ["images-5.0"]
    assert len(hold) == 0


def test_the_head_holds_back_what_is_behind_it(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    for second in (5.0, 6.0, 30.0):
        hold.add(frame(second))
    track.add(navigation(4.0))
    track.add(navigation(12.0))
    assert released(hold) == ["images-5.0", "images-6.0"]
    assert len(hold) == 1


def test_the_end_of_a_line_lets_its_own_source_go(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    hold.add(frame(1.0, "raw"))
    hold.end_line(LineEnd(source="raw", checkpoint={"key": "k", "value": 1}))
    hold.add(frame(2.0, "raw"))
    assert released(hold) == ["raw-1.0", "checkpoint"]
    assert len(hold) == 1


def test_nothing_waits_longer_than_navigation_can_come(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    hold.add(frame(0.0))
    hold.add(frame(119.0))
    assert released(hold) == []
    hold.add(frame(121.0))
    assert released(hold) == ["images-0.0"]


def test_a_full_hold_lets_the_oldest_go(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 3, 1e6)
    for second in range(5):
        hold.add(frame(float(second)))
    assert released(hold) == ["images-0.0", "images-1.0"]


def test_a_release_takes_no_more_than_asked(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 1, 1e6)
    for second in range(6):
        hold.add(frame(float(second)))
    assert len(list(hold.release(2))) == 2
