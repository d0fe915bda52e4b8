"""Five swaths a second out of growing files and twenty subscribers: how late, how large."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from soaking import slope

from sonar_watch.errors import ConfigurationError
from sonar_watch.trials.load import LoadOptions, LoadReport, measure_load

log = logging.getLogger(__name__)

MOST_BYTES = 1.5e9
MOST_RISE_BYTES_AN_HOUR = 64e6
LATENCY_S = 0.5
WARM_SAMPLES = 10
"""One a minute: until then caches fill."""


def check_all_heard(report: LoadReport, options: LoadOptions) -> None:
    """Fail when a subscriber missed something, or the watch fell behind."""
    log.info("%s", report)
    assert report.alerts > 0
    assert report.received == options.subscribers * report.alerts
    # What navigation has not come for yet is left, and at most a batch.
    assert report.frames >= report.written - 8 * options.frames_per_s
    assert max(report.memory_bytes) < MOST_BYTES


@pytest.mark.timeout(300)
def test_twenty_seconds_with_twenty_subscribers(tmp_path: Path) -> None:
    options = LoadOptions(minutes=1 / 3, weights="classical", excerpt_s=20, sample_s=5.0)
    report = measure_load(tmp_path / "load", options)
    check_all_heard(report, options)
    assert report.latency_p50_s <= report.latency_p99_s <= report.latency_worst_s


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_an_hour_with_twenty_subscribers(tmp_path: Path) -> None:
    options = LoadOptions(minutes=60.0)
    report = measure_load(tmp_path / "load", options)
    check_all_heard(report, options)
    assert report.latency_p99_s < LATENCY_S, report
    settled = report.memory_bytes[WARM_SAMPLES:-1]
    minutes = [float(minute) for minute in range(len(settled))]
    rise = 60.0 * slope(minutes, [float(each) for each in settled])
    assert rise < MOST_RISE_BYTES_AN_HOUR, settled


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(ConfigurationError, match="empty folder"):
        measure_load(tmp_path, LoadOptions(minutes=1.0))


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"subscribers": 0}, {"frames_per_s": -1.0}])
def test_a_load_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        LoadOptions(**({"minutes": 1.0} | wrong))  # type: ignore[arg-type]
