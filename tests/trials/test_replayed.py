"""Events of a replay beside the truth in a cruise's folder."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trial_builders import SEEN, START, SURVEY

from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.cli import main
from sonar_watch.errors import FormatError
from sonar_watch.records import Alert, iso_utc
from sonar_watch.trials.replayed import score_replay
from sonar_watch.trials.replayed_boxes import judge_replay

NORTH = SEEN[3]


def alert(number: int, north_m: float, second: float, **fields: Any) -> Alert:
    latitude, longitude = SURVEY.to_geographic(np.array(0.0), np.array(north_m))
    told = sample_alert(number, tense="replay", **{
        "event_id": "a", "best_frame_id": NORTH.frame_id, "peak_confidence": 0.8,
        "covariance_m2": (100.0, 0.0, 400.0),
        "latitude": float(latitude), "longitude": float(longitude), **fields,
    })
    return replace(told, time_utc=START + timedelta(seconds=second))


ALERTS = (
    alert(1, 340.0, 10), alert(2, 370.0, 40, kind="end"),
    alert(3, 0.0, 50, event_id="b", best_frame_id=SEEN[4].frame_id),
)
"""Of the northern plume, whose foot is at 400 m; and of fish."""


@pytest.fixture
def cruise(tmp_path: Path) -> Path:
    """The folder of a cruise, with an unfinished replay in `replay`: alerts alone."""
    folder = tmp_path / "replay"
    folder.mkdir()
    (tmp_path / "truth.json").write_text(json.dumps(SURVEY.truth()), "utf-8")
    (folder / "alerts.jsonl").write_bytes(b"".join(encode_alert(one) + b"\n" for one in ALERTS))
    return tmp_path


def add_swaths(cruise: Path) -> None:
    """Write what was truly in each swath, and what was found: the northern plume alone."""
    with (
        (cruise / "truth_boxes.jsonl").open("w", encoding="utf-8") as boxes,
        (cruise / "replay" / "detections.jsonl").open("w", encoding="utf-8") as found,
    ):
        for swath in SEEN:
            head = {"frame_id": swath.frame_id, "time_utc": iso_utc(swath.time_utc)}
            boxes.write(json.dumps({**head, "boxes": [
                {"class": box.class_name, "name": box.name, "contrast_db": box.contrast_db,
                 "across_track_m": box.across_track_m, "depth_m": box.depth_m}
                for box in swath.boxes
            ]}) + "\n")
            box = {"class": "signal", "confidence": 0.8, "across_track_m": [285.0, 300.0],
                   "depth_m": [250.0, 420.0], "veto": None}
            found.write(json.dumps({**head, "source": {"file": "x"}, "detections": [box],
                                    "coverage_across_m": [-1.0, 1.0]}) + "\n")


def test_events_are_told_apart_by_what_their_swaths_show(cruise: Path) -> None:
    add_swaths(cruise)
    row = score_replay(cruise, cruise / "replay")
    json.dumps(row, allow_nan=False)
    assert row["matching"] == "swaths"
    assert [(one["plume"], one["line"]) for one in row["events"]] == [
        ("north", "first"), (None, None),
    ]
    # No plume is strong on three swaths of this cruise
    assert (row["recall"]["of"], row["missed"]) == (0, [])
    assert row["error_m"]["median"] == pytest.approx(30.0, abs=0.1)
    assert (row["inside_ellipse"]["hits"], row["inside_ellipse"]["of"]) == (1, 1)
    assert row["time_to_alert_s"]["median"] == 8.0  # visible at 2 s, told at 10 s
    hours = 3.0 / 3600  # seconds 1 to 4 of the first line, one swath of the second
    assert row["false_alerts"] == 1
    assert row["false_per_hour"]["rate"] == pytest.approx(1 / hours, rel=1e-3)


def test_without_the_truth_of_swaths_the_nearest_foot_is_meant(cruise: Path) -> None:
    row = score_replay(cruise, cruise / "replay")
    assert row["matching"] == "feet"
    assert (row["recall"]["hits"], row["recall"]["of"]) == (1, 2)
    assert (row["missed"], row["false_alerts"]) == ([{"plume": "south"}], 1)
    assert row["hours"] == pytest.approx(2 * 1000 / 2.5 / 3600, abs=1e-3)
    assert row["time_to_alert_s"]["median"] is None


def test_a_broken_line_is_named(cruise: Path) -> None:
    add_swaths(cruise)
    path = cruise / "replay" / "detections.jsonl"
    path.write_text(path.read_text("utf-8") + '{"frame_id": "x"}\n', "utf-8")
    with pytest.raises(FormatError, match=f"line {len(SEEN) + 1}: expected a swath"):
        score_replay(cruise, cruise / "replay")


def test_boxes_of_raw_files_are_scored_like_those_of_pictures(
    cruise: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_swaths(cruise)
    assert main(["evaluate", str(cruise), "--cruise", str(cruise / "replay")]) == 0
    _, *rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def scored(matching: str, contrast: str) -> tuple[int, float, float]:
        (row,) = (row for row in rows if (row["matching"], row["class"], row["contrast"])
                  == (matching, "signal", contrast))
        point = row["at_threshold"]
        return row["truths"], point["precision"], point["recall"]

    # Found in every swath: on four plumes, on one of 4.9 dB that is ignored, and on a fish
    assert scored("iou 0.3", "all") == (4, 0.8, 1.0)
    assert scored("iou 0.3", "8 dB and more") == (2, pytest.approx(2 / 3), 1.0)
    assert scored("iou 0.5", "all") == (4, 0.0, 0.0)  # they share 0.31
    assert scored("centre", "5-8 dB") == (2, pytest.approx(2 / 3), 1.0)
    assert rows[0]["swaths_left_out"] == 0


def test_boxes_that_a_veto_turned_down_and_swaths_that_were_not_seen(cruise: Path) -> None:
    assert judge_replay(cruise, cruise / "replay") is None
    add_swaths(cruise)
    path = cruise / "replay" / "detections.jsonl"
    bodies = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    bodies[3]["detections"][0]["veto"] = "spoke"
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies[2:]), "utf-8")
    boxes = judge_replay(cruise, cruise / "replay")
    assert boxes is not None
    assert (boxes.left_out, boxes.confidence) == (2, 0.8)
    assert len(boxes.judged[0].confidence) == 3
    path.write_text(json.dumps({**bodies[2], "frame_id": "other"}), "utf-8")
    with pytest.raises(FormatError, match="received 1 others"):
        judge_replay(cruise, cruise / "replay")
