"""The struct of arrays: its doors, its checks, and that nobody can change it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sonar_watch.detection.detections import Detection, Detections

NAMES = ("signal", "noise")
ROWS = [[0, 1, 10, 21, 0.75, 0], [5, 5, 6, 7, 0.5, 1], [2, 2, 4, 9, 0.25, 0]]


def test_rows_come_in_and_go_out_as_they_were() -> None:
    found = Detections.from_rows(ROWS, NAMES)
    assert len(found) == 3
    assert next(iter(found)) == Detection((0.0, 1.0, 10.0, 21.0), 0.75, "signal")
    assert [row.class_name for row in found] == ["signal", "noise", "signal"]
    assert (found.xyxy.dtype, found.confidence.dtype, found.class_id.dtype) == (
        np.float32, np.float32, np.int32,
    )


def test_nothing_found_has_no_rows_but_the_names() -> None:
    found = Detections.empty(NAMES)
    assert (len(found), found.xyxy.shape, found.class_names) == (0, (0, 4), NAMES)
    assert list(found) == []


@pytest.mark.parametrize("pick", [[True, False, True], [0, 2], slice(None, None, 2)])
def test_rows_can_be_picked(pick: object) -> None:
    found = Detections.from_rows(ROWS, NAMES)
    assert [row.confidence for row in found[pick]] == [0.75, 0.25]


def test_select_takes_a_mask_and_a_single_index() -> None:
    found = Detections.from_rows(ROWS, NAMES)
    assert found.select(found.confidence > 0.3) == Detections.from_rows(ROWS[:2], NAMES)
    assert found[1] == Detections.from_rows(ROWS[1:2], NAMES)
    assert len(found.select([])) == 0
    assert found.of_class("noise") == found[1]
    assert len(found.of_class("whale")) == 0


def test_arrays_are_copied_and_read_only() -> None:
    boxes = np.array([[0, 0, 1, 1]], np.float32)
    found = Detections(xyxy=boxes, confidence=np.ones(1), class_id=np.zeros(1), class_names=NAMES)
    boxes[:] = 7
    assert found.xyxy[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        found.xyxy[0, 0] = 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0, 0, 1, 1, 0.5]], r"expected shape \(n, 6\), received \(1, 5\)"),
        ([[2, 0, 1, 1, 0.5, 0]], "left <= right"),
        ([[0, 0, np.nan, 1, 0.5, 0]], "finite"),
        ([[0, 0, 1, 1, 1.5, 0]], "confidence: expected 0 to 1"),
        ([[0, 0, 1, 1, np.nan, 0]], "confidence: expected 0 to 1"),
        ([[0, 0, 1, 1, 0.5, 2]], "class_id: expected 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(rows: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections.from_rows(rows, NAMES)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"xyxy: expected shape \(2, 4\), received \(1, 4\)"):
        Detections(
            xyxy=np.zeros((1, 4)), confidence=np.ones(2), class_id=np.zeros(2), class_names=NAMES
        )


def test_equality_is_exact() -> None:
    found = Detections.from_rows(ROWS, NAMES)
    assert found == Detections.from_rows(ROWS, NAMES)
    assert found != found[:2]
    assert found != Detections.from_rows(ROWS, ("signal", "fish"))
    assert found != "a string"


def test_results_of_ultralytics_come_in() -> None:
    data = SimpleNamespace(cpu=lambda: SimpleNamespace(numpy=lambda: np.array(ROWS, np.float32)))
    result = SimpleNamespace(boxes=SimpleNamespace(data=data), names={1: "noise", 0: "signal"})
    assert Detections.from_ultralytics(result) == Detections.from_rows(ROWS, NAMES)
