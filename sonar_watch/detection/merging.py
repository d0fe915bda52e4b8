"""Boxes of one thing, seen in several overlapping windows or tiles, put together.

A tooth that an edge cuts is a stump in one window and whole in the next: the two overlap little
as a share of both, but all of the stump lies in the whole. So boxes are compared by what they
share of the smaller one, and, where an edge cuts them, by what both views could see. Two views
of one thing must agree; two things in one view stay two, because the thinning of that view has
spoken.
"""

from __future__ import annotations

from itertools import chain, product
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import NESTED
from sonar_watch.detection.linking import Links, Seen, links_between
from sonar_watch.errors import ConfigurationError

BoolArray = npt.NDArray[np.bool_]


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
    seen = Seen.of(boxes, confidence, class_id, view, cut)
    order = seen.order()
    seen = seen.select(order)
    links = links_between(seen, over_smaller, slack_px)
    groups = _Groups(seen, links)
    for pair in zip(*(column.tolist() for column in (links.first, links.second, links.inside)),
                    strict=True):  # fmt: skip
        groups.join(*pair)
    return [
        [int(order[index]) for index in sorted(group)]
        for group in sorted(map(sorted, groups.lists()))
    ]


class _Groups:
    """The things so far: which boxes belong together, by the view that saw them."""

    def __init__(self, seen: Seen, links: Links) -> None:
        self._views, self._edges = seen.view.tolist(), seen.edges
        self._kin = set(zip(links.first[links.kin].tolist(), links.second[links.kin].tolist(),
                            strict=True))  # fmt: skip
        self._group_of = list(range(len(self._views)))
        self._groups = {index: {view: [index]} for index, view in enumerate(self._views)}

    def join(self, first: int, second: int, inside: float) -> None:
        """Make the things of two boxes one, unless that makes two things of one view one."""
        one, other = self._group_of[first], self._group_of[second]
        if one == other or not self._agree(first, second, inside):
            return
        if len(self._groups[one]) < len(self._groups[other]):
            one, other = other, one
        for view, members in self._groups.pop(other).items():
            self._groups[one].setdefault(view, []).extend(members)
            for index in members:
                self._group_of[index] = one

    def _agree(self, first: int, second: int, inside: float) -> bool:
        """Return whether no view tells the things of two boxes apart."""
        some, more = (self._groups[self._group_of[index]] for index in (first, second))
        apart = [
            pair
            for view in some.keys() & more.keys()
            for pair in product(some[view], more[view])
            if (min(pair), max(pair)) not in self._kin
        ]
        if not apart:
            return True
        # The arms of a fork of which an edge cuts off the joint are two boxes of one thing.
        pieces = all((self._edges[one] & self._edges[other]).any() for one, other in apart)
        return pieces and inside >= NESTED and (
            self._is_piece(some, second) or self._is_piece(more, first)
        )  # fmt: skip

    def _is_piece(self, group: Group, of: int) -> bool:
        """Return whether a thing is but a piece of the one in the box `of`.

        Nobody saw it end, and that box shows the other whole; or one view shows it alone.
        """
        members = [index for some in group.values() for index in some]
        stumps = bool(self._edges[members].any(axis=1).all())
        return stumps and (len(members) == 1 or not self._edges[of].any())

    def lists(self) -> list[list[int]]:
        """Return the boxes of each thing."""
        return [list(chain.from_iterable(group.values())) for group in self._groups.values()]


Group = dict[int, list[int]]
"""The boxes of one thing, by their views."""
