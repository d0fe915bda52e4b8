"""Scores by contrast and kind, with some to be ignored, counted by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.evaluation import (
    FAINT,
    MATCHINGS,
    STRONG,
    SWEEP,
    TIERS,
    headline_rows,
    report_rows,
    sweep_rows,
)
from sonar_watch.learning.matching import Judgement, Matching, Selection, judge
from sonar_watch.learning.scores import f1_interval, recall_interval, score
from sonar_watch.learning.truth import PictureTruth, TrueObject

NAMES = ("signal", "noise")
Row = tuple[float, float, float, float]


def square(left: float) -> Row:
    return (left, 0.0, left + 10.0, 10.0)


def plume(left: float, contrast_db: float, ignored: bool = False) -> TrueObject:
    return TrueObject(
        class_name="signal", xyxy=square(left), contrast_db=contrast_db, ignored=ignored
    )


def found(*boxes: tuple[float, float]) -> Detections:
    """Return plumes of (left edge, confidence)."""
    return Detections.from_rows([(*square(left), sure, 0) for left, sure in boxes], NAMES)


def picture(*objects: TrueObject, kind: str = "simulated", survey: str = "a") -> PictureTruth:
    return PictureTruth(image=Path("x.png"), kind=kind, survey=survey, objects=objects)


def judged(*pairs: tuple[PictureTruth, Detections]) -> Judgement:
    return judge([one for _, one in pairs], [one for one, _ in pairs], NAMES, Matching(iou=0.3))


def tier(low: float, high: float, with_ignored: bool = False) -> Selection:
    return Selection(class_names=("signal",), contrast_db=(low, high), with_ignored=with_ignored)


MIXED = judged(
    # strong found, faint found, one false
    (picture(plume(0, 15.0), plume(100, 6.0)), found((0, 0.9), (100, 0.5), (300, 0.6))),
    # strong missed; the ignored one is found twice: neither way
    (picture(plume(0, 9.0), plume(100, 4.0, ignored=True)), found((100, 0.8), (101, 0.7))),
    # nothing there, something found
    (picture(), found((0, 0.4))),
    # only an ignored one: not an empty picture
    (picture(plume(0, 3.5, ignored=True)), found()),
)


def test_ignored_boxes_count_neither_way() -> None:
    scores = score(MIXED, Selection(class_names=("signal",)))
    assert scores.truths == 3
    assert scores.confidence.tolist() == pytest.approx([0.9, 0.6, 0.5, 0.4])
    assert scores.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])
    assert scores.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert scores.f1.tolist() == pytest.approx([2 / 4, 2 / 5, 4 / 6, 4 / 7])


def test_a_picture_with_only_ignored_objects_is_not_empty() -> None:
    scores = score(MIXED, Selection(class_names=("signal",)))
    assert (scores.images_without, scores.images_empty) == (1, 1)
    assert scores.false_image_rate.tolist() == [0, 0, 0, 1]
    assert scores.at(0.45).empty_image_rate == 0
    assert scores.at(0.3).empty_image_rate == 1


def test_a_picture_with_fish_has_no_plume_but_is_not_empty() -> None:
    fish = TrueObject(class_name="noise", xyxy=square(0))
    scores = score(judged((picture(fish), found((0, 0.5))), (picture(), found())),
                   Selection(class_names=("signal",)))
    assert (scores.images_without, scores.images_empty) == (2, 1)
    assert (scores.false_image_rate[0], scores.empty_image_rate[0]) == (0.5, 0.0)


def test_a_tier_leaves_out_what_was_found_of_the_others() -> None:
    strong = score(MIXED, tier(8.0, math.inf))
    assert strong.truths == 2
    # 0.9 is true; 0.6 and 0.4 are false; 0.5 lies on a fainter plume
    assert strong.confidence.tolist() == pytest.approx([0.9, 0.6, 0.4])
    assert strong.precision.tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert strong.recall.tolist() == pytest.approx([1 / 2] * 3)
    assert score(MIXED, tier(5.0, 8.0)).at(0.5).recall == 1.0
    assert score(MIXED, tier(5.0, 8.0)).at(0.55).recall == 0.0


def test_the_faintest_tier_asks_for_the_ignored_ones_once_each() -> None:
    faintest = score(MIXED, tier(3.0, 5.0, with_ignored=True))
    assert faintest.truths == 2
    assert faintest.at(0.8).recall == 0.5
    assert faintest.at(0.3).recall == 0.5
    assert faintest.at(0.8).precision == 1.0
    assert score(MIXED, tier(3.0, 5.0)).truths == 0


def test_the_edges_of_tiers() -> None:
    judgement = judged((picture(plume(0, 8.0)), found()), (picture(plume(0, 5.0)), found()))
    assert STRONG.contrast_db[0] == FAINT.contrast_db[1]
    at = {one.name: Selection(contrast_db=one.contrast_db).truths(judgement).tolist()
          for one in TIERS}
    assert at["8 dB and more"] == at["8-12 dB"] == [True, False]
    assert at["5-8 dB"] == [False, True]
    assert at["3-5 dB"] == at["12 dB and more"] == [False, False]


def test_unknown_contrast_is_in_no_tier() -> None:
    judgement = judged((picture(plume(0, math.nan)), found((0, 0.9))))
    assert score(judgement).truths == 1
    for one in TIERS:
        assert score(judgement, tier(*one.contrast_db)).truths == 0


def test_kinds_are_told_apart() -> None:
    judgement = judged(
        (picture(plume(0, 9.0), kind="simulated"), found((0, 0.9))),
        (picture(plume(0, 9.0), kind="injected"), found((50, 0.9))),
        (picture(kind="real"), found()),
    )
    kinds = {kind: score(judgement, Selection(kind=kind)).at(0.5).f1
             for kind in ("simulated", "injected", "real")}
    expected = {"simulated": 1.0, "injected": 0.0, "real": math.nan}
    assert kinds == pytest.approx(expected, nan_ok=True)
    rows = list(report_rows(judgement, MATCHINGS[0], 0.5))
    json.dumps(rows, allow_nan=False)
    without = next(row for row in rows if row["kind"] == "real")
    assert (without["at_threshold"]["f1"], without["best"]["recall"]) == (None, None)
    assert {row["kind"] for row in rows} == {"all", "injected", "real", "simulated"}
    (row,) = [row for row in rows if row["kind"] == "all" and row["contrast"] == "8 dB and more"]
    assert (row["images"], row["truths"], row["images_empty"]) == (3, 2, 1)
    assert row["at_threshold"]["f1"] == pytest.approx(0.5)
    assert row["at_threshold"]["recall_95"] == pytest.approx((0.0945, 0.9055), abs=1e-3)


def test_the_figures_by_which_detectors_are_compared() -> None:
    working, best = headline_rows(MIXED, MATCHINGS[0], 0.45)
    assert (working["confidence"], working["strong"], working["faint"]) == (0.45, 2, 1)
    # of the strong: one of two found, one false; the faint one is found, the empty one passes
    assert working["f1_strong"] == pytest.approx(2 * 1 / (2 + 2))
    assert (working["recall_faint"], working["empty_image_rate"]) == (1.0, 0.0)
    # nothing is gained for the strong below 0.9, where the faint one is not found yet
    assert best["confidence"] == pytest.approx(0.9)
    assert (best["f1_strong"], best["recall_faint"]) == (pytest.approx(2 / 3), 0.0)


def test_a_sweep_tells_every_threshold() -> None:
    rows = {row["sweep"]: row for row in sweep_rows(MIXED, MATCHINGS[0])}
    assert tuple(rows) == SWEEP
    at = rows[0.55]  # a strong plume of two and nothing faint; one false box
    assert (at["precision"], at["recall"]) == (0.5, pytest.approx(1 / 3))
    assert (at["recall_strong"], at["recall_faint"], at["empty_image_rate"]) == (0.5, 0.0, 0.0)
    assert rows[0.4]["empty_image_rate"] == 1.0
    nothing = next(iter(sweep_rows(judged((picture(), found())), MATCHINGS[0])))
    assert (nothing["f1"], nothing["recall_strong"]) == (None, None)


def test_a_detector_may_know_plumes_alone() -> None:
    only = Detections.from_rows([(*square(0), 0.9, 0)], ("signal",))
    fish = TrueObject(class_name="noise", xyxy=square(50))
    judgement = judge([only], [picture(plume(0, 9.0), fish)], ("noise", "signal"))
    assert score(judgement, Selection(class_names=("signal",))).best.f1 == 1.0
    assert score(judgement, Selection(class_names=("noise",))).best.recall == 0.0
    with pytest.raises(ConfigurationError, match="expected the classes"):
        judge([only], [picture()], ("tooth",))


def test_the_interval_of_f1_comes_from_surveys() -> None:
    good = [(picture(plume(0, 9.0), survey=f"good-{n}"), found((0, 0.9))) for n in range(10)]
    bad = [(picture(plume(0, 9.0), survey=f"bad-{n}"), found()) for n in range(10)]
    assert f1_interval(judged(*good), Selection(), 0.5) == (1.0, 1.0)
    low, high = f1_interval(judged(*good, *bad), Selection(), 0.5)
    assert low < 2 / 3 < high
    assert f1_interval(judged(*good[:1]), Selection(), 0.5) == (0.0, 1.0)
    assert f1_interval(judged(*good), Selection(), 0.95) == (0.0, 0.0)


def test_many_pictures_of_few_surveys_do_not_make_recall_certain() -> None:
    """Ten pictures each of two surveys, all found in the one and none in the other."""
    apart = [
        (picture(plume(0, 9.0), survey=name), boxes)
        for name, boxes in (("good", found((0, 0.9))), ("bad", found())) for _ in range(10)
    ]
    assert recall_interval(judged(*apart), Selection(), 0.5) == (0.0, 1.0)
    alike = [(picture(plume(0, 9.0), survey=f"s-{n}"), found((0, 0.9))) for n in range(20)]
    low, high = recall_interval(judged(*alike), Selection(), 0.5)
    assert (low, high) == (pytest.approx(0.839, abs=1e-3), 1.0)  # Wilson: 20 of 20
    assert recall_interval(judged(*alike[:1]), Selection(), 0.5)[1] == 1.0
    assert recall_interval(judged((picture(), found())), Selection(), 0.5) == (0.0, 1.0)


def test_one_survey_of_a_kind_says_nothing_of_that_kind() -> None:
    real = [(picture(plume(0, 9.0), survey="real", kind="real"), found((0, 0.9)))]
    others = [(picture(plume(0, 9.0), survey=f"s-{n}"), found((0, 0.9))) for n in range(5)]
    assert f1_interval(judged(*real, *others), Selection(kind="real"), 0.5) == (0.0, 1.0)
