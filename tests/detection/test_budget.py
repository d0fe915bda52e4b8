"""From a budget of false alerts to a confidence."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.detection.budget import confidence_within
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
    assert "no measured confidence keeps within 0.04" in caplog.text


def test_the_manifest_keeps_the_table(tmp_path: Path) -> None:
    entry = WeightsEntry(
        name="plume-n",
        files={"torch": WeightsFile(path=tmp_path / "plume-n.pt", sha256="0" * 64)},
        classes=("signal",),
        input_size=(32, 32),
        false_alerts_per_hour=RATES,
    )
    write_manifest(tmp_path, {"plume-n": entry})
    assert read_manifest(tmp_path)["plume-n"] == entry
    manifest = tmp_path / "MANIFEST.yaml"
    manifest.write_text(manifest.read_text().replace("1.2", "-1.2"))
    with pytest.raises(WeightsError, match="false_alerts_per_hour: expected"):
        read_manifest(tmp_path)


def test_a_budget_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="alerts_per_hour: expected 0 or more"):
        DetectorOptions(alerts_per_hour=-1)
    with pytest.raises(ConfigurationError, match="confidence: expected above 0"):
        DetectorOptions(confidence=1.5)
