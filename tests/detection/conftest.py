"""A tiny network built by hand: known boxes, their confidence the brightness of the image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.detection.offline import import_openvino
from sonar_watch.detection.weights import WeightsEntry, WeightsFile, write_manifest

CLASSES = ("signal", "noise")
BuildModel = Callable[..., WeightsEntry]


def tiny_network(head: str, size: int, resizable: bool) -> object:
    """Return a network whose scores are the mean of the image (blue, the last of RGB)."""
    openvino = import_openvino()
    ops = openvino.opset13
    shape = [1, 3, -1, -1] if resizable else [1, 3, size, size]
    image = ops.parameter(shape, np.float32, name="images")
    blue = ops.slice(image, np.array([2]), np.array([3]), np.array([1]), np.array([1]))
    level = ops.reduce_mean(blue, np.array([2, 3]))  # (1, 1)
    if head == "end2end":
        boxes = np.array([[[8, 4, 12, 28], [1, 2, 5, 6]]], np.float32)  # x1 y1 x2 y2
        share = np.array([[[1.0], [0.5]]], np.float32)
        scores = ops.multiply(ops.reshape(level, np.array([1, 1, 1]), False), share)
        classes = np.array([[[0.0], [1.0]]], np.float32)
        return openvino.Model([ops.concat([boxes, scores, classes], 2)], [image], "tiny")
    # anchors: one signal, the same a little beside it, one noise; rows x y w h
    boxes = np.array([[[10, 10.5, 3], [16, 16, 4], [4, 4, 4], [24, 24, 4]]], np.float32)
    share = np.array([[[1.0, 0.9, 0.0], [0.0, 0.1, 0.5]]], np.float32)
    scores = ops.multiply(ops.reshape(level, np.array([1, 1, 1]), False), share)
    return openvino.Model([ops.concat([boxes, scores], 1)], [image], "tiny")


@pytest.fixture
def build_model(tmp_path: Path) -> BuildModel:
    """Return a function that writes a tiny model with its manifest and gives the entry."""

    def build(
        name: str = "tiny", head: str = "nms", size: int = 32, resizable: bool = False
    ) -> WeightsEntry:
        paths = {"openvino": tmp_path / f"{name}.xml", "openvino_weights": tmp_path / f"{name}.bin"}
        import_openvino().save_model(tiny_network(head, size, resizable), paths["openvino"])
        entry = WeightsEntry(
            name=name,
            files={
                role: WeightsFile(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
                for role, path in paths.items()
            },
            classes=CLASSES,
            input_size=(size, size),
            resizable=resizable,
            head=head,  # type: ignore[arg-type]
        )
        write_manifest(tmp_path, {name: entry})
        return entry

    return build
