"""From boxes in tiles to physical objects: every tooth once, however many views show it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sonar_watch.detection.merging import merge, open_edges, union_box
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.records import (
    CLASSES,
    ICHTHYOLITHS,
    Box,
    Placed,
    Sighting,
    Slide,
    SlideObject,
    Tile,
)
from sonar_watch.ichthyolith.stored import SlideRecord, code_of
from sonar_watch.ichthyolith.sweep import Found, Swept

JOINED = "objects"

REGISTERED_SLACK_PX = 4.0
"""How far boxes of one object lie apart in two views when their places were measured."""

NOMINAL_SLACK_PX = 20.0
"""The same when they were taken from file names, which are off by so much a step."""

_JOINED_BY = ("detection.linking", "detection.merging", "detection.nearness", "detection.overlap",
              "ichthyolith.joining")  # fmt: skip


class View(NamedTuple):
    """One box on the slide: where the network saw it, and where that is."""

    image: str
    found: Found
    slide_box: Box
    window: int

    @property
    def box(self) -> Box:
        """Tile pixels."""
        return self.found[:4]

    def sighting(self) -> Sighting:
        """Return it as it is handed on."""
        return Sighting(
            image=self.image, xyxy_px=self.box, confidence=self.found.confidence,
            class_name=self.found.class_name, cut=any(self.found.cut),
        )


Verdict = Callable[[View], tuple[str, float]]


def join(
    slide: Slide, swept: Swept, record: SlideRecord, confidence: float, options: SlideOptions
) -> tuple[tuple[tuple[View, ...], ...], str | None]:
    """Return the views of each object, the one to believe first, and why that was worked out.

    Parameters
    ----------
    slide : Slide
    swept : Swept
    record : SlideRecord
        Gives what it knows, and takes what it does not.
    confidence : float
        Boxes below it are left out.
    options : SlideOptions

    Returns
    -------
    tuple of tuple of View
    str or None
        None when the record knew.
    """
    views = _views(swept, confidence)
    slack_px = _slack_px([tile for tile in slide.tiles if tile.image in swept.found], swept.placed)
    inputs = {
        "confidence": confidence, "join": options.join, "slack_px": slack_px,
        "program": code_of(*_JOINED_BY), "content": {"": _digest(views)},
    }  # fmt: skip
    groups, reason = record.result(JOINED, inputs), None
    if groups is None:
        reason = record.reason(JOINED, inputs)
        groups = _merged(views, options.join, slack_px)
        record.keep(JOINED, inputs, groups)
    return tuple(tuple(views[place] for place in group) for group in groups), reason


def as_object(
    slide: Slide, views: Sequence[View], judged: tuple[str, float],
    axes_px: tuple[float, float] | None, um_per_px: float | None,
) -> SlideObject:
    """Return the object that some views show.

    Parameters
    ----------
    slide : Slide
    views : sequence of View
        The one to believe first.
    judged : tuple of (str, float)
        Class and confidence of the object.
    axes_px : tuple of float or None
        Length and width.
    um_per_px : float or None
    """
    best, sightings = views[0], tuple(view.sighting() for view in views)
    boxes = np.array([view.slide_box for view in views], float)
    cut = np.array([view.found.cut for view in views], bool)
    length_um, width_um = _axes_um(axes_px, um_per_px)
    return SlideObject(
        object_id=object_id(slide, best), site=slide.site, sample=slide.sample, slide=slide.slide,
        class_name=judged[0], confidence=judged[1], best=sightings[0], sightings=sightings,
        slide_xyxy_px=union_box(boxes), detector_class=best.found.class_name,
        detector_confidence=best.found.confidence,
        length_um=length_um, width_um=width_um,
        cut=bool(open_edges(boxes, cut).any()),
    )


def object_id(slide: Slide, view: View) -> str:
    """Return the name of an object: the same however often the slide is run, by any threshold."""
    place = [slide.site, slide.sample, slide.slide, view.image, *map(round, view.box)]
    return hashlib.sha256(json.dumps(place).encode()).hexdigest()[:16]


def is_candidate(views: Sequence[View]) -> bool:
    """Return whether any view takes it for an ichthyolith."""
    return any(view.found.class_name in ICHTHYOLITHS for view in views)


def _axes_um(
    axes_px: tuple[float, float] | None, um_per_px: float | None
) -> tuple[float | None, float | None]:
    if axes_px is None or um_per_px is None:
        return None, None
    return round(axes_px[0] * um_per_px, 2), round(axes_px[1] * um_per_px, 2)


def _views(swept: Swept, confidence: float) -> list[View]:
    """Return the boxes above a confidence, with a number of its own for each window."""
    corners = {one.image: (one.x_px, one.y_px) for one in swept.placed}
    views, windows = list[View](), dict[tuple[str, int], int]()
    for image, boxes in swept.found.items():
        x, y = corners[image]
        for one in boxes:
            window = windows.setdefault((image, one.window), len(windows))
            if one.confidence >= confidence:
                box = (round(one.x1 + x, 2), round(one.y1 + y, 2), round(one.x2 + x, 2),
                   round(one.y2 + y, 2))  # fmt: skip
                views.append(View(image, one, box, window))
    return views


def _slack_px(readable: Sequence[Tile], placed: Sequence[Placed]) -> float:
    """Return how far views may be off: as much as the worst placed tile that has a neighbour.

    A tile that could not be read shows nothing: where it lies is of no account.
    """
    nominal = {one.image for one in placed if one.placing == "nominal"}
    tiles = sorted(readable, key=lambda tile: tile.y_px)
    for number, tile in enumerate(tiles):
        for other in tiles[number + 1 :]:
            if other.y_px >= tile.y_px + tile.height_px:
                break
            beside = (tile.x_px < other.x_px + other.width_px
                      and other.x_px < tile.x_px + tile.width_px)  # fmt: skip
            if beside and {tile.image, other.image} & nominal:
                return NOMINAL_SLACK_PX
    return REGISTERED_SLACK_PX


def _digest(views: Sequence[View]) -> str:
    return hashlib.sha256(json.dumps(views).encode()).hexdigest()


def _merged(views: Sequence[View], over_smaller: float, slack_px: float) -> list[list[int]]:
    return merge(
        np.array([view.slide_box for view in views], float).reshape(-1, 4),
        np.array([view.found.confidence for view in views], float),
        np.array([CLASSES.index(view.found.class_name) for view in views], np.int32),
        np.array([view.window for view in views], np.int32),
        np.array([view.found.cut for view in views], bool).reshape(-1, 4),
        over_smaller=over_smaller, slack_px=slack_px,
    )  # fmt: skip


def objects_by_image(objects: Sequence[SlideObject]) -> Mapping[str, list[SlideObject]]:
    """Return the objects by the image of their best view."""
    groups: dict[str, list[SlideObject]] = {}
    for one in objects:
        groups.setdefault(one.best.image, []).append(one)
    return groups
