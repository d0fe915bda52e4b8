"""sonar-watch evaluate, from the words to the lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonar_watch.cli import main
from sonar_watch.detection.weights import (
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import write_dataset
from sonar_watch.learning.evaluation import SWEEP
from sonar_watch.settings import Settings
from sonar_watch.trials import campaign
from sonar_watch.trials.cruises import Outcome, key_of
from sonar_watch.trials.plans import Plan

BOXES = "frame_id,across_track_min_m,across_track_max_m,depth_min_m,depth_max_m\n"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("words", [(), ("set.yaml", "--cruises", "1"), ("--nights", "1",
                                                                       "--cruises", "1")])
def test_one_thing_at_a_time(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *words]) == 78
    assert "expected one of DATA" in capsys.readouterr().err


def test_pictures_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        write_png(tmp_path / "images" / split / "1.png", np.zeros((40, 60), np.uint8))
    data = write_dataset(tmp_path, ("signal", "noise"))
    words = ["--weights", "classical", "--plots", str(tmp_path / "plots"), "--confidence", "0.3",
             "--out", str(tmp_path / "out")]
    assert main(["evaluate", str(data), *words]) == 0
    rows = lines(capsys)
    assert {row["matching"] for row in rows if "matching" in row} == {
        "iou 0.3", "iou 0.5", "centre",
    }
    assert [row["headline"] for row in rows[:2]] == ["working", "best for strong plumes"]
    first = next(row for row in rows if "class" in row)
    assert (first["weights"], first["images"], first["images_empty"]) == ("classical", 1, 1)
    assert first["at_threshold"]["confidence"] == 0.3
    assert all(Path(row["plot"]).exists() for row in rows if "plot" in row)
    assert sum("plot" in row for row in rows) == (drawn := 5)
    assert first["at_threshold"]["f1"] is None
    text = (tmp_path / "out" / "report.jsonl").read_text("utf-8")
    kept = [json.loads(line) for line in text.splitlines()]
    assert kept[: len(rows) - drawn] == rows[:-drawn]
    assert [row["sweep"] for row in kept[len(rows) - drawn :]] == [*SWEEP] * 3


def test_an_empty_split_is_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
    data = write_dataset(tmp_path, ("signal", "noise"))
    assert main(["evaluate", str(data)]) == 78
    assert "has no picture there" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "complaint"), [
    (("set.yaml", "--swaths", "9"), "--swaths: without effect on labelled pictures"),
    (("cruise", "--cruise", "out", "--weights", "x"), "--weights: without effect on the events"),
    (("--nights", "1", "--contrast", "9", "--split", "test"), "--split, --contrast: without"),
    (("--cruises", "1", "--record"), "--record: without effect on simulated cruises"),
    (("--cruises", "1", "--keep-old"), "--keep-old: expected --out"),
    (("--picks", "a.csv", "b.csv", "--confidence", "0.5"), "without --detections"),
])
def test_options_without_effect_are_refused(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words]) == 78
    assert complaint in capsys.readouterr().err


def test_picks_of_two_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(BOXES + "f1,0,10,50,100\nf2,,,,\n", "utf-8")
    found = {"frame_id": "f1", "source": {}, "time_utc": "2026-03-01T02:00:00Z", "detections": []}
    (tmp_path / "detections.jsonl").write_text(json.dumps(found) + "\n", "utf-8")
    words = ["--picks", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert main(["evaluate", *words]) == 0
    assert [row["f1"] for row in lines(capsys)] == [1.0, 1.0]
    words += ["--detections", str(tmp_path / "detections.jsonl"), "--confidence", "0.5"]
    assert main(["evaluate", *words]) == 0
    rows = lines(capsys)
    assert [(row["reference"], row["compared"]) for row in rows[::2]] == [
        ("a", "b"), ("a", "detector"), ("b", "detector"),
    ]
    assert rows[-1]["recall"] == 0.0


def test_a_wrong_cell_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text(BOXES + "f1,0,ten,50,100\n", "utf-8")
    assert main(["evaluate", "--picks", str(tmp_path / "a.csv"), str(tmp_path / "a.csv")]) == 1
    assert "line 2, column across_track_max_m: expected a number" in capsys.readouterr().err


def test_a_cruise_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--cruises", "1", "--seed", "5", "--depth", "900", "--swaths", "4", "--out",
             str(tmp_path), "--config", str(_config(tmp_path))]
    assert main(["evaluate", *words]) == 0
    rows = lines(capsys)
    assert [row["cruises"] for row in rows] == [1] * len(rows)
    working = [row for row in rows if row["confidence"] == row["working_confidence"]]
    assert len(working) == 1
    assert (tmp_path / "cruise-5.json").exists()
    assert len(json.loads((tmp_path / "summary.json").read_text("utf-8"))) == len(rows)


def test_a_night_is_told_kept_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = WeightsEntry(
        name="plume-n", classes=("signal",), input_size=(32, 32),
        files={"openvino": WeightsFile(path=tmp_path / "plume-n.xml", sha256="ab" * 32)},
    )
    write_manifest(tmp_path, {"plume-n": entry})
    monkeypatch.setattr(campaign, "sail_all", _quiet_nights)
    words = ["--nights", "2", "--record", "--out", str(tmp_path), "--plots", str(tmp_path),
             "--config", str(_config(tmp_path, f", models_dir: {tmp_path}"))]
    assert main(["evaluate", *words]) == 0
    rows = lines(capsys)
    night = next(row for row in rows if "false_alerts_per_hour" in row)
    assert (night["hours"], night["swaths"]) == (2.0, 400)
    assert {rate for _, rate in night["false_alerts_per_hour"]} == {0.0}
    assert rows[0]["swaths_per_hour"] == 200.0
    assert json.loads((tmp_path / "summary.json").read_text("utf-8"))[-1] == night
    kept = read_manifest(tmp_path)["plume-n"]
    assert (kept.false_alert_hours, len(kept.false_alerts_per_hour)) == (
        2.0, len(night["false_alerts_per_hour"]),
    )
    assert [Path(row["plot"]).name for row in rows if "plot" in row] == ["false_alerts.png"]


def test_a_working_threshold_between_two_of_the_sweep_is_scored_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "sail_all", _quiet_nights)
    words = ["--nights", "1", "--confidence", "0.425", "--config", str(_config(tmp_path))]
    assert main(["evaluate", *words]) == 0
    rows = lines(capsys)
    assert {row["working_confidence"] for row in rows} == {0.425}
    assert [row["confidence"] for row in rows[:-1]].count(0.425) == 1
    assert [0.425, 0.0] in rows[-1]["false_alerts_per_hour"]


def test_the_classical_detector_sails_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def sail(plans: Sequence[Plan], settings: Settings, **fields: Any) -> list[Outcome]:
        folders.append(fields["out"])
        return [replace(one, weights=settings.detector.weights)
                for one in _quiet_nights(plans, settings, **fields)]

    monkeypatch.setattr(campaign, "sail_all", sail)
    words = ["--nights", "1", "--baseline", "--out", str(tmp_path), "--config",
             str(_config(tmp_path))]
    assert main(["evaluate", *words]) == 0
    beside = [row for row in lines(capsys) if row["weights"] == "classical"]
    assert folders == [tmp_path, tmp_path / "classical"]
    assert [row["confidence"] for row in beside] == [beside[0]["working_confidence"]]


def _quiet_nights(plans: Sequence[Plan], *_: object, **fields: Any) -> list[Outcome]:
    told: dict[str, tuple[Any, ...]] = {key_of(one): () for one in fields["confidences"]}
    return [
        Outcome(
            plan=plan, sounder="em304", depth_m=500.0, swaths=200, hours=plan.hours, cpu_ms=9.0,
            weights="ab" * 32, config="", code="", encoding="layers", runtime="test", empty=200,
            empty_flagged=dict.fromkeys(told, 0), passes=(), told=told,
        )
        for plan in plans
    ]


def _config(folder: Path, more: str = "") -> Path:
    path = folder / "settings.yaml"
    path.write_text(f"detector: {{device: cpu, threads: 1{more}}}\n", encoding="utf-8")
    return path
