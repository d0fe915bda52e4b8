"""Curves can be drawn of cruises and of nights."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_measured import NIGHT

from sonar_watch.images import read_image
from sonar_watch.trials.curves import draw_cruises
from sonar_watch.trials.summary import summarise

pytest.importorskip("matplotlib")


def test_nights_have_false_alerts_and_cruises_recall_as_well(tmp_path: Path) -> None:
    night = [summarise([NIGHT], confidence) for confidence in (0.3, 0.5, 0.7)]
    assert [path.name for path in draw_cruises(night, 0.5, tmp_path)] == ["false_alerts.png"]
    found = {"share": 0.5, "interval_95": [0.1, 0.9], "of": 2, "hits": 1}
    cruise = [{**row, "any_recall": found, "event_recall": found} for row in night]
    paths = draw_cruises(cruise, 0.5, tmp_path / "new")
    assert [path.name for path in paths] == ["event_recall.png", "false_alerts.png"]
    assert all(read_image(path).shape[0] > 300 for path in paths)
