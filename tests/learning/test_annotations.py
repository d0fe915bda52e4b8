"""Labels and datasets go out and come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import FormatError
from sonar_watch.learning.annotations import (
    label_path,
    read_dataset,
    read_labels,
    write_dataset,
    write_labels,
    write_resolved,
)

NAMES = ("signal", "noise")
BOX = st.tuples(st.integers(0, 90), st.integers(0, 40), st.integers(1, 10), st.integers(1, 10),
                st.integers(0, 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BOX, max_size=6))
def test_boxes_survive_the_text(tmp_path: Path, boxes: list[tuple[int, ...]]) -> None:
    rows = [[x, y, x + w, y + h, 1, k] for x, y, w, h, k in boxes]
    truth = Detections.from_rows(rows, NAMES)
    write_labels(tmp_path / "labels" / "a.txt", truth, 100, 50)
    back = read_labels(tmp_path / "labels" / "a.txt", 100, 50, NAMES)
    assert np.allclose(back.xyxy, truth.xyxy, atol=1e-3)
    assert back.class_id.tolist() == truth.class_id.tolist()


def test_boxes_are_clipped_to_the_image(tmp_path: Path) -> None:
    rows = [[-10, 5, 10, 60, 1, 0], [120, 0, 130, 10, 1, 0]]
    write_labels(tmp_path / "a.txt", Detections.from_rows(rows, NAMES), 100, 50)
    assert (tmp_path / "a.txt").read_text() == "0 0.050000 0.550000 0.100000 0.900000\n"


def test_a_missing_or_empty_file_means_nothing_there(tmp_path: Path) -> None:
    assert len(read_labels(tmp_path / "none.txt", 10, 10, NAMES)) == 0
    write_labels(tmp_path / "a.txt", Detections.empty(NAMES), 10, 10)
    assert (tmp_path / "a.txt").read_text() == ""
    assert len(read_labels(tmp_path / "a.txt", 10, 10, NAMES)) == 0


@pytest.mark.parametrize(
    "line", ["0 0.5 0.5 0.1", "0 0.5 0.5 0.1 x", "0 1.5 0.5 0.1 0.1", "2 0.5 0.5 0.1 0.1",
             "0.5 0.5 0.5 0.1 0.1", "0 nan 0.5 0.1 0.1"],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(FormatError, match=r"a\.txt line 2: expected"):
        read_labels(path, 10, 10, NAMES)


def test_a_dataset_reads_back(tmp_path: Path) -> None:
    for name in ("train/b.png", "train/a.png", "train/notes.txt", "val/c.jpg"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    dataset = read_dataset(write_dataset(tmp_path, NAMES))
    assert dataset.class_names == NAMES
    assert [path.name for path in dataset.images["train"]] == ["a.png", "b.png"]
    assert label_path(dataset.images["val"][0]) == tmp_path / "labels" / "val" / "c.txt"


@pytest.mark.parametrize("text", ["", "names: [a]\ntrain: nowhere\n", "a: [", "train: x"])
def test_a_broken_dataset_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dataset.yaml"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"dataset\.yaml: expected"):
        read_dataset(path)


def test_a_set_says_what_its_values_mean(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
    assert read_dataset(write_dataset(tmp_path, NAMES)).encoding == ""
    path = write_dataset(tmp_path, NAMES, encoding="layers")
    assert read_dataset(path).encoding == "layers"
    path.write_text(path.read_text("utf-8").replace("layers", "jet"), "utf-8")
    with pytest.raises(FormatError, match="encoding: expected layers, grey or picture"):
        read_dataset(path)


def test_the_trainer_is_told_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is from the file, wherever the trainer runs."""
    for split in ("train", "val"):
        (tmp_path / "set" / "images" / split).mkdir(parents=True)
    data = tmp_path / "set" / "dataset.yaml"
    data.write_text("{path: ., train: images/train, val: images/val, names: [signal]}")
    monkeypatch.chdir(tmp_path)
    written = write_resolved(Path("set/dataset.yaml"), tmp_path / "run")
    monkeypatch.chdir("/")
    dataset = read_dataset(written)
    assert dataset.folders["val"] == tmp_path / "set" / "images" / "val"
    assert dataset.class_names == ("signal",)
