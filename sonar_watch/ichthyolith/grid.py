"""How much of a slide was scanned: its area, and the tiles that are missing in its grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise

from sonar_watch.ichthyolith.records import Placed, Slide

_LEAST_PITCH = 0.4
"""Of the size of a tile: tiles that lie closer are looked at more than twice."""


def sizes_of(slide: Slide) -> dict[str, tuple[int, int]]:
    """Return (width, height) in pixels of each tile by its image."""
    return {tile.image: (tile.width_px, tile.height_px) for tile in slide.tiles}


def scanned_area_mm2(
    placed: Sequence[Placed], sizes: Mapping[str, tuple[int, int]], um_per_px: float
) -> float:
    """Return the area that the tiles cover together, each spot once.

    Parameters
    ----------
    placed : sequence of Placed
        Of the tiles that could be read.
    sizes : mapping of str to (int, int)
        Width and height of each image, pixels, as `sizes_of` gives it.
    um_per_px : float

    Returns
    -------
    float
        Square millimetres.

    Raises
    ------
    ValueError
        A scale that is not above 0.
    KeyError
        A placed tile without a size.
    """
    if not um_per_px > 0:
        raise ValueError(f"expected micrometres per pixel above 0, received {um_per_px}")
    boxes = [(one.x_px, one.y_px, *sizes[one.image]) for one in placed]
    edges = sorted({x for left, _, width, _ in boxes for x in (left, left + width)})
    area = 0.0
    for left, right in pairwise(edges):
        spans = sorted((y, y + h) for x, y, w, h in boxes if x <= left and right <= x + w)
        area += (right - left) * _length(spans)
    return area * (um_per_px / 1000) ** 2


def _length(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of sorted intervals."""
    total, reached = 0.0, -math.inf
    for start, end in spans:
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return total


def missing_tiles(slide: Slide) -> list[tuple[int, int]]:
    """Return the (y, x) nominal positions between the outermost tiles where no tile is.

    None are missing where the grid cannot be told: see `coverage`.
    """
    grid = _grid(slide)
    if grid is None:
        return []
    columns, rows, taken = grid
    return [
        (y, x) for i, y in enumerate(rows) for j, x in enumerate(columns) if (i, j) not in taken
    ]


def coverage(slide: Slide) -> float | None:
    """Return the share of its grid's tiles that a slide has, None where no grid can be told."""
    grid = _grid(slide)
    if grid is None:
        return None
    columns, rows, taken = grid
    return len(taken) / (len(columns) * len(rows))


def _grid(slide: Slide) -> tuple[list[int], list[int], set[tuple[int, int]]] | None:
    """Return the positions of the columns and rows, and which (row, column) have a tile."""
    xs, ys = [tile.x_px for tile in slide.tiles], [tile.y_px for tile in slide.tiles]
    width = max(tile.width_px for tile in slide.tiles)
    height = max(tile.height_px for tile in slide.tiles)
    if len(slide.tiles) == 1:
        return xs, ys, {(0, 0)}
    across, down = _pitch(xs, ys, width), _pitch(ys, xs, height)
    if across is None or down is None:
        return None
    columns, rows = _steps(xs, across), _steps(ys, down)
    taken = {
        (round((y - rows[0]) / down), round((x - columns[0]) / across))
        for x, y in zip(xs, ys, strict=True)
    }
    return columns, rows, taken


def _steps(values: list[int], pitch: float) -> list[int]:
    count = round((max(values) - min(values)) / pitch) + 1
    return [round(min(values) + step * pitch) for step in range(count)]


def _pitch(values: list[int], others: list[int], size: int) -> float | None:
    """Return the distance of neighbouring columns (or rows), None where it cannot be told."""
    several = sorted(set(values))
    differences = [b - a for a, b in pairwise(several)]
    near = [one for one in differences if _LEAST_PITCH * size <= one <= size]
    if near:
        close = [one for one in near if one <= 1.1 * min(near)]
        return sum(close) / len(close)
    for numbers in (
        [one - min(values) for one in values],
        [*(one - min(values) for one in values), *(one - min(others) for one in others)],
        [*values, *others],
    ):
        common = reduce(math.gcd, numbers, 0)
        if _LEAST_PITCH * size <= common <= size:
            return common
    return None
