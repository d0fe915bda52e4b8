"""What people said of objects, as pictures and crops to learn from.

A picture is a tile, or a window of a larger image, in which a person judged something. What
was judged is labelled with the person's class. What the networks took for an ichthyolith and
nobody judged, or nobody could tell, is painted over: it can be called neither right nor wrong.
The picture is flattened, as the detector is shown it.
What they took for noise keeps that label, unseen, where the set has such a class.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.tiling import Window, windows
from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.ichthyolith.classifier import MARGIN
from sonar_watch.ichthyolith.particles import background, flattened
from sonar_watch.ichthyolith.records import CLASSES, ICHTHYOLITHS, Box, SlideObject, Tile
from sonar_watch.ichthyolith.regions import regions
from sonar_watch.ichthyolith.review.crops import crops_of
from sonar_watch.ichthyolith.review.painting import painted_over
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import label_path, write_dataset, write_labels
from sonar_watch.learning.crops import SURVEY_END
from sonar_watch.learning.review import ReviewedPicture

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedOptions:
    """How judged objects become pictures to learn from.

    Parameters
    ----------
    class_names : tuple of str
        Of the set; objects of other classes are background.
    window_px : int
        Larger images are cut into windows of this side, as the detector is shown them.
    overlap_px : int
        Of the windows.
    least_seen : float
        An object that a window shows less of than this is painted over there, 0 to 1.

    Raises
    ------
    ConfigurationError
        No classes, unknown ones, or a number beyond its range.
    """

    class_names: tuple[str, ...] = CLASSES
    window_px: int = 1200
    overlap_px: int = 240
    least_seen: float = 0.5

    def __post_init__(self) -> None:
        if not self.class_names or not set(self.class_names) <= set(CLASSES):
            raise ConfigurationError(
                f"class_names: expected some of {', '.join(CLASSES)}, received "
                f"{', '.join(self.class_names)}"
            )
        if not 0 <= self.overlap_px < self.window_px or not 0.0 < self.least_seen <= 1.0:
            raise ConfigurationError(
                "expected overlap_px from 0 to below window_px and least_seen above 0 up to 1, "
                f"received {self.overlap_px}, {self.window_px} and {self.least_seen}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedSet:
    """A set that was written: its YAML file, its pictures, and the boxes in them."""

    data: Path
    pictures: int
    boxes: int


class _Mark(NamedTuple):
    """A box in a tile and what is known of it; "" is what can be called nothing."""

    box: Box
    class_name: str
    reviewed: bool
    was_wrong: bool


def reviewed_pictures(
    objects: Iterable[SlideObject],
    tiles: Mapping[str, Tile],
    options: ReviewedOptions | None = None,
    unsure: Collection[str] = frozenset(),
) -> Iterator[ReviewedPicture]:
    """Yield the pictures in which a person judged something, tile by tile.

    Parameters
    ----------
    objects : iterable of SlideObject
        All of the slides, after `apply_verdicts`: what is not among them counts as background.
    tiles : mapping of str to Tile
        By `image`. A missing or broken one is logged and left out.
    options : ReviewedOptions or None
    unsure : collection of str
        Names of the objects that a person could not tell, `Applied.unsure`.

    Notes
    -----
    What the detector never found is in no gallery, so its picture calls it background: draw
    boxes with another program where recall is to be learned.
    """
    options = options or ReviewedOptions()
    marks: dict[str, list[_Mark]] = {}
    slides: dict[str, str] = {}
    for one in objects:
        for seen in one.sightings:
            slides[seen.image] = f"{one.site}-{one.sample}-{one.slide}"
            mark = _mark(one, seen.xyxy_px, one.object_id in unsure)
            marks.setdefault(seen.image, []).append(mark)
    for image, members in sorted(marks.items()):
        if not any(one.reviewed for one in members):
            continue
        if (tile := tiles.get(image)) is None:
            log.warning("%s: no such tile: nothing is learned from it", image)
            continue
        yield from _pictures(tile, members, slides[image], options)


def _mark(one: SlideObject, box: Box, is_unsure: bool) -> _Mark:
    undecided = is_unsure or (not one.reviewed and one.class_name in ICHTHYOLITHS)
    return _Mark(
        box=box,
        class_name="" if undecided else one.class_name,
        reviewed=one.reviewed and not is_unsure,
        was_wrong=one.reviewed and one.class_name == "noise" and one.detector_class != "noise",
    )


def _pictures(
    tile: Tile, marks: Sequence[_Mark], survey: str, options: ReviewedOptions
) -> Iterator[ReviewedPicture]:
    """Yield the windows of a tile that show something judged."""
    chosen = _windows_of(tile, marks, options)
    boxes = [_box_of(window) for window in chosen]
    try:
        for region in regions(tile, boxes):
            for place in region.places:
                window, top = chosen[place], chosen[place].y_px - region.top_px
                part = region.image[top : top + window.height_px, window.x_px : window.right_px]
                yield _picture(tile, window, part, marks, survey, options)
    except (ImageError, OSError) as error:
        log.warning("%s: nothing is learned from it: %s", tile.image, error)


def _windows_of(tile: Tile, marks: Sequence[_Mark], options: ReviewedOptions) -> list[Window]:
    """Return for each judged box the window that shows most of it, each once."""
    every = windows(tile.width_px, tile.height_px, options.window_px, options.overlap_px)
    chosen = {
        max(every, key=lambda window, mark=mark: _seen(mark.box, window))  # type: ignore[misc]
        for mark in marks
        if mark.reviewed
    }
    return sorted(chosen)


def _box_of(window: Window) -> Box:
    return window.x_px, window.y_px, window.right_px, window.bottom_px


def _inside(box: Box, window: Window) -> Box:
    """Return the part of a box that a window shows, in the window's pixels; maybe without area."""
    x, y = window.x_px, window.y_px
    return (
        min(max(box[0] - x, 0.0), window.width_px),
        min(max(box[1] - y, 0.0), window.height_px),
        min(max(box[2] - x, 0.0), window.width_px),
        min(max(box[3] - y, 0.0), window.height_px),
    )


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _seen(box: Box, window: Window) -> float:
    """Return the share of a box that a window shows."""
    return _area(_inside(box, window)) / _area(box) if _area(box) > 0 else 0.0


def _picture(
    tile: Tile,
    window: Window,
    part: ByteImage,
    marks: Sequence[_Mark],
    survey: str,
    options: ReviewedOptions,
) -> ReviewedPicture:
    shown = [(one, _inside(one.box, window), _seen(one.box, window)) for one in marks]
    known = [
        (one, box) for one, box, share in shown if share >= options.least_seen and one.class_name
    ]
    unknown = [
        box
        for one, box, share in shown
        if share > 0 and (share < options.least_seen or not one.class_name)
    ]
    rows = [
        [*box, 1.0, options.class_names.index(one.class_name)]
        for one, box in known
        if one.class_name in options.class_names
    ]
    name = tile.image.rsplit(".", 1)[0].replace("/", "-")
    image = painted_over(part, unknown, [box for _, box in known])
    return ReviewedPicture(
        name=f"{name}_{window.x_px}_{window.y_px}",
        image=flattened(image, background(image)),
        truth=Detections.from_rows(np.array(rows, np.float32).reshape(-1, 6), options.class_names),
        survey=survey,
        was_wrong=any(one.was_wrong for one, _ in known),
    )


def write_reviewed_set(
    out: Path,
    pictures: Iterable[ReviewedPicture],
    advance: Callable[[], object] | None = None,
) -> ReviewedSet:
    """Write pictures with their boxes in the YOLO format, for `sonar-watch train`.

    All are to train on, and to validate on as well: corrections are too few to hold some out.
    `learning.review.write_review_set` takes the same pictures and mixes in a base set.

    Parameters
    ----------
    out : Path
        A new folder.
    pictures : iterable of ReviewedPicture
        With the same classes.
    advance : callable or None
        Called after each.

    Raises
    ------
    ConfigurationError
        No picture, classes that differ, or a folder that holds a set already.
    ImageError
        A picture that cannot be written.
    """
    if (out / "images").exists():
        raise ConfigurationError(f"{out}: holds a set already; choose another folder")
    names: set[tuple[str, ...]] = set()
    surveys: set[str] = set()
    count = boxes = 0
    for one in pictures:
        names.add(one.truth.class_names)
        if len(names) > 1:
            raise ConfigurationError(f"{one.name}: expected one set of classes, received {names}")
        _write(out, one)
        surveys.add(one.survey)
        count, boxes = count + 1, boxes + len(one.truth)
        if advance is not None:
            advance()
    if not names:
        raise ConfigurationError("no object was reviewed: nothing to learn from")
    data = write_dataset(out, names.pop(), val="images/train", surveys={"train": sorted(surveys)})
    return ReviewedSet(data=data, pictures=count, boxes=boxes)


def _write(out: Path, picture: ReviewedPicture) -> None:
    path = out / "images" / "train" / f"{picture.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, picture.image)
    height, width = picture.image.shape[:2]
    write_labels(label_path(path), picture.truth, width, height)


def write_reviewed_crops(
    out: Path,
    objects: Iterable[SlideObject],
    tiles: Mapping[str, Tile],
    advance: Callable[[], object] | None = None,
) -> dict[str, int]:
    """Write a crop of each reviewed object, for `sonar-watch train-classifier`; count them.

    They lie in `OUT/CLASS/SLIDE__OBJECT.png`, so that slides are held out whole.

    Parameters
    ----------
    out : Path
        Made when missing; may hold crops of other sources already.
    objects : iterable of SlideObject
        After `apply_verdicts`; those that are not `reviewed` are left out.
    tiles : mapping of str to Tile
    advance : callable or None
        Called after each.

    Raises
    ------
    ConfigurationError
        No object was reviewed.
    ImageError
        A crop that cannot be written.
    """
    counts = dict.fromkeys(CLASSES, 0)
    judged = [one for one in objects if one.reviewed]
    if not judged:
        raise ConfigurationError("no object was reviewed: nothing to learn from")
    for crop in crops_of(judged, tiles, MARGIN, least_px=1.0):
        if crop.image is not None:
            one = crop.one
            name = f"{one.site}-{one.sample}-{one.slide}{SURVEY_END}{one.object_id}.png"
            (out / one.class_name).mkdir(parents=True, exist_ok=True)
            write_png(out / one.class_name / name, crop.image)
            counts[one.class_name] += 1
        if advance is not None:
            advance()
    return counts
