"""From a night to the manifest to the threshold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.detection.weights import WeightsEntry, WeightsFile, read_manifest, write_manifest
from sonar_watch.errors import ConfigurationError
from sonar_watch.trials.cruises import Outcome
from sonar_watch.trials.finders import working_confidence
from sonar_watch.trials.measured import record_false_alerts
from sonar_watch.trials.plans import Plan
from sonar_watch.trials.telling import Told

FALSE = Told(
    event_id="e", plume=None, line=None, error_m=None, inside=None, semi_major_m=None,
    first_error_m=None, first_inside=None, new_utc="2026-06-01T20:00:30Z", waited_s=None,
    swaths=4, confidence=0.5,
)
NIGHT = Outcome(
    plan=Plan(kind="night", seed=1), sounder="em304", depth_m=500.0, swaths=3600, hours=1.0,
    cpu_ms=50.0, weights="ab" * 32, config="", code="", encoding="layers", runtime="test", empty=0,
    empty_flagged={"0.30": 0, "0.50": 0, "0.70": 0}, passes=(),
    told={"0.30": (FALSE, FALSE), "0.50": (FALSE,), "0.70": ()},
)
QUIET = replace(NIGHT, plan=Plan(kind="night", seed=2), told={"0.30": (), "0.50": (), "0.70": ()})


@pytest.fixture
def options(tmp_path: Path) -> DetectorOptions:
    """Two models; nothing is opened, so their files need not be there."""
    entries = {
        name: WeightsEntry(
            name=name, classes=("signal",), input_size=(32, 32),
            files={"openvino": WeightsFile(path=tmp_path / f"{name}.xml", sha256=2 * 16 * word)},
        )
        for name, word in (("tried", "ab"), ("other", "cd"))
    }
    write_manifest(tmp_path, entries)
    return DetectorOptions(weights="tried", models_dir=tmp_path, confidence="auto",
                           alerts_per_hour=0.5)


def test_a_night_decides_the_threshold(options: DetectorOptions, tmp_path: Path) -> None:
    before = working_confidence(options)
    assert record_false_alerts(options, [NIGHT, QUIET]) == tmp_path / "MANIFEST.yaml"
    models = read_manifest(tmp_path)
    assert models["tried"].false_alerts_per_hour == ((0.3, 1.0), (0.5, 0.5), (0.7, 0.0))
    assert models["tried"].false_alert_hours == 2.0
    assert (models["other"].false_alerts_per_hour, models["other"].sha256) == ((), "cd" * 32)
    assert working_confidence(options) == 0.5 != before
    assert working_confidence(replace(options, alerts_per_hour=0.4)) == 0.7


def test_only_nights_of_these_weights_are_recorded(options: DetectorOptions) -> None:
    for outcome in (
        replace(NIGHT, weights="cd" * 32), replace(NIGHT, plan=Plan()), replace(NIGHT, hours=0.0)
    ):
        with pytest.raises(ConfigurationError, match="expected"):
            record_false_alerts(options, [outcome])
    with pytest.raises(ConfigurationError, match="classical detector has none"):
        record_false_alerts(replace(options, weights="classical"), [NIGHT])
