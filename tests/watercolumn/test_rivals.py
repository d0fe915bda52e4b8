"""Two classes on one place."""

from __future__ import annotations

import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.watercolumn.rivals import WEAKEST_RIVAL, rivalled

CLASSES = ("signal", "noise")
PLACE = (100, 50, 140, 150)


def rivals_of(*rows: tuple[float, ...], share: float = 0.3) -> list[bool]:
    return rivalled(Detections.from_rows(list(rows), CLASSES), share).tolist()


@pytest.mark.parametrize(
    ("confidence", "expected"), [(0.2, [True, True]), (0.1, [False, True])]
)
def test_a_rival_needs_its_share(confidence: float, expected: list[bool]) -> None:
    assert rivals_of((*PLACE, 0.6, 0), (*PLACE, confidence, 1)) == expected


def test_nothing_rivals_its_own_class() -> None:
    assert rivals_of((*PLACE, 0.6, 0), (*PLACE, 0.5, 0)) == [False, False]


@pytest.mark.parametrize(
    ("box", "expected"),
    [((110, 50, 150, 150), True), ((125, 50, 165, 150), False), ((300, 50, 340, 150), False)],
)
def test_a_rival_lies_on_the_same_place(box: tuple[float, ...], expected: bool) -> None:
    assert rivals_of((*PLACE, 0.6, 0), (*box, 0.6, 1)) == [expected, expected]


def test_the_faintest_boxes_rival_nothing() -> None:
    assert rivals_of((*PLACE, 0.06, 0), (*PLACE, WEAKEST_RIVAL - 0.01, 1))[0] is False


def test_nothing_found_has_no_rivals() -> None:
    assert rivals_of() == []
