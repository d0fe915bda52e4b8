"""Boxes of one thing, seen in several overlapping windows or tiles, put together.

A tooth that an edge cuts is a stump in one window and whole in the next: the two overlap little
as a share of both, but all of the stump lies in the whole. So boxes are compared by what they
share of the smaller one, and, where an edge cuts them, by what both views could see. Two views
of one thing must agree; two things in one view stay two, because the thinning of that view has
spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import NESTED
from sonar_watch.detection.nearness import near_pairs
from sonar_watch.detection.overlap import areas_px2, shared_sides_px
from sonar_watch.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]

ALIKE = 0.25
"""Least intersection over union of two whole boxes of different classes: a tooth that sticks to a
crystal lies in the crystal's box, and is none."""
SAME = 0.5
"""Least intersection over union of two boxes of different classes in one view: one thing by two
names, which the thinning leaves because it looks at each class alone."""
ALONG = 0.3
"""Least share, along the edge that cuts them, of two halves. A needle that crosses it askew shows
halves of which only the ends lie side by side: 0.4 at 45 degrees, eight times longer than wide."""


def union_box(xyxy: npt.NDArray[Any]) -> tuple[float, float, float, float]:
    """Return the least box about all boxes.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4)

    Raises
    ------
    ValueError
        No boxes.

    Examples
    --------
    >>> union_box(np.array([[0, 0, 4, 2], [3, 1, 9, 9]]))
    (0.0, 0.0, 9.0, 9.0)
    """
    boxes = np.asarray(xyxy, float).reshape(-1, 4)
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom


def open_edges(
    xyxy: npt.NDArray[Any], edges: npt.NDArray[Any], *, within_px: float = 6.0
) -> BoolArray:
    """Return on which sides the union of one thing's boxes is still cut.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4), pixels
    edges : ndarray, shape (n, 4), bool
        Which edges of its view cut each box; see `tiling.cut_edges`.
    within_px : float
        By how much views of one edge may differ.

    Returns
    -------
    ndarray, shape (4,), bool
        Left, top, right, bottom: nobody saw the thing end there.
    """
    boxes = np.asarray(xyxy, float).reshape(-1, 4) * [-1, -1, 1, 1]
    reaching = boxes >= boxes.max(axis=0) - within_px
    return np.asarray(~(reaching & ~np.asarray(edges, bool)).any(axis=0), bool)


def merge(
    boxes: npt.ArrayLike,
    confidence: npt.ArrayLike,
    class_id: npt.ArrayLike,
    view: npt.ArrayLike,
    cut: npt.ArrayLike,
    *,
    over_smaller: float = 0.5,
    slack_px: float = 0.0,
) -> list[list[int]]:
    """Return which boxes are one thing each.

    Two boxes of different views are one thing when they share enough of the smaller one; whole
    boxes of different classes must also be alike (`ALIKE`). Two halves, cut by edges that face
    each other, are one when they meet and lie side by side along the edge (`ALONG`). Two
    boxes of one view are one only when one lies in the other, or when they are pieces of something
    that another view shows whole. Where that leaves a choice, those that fit best are joined
    first. The result does not depend on the order of the boxes.

    Parameters
    ----------
    boxes : array_like, shape (n, 4), pixels
        Left, top, right, bottom, all in one frame.
    confidence : array_like, shape (n,)
    class_id : array_like, shape (n,), int
    view : array_like, shape (n,), int
        Number of the window or tile that saw it.
    cut : array_like, shape (n,) or (n, 4), bool
        Whether an edge of its view cuts it, or which do: left, top, right, bottom. Where only
        the former is known it is taken to be the one beyond which the other box goes on.
    over_smaller : float
        Least share of the smaller box, above 0 up to 1.
    slack_px : float
        By how much the views may be off against each other: boxes are compared as if shifted by
        up to that much, the way they fit best.

    Returns
    -------
    list of list of int
        Each box in one group. The first of a group is the view to believe: cut by the fewest
        edges, then the surest, then the largest; groups are in the same order of their first.

    Raises
    ------
    ConfigurationError
        `over_smaller` or `slack_px` beyond its range.
    ValueError
        Arrays that do not belong together, or boxes that are not finite or inside out.
    """
    if not 0.0 < over_smaller <= 1.0:
        raise ConfigurationError(f"over_smaller: expected above 0 up to 1, received {over_smaller}")
    if not 0.0 <= slack_px < np.inf:
        raise ConfigurationError(f"slack_px: expected 0 or more, received {slack_px}")
    seen = _Seen.of(boxes, confidence, class_id, view, cut)
    order = seen.order()
    seen = seen.select(order)
    links = _links(seen, over_smaller, slack_px)
    groups = [sorted(group) for group in _joined(seen, links)]
    return [[int(order[index]) for index in group] for group in sorted(groups)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """The boxes as arrays; `edges` is (n, 4), or (n, 1) where it is not known which edge cuts."""

    xyxy: FloatArray
    confidence: FloatArray
    class_id: IndexArray
    view: IndexArray
    edges: BoolArray

    @classmethod
    def of(cls, *columns: npt.ArrayLike) -> _Seen:
        """Return them checked."""
        xyxy = np.asarray(columns[0], float).reshape(-1, 4)
        count = len(xyxy)
        confidence, class_id, view, cut = map(np.asarray, columns[1:])
        for name, one in (("confidence", confidence), ("class_id", class_id), ("view", view)):
            if one.shape != (count,):
                raise ValueError(f"{name}: expected shape ({count},), received {one.shape}")
        if cut.shape not in ((count,), (count, 4)):
            raise ValueError(f"cut: expected shape ({count},) or ({count}, 4): {cut.shape}")
        if not np.isfinite(xyxy).all() or np.any(xyxy[:, 2:] < xyxy[:, :2]):
            raise ValueError("boxes: expected finite ones, left <= right, top <= bottom")
        return cls(
            xyxy=xyxy,
            confidence=confidence.astype(float),
            class_id=class_id.astype(np.intp),
            view=view.astype(np.intp),
            edges=cut.astype(bool).reshape(count, -1 if count else 4),
        )

    def select(self, index: IndexArray) -> _Seen:
        """Return some of them, in that order."""
        return _Seen(**{name: getattr(self, name)[index] for name in _Seen.__slots__})

    def order(self) -> IndexArray:
        """Return the indices of the boxes, the view to believe first; ties by what they are."""
        left, top, right, bottom = self.xyxy.T
        return np.lexsort((
            *self.edges.T, self.class_id, bottom, right, left, top, self.view,
            -areas_px2(self.xyxy), -self.confidence, self.edges.sum(axis=1),
        ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Links:
    """Pairs of boxes that may be one thing.

    `fit` is how well they agree, `inside` the share of the smaller one; `kin` tells pairs of one
    view.
    """

    first: IndexArray
    second: IndexArray
    fit: FloatArray
    inside: FloatArray
    kin: BoolArray


def _links(seen: _Seen, over_smaller: float, slack_px: float) -> _Links:
    """Return the pairs that may be joined, those that fit best first."""
    parts = [
        _judged(_Pairs(seen, *pair, slack_px), over_smaller)
        for pair in near_pairs(seen.xyxy, slack_px)
    ]
    if not parts:
        return _Links(
            first=_NONE,
            second=_NONE,
            fit=_NONE.astype(float),
            inside=_NONE.astype(float),
            kin=_NONE.astype(bool),
        )
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _Links.__slots__
    }
    best_first = np.lexsort((columns["second"], columns["first"], -columns["fit"]))
    return _Links(**{name: column[best_first] for name, column in columns.items()})


_NONE: IndexArray = np.empty(0, np.intp)


class _Pairs:
    """Pairs of boxes and what they have in common."""

    def __init__(self, seen: _Seen, first: IndexArray, second: IndexArray, slack_px: float) -> None:
        self.first, self.second, self.slack_px = first, second, slack_px
        self.one, self.other = seen.xyxy[first], seen.xyxy[second]
        self.kin = seen.view[first] == seen.view[second]
        self.same_class = seen.class_id[first] == seen.class_id[second]
        edges = seen.edges[first], seen.edges[second]
        self.whole = ~edges[0].any(axis=1) & ~edges[1].any(axis=1)
        if seen.edges.shape[1] == 1:
            edges = _likely_edges(self.one, self.other, *edges)
        self.one_edges, self.other_edges = edges
        lengths = [box[:, 2:] - box[:, :2] for box in (self.one, self.other)]
        self.least = np.minimum(*lengths)
        self.sides = np.stack(shared_sides_px(self.one, self.other), axis=1)
        slack = np.where(self.kin, 0.0, slack_px)[:, None]  # a view is not off against itself
        self.sides = np.clip(self.sides + slack, 0.0, self.least)
        self.shared = self.sides.prod(axis=1)
        self.areas = areas_px2(self.one), areas_px2(self.other)

    def inside(self) -> FloatArray:
        """Return the share of the smaller box that lies in the larger."""
        return _ratio(self.shared, np.minimum(*self.areas))

    def alike(self) -> FloatArray:
        """Return intersection over union."""
        return _ratio(self.shared, self.areas[0] + self.areas[1] - self.shared)

    def along(self) -> FloatArray:
        """Return how much halves of one thing share along the edge between them, 0 for others."""
        best = np.zeros(len(self.one))
        for axis in (0, 1):
            share = _ratio(self.sides[:, 1 - axis], self.least[:, 1 - axis])
            halves = self._halves(self.one, self.other, self.one_edges, self.other_edges, axis)
            halves |= self._halves(self.other, self.one, self.other_edges, self.one_edges, axis)
            best = np.maximum(best, np.where(halves, share, 0.0))
        return best

    def _halves(
        self, before: FloatArray, after: FloatArray, cut: BoolArray, cut_after: BoolArray, axis: int
    ) -> BoolArray:
        """Return whether the one is cut where the other goes on, and both fill what is between."""
        low, high = axis, axis + 2
        facing = cut[:, high] & cut_after[:, low]
        meet = after[:, low] - before[:, high] <= self.slack_px
        through = before[:, low] <= after[:, low] + self.slack_px
        through &= after[:, high] >= before[:, high] - self.slack_px
        return np.asarray(facing & meet & through, bool)

    def fit(self) -> FloatArray:
        """Return how well the boxes agree where both views could see, 0 to 1."""
        fit = np.ones(len(self.one))
        for low, high in ((0, 2), (1, 3)):
            start = np.maximum(
                np.where(self.one_edges[:, low], self.one[:, low], -np.inf),
                np.where(self.other_edges[:, low], self.other[:, low], -np.inf),
            )
            end = np.minimum(
                np.where(self.one_edges[:, high], self.one[:, high], np.inf),
                np.where(self.other_edges[:, high], self.other[:, high], np.inf),
            )
            end = np.maximum(start, end)
            begins = [np.clip(box[:, low], start, end) for box in (self.one, self.other)]
            ends = [np.clip(box[:, high], start, end) for box in (self.one, self.other)]
            common = np.minimum(*ends) - np.maximum(*begins)
            spanned = np.maximum(*ends) - np.minimum(*begins)
            fit *= np.where(spanned > 0, np.maximum(_ratio(common, spanned), 0.0), 1.0)
        return fit


def _ratio(part: FloatArray, of: FloatArray) -> FloatArray:
    """Return the quotient, 0 where there is nothing to divide by."""
    return np.asarray(np.divide(part, of, out=np.zeros_like(part), where=of > 0))


def _likely_edges(
    one: FloatArray, other: FloatArray, one_cut: BoolArray, other_cut: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """Return which edges cut boxes of which only that is known: those that the other passes.

    Only along the axis on which the two are more apart: an edge cuts along one.
    """
    apart = np.abs(one - other)
    along_x = apart[:, 0] + apart[:, 2] >= apart[:, 1] + apart[:, 3]
    axis = np.stack([along_x, ~along_x, along_x, ~along_x], axis=1)
    outward = np.array([-1, -1, 1, 1])
    passes = (other - one) * outward
    return one_cut & axis & (passes > 0), other_cut & axis & (passes < 0)


def _judged(pairs: _Pairs, over_smaller: float) -> _Links:
    """Return those that may be one thing."""
    inside, alike, along = pairs.inside(), pairs.alike(), pairs.along()
    between = (pairs.shared > 0) & (inside >= over_smaller)
    between &= pairs.same_class | ~pairs.whole | (alike >= ALIKE)
    within = np.where(pairs.same_class, inside > NESTED, alike >= SAME)
    may = np.where(pairs.kin, within, between | (along >= ALONG))
    return _Links(
        first=pairs.first[may], second=pairs.second[may], fit=pairs.fit()[may],
        inside=np.maximum(inside, along)[may], kin=pairs.kin[may],
    )  # fmt: skip


def _joined(seen: _Seen, links: _Links) -> list[list[int]]:
    """Return the groups: each link joins two unless that makes two things of one view one."""
    views = seen.view.tolist()
    kin = set(zip(links.first[links.kin].tolist(), links.second[links.kin].tolist(), strict=True))
    group_of = list(range(len(views)))
    groups = {index: {view: [index]} for index, view in enumerate(views)}

    def agree(some: _Group, more: _Group, inside: float) -> bool:
        piece = inside >= NESTED and (_is_one(some) or _is_one(more))
        return all(
            (min(pair), max(pair)) in kin
            or (piece and bool((seen.edges[pair[0]] & seen.edges[pair[1]]).any()))
            for view in some.keys() & more.keys()
            for pair in product(some[view], more[view])
        )

    for first, second, inside in zip(links.first.tolist(), links.second.tolist(),
                                     links.inside.tolist(), strict=True):  # fmt: skip
        one, other = group_of[first], group_of[second]
        if one == other or not agree(groups[one], groups[other], inside):
            continue
        if len(groups[one]) < len(groups[other]):
            one, other = other, one
        for view, members in groups.pop(other).items():
            groups[one].setdefault(view, []).extend(members)
            for index in members:
                group_of[index] = one
    return [list(chain.from_iterable(group.values())) for group in groups.values()]


_Group = dict[int, list[int]]
"""The boxes of one thing, by their views."""


def _is_one(group: _Group) -> bool:
    return len(group) == 1 and len(next(iter(group.values()))) == 1
