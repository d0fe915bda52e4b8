"""Each thing once: by cases, against its definition, on slides of known things, beside another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seen_things import Views, seen, strewn

from sonar_watch.detection.merging import merge, open_edges, union_box
from sonar_watch.detection.nearness import near_pairs
from sonar_watch.detection.tiling import windows
from sonar_watch.errors import ConfigurationError

NONE, LEFT, TOP, RIGHT, BOTTOM = "", "L", "T", "R", "B"

Box = tuple[float, float, float, float]
Row = tuple[Box, float, int, int, str]
"""Box, confidence, class, view, the edges that cut it."""


def columns(rows: Sequence[Row]) -> tuple[Any, ...]:
    boxes, confidence, classes, views, cut = zip(*rows, strict=True)
    edges = np.array([[name in one for name in "LTRB"] for one in cut], bool)
    return boxes, confidence, classes, views, edges


def groups_of(rows: Sequence[Row], **options: float) -> list[list[int]]:
    return merge(*columns(rows), **options)


TOOTH, NOISE = 0, 1

CASES: dict[str, tuple[list[Row], list[list[int]]]] = {
    "a stump and the whole tooth, the stump surer and of another class": (
        [((1150, 0, 1200, 90), 0.9, NOISE, 0, RIGHT), ((1150, 0, 1350, 90), 0.5, TOOTH, 1, NONE)],
        [[1, 0]],
    ),
    "halves longer than the overlap of their windows": (
        [((300, 100, 1200, 220), 0.6, TOOTH, 0, RIGHT),
         ((960, 100, 1900, 230), 0.8, TOOTH, 1, LEFT)],
        [[1, 0]],
    ),
    "halves of windows that only touch": (
        [((900, 100, 1200, 220), 0.6, TOOTH, 0, RIGHT),
         ((1200, 110, 1500, 230), 0.5, NOISE, 1, LEFT)],
        [[0, 1]],
    ),
    "a needle askew across the edge": (
        [((900, 100, 1200, 300), 0.6, TOOTH, 0, RIGHT),
         ((1200, 230, 1500, 430), 0.5, TOOTH, 1, LEFT)],
        [[0, 1]],
    ),
    "halves one above the other": (
        [((50, 900, 90, 1200), 0.6, TOOTH, 0, BOTTOM), ((52, 1200, 99, 1290), 0.5, TOOTH, 1, TOP)],
        [[0, 1]],
    ),
    "four quarters about the corner of four windows": (
        [((40, 40, 100, 100), 0.4, TOOTH, 0, RIGHT + BOTTOM),
         ((100, 40, 150, 100), 0.5, TOOTH, 1, LEFT + BOTTOM),
         ((40, 100, 100, 160), 0.6, TOOTH, 2, RIGHT + TOP),
         ((100, 100, 150, 160), 0.7, TOOTH, 3, LEFT + TOP)],
        [[3, 2, 1, 0]],
    ),
    "cut by the same edge, but not side by side": (
        [((900, 100, 1200, 220), 0.6, TOOTH, 0, RIGHT),
         ((1200, 200, 1500, 430), 0.5, TOOTH, 1, LEFT)],
        [[0], [1]],
    ),
    "two whole ones that touch": (
        [((100, 100, 200, 200), 0.6, TOOTH, 0, NONE), ((200, 100, 300, 200), 0.5, TOOTH, 1, NONE)],
        [[0], [1]],
    ),
    "two whole ones that lie on each other a little": (
        [((100, 100, 200, 200), 0.6, TOOTH, 0, NONE), ((160, 100, 260, 200), 0.5, TOOTH, 1, NONE)],
        [[0], [1]],
    ),
    "one cut and a whole one that touches the edge": (
        [((1000, 0, 1200, 90), 0.9, TOOTH, 0, RIGHT), ((1190, 0, 1400, 90), 0.5, TOOTH, 1, NONE)],
        [[1], [0]],
    ),
    "two halves of which one does not reach the other's edge": (
        [((1100, 100, 1200, 220), 0.6, TOOTH, 0, RIGHT),
         ((960, 100, 1120, 220), 0.5, TOOTH, 1, LEFT)],
        [[0], [1]],
    ),
    "one thing in two views by two names": (
        [((100, 100, 200, 200), 0.5, TOOTH, 0, NONE), ((104, 98, 203, 197), 0.6, NOISE, 1, NONE)],
        [[1, 0]],
    ),
    "one thing in one view by two names": (
        [((100, 100, 200, 200), 0.5, TOOTH, 0, NONE), ((104, 98, 203, 197), 0.6, NOISE, 0, NONE)],
        [[1, 0]],
    ),
    "a tooth that sticks to a crystal, each seen in one view": (
        [((100, 100, 140, 200), 0.5, TOOTH, 0, NONE), ((90, 90, 400, 400), 0.6, NOISE, 1, NONE)],
        [[1], [0]],
    ),
    "a box within a surer one of its view and class": (
        [((100, 100, 300, 200), 0.8, TOOTH, 0, NONE), ((110, 110, 180, 190), 0.4, TOOTH, 0, NONE)],
        [[0, 1]],
    ),
    "two that touch in one view, one of them again in the next": (
        [((100, 100, 200, 200), 0.8, TOOTH, 0, NONE), ((140, 100, 230, 200), 0.7, TOOTH, 0, NONE),
         ((141, 101, 230, 201), 0.6, TOOTH, 1, NONE)],
        [[0], [1, 2]],
    ),
    "two in one view that the next takes for one stay two": (
        [((100, 100, 200, 200), 0.8, TOOTH, 0, NONE), ((200, 100, 260, 200), 0.7, TOOTH, 0, NONE),
         ((100, 100, 260, 200), 0.6, TOOTH, 1, NONE)],
        [[0, 2], [1]],
    ),
    "the arms of a fork that an edge cuts off, and the whole": (
        [((100, 150, 140, 200), 0.8, TOOTH, 0, TOP), ((180, 150, 220, 200), 0.7, TOOTH, 0, TOP),
         ((100, 100, 220, 200), 0.6, TOOTH, 1, NONE)],
        [[2, 0, 1]],
    ),
    "two neighbours at an edge, each with its other half": (
        [((900, 100, 1000, 200), 0.8, TOOTH, 0, RIGHT),
         ((900, 160, 1000, 300), 0.7, TOOTH, 0, RIGHT),
         ((1000, 110, 1100, 205), 0.6, TOOTH, 1, LEFT),
         ((1000, 165, 1100, 305), 0.5, TOOTH, 1, LEFT)],
        [[0, 2], [1, 3]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_one_thing_and_what_is_not(name: str) -> None:
    rows, expected = CASES[name]
    assert groups_of(rows) == expected


@pytest.mark.parametrize("name", CASES)
def test_turned_and_mirrored_it_is_the_same(name: str) -> None:
    rows, expected = CASES[name]
    turn = dict(zip("LTRB", "TRBL", strict=True))  # a quarter to the right: (x, y) -> (-y, x)
    turned = [
        ((-box[3], box[0], -box[1], box[2]), *rest, "".join(turn[one] for one in cut))
        for box, *rest, cut in rows
    ]
    assert sorted(map(sorted, groups_of(turned))) == sorted(map(sorted, expected))


HALVES: list[Row] = [((900, 100, 1195, 220), 0.6, TOOTH, 0, RIGHT),
                     ((1203, 110, 1500, 230), 0.5, TOOTH, 1, LEFT)]  # fmt: skip


def test_what_lies_a_little_apart_meets_within_the_slack() -> None:
    assert groups_of(HALVES) == [[0], [1]]
    assert groups_of(HALVES, slack_px=7) == [[0], [1]]
    assert groups_of(HALVES, slack_px=8) == [[0, 1]]


def test_small_things_in_views_that_are_off_meet_within_the_slack() -> None:
    rows: list[Row] = [((100, 100, 163, 140), 0.6, TOOTH, 0, NONE),
                       ((120, 117, 183, 157), 0.5, TOOTH, 1, NONE)]  # fmt: skip
    assert groups_of(rows) == [[0], [1]]
    assert groups_of(rows, slack_px=20) == [[0, 1]]


def test_it_is_enough_to_know_that_a_box_is_cut() -> None:
    for name in ("halves longer than the overlap of their windows", "two whole ones that touch",
                 "halves of windows that only touch", "halves one above the other",
                 "a stump and the whole tooth, the stump surer and of another class"):  # fmt: skip
        rows, expected = CASES[name]
        *others, edges = columns(rows)
        assert merge(*others, edges.any(axis=1)) == expected


def test_more_may_be_asked_of_what_is_shared() -> None:
    rows: list[Row] = [((0, 0, 100, 100), 0.6, TOOTH, 0, NONE),
                       ((0, 40, 100, 140), 0.5, TOOTH, 1, NONE)]  # fmt: skip
    assert groups_of(rows, over_smaller=0.6) == [[0, 1]]
    assert groups_of(rows, over_smaller=0.61) == [[0], [1]]


def test_no_boxes_no_things() -> None:
    assert merge(np.empty((0, 4)), [], [], [], []) == []
    assert merge(np.empty((0, 4)), [], [], [], np.empty((0, 4), bool)) == []


def test_boxes_without_area_are_things_of_their_own() -> None:
    rows: list[Row] = [((5, 5, 5, 9), 0.6, 0, view, NONE) for view in (0, 1)]
    assert groups_of(rows) == [[0], [1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"over_smaller": 0.0}, "over_smaller"), ({"over_smaller": 1.1}, "over_smaller"),
     ({"slack_px": -1.0}, "slack_px"), ({"slack_px": float("nan")}, "slack_px")],
)  # fmt: skip
def test_options_beyond_their_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        groups_of(HALVES, **changes)


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [(0, [[0, 0, 1, 1], [5, 0, 4, 1]], "boxes"), (0, [[0, 0, 1, 1], [0, 0, np.nan, 1]], "boxes"),
     (1, [0.5], "confidence"), (2, [[0, 0]], "class_id"), (3, [0], "view"),
     (4, np.zeros((2, 3), bool), "cut"), (4, [True], "cut")],
)  # fmt: skip
def test_columns_that_do_not_belong_together_are_refused(
    place: int, wrong: Any, message: str
) -> None:
    given_columns = list(columns(HALVES))
    given_columns[place] = wrong
    with pytest.raises(ValueError, match=message):
        merge(*given_columns)


UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no reason to fail."""

SMALL = st.tuples(*[st.integers(0, 12)] * 4)
ROWS = st.lists(
    st.tuples(SMALL, st.integers(1, 9), st.integers(0, 1), st.integers(0, 2),
              st.sampled_from(["", "L", "T", "R", "B", "RB", "LT"])),
    max_size=9,
)  # fmt: skip


def rows_of(drawn: Sequence[tuple[Any, ...]]) -> list[Row]:
    return [((x, y, x + w, y + h), sure / 10, kind, view, cut)
            for (x, y, w, h), sure, kind, view, cut in drawn]  # fmt: skip


def defined(one: Row, other: Row, over_smaller: float = 0.5) -> bool:
    """Return whether two boxes may be one thing, box by box and side by side."""
    (a, _, kind_a, view_a, cut_a), (b, _, kind_b, view_b, cut_b) = one, other
    sides = [min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])]
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    shared = max(sides[0], 0) * max(sides[1], 0)
    inside = shared / min(area_a, area_b) if min(area_a, area_b) else 0.0
    union = area_a + area_b - shared
    alike = shared / union if union else 0.0
    if view_a == view_b:
        return inside > 0.7 if kind_a == kind_b else alike >= 0.5
    if inside >= over_smaller and (kind_a == kind_b or cut_a or cut_b or alike >= 0.25):
        return True
    return half_of(a, cut_a, b, cut_b) or half_of(b, cut_b, a, cut_a)


def half_of(a: Box, cut_a: str, b: Box, cut_b: str) -> bool:
    """Return whether a goes on, right or below, as b."""
    for low, high, edges in ((0, 2, "RL"), (1, 3, "BT")):
        across = 1 - low
        least = min(a[across + 2] - a[across], b[across + 2] - b[across])
        common = min(a[across + 2], b[across + 2]) - max(a[across], b[across])
        if (edges[0] in cut_a and edges[1] in cut_b and b[low] <= a[high] and a[low] <= b[low]
                and a[high] <= b[high] and least > 0 and common / least >= 0.3):  # fmt: skip
            return True
    return False


@UNHURRIED
@given(ROWS)
def test_two_boxes_are_one_thing_as_defined(drawn: list[tuple[Any, ...]]) -> None:
    rows = rows_of(drawn)
    for first in range(len(rows)):
        for second in range(first):
            pair = [rows[first], rows[second]]
            assert (len(groups_of(pair)) == 1) == defined(*pair), pair


def linked(rows: Sequence[Row], group: Sequence[int]) -> bool:
    """Return whether a group hangs together by pairs that may be one thing."""
    reached, waiting = {group[0]}, [group[0]]
    while waiting:
        one = waiting.pop()
        more = {index for index in group if index not in reached and defined(rows[one],
                                                                             rows[index])}
        reached |= more
        waiting += more
    return reached == set(group)


@UNHURRIED
@given(ROWS)
def test_things_hang_together_and_views_are_not_overruled(drawn: list[tuple[Any, ...]]) -> None:
    rows = rows_of(drawn)
    if not rows:
        return
    groups = groups_of(rows)
    assert sorted(index for group in groups for index in group) == list(range(len(rows)))
    for group in groups:
        assert linked(rows, group)
        for place, one in enumerate(group):
            for other in group[:place]:
                same_view = rows[one][3] == rows[other][3]
                pieces = set(rows[one][4]) & set(rows[other][4])
                assert not same_view or pieces or defined(rows[one], rows[other])
        cut = [len(rows[index][4]) for index in group]
        assert cut[0] == min(cut)
        assert rows[group[0]][1] == max(rows[i][1] for i, n in zip(group, cut, strict=True)
                                        if n == cut[0])  # fmt: skip


@UNHURRIED
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_boxes_does_not_matter(drawn: list[tuple[Any, ...]], random: Any) -> None:
    rows = rows_of(drawn)
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    if not rows:
        return
    expected = [[rows[index] for index in group] for group in groups_of(rows)]
    mixed = [rows[index] for index in shuffled]
    assert [[mixed[index] for index in group] for group in groups_of(mixed)] == expected


@UNHURRIED
@given(st.lists(SMALL, max_size=14), st.integers(0, 3), st.sampled_from([1.0, 0.13, 900.0]))
def test_near_boxes_are_those_of_all_pairs(
    corners: list[tuple[int, int, int, int]], within: int, scale: float
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], float).reshape(-1, 4)
    expected = {
        (one, other)
        for other in range(len(boxes))
        for one in range(other)
        if all(min(boxes[one][side + 2], boxes[other][side + 2])
               - max(boxes[one][side], boxes[other][side]) >= -within for side in (0, 1))
    }  # fmt: skip
    found = [pair for first, second in near_pairs(boxes * scale - 7, within * scale * (1 + 1e-9))
             for pair in zip(first.tolist(), second.tolist(), strict=True)]  # fmt: skip
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_near_boxes_are_found_in_lots_and_among_huge_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    corner = random.uniform(0, 3000, (300, 2))
    side = np.where(np.arange(300) < 3, 3000.0, random.uniform(1, 60, 300))[:, None]
    boxes = np.hstack([corner, corner + side])
    everything = {pair for lot in near_pairs(boxes, 2.0) for pair in zip(*lot, strict=True)}
    monkeypatch.setattr("sonar_watch.detection.nearness.CHUNK", 50)
    lots = list(near_pairs(boxes, 2.0))
    assert len(lots) > 10
    assert {pair for lot in lots for pair in zip(*lot, strict=True)} == everything
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    near = np.triu((high - low >= -2.0).all(axis=2), 1)
    assert everything == set(zip(*np.nonzero(near), strict=True))


def check(groups: list[list[int]], views: Views) -> tuple[int, int]:
    """Return how many things were fused with others, and how often one was counted again."""
    owners = [set(views.thing[group].tolist()) for group in groups]
    fused = sum(len(one) - 1 for one in owners)
    return fused, len(groups) + fused - len(set(views.thing.tolist()))


@pytest.mark.parametrize(("overlap", "shift", "slack"), [(240, 0.0, 4.0), (240, 10.0, 20.0),
                                                         (480, 2.0, 4.0)])
def test_every_thing_on_a_slide_counts_once(overlap: int, shift: float, slack: float) -> None:
    random = np.random.default_rng(4)
    things = strewn(random, 45, 3400, 2900)
    views = seen(things, windows(3400, 2900, 1200, overlap), random=random, shake_px=3.0,
                 shift_px=shift)  # fmt: skip
    assert len(views.thing) > 1.2 * len(things)
    assert len(set(views.thing.tolist())) == len(things)
    assert check(merge(*views.columns, slack_px=slack), views) == (0, 0)


def test_without_an_overlap_halves_are_told_by_where_they_lie() -> None:
    random = np.random.default_rng(4)
    views = seen(strewn(random, 45, 3400, 2900), windows(3400, 2900, 1200, 0), random=random,
                 shake_px=3.0)  # fmt: skip
    fused, split = check(merge(*views.columns, slack_px=4.0), views)
    assert fused == 0
    assert split <= 1  # the arm of a fork, whose ends hardly lie side by side
    assert check([[index] for index in range(len(views.thing))], views)[1] >= 8


def test_things_that_some_windows_miss_count_about_once() -> None:
    random = np.random.default_rng(6)
    views = seen(strewn(random, 60, 3400, 2900), windows(3400, 2900, 1200, 240), random=random,
                 shake_px=3.0, missed=0.2)  # fmt: skip
    fused, split = check(merge(*views.columns, slack_px=4.0), views)
    assert fused == 0
    assert split <= 2


def test_beside_another_merger() -> None:
    other = pytest.importorskip("supervision.detection.utils.iou_and_nms")
    random = np.random.default_rng(8)
    # Where no thing is longer than the overlap both should find the same ...
    small = strewn(random, 60, 3400, 2900, length_px=(50.0, 230.0), apart=0.0)
    views = seen([one for one in small if len(one.parts) == 1],
                 windows(3400, 2900, 1200, 240), random=random, shake_px=1.0)  # fmt: skip
    sure = np.column_stack([views.boxes, np.where(views.edges.any(axis=1), 0.1, 0.9)])
    theirs = other.box_non_max_merge(sure, 0.5, other.OverlapMetric.IOS)
    assert sorted(map(sorted, merge(*views.columns))) == sorted(map(sorted, theirs))
    # ... and for long ones only the one that looks at the edges.
    views = seen(strewn(random, 40, 3400, 2900, length_px=(400.0, 690.0)),
                 windows(3400, 2900, 1200, 240), random=random, shake_px=3.0)  # fmt: skip
    sure = np.column_stack([views.boxes, views.confidence])
    theirs = other.box_non_max_merge(sure, 0.5, other.OverlapMetric.IOS)
    assert check(merge(*views.columns, slack_px=4.0), views) == (0, 0)
    assert check(theirs, views)[1] >= 3


@pytest.mark.parametrize(
    ("things", "seconds"), [(10_000, 8.0), pytest.param(50_000, 30.0, marks=pytest.mark.slow)]
)
def test_a_hundred_thousand_boxes_take_seconds(things: int, seconds: float) -> None:
    random = np.random.default_rng(9)
    extent = 450.0 * things**0.5  # as crowded, however many
    corner = random.uniform(0, extent, (things, 2))
    one = np.hstack([corner, corner + random.uniform(40, 400, (things, 2))])
    boxes = np.concatenate([one, one + random.normal(0, 2, (things, 4))])
    views = np.repeat([0, 1], things) + 2 * (np.tile(corner[:, 0], 2) // 2000).astype(int)
    started = time.process_time()
    groups = merge(boxes, random.uniform(0.1, 1, 2 * things), np.zeros(2 * things, int), views,
                   np.zeros((2 * things, 4), bool))  # fmt: skip
    assert time.process_time() - started < seconds
    assert 0.9 * things < len(groups) <= 1.01 * things
    assert sum(map(len, groups)) == 2 * things


def test_the_union_of_boxes_is_about_all() -> None:
    assert union_box([[5, 6, 9, 8], [1, 7, 6, 20]]) == (1.0, 6.0, 9.0, 20.0)
    with pytest.raises(ValueError, match="zero-size"):
        union_box(np.empty((0, 4)))


def test_an_edge_stays_open_when_nobody_saw_the_end() -> None:
    boxes = [[900, 100, 1200, 220], [1200, 110, 1500, 230]]
    edges = np.array([[0, 0, 1, 0], [1, 0, 0, 0]], bool)
    assert not open_edges(boxes, edges).any()
    assert open_edges(boxes[:1], edges[:1]).tolist() == [False, False, True, False]
    below = np.array([[0, 0, 1, 1], [1, 0, 0, 1]], bool)
    assert open_edges(boxes, below).tolist() == [False, False, False, True]
    # a view beside sees it end where the edge of the first one is
    beside = [[900, 100, 1200, 220], [900, 100, 1203, 220]]
    assert not open_edges(beside, np.array([[0, 0, 1, 0], [0, 0, 0, 0]], bool)).any()
