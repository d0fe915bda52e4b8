"""Names on a map that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sonar_watch.exporters.mapframe import Point

_SIDES = (
    (1, 0.6), (-1, 0.6), (1, -0.6), (-1, -0.6), (1, 1.8), (-1, 1.8), (1, -1.8), (-1, -1.8),
    (1, 3.2), (-1, 3.2), (1, -3.2), (-1, -3.2),
)
_GAP_PX, _LINE_PX, _LETTER_PX = 14.0, 17.0, 7.6

_Box = tuple[float, float, float, float]


def place_labels(axes: Any, labels: Sequence[tuple[Point, str, str]]) -> None:
    """Write each (point, text, colour) beside its point, on the side that covers least.

    Taken in order: the first gets the best side.
    """
    spots = [tuple(axes.transData.transform(point)) for point, _, _ in labels]
    taken: list[_Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in spots]
    frame = axes.get_window_extent()
    inside = (frame.x0, frame.y0, frame.x1, frame.y1)
    for (point, text, colour), spot in zip(labels, spots, strict=True):
        side = min(_SIDES, key=lambda s: _cost(_box(spot, s, text), taken, inside))
        taken.append(_box(spot, side, text))
        _write(axes, point, text, colour, side)


def _box(spot: tuple[float, ...], side: tuple[float, float], text: str) -> _Box:
    """Return the pixels (left, bottom, right, top) a text would take."""
    width = _LETTER_PX * len(text)
    left = spot[0] + _GAP_PX if side[0] > 0 else spot[0] - _GAP_PX - width
    bottom = spot[1] + side[1] * _LINE_PX - 0.5 * _LINE_PX
    return left, bottom, left + width, bottom + _LINE_PX


def _cost(box: _Box, taken: Sequence[_Box], inside: _Box) -> float:
    """Return the area of `taken` that a box covers, and of itself outside the frame."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return sum(_shared(box, other) for other in taken) + 4.0 * (area - _shared(box, inside))


def _shared(a: _Box, b: _Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _write(
    axes: Any, point: Point, text: str, colour: str, side: tuple[float, float]
) -> None:
    from matplotlib.patheffects import withStroke

    points_per_px = 72.0 / 100.0
    axes.annotate(
        text, xy=point, zorder=8, fontsize=10.5, color=colour, fontweight="bold",
        xytext=(side[0] * _GAP_PX * points_per_px, side[1] * _LINE_PX * points_per_px),
        textcoords="offset points", ha="left" if side[0] > 0 else "right", va="center",
        path_effects=[withStroke(linewidth=3.0, foreground="white")],
    )
