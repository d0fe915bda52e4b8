"""Training that reads what a person saved in a gallery of slides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ichthyolith.review_builders import make_file, make_object, make_tile

from sonar_watch.cli import main
from sonar_watch.ichthyolith.tables import write_detections
from sonar_watch.learning.annotations import read_dataset

IMAGE = "s/a/001/a_001_0_0.png"
BOXES = [(20, 20, 80, 60), (150, 30, 200, 90), (250, 150, 300, 200)]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Three objects on one tile, of which a person judged two."""
    make_tile(tmp_path / "tiles", IMAGE, dict.fromkeys(BOXES, 40))
    objects = [make_object(number, image=IMAGE, box=box) for number, box in enumerate(BOXES)]
    write_detections(tmp_path / "detections.csv", objects)
    said = zip(objects[:2], ("noise", "denticle"), strict=True)
    make_file(
        tmp_path / "verdicts.json",
        *({"object_id": one.object_id, "class": name, "image": IMAGE} for one, name in said),
    )
    return [str(tmp_path / "verdicts.json"), "--out", str(tmp_path / "run"),
            "--tiles", str(tmp_path / "tiles"), "--detections", str(tmp_path / "detections.csv")]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The options that trainings were asked for, which do nothing else."""
    asked: list[Any] = []

    def train(options: Any, tell: Any) -> Path:
        asked.append(options)
        return tmp_path / "checkpoint"

    monkeypatch.setattr("sonar_watch.learning.training.train", train)
    monkeypatch.setattr("sonar_watch.learning.classifier_training.train_classifier", train)
    monkeypatch.setattr(
        "sonar_watch.learning.classifier_training.batches_ahead", lambda options: 1
    )
    monkeypatch.setattr(
        "sonar_watch.learning.classifier_export.read_classifier", lambda path: {"scores": {}}
    )
    return asked


def test_the_detector_learns_from_verdicts(words: list[str], trained: list[Any]) -> None:
    assert main(["train", *words]) == 0
    data = read_dataset(trained[0].data)
    assert data.class_names == ("tooth", "denticle", "sawtoothed", "noise")
    (labels,) = trained[0].data.parent.rglob("labels/train/*.txt")
    rows = [line.split() for line in labels.read_text().splitlines()]
    assert sorted(row[0] for row in rows) == ["1", "3"]  # what nobody judged is painted over
    assert main(["train", *words]) == 78  # the set is there: is it to be trained on again?
    assert main(["train", *words, "--resume"]) == 0
    assert trained[1] == replace(trained[0], resume=True)


def test_the_classifier_learns_from_verdicts(words: list[str], trained: list[Any]) -> None:
    assert main(["train-classifier", *words]) == 0
    found = sorted(path.parent.name for path in trained[0].crops.rglob("*.png"))
    assert found == ["denticle", "noise"]
    assert main(["train-classifier", *words]) == 78
    assert main(["train-classifier", *words, "--resume"]) == 0
    assert trained[1].crops == trained[0].crops


@pytest.mark.parametrize("command", ["train", "train-classifier"])
def test_verdicts_need_what_they_speak_of(
    words: list[str], trained: list[Any], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *words[:-2]]) == 78
    assert "verdicts.json: expected --detections with verdicts" in capsys.readouterr().err
    assert main([command, "set.yaml", "--out", "o", "--tiles", "t"]) == 78
    assert "--tiles: without effect without verdicts" in capsys.readouterr().err
    assert not trained


def test_a_file_that_is_no_verdicts_is_said_before_anything_is_written(
    words: list[str], trained: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "verdicts.json").write_text("[]")
    assert main(["train", *words]) != 0
    assert "schema: expected sonar_watch.slide_verdicts/1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
