"""Things of known outline on a slide, and what a perfect or a shaky eye sees of them in windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.tiling import Window, cut_edges

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Convex parts that meet in a point (x, y): one part is a needle, two are a fork."""

    parts: tuple[Points, ...]
    joint: tuple[float, float]
    class_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What was seen: columns for `merge`, and which thing each box really is."""

    boxes: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    class_id: npt.NDArray[np.intp]
    view: npt.NDArray[np.intp]
    edges: npt.NDArray[np.bool_]
    thing: npt.NDArray[np.intp]

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """What `merge` takes."""
        return self.boxes, self.confidence, self.class_id, self.view, self.edges


def needle(
    x: float, y: float, length: float, width: float, angle: float, class_id: int = 0
) -> Thing:
    """Return a triangle with its point at (x, y), as long and wide as given."""
    return Thing(parts=(_triangle(x, y, length, width, angle),), joint=(x, y), class_id=class_id)


def fork(x: float, y: float, length: float, width: float, angle: float) -> Thing:
    """Return two arms that part at (x, y) by 50 degrees."""
    arms = (_triangle(x, y, length, width, angle + turn) for turn in (-0.44, 0.44))
    return Thing(parts=tuple(arms), joint=(x, y))


def _triangle(x: float, y: float, length: float, width: float, angle: float) -> Points:
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle),
                                                                        np.cos(angle)])
    end = np.array([x, y]) + length * along
    return np.array([[x, y], end + width / 2 * across, end - width / 2 * across])


def _clipped(points: Points, window: Window) -> Points:
    """Return the part of a convex outline that lies in a window, shape (m, 2)."""
    sides = ((0, window.x_px, 1), (0, window.right_px, -1), (1, window.y_px, 1),
             (1, window.bottom_px, -1))  # fmt: skip
    for axis, at, inward in sides:
        kept: list[Points] = []
        depth = (points[:, axis] - at) * inward if len(points) else np.empty(0)
        for one in range(len(points)):
            other = (one + 1) % len(points)
            if depth[one] >= 0:
                kept.append(points[one])
            if depth[one] * depth[other] < 0:
                share = depth[one] / (depth[one] - depth[other])
                kept.append(points[one] + share * (points[other] - points[one]))
        points = np.array(kept).reshape(-1, 2)
    return points


def pieces(thing: Thing, window: Window) -> list[tuple[float, float, float, float]]:
    """Return the boxes of what a window shows of a thing: two where it cuts the arms of a fork."""
    shown = [part for part in (_clipped(part, window) for part in thing.parts) if len(part)]
    x, y = thing.joint
    if window.x_px <= x <= window.right_px and window.y_px <= y <= window.bottom_px and shown:
        shown = [np.concatenate(shown)]
    return [(*part.min(axis=0).tolist(), *part.max(axis=0).tolist()) for part in shown]


def seen(
    things: Sequence[Thing],
    wanted: Iterable[Window],
    *,
    random: np.random.Generator | None = None,
    shake_px: float = 0.0,
    shift_px: float = 0.0,
    missed: float = 0.0,
    least_px: float = 6.0,
) -> Views:
    """Return what is seen of some things.

    Parameters
    ----------
    things : sequence of Thing
    wanted : iterable of Window
    random : Generator or None
        None sees perfectly.
    shake_px : float
        Standard deviation of where a box ends, but at an edge that cuts it.
    shift_px : float
        By how much each window is said to lie elsewhere than it does, at most.
    missed : float
        Share of the boxes that is not seen.
    least_px : float
        Narrower pieces are not seen.
    """
    random = random or np.random.default_rng(0)
    rows: list[tuple[Any, ...]] = []
    for view, window in enumerate(wanted):
        shift = np.tile(random.uniform(-shift_px, shift_px, 2), 2)
        for number, thing in enumerate(things):
            for box in pieces(thing, window):
                cut = cut_edges(np.array(box), window, within_px=1e-6)[0]
                noise = np.where(cut, 0.0, random.normal(0.0, shake_px, 4))
                found = np.array(box) + noise
                limit = np.array([window.x_px, window.y_px, window.right_px, window.bottom_px])
                found = np.concatenate([np.maximum(found[:2], limit[:2]),
                                        np.minimum(found[2:], limit[2:])])
                sides = found[2:] - found[:2]
                if sides.min() < least_px or random.random() < missed:
                    continue
                cut = cut_edges(found, window)[0]
                rows.append((found + shift, random.uniform(0.3, 0.95), thing.class_id, view, cut,
                             number))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return Views(
        boxes=np.array(columns[0], float).reshape(-1, 4),
        confidence=np.array(columns[1], float),
        class_id=np.array(columns[2], np.intp),
        view=np.array(columns[3], np.intp),
        edges=np.array(columns[4], bool).reshape(-1, 4),
        thing=np.array(columns[5], np.intp),
    )


def strewn(
    random: np.random.Generator, count: int, width_px: int, height_px: int, *,
    length_px: tuple[float, float] = (60.0, 690.0), apart: float = 0.2,
) -> list[Thing]:
    """Return needles and forks thrown on a slide, of which no two lie too much on each other.

    Parameters
    ----------
    apart : float
        Largest share of the smaller box that two may have in common.
    """
    everything = Window(0, 0, width_px, height_px)
    things: list[Thing] = []
    taken: list[Points] = []
    tries = 0
    while len(things) < count and tries < 50 * count:
        tries += 1
        length = float(np.exp(random.uniform(*np.log(length_px))))
        make = fork if random.random() < 0.15 else needle
        thing = make(random.uniform(0, width_px), random.uniform(0, height_px), length,
                     length * random.uniform(0.15, 0.6), random.uniform(0, 2 * np.pi))
        corners = np.concatenate(thing.parts)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        inside = box[0] > 8 and box[1] > 8 and box[2] < width_px - 8 and box[3] < height_px - 8
        if not inside or len(pieces(thing, everything)) != 1 or any(
            _shared(box, other) > apart for other in taken
        ):
            continue
        taken.append(box)
        things.append(thing)
    return things


def _shared(one: Points, other: Points) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [(box[2:] - box[:2]).prod() for box in (one, other)]
    return float(np.maximum(sides, 0).prod() / min(areas))
