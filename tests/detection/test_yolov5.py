"""Published YOLOv5 models run from their ONNX file, in both ways they are exported."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx_builder import yolov5_onnx

from sonar_watch.detection.detector import Detector, DetectorOptions
from sonar_watch.detection.weights import read_manifest, write_manifest
from sonar_watch.detection.yolov5 import ANCHORS, rows, table
from sonar_watch.errors import InferenceError, WeightsError


def write_model(folder: Path, content: bytes, **said: object) -> Path:
    (folder / "theirs.onnx").write_bytes(content)
    entry = {
        "files": {"onnx": {"name": "theirs.onnx", "sha256": hashlib.sha256(content).hexdigest()}},
        "classes": ["fluid"], "class_map": {"fluid": "signal"}, "input_size": [64, 64],
        "head": "yolov5", "encoding": "grey", **said,
    }
    document = {"schema": "sonar_watch.models/1", "models": {"theirs": entry}}
    (folder / "MANIFEST.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def detector(folder: Path) -> Detector:
    return Detector(DetectorOptions(weights="theirs", models_dir=folder, confidence=0.5,
                                    threads=1))


def test_an_onnx_file_finds_bright_cells_under_the_name_of_this_watch(tmp_path: Path) -> None:
    image = np.zeros((64, 64), np.uint8)
    image[16:24, 40:48] = 255
    (found,) = detector(write_model(tmp_path, yolov5_onnx())).detect([image])
    assert found.class_names == ("signal",)
    assert found.xyxy.tolist() == [[40, 16, 48, 24]]
    assert found.confidence[0] == pytest.approx(0.9, abs=0.01)  # objectness x class


def test_it_is_shown_the_middle_layer_alone(tmp_path: Path) -> None:
    layers = np.zeros((64, 64, 3), np.uint8)
    layers[..., 0] = 255
    layers[8:16, 8:16, 1] = 255
    runs = detector(write_model(tmp_path, yolov5_onnx()))
    assert runs.detect([layers])[0] == runs.detect([layers[..., 1]])[0]
    assert len(runs.detect([layers])[0]) == 1


def test_the_manifest_keeps_what_is_said_of_foreign_models(tmp_path: Path) -> None:
    anchors = [[1, 2, 3, 4, 5, 6]]
    models = read_manifest(write_model(tmp_path, yolov5_onnx(), anchors=anchors))
    write_manifest(tmp_path, models)
    assert read_manifest(tmp_path) == models
    assert models["theirs"].anchors == ((1, 2, 3, 4, 5, 6),)
    assert models["theirs"].class_names == ("signal",)
    assert models["theirs"].sha256 == models["theirs"].file("onnx").sha256


@pytest.mark.parametrize(
    ("said", "message"),
    [({"class_map": {"gas": "signal"}}, "class_map: expected some of"),
     ({"anchors": [[1, 2]]}, "anchors: expected six"), ({"head": "yolov4"}, "head: expected"),
     ({"encoding": "colour"}, "encoding: expected one of")],
)
def test_a_manifest_that_says_what_cannot_be_is_refused(
    tmp_path: Path, said: dict[str, object], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        read_manifest(write_model(tmp_path, b"", **said))


def test_what_does_not_fit_the_manifest_is_said(tmp_path: Path) -> None:
    two = write_model(tmp_path, yolov5_onnx(classes=(0.5, 0.2)))
    with pytest.raises(InferenceError, match=r"expected a yolov5 table \(n, 6\)"):
        detector(two).detect([np.zeros((64, 64), np.uint8)])
    with pytest.raises(InferenceError, match=r"theirs\.onnx"):
        detector(write_model(tmp_path, yolov5_onnx(), input_size=[32, 32]))
    with pytest.raises(InferenceError, match=r"theirs\.onnx"):
        detector(write_model(tmp_path, b"no network at all"))


def test_confidence_is_objectness_times_the_best_class() -> None:
    raw = np.array([[10, 20, 4, 8, 0.5, 0.2, 0.8]], np.float32)
    assert rows(raw, 2, "a").tolist() == [[8, 16, 12, 24, pytest.approx(0.4), 1]]
    with pytest.raises(InferenceError, match=r"a: expected output \(n, 6\)"):
        rows(raw, 1, "a")


def logit(value: float) -> float:
    return float(np.log(value / (1 - value)))


@pytest.mark.parametrize("packed", [False, True])
def test_raw_maps_are_worked_out_as_the_network_would(packed: bool) -> None:
    maps = [np.full((3, 64 // step, 64 // step, 6), -20.0, np.float32) for step in (8, 16, 32)]
    # Second anchor of the middle scale (62 x 45), cell x 2, y 1: offset 0.5 is its middle.
    maps[1][1, 1, 2] = [0.0, 0.0, logit(0.5), logit(0.25), logit(0.8), logit(0.5)]
    given = [one.transpose(0, 3, 1, 2).reshape(18, *one.shape[1:3]) if packed else one
             for one in maps[::-1]]
    found = rows(table(given, (64, 64), 1), 1, "a")
    best = found[found[:, 4].argmax()]
    width, height = ANCHORS[1][2] * 1.0, ANCHORS[1][3] * 0.25
    middle = (2.5 * 16, 1.5 * 16)
    assert best[:4] == pytest.approx(
        [middle[0] - width / 2, middle[1] - height / 2, middle[0] + width / 2,
         middle[1] + height / 2], rel=1e-4)
    assert best[4] == pytest.approx(0.4, rel=1e-4)
    assert len(found) == 3 * (8 * 8 + 4 * 4 + 2 * 2)


def test_maps_without_an_anchor_each_are_refused() -> None:
    maps = [np.zeros((3, 64 // step, 64 // step, 6), np.float32) for step in (8, 16, 32)]
    with pytest.raises(InferenceError, match=r"or 3 raw maps, as there are scales of anchors"):
        table(maps[1:], (64, 64), 1)
    assert len(table(maps[1:], (64, 64), 1, ANCHORS[1:])) == 3 * (4 * 4 + 2 * 2)


def test_a_table_is_taken_whatever_else_is_exported() -> None:
    whole = np.zeros((10, 6), np.float32)
    assert table([np.zeros((3, 2, 2, 6), np.float32), whole], (64, 64), 1) is whole
