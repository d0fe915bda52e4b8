"""Which of many boxes lie near each other, without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.overlap import shared_sides_px

IndexArray = npt.NDArray[np.intp]

CHUNK = 1_000_000
"""Pairs that are compared at once: some 100 MB."""
CELLS_PER_BOX = 16
"""Cells that a box covers at most, on average: a few huge boxes make the grid coarser."""


def near_pairs(xyxy: npt.NDArray[Any], within_px: float) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Yield every pair of boxes that touch, overlap or are as near as that, once.

    A grid finds them: boxes with a cell in common are compared, in the cell where the two begin
    to overlap.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4), pixels
    within_px : float
        Widest gap, along either axis.

    Yields
    ------
    tuple of ndarray, shape (m,)
        Indices, the first of a pair below the second.
    """
    boxes = np.asarray(xyxy, float).reshape(-1, 4)
    if not len(boxes):
        return
    grown = boxes + np.array([-0.5, -0.5, 0.5, 0.5]) * within_px
    low, high = _spans(grown)
    columns = int(high[:, 0].max()) + 1
    cell, member = _listed(low, high, columns)
    for first, second in _within_cells(cell):
        one, other = member[first], member[second]
        begin = np.maximum(low[one], low[other])
        width, height = shared_sides_px(grown[one], grown[other])
        near = (width >= 0) & (height >= 0) & (begin[:, 1] * columns + begin[:, 0] == cell[first])
        yield np.minimum(one, other)[near], np.maximum(one, other)[near]


def _spans(boxes: npt.NDArray[np.float64]) -> tuple[IndexArray, IndexArray]:
    """Return the first and the last cell of each box, both (n, 2), along x and y."""
    sides = boxes[:, 2:] - boxes[:, :2]
    extent = (boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).max()
    # Not so fine that the number of a cell, or a list of them, outgrows the machine.
    side = max(2 * float(np.median(sides.max(axis=1))), float(extent) / 1e6, 1e-6)
    while True:
        cells = np.floor((boxes - np.tile(boxes[:, :2].min(axis=0), 2)) / side).astype(np.intp)
        low, high = cells[:, :2], cells[:, 2:]
        if (high - low + 1).prod(axis=1).sum() <= CELLS_PER_BOX * len(boxes):
            return low, high
        side *= 2


def _listed(low: IndexArray, high: IndexArray, columns: int) -> tuple[IndexArray, IndexArray]:
    """Return each cell of each box, by cell, and which box it is of."""
    spans = high - low + 1
    counts = spans.prod(axis=1)
    member = np.repeat(np.arange(len(low)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(place, spans[member, 0])
    cell = (low[member, 1] + row) * columns + low[member, 0] + column
    by_cell = np.argsort(cell, kind="stable")
    return cell[by_cell], member[by_cell]


def _within_cells(cell: IndexArray) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Yield all pairs of places with the same cell, in lots; `cell` is sorted."""
    place = np.arange(len(cell))
    others = np.searchsorted(cell, cell, side="right") - place - 1
    ends = np.cumsum(others)
    start = 0
    while start < len(cell):
        done = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, done + CHUNK, side="right")), start + 1)
        count = others[start:stop]
        first = np.repeat(place[start:stop], count)
        step = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
        yield first, first + 1 + step
        start = stop
