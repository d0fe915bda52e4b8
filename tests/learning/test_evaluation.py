"""The scores equal what counting by hand gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.learning.annotations import write_dataset, write_labels
from sonar_watch.learning.evaluation import Matching, evaluate, evaluate_dataset, match

NAMES = ("signal", "noise")


def rows(*table: tuple[float, ...]) -> Detections:
    return Detections.from_rows(list(table), NAMES)


def test_each_object_is_found_once_and_by_the_most_confident() -> None:
    truth = rows((0, 0, 10, 10, 1, 0))
    found = rows((0, 0, 10, 9, 0.5, 0), (0, 0, 10, 10, 0.4, 0), (0, 0, 10, 8, 0.9, 0))
    assert match(found, truth, Matching()).tolist() == [False, False, True]


def test_the_class_must_agree() -> None:
    truth = rows((0, 0, 10, 10, 1, 1))
    assert not match(rows((0, 0, 10, 10, 0.9, 0)), truth, Matching()).any()


@pytest.mark.parametrize(
    ("matching", "expected"),
    [(Matching(iou=0.5), False), (Matching(iou=0.3), True), (Matching(criterion="centre"), True)],
)
def test_a_half_plume_counts_as_the_criterion_says(matching: Matching, expected: bool) -> None:
    truth, found = rows((0, 0, 10, 100, 1, 0)), rows((0, 20, 10, 60, 0.9, 0))
    assert match(found, truth, matching).tolist() == [expected]


def test_the_nearer_of_two_strands_is_the_one_found() -> None:
    truth = rows((0, 0, 10, 50, 1, 0), (4, 0, 14, 50, 1, 0))
    found = rows((5, 0, 13, 50, 0.9, 0), (1, 0, 9, 50, 0.8, 0))
    assert match(found, truth, Matching(criterion="centre")).all()


def test_scores_of_a_hand_counted_case() -> None:
    truth = [rows((0, 0, 10, 10, 1, 0), (50, 50, 60, 60, 1, 1)), rows(), rows()]
    found = [
        rows((0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.3, 1), (80, 80, 90, 90, 0.5, 0)),
        rows((0, 0, 10, 10, 0.6, 0)),
        rows(),
    ]
    scores = evaluate(found, truth)
    signal = scores["signal"]
    assert (signal.truths, signal.images_without) == (1, 2)
    assert signal.confidence.tolist() == [np.float32(c) for c in (0.9, 0.6, 0.5)]
    assert signal.precision.tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert signal.false_image_rate.tolist() == [0, 0.5, 0.5]
    assert signal.best.f1 == 1.0
    assert signal.best.confidence == pytest.approx(0.9)
    everything = scores["all"].at(0.3)
    assert (everything.precision, everything.recall) == (pytest.approx(2 / 4), 1.0)
    assert everything.false_image_rate == 0.5
    assert scores["all"].at(0.95).precision == 1.0
    assert scores["all"].at(0.95).recall == 0.0


def test_a_set_without_plumes_gives_no_f1() -> None:
    for found in (rows(), rows((0, 0, 1, 1, 0.5, 0))):
        best = evaluate([found], [rows()])["all"].best
        assert np.isnan(best.recall)
        assert np.isnan(best.f1)
        assert best.false_image_rate == len(found)


def test_nothing_found_misses_what_is_there() -> None:
    best = evaluate([rows()], [rows((0, 0, 1, 1, 1, 0))])["all"].best
    assert (best.precision, best.recall, best.f1) == (1.0, 0.0, 0.0)


def test_no_images_at_all() -> None:
    assert evaluate([], [])["all"].truths == 0


BOX = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6), st.integers(1, 6))
FOUND = st.lists(st.tuples(BOX, st.integers(1, 5), st.integers(0, 1)), max_size=5)
TRUTH = st.lists(st.tuples(BOX, st.just(5), st.integers(0, 1)), max_size=4)


def table(drawn: list[tuple[tuple[int, ...], int, int]]) -> Detections:
    return rows(*[(x, y, x + w, y + h, c / 5, k) for (x, y, w, h), c, k in drawn])


def count_by_hand(found: Detections, truth: Detections, iou: float) -> int:
    """Return the true positives of one image, matched anew."""
    left = list(range(len(truth)))
    true = 0
    for index in sorted(range(len(found)), key=lambda i: -found.confidence[i]):
        overlaps = [
            (intersection_over_union(found.xyxy[[index]], truth.xyxy[[j]]).item(),
             -j)
            for j in left if truth.class_id[j] == found.class_id[index]
        ]
        if overlaps and max(overlaps)[0] >= iou:
            left.remove(-max(overlaps)[1])
            true += 1
    return true


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(FOUND, TRUTH), min_size=1, max_size=4))
def test_every_threshold_equals_matching_anew(drawn: list[tuple[list, list]]) -> None:
    found, truth = [table(f) for f, _ in drawn], [table(t) for _, t in drawn]
    scores = evaluate(found, truth, Matching(iou=0.3))["all"]
    total = sum(map(len, truth))
    for index, limit in enumerate(scores.confidence):
        kept = [one.select(one.confidence >= limit) for one in found]
        true = sum(count_by_hand(f, t, 0.3) for f, t in zip(kept, truth, strict=True))
        assert scores.precision[index] == pytest.approx(true / sum(map(len, kept)))
        assert scores.recall[index] == pytest.approx(true / total if total else np.nan, nan_ok=True)
        empty = [f for f, t in zip(kept, truth, strict=True) if not len(t)]
        flagged = sum(1 for f in empty if len(f))
        assert scores.false_image_rate[index] == pytest.approx(flagged / max(len(empty), 1))


def test_lists_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected 1 results, received 0"):
        evaluate([], [rows()])
    with pytest.raises(ConfigurationError, match="expected the classes"):
        evaluate([Detections.empty(("tooth",))], [rows()])
    with pytest.raises(ConfigurationError, match="iou: expected"):
        Matching(iou=0.0)


def make_images(root: Path) -> Path:
    import cv2

    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        for number in range(2):
            image = np.full((40, 60), 10 * number, np.uint8)
            cv2.imwrite(str(root / "images" / split / f"{number}.png"), image)
    write_labels(root / "labels" / "val" / "1.txt", rows((10, 10, 20, 30, 1, 0)), 60, 40)
    return write_dataset(root, NAMES)


def test_a_dataset_is_scored_image_by_image(tmp_path: Path) -> None:
    data = make_images(tmp_path)

    def find(images: list[np.ndarray]) -> list[Detections]:
        assert all(image.shape == (40, 60, 3) for image in images)
        return [rows((10, 10, 20, 30, 0.7, 0)) if image.max() else rows() for image in images]

    assert evaluate_dataset(find, data)[0]["signal"].best.f1 == 1.0
    for image in (tmp_path / "images" / "train").iterdir():
        image.unlink()
    with pytest.raises(ConfigurationError, match="expected pictures in the split 'train'"):
        evaluate_dataset(find, data, "train")
    with pytest.raises(ConfigurationError, match="split: expected one of"):
        evaluate_dataset(find, data, "test")
    (tmp_path / "images" / "val" / "0.png").write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"0\.png: expected an image"):
        evaluate_dataset(find, data)
