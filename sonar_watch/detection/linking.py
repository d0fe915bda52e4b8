"""Which boxes of several views may be one thing, and how well they fit: pair by pair.

What is compared is what both views could see: where an edge cuts a box, the other counts up to
that edge only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import NESTED
from sonar_watch.detection.nearness import near_pairs
from sonar_watch.detection.overlap import areas_px2, shared_sides_px

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """The boxes as arrays; `edges` is (n, 4), or (n, 1) where it is not known which edge cuts."""

    xyxy: FloatArray
    confidence: FloatArray
    class_id: IndexArray
    view: IndexArray
    edges: BoolArray

    @classmethod
    def of(cls, *columns: npt.ArrayLike) -> Seen:
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

    def select(self, index: IndexArray) -> Seen:
        """Return some of them, in that order."""
        return Seen(**{name: getattr(self, name)[index] for name in Seen.__slots__})

    def order(self) -> IndexArray:
        """Return the indices of the boxes, the view to believe first; ties by what they are."""
        left, top, right, bottom = self.xyxy.T
        return np.lexsort((
            *self.edges.T, self.class_id, bottom, right, left, top, self.view,
            -areas_px2(self.xyxy), -self.confidence, self.edges.sum(axis=1),
        ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """Pairs of boxes that may be one thing.

    `fit` is how well they agree, `inside` the share of the smaller one; `kin` tells pairs of one
    view.
    """

    first: IndexArray
    second: IndexArray
    fit: FloatArray
    inside: FloatArray
    kin: BoolArray


def links_between(seen: Seen, over_smaller: float, slack_px: float) -> Links:
    """Return the pairs that may be joined, those that fit best first."""
    parts = [
        _judged(Pairs(seen, *pair, slack_px), over_smaller)
        for pair in near_pairs(seen.xyxy, slack_px)
    ]
    if not parts:
        return Links(
            first=_NONE,
            second=_NONE,
            fit=_NONE.astype(float),
            inside=_NONE.astype(float),
            kin=_NONE.astype(bool),
        )
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in Links.__slots__
    }
    best_first = np.lexsort((columns["second"], columns["first"], -columns["fit"]))
    return Links(**{name: column[best_first] for name, column in columns.items()})


_NONE: IndexArray = np.empty(0, np.intp)


class Pairs:
    """Pairs of boxes and what they have in common."""

    def __init__(self, seen: Seen, first: IndexArray, second: IndexArray, slack_px: float) -> None:
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


def _judged(pairs: Pairs, over_smaller: float) -> Links:
    """Return those that may be one thing."""
    inside, alike, along = pairs.inside(), pairs.alike(), pairs.along()
    between = (pairs.shared > 0) & (inside >= over_smaller)
    between &= pairs.same_class | ~pairs.whole | (alike >= ALIKE)
    within = np.where(pairs.same_class, inside > NESTED, alike >= SAME)
    may = np.where(pairs.kin, within, between | (along >= ALONG))
    return Links(
        first=pairs.first[may], second=pairs.second[may], fit=pairs.fit()[may],
        inside=np.maximum(inside, along)[may], kin=pairs.kin[may],
    )  # fmt: skip
