"""What the demo prints fits the 80 columns of a plain terminal."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from sonar_watch.alerts.testing import sample_alert
from sonar_watch.cli.demo import _sentence, _table, _verdict
from sonar_watch.demo import DemoReport, HeardAlert
from sonar_watch.trials import EventScore, TrialScore


def report(latitude: float, longitude: float) -> DemoReport:
    event = EventScore(
        plume="plume-12",
        true_position=(latitude, longitude),
        position=(latitude, longitude),
        error_m=123.4,
        inside_ellipse=True,
        swaths=123,
        latency_s=12.34,
        event_id="e9dc0ef7-7010-540c-a06a-ffff548660cc",
        site_id="73fae018-a919-5bc5-8f28-71bab9aa7fd5",
    )
    return DemoReport(score=TrialScore(events=(event,), missed=("plume-13",)))


def rendered(latitude: float, longitude: float) -> str:
    file = io.StringIO()
    console = Console(width=80, file=file)
    console.print(_table(report(latitude, longitude)))
    return file.getvalue()


@pytest.mark.parametrize("place", [(31.88712, 139.91765), (-31.88712, -139.91765)])
def test_positions_are_whole_in_80_columns(place: tuple[float, float]) -> None:
    text = rendered(*place)
    for degrees in place:
        assert text.count(f"│ {degrees:.5f}") == 2, text
    assert "…" not in text
    assert "plume-13" in text
    for header in ("plume", "true", "alerted", "error", "95 %", "swaths", "delay", "site"):
        assert header in text
    assert max(map(len, text.splitlines())) <= 80


def test_alerts_fit_a_line() -> None:
    heard = HeardAlert(sample_alert(12, kind="update", longitude=-139.9176543), time.time())
    assert len(_sentence(heard)) <= 80
    assert "31.88712, -139.91765" in _sentence(heard)


def test_the_verdict_names_what_was_missed() -> None:
    assert "missed: plume-13" in _verdict(report(1.0, 2.0), Path("demo"))
