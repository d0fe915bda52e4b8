"""What the last minutes say."""

from __future__ import annotations

import logging

import pytest

from sonar_watch.monitoring import Monitor, Warnings
from sonar_watch.monitoring.windows import Growth, Rate, Recent


def test_old_values_are_forgotten():
    recent = Recent(span_s=100.0)
    for now_s in range(300):
        recent.add(now_s, float(now_s))
    assert recent.quantiles(299.0) == {"p50": 249.0, "p99": 298.0}
    assert recent.quantiles(1000.0) is None


def test_a_rate_counts_from_the_start_and_then_the_span():
    rate = Rate(0.0, span_s=100.0)
    for now_s in range(50):
        rate.add(float(now_s), 2)
    assert rate.per_minute(50.0) == 120.0
    assert rate.per_minute(400.0) == 0.0


def test_a_backlog_grows_though_it_dips():
    growth = Growth(10.0)
    for now_s, value in enumerate((50.0, 80.0, 75.0, 120.0)):
        growth.add(float(now_s), value)
    assert growth.grown(3.0) == (3.0, 70.0)
    growth.add(4.0, 60.0)
    assert growth.grown(4.0) is None
    growth.add(5.0, 5.0)
    assert growth.grown(5.0) is None


def test_a_frame_tells_how_long_each_step_took():
    now = [0.0]
    monitor = Monitor(lambda: 1000.0 + now[0], lambda: now[0])
    monitor.arrived("a")
    monitor.arrived("b")
    for stage, at_s in (("raster", 1.0), ("raster", 1.5), ("detection", 2.0),
                        ("association", 5.0), ("commit", 5.5)):  # fmt: skip
        now[0] = at_s
        monitor.begins(stage)
    now[0] = 6.0
    monitor.frame_done(900.0)
    monitor.stored(["a", "never seen"])
    lag = {name: seconds["p50"] for name, seconds in monitor.snapshot()["lag"].items()}
    assert lag == {"waiting": 1.0, "drawing": 1.0, "detecting": 3.0, "locating": 0.5,
                   "storing": 0.5, "total": 6.0, "data": 106.0}  # fmt: skip


def test_a_warning_is_told_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture):
    now = [0.0]
    warnings = Warnings(lambda: now[0], calm_s=10.0)
    caplog.set_level(logging.WARNING)
    for second in range(60):
        now[0] = float(second)
        flickers = second < 30 and second % 3 == 0
        warnings.update({"no_ping": f"for {second} s"} if flickers else {})
    first, last = (record.getMessage() for record in caplog.records)
    assert first == "warning no_ping begins: for 0 s"
    assert last.startswith("warning no_ping ends")
    assert warnings.standing() == []
