"""What a labelled set says is in its pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import write_dataset, write_labels
from sonar_watch.learning.truth import LABELLED, read_truth_set

NAMES = ("signal", "noise")
PLUME = {"class": "signal", "name": "plume-1", "xyxy": [10, 10, 20, 30], "contrast_db": 9.1,
         "ignored": False}
FISH = {"class": "noise", "xyxy": [1, 2, 3, 4]}


def make_set(root: Path, pictures: int = 2) -> Path:
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        for number in range(pictures):
            write_png(root / "images" / split / f"{number}.png", np.zeros((40, 60), np.uint8))
    rows = [[10, 10, 20, 30, 1, 0]]
    write_labels(root / "labels" / "val" / "1.txt", Detections.from_rows(rows, NAMES), 60, 40)
    return write_dataset(root, NAMES)


def write_lines(root: Path, *bodies: Any) -> None:
    (root / "truth").mkdir(exist_ok=True)
    lines = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    (root / "truth" / "val.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def picture(number: int, *boxes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"image": f"images/val/{number}.png", "boxes": list(boxes), **fields}


def test_labels_are_the_truth_where_nothing_more_is_told(tmp_path: Path) -> None:
    truth = read_truth_set(make_set(tmp_path))
    assert truth.class_names == NAMES
    empty, one = truth.pictures
    assert (empty.objects, one.kind, one.survey) == ((), LABELLED, "")
    assert one.objects[0].class_name == "signal"
    assert one.objects[0].xyxy == pytest.approx((10, 10, 20, 30), abs=1e-3)
    assert math.isnan(one.objects[0].contrast_db)


def test_told_truth_goes_before_labels(tmp_path: Path) -> None:
    data = make_set(tmp_path)
    faint = {**PLUME, "contrast_db": 4.0, "ignored": True}
    write_lines(
        tmp_path, picture(0, PLUME, FISH, faint, survey="sim-1", kind="simulated"), picture(1)
    )
    first, second = read_truth_set(data.parent).pictures
    assert (first.survey, first.kind) == ("sim-1", "simulated")
    assert [one.class_name for one in first.objects] == ["signal", "noise", "signal"]
    assert [one.ignored for one in first.objects] == [False, False, True]
    assert first.objects[0].contrast_db == 9.1
    assert first.objects[0].name == "plume-1"
    assert math.isnan(first.objects[1].contrast_db)
    assert second.objects == ()
    assert first.image.exists()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("not json", "line 2: expected a picture's truth"),
        ({"boxes": []}, "line 2: expected a picture's truth: KeyError"),
        (picture(1, {**PLUME, "class": "whale"}), "line 2: class: expected one of"),
        (picture(1, {**PLUME, "xyxy": [20, 10, 10, 30]}), "line 2: xyxy: expected left <= right"),
        (picture(1, {**PLUME, "xyxy": [1, 2, 3]}), "line 2: expected a picture's truth"),
        (picture(7), "none for 1, such as 1.png"),
    ],
)
def test_broken_truth_says_where(tmp_path: Path, body: Any, complaint: str) -> None:
    data = make_set(tmp_path)
    write_lines(tmp_path, picture(0), body)
    with pytest.raises(FormatError, match=complaint):
        read_truth_set(data)


def test_no_such_split(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="split: expected one of"):
        read_truth_set(make_set(tmp_path), "test")
