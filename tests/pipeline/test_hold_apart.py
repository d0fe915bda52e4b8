"""Two sounders of one model over one port: the silence of one lets nothing of the other go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.pipeline.hold import NavigationHold, Settled
from sonar_watch.records import FrameGeometry, LineEnd, SourceRef, WaterColumnFrame

START = datetime(2026, 1, 1, tzinfo=UTC)


def frame(unit: str, second: float) -> WaterColumnFrame:
    return WaterColumnFrame(
        frame_id=unit, time_utc=START + timedelta(seconds=second), sounder="em2040", unit=unit,
        image=np.zeros((4, 8), np.uint8),
        geometry=FrameGeometry(left_m=-4, right_m=4, top_m=0, bottom_m=4, width_px=8, height_px=4),
        source=SourceRef(source="kmall", file="192.0.2.1"),
    )


def leaving(hold: NavigationHold, *items: WaterColumnFrame | LineEnd) -> list[str]:
    return [item.swath.frame_id for item in hold.take(items) if isinstance(item, Settled)]


def test_only_what_the_silent_one_gave_is_let_go() -> None:
    hold = NavigationHold(NavigationTrack(), 100, 120.0)
    one, other, any_of_model = (
        LineEnd(source="kmall", sounder="em2040", unit=unit) for unit in ("40", "41", "")
    )
    assert leaving(hold, frame("40-1", 0.0), frame("41-1", 1.0), one) == ["40-1"]
    assert leaving(hold, frame("40-1", 2.0), other) == ["41-1"]
    assert leaving(hold, frame("41-1", 3.0), any_of_model) == ["40-1", "41-1"]
