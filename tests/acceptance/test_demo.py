"""`sonar-watch demo`, whole: minutes long."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demo_finds_every_plume_in_three_minutes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sonar_watch", "demo", "--out", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "demo"
    report = json.loads((out / "report.json").read_text())
    assert report["missed"] == []
    assert report["false_alerts"] == 0
    assert max(event["error_m"] for event in report["events"]) < 60.0
    assert all(event["latency_s"] is not None for event in report["events"])
    assert len({event["site_id"] for event in report["events"]}) == 5
    pictures = {path.stem for path in (out / "events").glob("*.png")}
    assert pictures == {event["event_id"] for event in report["events"]}
    assert (out / "track_map.png").stat().st_size > 10_000
    assert json.loads((out / "alerts.geojson").read_text())["type"] == "FeatureCollection"


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    command = [sys.executable, "-m", "sonar_watch", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert (tmp_path / "precious.txt").read_text() == "mine"
