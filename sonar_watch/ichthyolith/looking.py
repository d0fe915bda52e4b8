"""A second look at each object: what the classifier makes of its crop, and how long it is.

Both need the pixels of the best view, so they are done in one pass over the tiles; both are kept
by view, so that a new threshold looks at new objects only. What no view shows whole, because it
is longer than views overlap, is measured in all of them, and its pieces are put together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.detection.merging import union_box
from sonar_watch.ichthyolith.ahead import read_ahead
from sonar_watch.ichthyolith.classifier import MARGIN, crop_of
from sonar_watch.ichthyolith.joining import View
from sonar_watch.ichthyolith.measuring import axes_of_pieces, find_outline, measure
from sonar_watch.ichthyolith.records import Box, Slide, Tile
from sonar_watch.ichthyolith.regions import Region, is_small, regions
from sonar_watch.ichthyolith.stored import Inputs, SlideRecord, code_of, plainly
from sonar_watch.ichthyolith.sweep import READING_ERRORS, Found

log = logging.getLogger(__name__)

CLASSIFIED, MEASURED = "classes", "lengths"
AT_ONCE = 32
"""Crops that are given to the classifier at a time."""

_READ_BY = ("ichthyolith.reading", "ichthyolith.regions")


class Classifying(Protocol):
    """What says what a crop shows, such as `CropClassifier`."""

    def classify(self, crops: Sequence[ByteImage]) -> Float32Array:
        """Return probabilities, shape (n, 4), a column for each of `CLASSES`."""
        ...


class Look(NamedTuple):
    """What a second look at an object gave; None where there was none, or it failed."""

    probabilities: tuple[float, ...] | None
    axes_px: tuple[float, float] | None


@dataclass(slots=True, kw_only=True)
class Looked:
    """The looks at all objects by their best view, which tiles failed, and what was run."""

    looks: dict[View, Look] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ran: dict[str, tuple[int, str]] = field(default_factory=dict)


def look(
    slide: Slide,
    groups: Sequence[Sequence[View]],
    contents: Mapping[str, str],
    record: SlideRecord,
    classifier: tuple[str, Callable[[], Classifying]] | None,
    workers: int,
) -> Looked:
    """Return a second look at each object; what the record knows is taken from there.

    Parameters
    ----------
    slide : Slide
    groups : sequence of sequence of View
        The views of each object, the best one first.
    contents : mapping of str to str
        sha256 of each tile, by image.
    record : SlideRecord
    classifier : tuple of (str, callable) or None
        sha256 of its weights, and what opens it when there is something to classify.
    workers : int
        Threads that read and measure.

    Raises
    ------
    InferenceError, WeightsError
        The classifier could not be run.
    """
    wanted = {MEASURED: [view for group in groups for view in _measured(group)],
              CLASSIFIED: [group[0] for group in groups]}  # fmt: skip
    content = {part_of(view): contents[view.image] for some in wanted.values() for view in some}
    steps = _steps(content, None if classifier is None else classifier[0])
    looked = Looked()
    missing = {
        step: {view for view in wanted[step] if record.result(step, inputs, part_of(view)) is None}
        for step, inputs in steps.items()
    }
    for step, some in missing.items():
        if some:
            first = min(some, key=part_of)
            looked.ran[step] = (len(some), record.reason(step, steps[step], part_of(first)))
    _Work(record, steps, missing, classifier, looked).run(slide, workers)
    for group in groups:
        looked.looks[group[0]] = _look_of(record, steps, group)
    return looked


def forget_gone(
    record: SlideRecord, found: Mapping[str, Sequence[Found]], unread: Collection[str]
) -> None:
    """Forget looks at boxes that are no longer found at any threshold: other weights find others.

    Parameters
    ----------
    record : SlideRecord
    found : mapping of str to sequence of Found
        All boxes, by image.
    unread : collection of str
        Images that could not be read this time: their looks may be good yet.
    """
    boxes = {_part(image, one[:4]) for image, several in found.items() for one in several}
    for step in (CLASSIFIED, MEASURED):
        away = {part for part in record.parts(step) if part.rsplit(" ", 4)[0] in unread}
        record.keep_only(step, boxes | away)


def _steps(content: Mapping[str, str], classifier: str | None) -> dict[str, Inputs]:
    """Return what each step is made of; `classifier` is the sha256 of its weights."""
    steps: dict[str, Inputs] = {
        MEASURED: {"program": code_of("ichthyolith.measuring", *_READ_BY), "content": content}
    }
    if classifier is not None:
        steps[CLASSIFIED] = {
            "classifier": classifier, "content": content,
            "program": code_of("ichthyolith.classifier", "detection.letterbox", *_READ_BY),
        }  # fmt: skip
    return steps


def _measured(group: Sequence[View]) -> Sequence[View]:
    """Return the views that tell how long an object is: the best one, or all if it is cut there."""
    return group if _is_cut(group[0]) else group[:1]


def _is_cut(view: View) -> bool:
    return any(view.found.cut)


def part_of(view: View) -> str:
    """Return how a view is called in the record."""
    return _part(view.image, view.box)


def _part(image: str, box: Box) -> str:
    return f"{image} {' '.join(f'{side:g}' for side in box)}"


def _look_of(record: SlideRecord, steps: Mapping[str, Inputs], group: Sequence[View]) -> Look:
    part = part_of(group[0])
    seen = record.result(CLASSIFIED, steps[CLASSIFIED], part) if CLASSIFIED in steps else None
    kept = [record.result(MEASURED, steps[MEASURED], part_of(view)) for view in _measured(group)]
    if _is_cut(group[0]):
        axes = _pieced(group, kept)
    else:
        axes = (kept[0][0], kept[0][1]) if kept[0] else None
    return Look(tuple(seen) if seen else None, axes)


def _pieced(group: Sequence[View], hulls: Sequence[Any]) -> tuple[float, float] | None:
    """Return the axes of an object of whose views none shows it whole."""
    on_slide = [
        np.array(hull, float) + np.subtract(view.slide_box[:2], view.box[:2])
        for view, hull in zip(group, hulls, strict=True) if hull
    ]  # fmt: skip
    axes = axes_of_pieces(on_slide, union_box(np.array([view.slide_box for view in group])))
    return None if axes is None else (round(axes[0], 2), round(axes[1], 2))


@dataclass(slots=True)
class _Work:
    """What is to be looked at, and the crops that wait for the classifier."""

    record: SlideRecord
    steps: Mapping[str, Inputs]
    missing: Mapping[str, set[View]]
    classifier: tuple[str, Callable[[], Classifying]] | None
    looked: Looked
    _waiting: list[tuple[View, ByteImage]] = field(default_factory=list)

    def run(self, slide: Slide, workers: int) -> None:
        """Look at all that is missing, tile by tile."""
        views: dict[str, list[View]] = {}
        for view in sorted(set().union(*self.missing.values()), key=part_of):
            views.setdefault(view.image, []).append(view)
        tiles = [tile for tile in slide.tiles if tile.image in views]

        def read(tile: Tile) -> list[_Seen] | None:
            return list(self._see(tile, views[tile.image])) if is_small(tile) else None

        for tile, seen in read_ahead(tiles, read, workers, READING_ERRORS):
            # Errors of the classifier are none of the tile: they end the run.
            for one in self._readable(tile, views[tile.image], seen):
                self._take(*one)
        self._classify()

    def _readable(
        self, tile: Tile, views: Sequence[View], seen: list[_Seen] | Exception | None
    ) -> Iterator[_Seen]:
        """Yield what was seen, or is seen now, as far as the tile can be read."""
        try:
            if isinstance(seen, Exception):
                raise seen
            yield from self._see(tile, views) if seen is None else seen
        except READING_ERRORS as error:
            log.warning("%s: %s", tile.image, error)
            self.looked.failed[tile.image] = str(error)

    def _see(self, tile: Tile, views: Sequence[View]) -> Iterator[_Seen]:
        """Yield what the pixels of a tile say of each view; called in threads."""
        for region in regions(tile, [view.box for view in views]):
            for place in region.places:
                view, box = views[place], region.shifted(views[place].box)
                axes = None
                if view in self.missing[MEASURED]:
                    axes = _hull(region, view) if _is_cut(view) else _axes(region, view)
                wanted = view in self.missing.get(CLASSIFIED, ())
                yield _Seen(view, axes, crop_of(region.image, box, MARGIN) if wanted else None)

    def _take(self, view: View, axes: list[Any] | None, crop: ByteImage | None) -> None:
        if axes is not None:
            self.record.keep(MEASURED, self.steps[MEASURED], axes, part_of(view))
        if crop is not None:
            self._waiting.append((view, crop))
        if len(self._waiting) >= AT_ONCE:
            self._classify()

    def _classify(self) -> None:
        if not self._waiting or self.classifier is None:
            return
        found = self.classifier[1]().classify([crop for _, crop in self._waiting])
        for (view, _), row in zip(self._waiting, found.tolist(), strict=True):
            kept: Any = plainly([round(share, 5) for share in row])
            self.record.keep(CLASSIFIED, self.steps[CLASSIFIED], kept, part_of(view))
        self._waiting.clear()


class _Seen(NamedTuple):
    view: View
    axes: list[Any] | None
    crop: ByteImage | None


def _axes(region: Region, view: View) -> list[float]:
    """Return axes as they are kept, [] for an object that could not be told apart."""
    axes = measure(region.image, region.shifted(view.box), 1.0)
    return [] if axes is None else [round(axis, 2) for axis in axes]


def _hull(region: Region, view: View) -> list[list[float]]:
    """Return the hull of a piece in tile pixels as it is kept, [] where it cannot be told."""
    outline = find_outline(region.image, region.shifted(view.box))
    if outline is None:
        return []
    rows: list[list[float]] = np.add(outline.hull_px, [0, region.top_px]).round(2).tolist()
    return rows
