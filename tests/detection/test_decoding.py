"""Both heads decode to the same rows, and the thinning equals the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.detection.decoding import decode, intersection_over_union, thin_out
from sonar_watch.detection.letterbox import fit
from sonar_watch.detection.weights import Head, WeightsEntry
from sonar_watch.errors import InferenceError

HOW = fit(64, 64, (32, 32))  # image pixels are half as large as input pixels


def entry(head: Head) -> WeightsEntry:
    return WeightsEntry(
        name="t", files={}, classes=("signal", "noise"), input_size=(32, 32), head=head
    )


RAW = np.array([  # x y w h signal noise, one column per anchor
    [10, 16, 4, 24, 0.9, 0.1], [10.5, 16, 4, 24, 0.8, 0.1], [10, 16, 4, 24, 0.1, 0.7],
    [3, 4, 4, 4, 0.2, 0.1],
], np.float32).T
FINAL = np.array([
    [8, 4, 12, 28, 0.9, 0], [8, 4, 12, 28, 0.7, 1], [1, 2, 5, 6, 0.2, 0], [0, 0, 0, 0, 0, 0],
], np.float32)


@pytest.mark.parametrize(("head", "raw"), [("nms", RAW), ("end2end", FINAL)])
def test_both_heads_give_the_same_boxes(head: Head, raw: np.ndarray) -> None:
    found = decode(raw, entry(head), HOW, confidence=0.25, iou=0.5)
    assert found.xyxy.tolist() == [[16, 8, 24, 56]] * 2
    assert found.confidence.tolist() == [np.float32(0.9), np.float32(0.7)]
    assert [row.class_name for row in found] == ["signal", "noise"]


def test_the_end_to_end_head_is_not_thinned_out() -> None:
    twice = np.vstack([FINAL[:1], FINAL[:1]])
    assert len(decode(twice, entry("end2end"), HOW, confidence=0.25, iou=0.5)) == 2


def test_boxes_beyond_the_image_are_clipped_and_those_outside_dropped() -> None:
    raw = np.array([[-5, -5, 40, 40, 0.9, 0], [-9, 3, -2, 5, 0.8, 0]], np.float32)
    found = decode(raw, entry("end2end"), HOW, confidence=0.25, iou=0.5)
    assert found.xyxy.tolist() == [[0, 0, 64, 64]]


@pytest.mark.parametrize(("head", "raw"), [("nms", FINAL[:, :5].T), ("end2end", RAW),
                                           ("nms", RAW[None])])
def test_another_shape_than_the_manifest_says_is_an_error(head: Head, raw: np.ndarray) -> None:
    with pytest.raises(InferenceError, match="t: expected output"):
        decode(raw[:, :3], entry(head), HOW, confidence=0.25, iou=0.5)


def test_an_output_that_is_not_finite_is_an_error() -> None:
    raw = FINAL.copy()
    raw[0, 0] = np.inf
    with pytest.raises(InferenceError, match="not finite"):
        decode(raw, entry("end2end"), HOW, confidence=0.25, iou=0.5)


def one_overlap(first: np.ndarray, second: np.ndarray) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    union = sum(areas) - shared
    return float(shared / union) if union > 0 else 0.0


CORNERS = st.lists(st.tuples(*[st.integers(0, 12)] * 4), max_size=12)


def boxes_of(corners: list[tuple[int, int, int, int]]) -> np.ndarray:
    table = np.array(corners, float).reshape(-1, 4)
    return np.hstack([table[:, :2], table[:, :2] + table[:, 2:]])


@given(CORNERS, CORNERS)
def test_overlap_equals_its_definition(
    first: list[tuple[int, int, int, int]], second: list[tuple[int, int, int, int]]
) -> None:
    one, two = boxes_of(first), boxes_of(second)
    expected = np.array([[one_overlap(a, b) for b in two] for a in one]).reshape(len(one), len(two))
    assert np.allclose(intersection_over_union(one, two), expected)


@settings(max_examples=60)
@given(CORNERS, st.data())
def test_thinning_keeps_a_box_unless_a_kept_one_before_covers_it(
    corners: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    boxes = boxes_of(corners)
    classes = np.array([data.draw(st.integers(0, 1)) for _ in corners], float)
    kept: list[int] = []
    for index in range(len(boxes)):
        if all(classes[k] != classes[index] or one_overlap(boxes[k], boxes[index]) <= 0.5
               for k in kept):
            kept.append(index)
    assert thin_out(boxes, classes, 0.5).tolist() == kept


def test_a_strand_within_a_plume_is_no_other_plume() -> None:
    boxes = np.array([
        [0, 0, 20, 40], [2, 10, 9, 39], [18, 0, 30, 40], [0, 0, 40, 41], [3, 3, 9, 9],
    ], float)  # a plume, its strand, one beside it, one about it, a fish within it
    classes = np.array([0, 0, 0, 0, 1])
    assert thin_out(boxes, classes, 0.7, 0.7).tolist() == [0, 2, 4]
    assert thin_out(boxes, classes, 0.7).tolist() == [0, 1, 2, 3, 4]


def test_decoding_drops_what_is_nested() -> None:
    raw = np.array([[16, 16, 20, 24, 0.9, 0], [16, 16, 4, 20, 0.8, 0]], np.float32).T
    assert len(decode(raw, entry("nms"), HOW, confidence=0.25, iou=0.5)) == 1
