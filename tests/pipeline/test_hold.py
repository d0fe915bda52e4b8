"""Swaths leave the hold in order, and only when their navigation is settled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.pipeline.hold import NavigationHold, Settled
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


def take(hold: NavigationHold, *items: WaterColumnFrame | NavigationSample | LineEnd) -> list[str]:
    """Return the ids of the swaths that leave, "end" where a line ends."""
    return [
        left.swath.frame_id if isinstance(left, Settled) else "end" for left in hold.take(items)
    ]


@pytest.fixture
def track() -> NavigationTrack:
    return NavigationTrack()


def test_a_swath_waits_until_navigation_brackets_it(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    assert take(hold, frame(5.0), navigation(4.0)) == []
    (left,) = hold.take([navigation(8.0)])
    assert isinstance(left, Settled)
    assert left.fix is not None
    assert left.note is None
    assert len(hold) == 0


def test_the_head_holds_back_what_is_behind_it(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    frames = [frame(second) for second in (5.0, 6.0, 30.0)]
    assert take(hold, *frames, navigation(4.0), navigation(12.0)) == ["images-5.0", "images-6.0"]
    assert len(hold) == 1


def test_the_end_of_a_line_lets_its_own_source_go(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    items = (frame(1.0, "raw"), LineEnd(source="raw"), frame(2.0, "raw"))
    assert take(hold, *items) == ["raw-1.0", "end"]
    assert len(hold) == 1


def test_the_end_of_a_sounders_line_lets_its_own_swaths_go_alone(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    first = replace(frame(1.0, "raw"), sounder="em710-210")
    second = replace(frame(2.0, "raw"), sounder="em2040")
    assert take(hold, first, second, LineEnd(source="raw", sounder="em710")) == ["raw-1.0"]
    assert take(hold, LineEnd(source="raw", sounder="em71")) == []
    assert take(hold, LineEnd(source="raw", sounder="em2040")) == ["raw-2.0", "end", "end", "end"]


def test_what_leaves_without_a_fix_says_why(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    left, _ = hold.take([frame(1.0), LineEnd(source="images")])
    assert isinstance(left, Settled)
    assert left.fix is None
    assert "position" in (left.note or "")


def test_a_line_years_later_does_not_take_the_navigation_of_this_one(
    track: NavigationTrack,
) -> None:
    hold = NavigationHold(track, 100, 120.0)
    later = [navigation(3e8), navigation(3e8 + 1)]
    items = [frame(5.0), navigation(4.5), LineEnd(source="images"), *later]
    left, _ = hold.take(items)
    assert isinstance(left, Settled)
    assert left.fix is not None


def test_nothing_waits_longer_than_navigation_can_come(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    assert take(hold, frame(0.0), frame(119.0)) == []
    assert take(hold, frame(121.0)) == ["images-0.0"]


def test_a_full_hold_lets_the_oldest_go(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 3, 1e6)
    frames = [frame(float(second)) for second in range(5)]
    assert take(hold, *frames) == ["images-0.0", "images-1.0"]


def test_a_swath_with_a_wrong_clock_does_not_hold_back_the_others(track: NavigationTrack) -> None:
    hold = NavigationHold(track, 100, 120.0)
    items = (frame(4e7), frame(5.0), navigation(4.0), navigation(8.0))
    assert take(hold, *items) == ["images-40000000.0", "images-5.0"]
