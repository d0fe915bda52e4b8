"""Training sets: sheets of fans with labels that lie on what they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sonar_watch.images import read_image
from sonar_watch.learning.annotations import label_path, read_dataset, read_labels
from sonar_watch.simulation.dataset import DatasetOptions, make_dataset

OPTIONS = DatasetOptions(scenes=8, swaths_per_scene=2, validation_share=0.25, seed=5)


def test_labels_are_brighter_than_their_picture(tmp_path: Path) -> None:
    done: list[int] = []
    dataset = read_dataset(make_dataset(tmp_path, OPTIONS, done.append))
    assert done == list(range(1, 9))
    assert dataset.class_names == ("signal", "noise")
    assert len(dataset.images["val"]) == 4
    levels = []
    for path in dataset.images["train"]:
        image = read_image(path)
        assert image.shape == (640, 640)
        truth = read_labels(label_path(path), 640, 640, dataset.class_names)
        for x1, y1, x2, y2 in truth.of_class("signal").xyxy.round().astype(int):
            inside = image[y1:y2, x1:x2]
            levels.append(inside[inside > 0].mean() / np.median(image[image > 0]))
    assert len(levels) > 5
    assert sum(level > 1.0 for level in levels) > 0.9 * len(levels)


def test_the_seed_decides_every_picture(tmp_path: Path) -> None:
    for name in ("first", "again"):
        make_dataset(tmp_path / name, OPTIONS)
    first, again = (sorted((tmp_path / name).rglob("*.*g")) for name in ("first", "again"))
    assert len(first) > 4
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
