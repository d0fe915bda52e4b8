"""How much of a slide was scanned: its area, and the tiles that are missing in its grid."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import gcd
from statistics import median

from sonar_watch.ichthyolith.records import Placed, Slide, Tile

_LEAST_PITCH = 0.4
"""Of the size of a tile: tiles that lie closer are looked at more than twice."""

_FAR = 3
"""A grid that is so many times smaller without one tile is not the grid of that tile."""

_MANY_TILES, _MANY_PLACES = 10, 10_000
"""A few tiles may be chosen from anywhere on a slide; beyond so many places there is no glass."""


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
    columns, rows, cells = grid
    taken = set(cells.values())
    return [
        (y, x) for i, y in enumerate(rows) for j, x in enumerate(columns) if (i, j) not in taken
    ]


def missing_count(slide: Slide) -> int:
    """Return how many `missing_tiles` there are, without listing them."""
    grid = _grid(slide)
    if grid is None:
        return 0
    columns, rows, cells = grid
    return len(columns) * len(rows) - len(set(cells.values()))


def stray_tile(slide: Slide) -> Tile | None:
    """Return the tile that stands far from all others, as one digit too many puts it.

    None where no tile does, or where tiles are too few and near to tell.
    """
    places = _places(slide)
    if places is None or (len(slide.tiles) < _MANY_TILES and places < _MANY_PLACES):
        return None
    across = sorted(slide.tiles, key=lambda tile: tile.x_px)
    down = sorted(slide.tiles, key=lambda tile: tile.y_px)
    smallest, stray = places, None
    for tile in (across[0], across[-1], down[0], down[-1]):
        others = tuple(other for other in slide.tiles if other != tile)
        rest = _places(replace(slide, tiles=others)) if others else None
        if rest is not None and rest < smallest:
            smallest, stray = rest, tile
    return stray if smallest * _FAR <= places else None


def _places(slide: Slide) -> int | None:
    """Return how many places the grid of a slide has, None where it cannot be told."""
    grid = _grid(slide)
    return None if grid is None else len(grid[0]) * len(grid[1])


def coverage(slide: Slide, broken: Collection[str] = ()) -> float | None:
    """Return the share of its grid's tiles that were read, None where no grid can be told.

    Parameters
    ----------
    slide : Slide
    broken : collection of str
        Images of it that could not be read: they are places in the grid, but cover nothing.
    """
    grid = _grid(slide)
    if grid is None:
        return None
    columns, rows, cells = grid
    read = {cell for image, cell in cells.items() if image not in broken}
    return len(read) / (len(columns) * len(rows))


def _grid(slide: Slide) -> tuple[list[int], list[int], dict[str, tuple[int, int]]] | None:
    """Return the positions of the columns and rows, and the (row, column) of each image."""
    xs, ys = [tile.x_px for tile in slide.tiles], [tile.y_px for tile in slide.tiles]
    across = _pitch(xs, ys, max(tile.width_px for tile in slide.tiles))
    down = _pitch(ys, xs, max(tile.height_px for tile in slide.tiles))
    if across is None or down is None:
        return None
    (columns, column_of), (rows, row_of) = _lines(xs, across), _lines(ys, down)
    cells = {tile.image: (row_of[tile.y_px], column_of[tile.x_px]) for tile in slide.tiles}
    return columns, rows, cells


def _lines(values: list[int], pitch: float) -> tuple[list[int], dict[int, int]]:
    """Return where the columns (or rows) stand, and the number of the one that each value is in.

    Counted from one to the next, so that a pitch that is a little off does not add up.
    """
    several, number_of, number = sorted(set(values)), {}, 0
    number_of[several[0]] = 0
    for before, value in pairwise(several):
        number += round((value - before) / pitch)
        number_of[value] = number
    step = (several[-1] - several[0]) / number if number else pitch
    known = {number: value for value, number in reversed(number_of.items())}
    return [known.get(one, round(several[0] + one * step)) for one in range(number + 1)], number_of


def _pitch(values: list[int], others: list[int], size: int) -> float | None:
    """Return the distance of neighbouring columns (or rows), None where it cannot be told.

    That of two neighbours, where there are any; else the largest that all distances, or those
    and the distances in the other direction, are multiples of.
    """
    several = sorted(set(values))
    if len(several) == 1:
        return float(size)
    distances = [after - before for before, after in pairwise(several)]
    near = [one for one in distances if _LEAST_PITCH * size <= one <= size]
    if near:
        return median(one for one in near if one <= 1.1 * min(near))
    own = [one - min(values) for one in values]
    both = [*own, *(one - min(others) for one in others)]
    for numbers in (own, both, [*values, *others]):
        common = gcd(*numbers)
        if _LEAST_PITCH * size <= common <= size:
            return float(common)
    return None
