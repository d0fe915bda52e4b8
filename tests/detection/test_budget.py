"""From a budget of false alerts to a confidence."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.detection.budget import (
    bound_allowed,
    confidence_within,
    hours_needed,
    rate_bound,
)
from sonar_watch.detection.detector import DEFAULT_CONFIDENCE, DetectorOptions, threshold
from sonar_watch.detection.weights import (
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import ConfigurationError, WeightsError

RATES = ((0.3, 1.2), (0.4, 0.2), (0.5, 0.03), (0.6, 0.0))
tables = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100)), max_size=8)


@pytest.mark.parametrize(("budget", "confidence"), [
    (0.04, 0.5), (0.03, 0.5), (0.2, 0.4), (5.0, 0.3), (0.0, 0.6),
])  # fmt: skip
def test_the_lowest_that_keeps_within_the_budget(budget: float, confidence: float) -> None:
    assert confidence_within(RATES, budget) == confidence
    assert confidence_within(RATES[::-1], budget) == confidence


def test_a_lucky_dip_is_no_promise() -> None:
    assert confidence_within([(0.3, 0.0), (0.4, 0.5), (0.5, 0.0)], 0.1) == 0.5
    assert confidence_within([(0.3, 0.0), (0.4, 0.5)], 0.1) is None
    assert confidence_within([], 0.1) is None


@given(tables, st.floats(0, 100), st.floats(0, 100))
def test_a_larger_budget_never_asks_for_more(
    rates: list[tuple[float, float]], one: float, other: float
) -> None:
    strict, lax = (confidence_within(rates, budget) for budget in sorted((one, other)))
    assert strict is None or (lax is not None and lax <= strict)


@given(tables, st.floats(0, 100))
def test_what_is_chosen_and_all_above_keep_within(
    rates: list[tuple[float, float]], budget: float
) -> None:
    chosen = confidence_within(rates, budget)
    if chosen is not None:
        assert all(rate <= budget for confidence, rate in rates if confidence > chosen)


def test_auto_follows_the_table_and_a_number_does_not(caplog: pytest.LogCaptureFixture) -> None:
    assert threshold(DetectorOptions(confidence=0.25), RATES) == 0.25
    assert threshold(DetectorOptions(), RATES) == 0.5
    assert threshold(DetectorOptions(alerts_per_hour=1.0), RATES) == 0.4
    with caplog.at_level(logging.INFO):
        assert threshold(DetectorOptions()) == DEFAULT_CONFIDENCE
        assert threshold(DetectorOptions(), [(0.4, 3.0), (0.7, 0.5)]) == 0.7
    assert "weights without measured false alerts" in caplog.text
    assert "no measured confidence keeps within 0.042" in caplog.text


def test_the_manifest_keeps_the_table(tmp_path: Path) -> None:
    entry = WeightsEntry(
        name="plume-n",
        files={"torch": WeightsFile(path=tmp_path / "plume-n.pt", sha256="0" * 64)},
        classes=("signal",),
        input_size=(32, 32),
        false_alerts_per_hour=RATES,
        false_alert_hours=24.5,
    )
    write_manifest(tmp_path, {"plume-n": entry})
    assert read_manifest(tmp_path)["plume-n"] == entry
    manifest = tmp_path / "MANIFEST.yaml"
    text = manifest.read_text()
    manifest.write_text(text.replace("1.2", "-1.2"))
    with pytest.raises(WeightsError, match="false_alerts_per_hour: expected"):
        read_manifest(tmp_path)
    manifest.write_text(text.replace("24.5", "-1"))
    with pytest.raises(WeightsError, match="false_alert_hours: expected"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(("events", "bound"), [(0, 2.996), (1, 4.744), (5, 10.513), (50, 63.287)])
def test_the_bound_is_that_of_the_tables(events: int, bound: float) -> None:
    """Garwood 1936: half the 95 % quantile of chi squared with 2 (n + 1) degrees of freedom."""
    assert rate_bound(events / 10.0, 10.0) == pytest.approx(bound / 10.0, abs=1e-4)
    assert rate_bound(events / 10.0, 0.0) == float("inf")


@given(st.floats(0.001, 10.0))
def test_so_many_hours_without_an_event_keep_a_budget(budget: float) -> None:
    hours = hours_needed(budget)
    assert rate_bound(0.0, hours) == pytest.approx(bound_allowed(budget))
    assert confidence_within([(0.4, 0.0)], budget, 1.001 * hours) == 0.4
    assert confidence_within([(0.4, 0.0)], budget, 0.999 * hours) is None


def test_one_event_in_a_day_keeps_within_the_default_budget() -> None:
    budget = DetectorOptions().alerts_per_hour
    for hours, events in ((24.0, 1), (48.0, 2), (75.0, 3)):
        assert confidence_within([(0.4, round(events / hours, 5))], budget, hours) == 0.4
        more = round((events + 1) / hours, 5)
        assert confidence_within([(0.4, more)], budget, hours) is None


def test_nothing_in_a_short_while_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    silent = [(0.1, 0.0), (0.9, 0.0)]
    assert threshold(DetectorOptions(), silent, 4.0) == DEFAULT_CONFIDENCE
    assert "too little was measured to know that it keeps within 0.042" in caplog.text
    assert "expected 15 h or more" in caplog.text
    assert threshold(DetectorOptions(), silent, 16.0) == 0.1
    loud_below = [(0.5, 2.0), (0.6, 0.0), (0.9, 0.0)]
    assert threshold(DetectorOptions(), loud_below, 4.0) == 0.6  # stricter, but never laxer
    assert threshold(DetectorOptions(alerts_per_hour=0.0), silent, 500.0) == DEFAULT_CONFIDENCE


@pytest.mark.parametrize(("hours", "level", "said"), [
    (200.0, logging.INFO, "as measured over 200 h: 0.0315 an hour at most"),
    (24.0, logging.INFO, "as measured over 24 h: 0.198 an hour at most"),
    (10.0, logging.WARNING, "measured over 10 h: it may be up to 0.3 false alerts an hour"),
    (0.0, logging.WARNING, "how many hours the false alerts were counted over is not known"),
])  # fmt: skip
def test_the_log_says_how_sure_the_budget_is(
    caplog: pytest.LogCaptureFixture, hours: float, level: int, said: str
) -> None:
    rates = [(0.4, 0.3), (0.5, {24.0: 0.04, 200.0: 0.01}.get(hours, 0.0))]
    with caplog.at_level(logging.INFO):
        assert threshold(DetectorOptions(), rates, hours) == 0.5
    assert [record.levelno for record in caplog.records if said in record.message] == [level]


def test_a_budget_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="alerts_per_hour: expected 0 or more"):
        DetectorOptions(alerts_per_hour=-1)
    with pytest.raises(ConfigurationError, match="confidence: expected above 0"):
        DetectorOptions(confidence=1.5)
