"""Scores of events beside the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.errors import FormatError
from sonar_watch.trials import (
    MATCH_RADIUS_M,
    last_states,
    read_alerts,
    read_truth,
    score_events,
)

TRUTH: dict[str, Any] = {
    "plumes": [
        {"name": "north", "latitude": 32.01, "longitude": 140.0},
        {"name": "south", "latitude": 32.00, "longitude": 140.0},
    ]
}
METRE = 1 / 110_950
"""Degrees of latitude, near 32 N."""


def event(event_id: str, latitude: float | None, **fields: object) -> Any:
    longitude = None if latitude is None else 140.0
    place = {"latitude": latitude, "longitude": longitude}
    return sample_alert(1, tense="test", event_id=event_id, **place, **fields).event


def test_the_error_is_a_distance_on_the_ground() -> None:
    score = score_events(TRUTH, [event("a", 32.01 + 10 * METRE)], {"a": 1.5})
    assert score.events[0].plume == "north"
    assert score.events[0].error_m == pytest.approx(10.0, abs=0.1)
    assert score.events[0].latency_s == 1.5
    assert score.missed == ("south",)
    assert score.false_alerts == 0


def test_what_is_far_from_every_plume_is_false() -> None:
    score = score_events(TRUTH, [event("a", 32.0 - (MATCH_RADIUS_M + 5) * METRE)])
    assert score.false_alerts == 1
    assert score.events[0].error_m is None


def test_an_event_without_a_position_is_not_counted_as_found() -> None:
    score = score_events(TRUTH, [event("a", None, covariance_m2=None)])
    assert score.missed == ("north", "south")


@pytest.mark.parametrize(("north_m", "inside"), [(24.0, True), (25.0, False)])
def test_the_ellipse_holds_95_percent(north_m: float, inside: bool) -> None:
    """With a sigma of 10 m the 95 % radius is 24.5 m."""
    placed = event("a", 32.01 + north_m * METRE, covariance_m2=(100.0, 0.0, 100.0))
    assert score_events(TRUTH, [placed]).events[0].inside_ellipse is inside


def test_the_last_word_on_an_event_counts(tmp_path: Path) -> None:
    alerts = [
        sample_alert(1, kind="new", event_id="a", swath_count=3),
        sample_alert(2, kind="new", event_id="b", swath_count=4),
        sample_alert(3, kind="end", event_id="a", swath_count=12),
    ]
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b"".join(encode_alert(alert) + b"\n" for alert in alerts))
    assert [item.swath_count for item in last_states(read_alerts(path))] == [12, 4]


def test_a_cruise_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="truth"):
        read_truth(tmp_path)
