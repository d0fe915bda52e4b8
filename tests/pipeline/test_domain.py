"""What the network was not trained for is said, frame by frame."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.detection.weights import find_weights
from sonar_watch.pipeline.domain import out_of_domain
from sonar_watch.records import FrameGeometry, SourceRef, WaterColumnFrame

DOMAIN = {"frequency_khz": ((10.5, 13.5), (26.0, 34.0)), "depth_m": ((30.0, 4000.0),)}


def frame(low_khz: float | None = 30.0, high_khz: float = 32.0) -> WaterColumnFrame:
    return WaterColumnFrame(
        frame_id="f", time_utc=datetime(2026, 3, 4, tzinfo=UTC), sounder="em304-1",
        image=np.zeros((4, 4), np.uint8), source=SourceRef(source="raw", file="f"),
        geometry=FrameGeometry(left_m=-1, right_m=1, top_m=0, bottom_m=1, width_px=4, height_px=4),
        frequency_khz=None if low_khz is None else (low_khz, high_khz),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "depth_m", "reason"),
    [
        (frame(), 800.0, None),
        (frame(), None, None),
        (frame(None), 800.0, None),
        (frame(30.0, 36.0), 4300.0, None),  # near enough
        (frame(300.0, 350.0), 800.0,
         "frequency 300 kHz, trained on 10.5 to 13.5 and 26 to 34 kHz"),
        (frame(30.0, 50.0), 800.0, "frequency 50 kHz, trained on 10.5 to 13.5 and 26 to 34 kHz"),
        (frame(), 7000.0, "depth 7000 m, trained on 30 to 4000 m"),
    ],
)
def test_what_is_strange_is_named(
    given: WaterColumnFrame, depth_m: float | None, reason: str | None
) -> None:
    assert out_of_domain(given, depth_m, DOMAIN) == reason
    assert out_of_domain(given, depth_m, {}) is None


def test_both_reasons_are_told() -> None:
    reason = out_of_domain(frame(300.0, 350.0), 9.0, DOMAIN)
    assert reason is not None
    assert reason.count("trained on") == 2


def test_the_shipped_weights_say_what_they_were_trained_on() -> None:
    domain = find_weights("plume-n").domain
    assert out_of_domain(frame(), 800.0, domain) is None
    assert out_of_domain(frame(600.0, 700.0), 800.0, domain) is not None
