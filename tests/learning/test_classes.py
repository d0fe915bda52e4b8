"""A set seen with fewer classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import label_path, read_dataset, write_dataset, write_labels
from sonar_watch.learning.classes import keep_classes

NAMES = ("signal", "noise")
BOTH = Detections.from_rows([[2, 2, 6, 6, 1, 1], [4, 4, 12, 14, 1, 0]], NAMES)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        path = root / "images" / split / "a.png"
        write_png(path, np.full((16, 16), 7, np.uint8))
        write_labels(label_path(path), BOTH, 16, 16)
    write_png(root / "images" / "train" / "b.png", np.zeros((16, 16), np.uint8))  # no labels
    return write_dataset(root, NAMES, surveys={"train": ["a"], "val": ["b"]},
                         encoding="layers")


@pytest.mark.parametrize(("name", "row"), [("signal", 1), ("noise", 0)])
def test_the_other_class_becomes_background(
    data: Path, tmp_path: Path, name: str, row: int
) -> None:
    for _ in range(2):  # as when a training is resumed
        kept = read_dataset(keep_classes(data, [name], tmp_path / "one"))
    assert kept.encoding == "layers"
    assert (kept.class_names, kept.surveys) == ((name,), {"train": ("a",), "val": ("b",)})
    assert [path.name for path in kept.images["train"]] == ["a.png", "b.png"]
    whole = label_path(read_dataset(data).images["val"][0]).read_text().splitlines()
    expected = f"0{whole[row][1:]}\n"
    assert label_path(kept.images["val"][0]).read_text() == expected
    assert label_path(kept.images["train"][1]).read_text() == ""
    assert len(whole) == 2  # the set itself is as it was


def test_classes_are_numbered_anew(data: Path, tmp_path: Path) -> None:
    kept = read_dataset(keep_classes(data, ["noise", "signal"], tmp_path / "two"))
    lines = label_path(kept.images["val"][0]).read_text().splitlines()
    assert [line[0] for line in lines] == ["0", "1"]


@pytest.mark.parametrize("names", [(), ("fish",), ("signal", "signal")])
def test_classes_that_a_set_has_not_are_refused(
    data: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError, match="classes: expected some of signal, noise"):
        keep_classes(data, names, tmp_path / "none")
