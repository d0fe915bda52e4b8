"""A second look at each object: what the classifier makes of its crop, and how long it is.

Both need the pixels of the best view alone, so they are done in one pass over the tiles; both
are kept by view, so that a new threshold looks at new objects only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.ichthyolith.ahead import read_ahead
from sonar_watch.ichthyolith.classifier import MARGIN, crop_of
from sonar_watch.ichthyolith.joining import View
from sonar_watch.ichthyolith.measuring import measure
from sonar_watch.ichthyolith.records import Slide, Tile
from sonar_watch.ichthyolith.regions import is_small, regions
from sonar_watch.ichthyolith.stored import Inputs, SlideRecord, code_of, plainly
from sonar_watch.ichthyolith.sweep import READING_ERRORS

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
    """What a second look at a view gave; None where there was none, or it failed."""

    probabilities: tuple[float, ...] | None
    axes_px: tuple[float, float] | None


@dataclass(slots=True, kw_only=True)
class Looked:
    """The looks of all views that were asked for, which tiles failed, and what was run."""

    looks: dict[View, Look] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ran: dict[str, tuple[int, str]] = field(default_factory=dict)


def look(
    slide: Slide,
    views: Sequence[View],
    contents: Mapping[str, str],
    record: SlideRecord,
    classifier: tuple[str, Callable[[], Classifying]] | None,
    workers: int,
) -> Looked:
    """Return a second look at each view; what the record knows is taken from there.

    Parameters
    ----------
    slide : Slide
    views : sequence of View
        The best one of each object.
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
    content = {part_of(view): contents[view.image] for view in views}
    steps = {MEASURED: {"program": code_of("ichthyolith.measuring", *_READ_BY),
                        "content": content}}  # fmt: skip
    if classifier is not None:
        steps[CLASSIFIED] = {
            "classifier": classifier[0], "content": content,
            "program": code_of("ichthyolith.classifier", "detection.letterbox", *_READ_BY),
        }  # fmt: skip
    looked = Looked()
    missing = {
        step: {view for view in views if record.result(step, inputs, part_of(view)) is None}
        for step, inputs in steps.items()
    }
    for step, some in missing.items():
        if some:
            first = min(some, key=part_of)
            looked.ran[step] = (len(some), record.reason(step, steps[step], part_of(first)))
    work = _Work(record, steps, missing, classifier, looked)
    work.run(slide, workers)
    for view in views:
        looked.looks[view] = _look_of(record, steps, view)
    return looked


def part_of(view: View) -> str:
    """Return how a view is called in the record."""
    return f"{view.image} {' '.join(f'{side:g}' for side in view.box)}"


def _look_of(record: SlideRecord, steps: Mapping[str, Inputs], view: View) -> Look:
    part = part_of(view)
    seen = record.result(CLASSIFIED, steps[CLASSIFIED], part) if CLASSIFIED in steps else None
    axes = record.result(MEASURED, steps[MEASURED], part)
    return Look(tuple(seen) if seen else None, (axes[0], axes[1]) if axes else None)


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
                    axes = _rounded(measure(region.image, box, 1.0))
                wanted = view in self.missing.get(CLASSIFIED, ())
                yield _Seen(view, axes, crop_of(region.image, box, MARGIN) if wanted else None)

    def _take(self, view: View, axes: list[float] | None, crop: ByteImage | None) -> None:
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
    axes: list[float] | None
    crop: ByteImage | None


def _rounded(axes: tuple[float, float] | None) -> list[float]:
    """Return axes as they are kept, [] for an object that could not be told apart."""
    return [] if axes is None else [round(axis, 2) for axis in axes]
