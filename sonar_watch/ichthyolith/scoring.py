"""How right a count is: objects of a run beside the labels of a person, per class.

What is marked unsure counts neither way, whatever class it is called. Every tile is scored in its
own pixels, so that a box that the edge of a tile cuts is compared with the part that a person saw
there; an object that several tiles show is false once, and only when it is true in none of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.labels import LabelledObject, LabelledTile, read_labels
from sonar_watch.ichthyolith.records import ICHTHYOLITHS, Box, Sighting, SlideObject
from sonar_watch.learning.intervals import share_interval
from sonar_watch.learning.matching import NOTHING, BoolArray, Judgement, Matching, Selection, judge
from sonar_watch.learning.scores import count, f1_interval, score
from sonar_watch.learning.truth import PictureTruth, TrueObject

__all__ = [
    "ALL", "ANY", "MISSED", "ClassScore", "LabelledObject", "LabelledTile", "ScoringOptions",
    "SlideScores", "Stage", "read_labels", "score_slides",
]

ANY = "any"
"""Stands for an ichthyolith of whatever class."""

ALL = "all"
"""Names the scores of all classes together, the class being right."""

MISSED = "nothing"
"""In the confusion table: not found, or found where nothing is."""

Stage = Literal["final", "detector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """When a found object counts as a labelled one.

    Parameters
    ----------
    iou : float
        Least intersection over union of the boxes, above 0 up to 1.
    confidence : float
        Objects below it are not counted, 0 to 1; 0 takes all there are.
    stage : {"final", "detector"}
        Class and confidence that the run ended with, or those of its detector alone.
    cut : {"asked", "ignored"}
        Whether labels that the edge of a tile cuts are asked for.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    iou: float = 0.5
    confidence: float = 0.0
    stage: Stage = "final"
    cut: Literal["asked", "ignored"] = "asked"

    def __post_init__(self) -> None:
        if not 0.0 < self.iou <= 1.0:
            raise ConfigurationError(f"iou: expected above 0 up to 1, received {self.iou}")
        if not 0.0 <= self.confidence <= 1.0:
            raise ConfigurationError(f"confidence: expected 0..1, received {self.confidence}")

    @property
    def threshold(self) -> float:
        """The least confidence in the single precision that confidences have."""
        return float(np.float32(self.confidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """The scores of one class at the threshold.

    Parameters
    ----------
    class_name : str
        One of `ICHTHYOLITHS`, "all" (the class must be right) or "any" (it need not).
    truths, found, hits : int
        Labels asked for, objects found that are not ignored, and those of them that are true.
    precision, recall, f1 : float, 0 to 1, or None
        None where there is nothing to divide by: nothing found, or nothing to find.
    precision_95, recall_95 : (float, float)
        Wilson's interval, every object on its own.
    f1_95 : (float, float)
        Slides drawn anew; 0 to 1 from fewer than two slides.
    best_f1, best_confidence : float or None
        The highest F1 of any threshold on these very labels: too good to be expected again.
    """

    class_name: str
    truths: int
    found: int
    hits: int
    precision: float | None
    recall: float | None
    f1: float | None
    precision_95: tuple[float, float]
    recall_95: tuple[float, float]
    f1_95: tuple[float, float]
    best_f1: float | None
    best_confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideScores:
    """How one run did on labelled tiles.

    Parameters
    ----------
    options : ScoringOptions
    tiles, slides : int
        Labelled ones.
    unsure : int
        Labels that count neither way.
    elsewhere : int
        Objects on tiles that nobody labelled: not scored.
    classes : tuple of ClassScore
        Each of `ICHTHYOLITHS`, then "all", then "any".
    confusion : mapping of (labelled class, found class) to int
        "nothing" stands for what was missed, and for what was found where nothing is. Boxes are
        matched whatever their class.
    """

    options: ScoringOptions
    tiles: int
    slides: int
    unsure: int
    elsewhere: int
    classes: tuple[ClassScore, ...]
    confusion: Mapping[tuple[str, str], int]

    def of(self, class_name: str) -> ClassScore:
        """Return the scores of one class, "all" or "any"."""
        return next(one for one in self.classes if one.class_name == class_name)


def score_slides(
    objects: Iterable[SlideObject],
    labels: Sequence[LabelledTile],
    options: ScoringOptions | None = None,
) -> SlideScores:
    """Return how right the objects of a run are on labelled tiles.

    Parameters
    ----------
    objects : iterable of SlideObject
        Of one run, or of several that each saw slides left out of their training, pooled.
        Those of class noise were rejected and count as not found.
    labels : sequence of LabelledTile
        Those to be scored: tiles on which nothing was found, too.
    options : ScoringOptions or None

    Raises
    ------
    ConfigurationError
        No labels, or none of the objects lies on a labelled tile.
    """
    options = options or ScoringOptions()
    if not labels:
        raise ConfigurationError("labels: expected labelled tiles, received none")
    seen, elsewhere = _seen(objects, labels, options)
    named, _ = _judged(seen, labels, options, ICHTHYOLITHS)
    anyhow, rows = _judged(seen, labels, options, (ANY,))
    classes = [_class_score(named, (name,), name, options) for name in ICHTHYOLITHS]
    return SlideScores(
        options=options,
        tiles=len(labels),
        slides=len({tile.key for tile in labels}),
        unsure=sum(not one.sure for tile in labels for one in tile.objects),
        elsewhere=elsewhere,
        classes=(*classes, _class_score(named, (), ALL, options),
                 _class_score(anyhow, (), ANY, options)),
        confusion=_confusion(anyhow, rows, labels, options),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One object in one labelled tile."""

    tile: int
    object_id: str
    xyxy_px: Box
    class_name: str
    confidence: float


def _seen(
    objects: Iterable[SlideObject], labels: Sequence[LabelledTile], options: ScoringOptions
) -> tuple[list[_Seen], int]:
    """Return the objects tile by tile, and how many lie on tiles without labels."""
    find = _Finder(labels)
    seen: list[_Seen] = []
    elsewhere = 0
    for one in objects:
        views = list(_views(one, find, options.stage))
        elsewhere += not views
        seen += views
    if elsewhere and not seen and not find.found:
        raise ConfigurationError(
            f"expected objects on labelled tiles such as {labels[0].image}, received {elsewhere} "
            "on others; give the folder that the labels lie in to `sonar-watch slides`"
        )
    return sorted(seen, key=lambda one: one.tile), elsewhere


class _Finder:
    """Finds the labelled tile of an image: by its path, else by a file name that is unique."""

    def __init__(self, labels: Sequence[LabelledTile]) -> None:
        self._paths = {tile.image: number for number, tile in enumerate(labels)}
        names = [PurePosixPath(tile.image).name for tile in labels]
        often = Counter(names)
        self._names = {name: number for number, name in enumerate(names) if often[name] == 1}
        self.found = False

    def __call__(self, image: str) -> int | None:
        number = self._paths.get(image, self._names.get(PurePosixPath(image).name))
        self.found |= number is not None
        return number


def _views(one: SlideObject, find: _Finder, stage: Stage) -> Iterator[_Seen]:
    """Yield an object once per labelled tile: there, its surest box."""
    name, confidence = one.class_name, one.confidence
    if stage == "detector":
        name, confidence = one.detector_class, one.detector_confidence
    surest: dict[int, Sighting] = {}
    for sighting in (one.best, *sorted(one.sightings, key=lambda other: -other.confidence)):
        number = find(sighting.image)
        if number is not None and number not in surest:
            surest[number] = sighting
    for number, sighting in surest.items():
        yield _Seen(tile=number, object_id=one.object_id, xyxy_px=sighting.xyxy_px,
                    class_name=name, confidence=confidence)


def _judged(
    seen: Sequence[_Seen],
    labels: Sequence[LabelledTile],
    options: ScoringOptions,
    names: tuple[str, ...],
) -> tuple[Judgement, list[_Seen]]:
    """Return what became of every object, and which; with one name only, whatever their classes."""
    counted = [one for one in seen if one.class_name in ICHTHYOLITHS]
    rows: list[list[tuple[float, ...]]] = [[] for _ in labels]
    for one in counted:
        rows[one.tile].append((*one.xyxy_px, one.confidence, _place(one.class_name, names)))
    judgement = judge(
        [Detections.from_rows(np.array(part, float).reshape(-1, 6), names) for part in rows],
        [_truth(tile, names, options) for tile in labels],
        names,
        Matching(iou=options.iou),
    )
    kept = _once_false(judgement, counted)
    thinned = replace(
        judgement, confidence=judgement.confidence[kept], class_id=judgement.class_id[kept],
        picture=judgement.picture[kept], truth=judgement.truth[kept],
    )
    return thinned, [counted[number] for number in np.flatnonzero(kept)]


def _place(name: str, names: tuple[str, ...]) -> int:
    return 0 if names == (ANY,) else names.index(name)


def _truth(tile: LabelledTile, names: tuple[str, ...], options: ScoringOptions) -> PictureTruth:
    """Return the labels as the matching wants them; what is ignored is so for every class."""
    objects = []
    for one in tile.objects:
        ignored = not one.sure or (one.cut and options.cut == "ignored")
        own = (names[_place(one.class_name, names)],)
        objects += [TrueObject(class_name=name, xyxy=one.xyxy_px, ignored=ignored)
                    for name in (names if ignored else own)]
    return PictureTruth(image=Path(tile.image), survey=tile.key, objects=tuple(objects))


def _once_false(judgement: Judgement, counted: Sequence[_Seen]) -> BoolArray:
    """Return which rows count: an object is false once, and only if true nowhere."""
    settled = {one.object_id for one, truth in zip(counted, judgement.truth, strict=True)
               if truth != NOTHING}
    kept = np.ones(len(counted), bool)
    for number, one in enumerate(counted):
        if judgement.truth[number] == NOTHING:
            kept[number] = one.object_id not in settled
            settled.add(one.object_id)
    return kept


def _class_score(
    judgement: Judgement, names: tuple[str, ...], title: str, options: ScoringOptions
) -> ClassScore:
    selection = Selection(class_names=names)
    counts = count(judgement, selection, options.threshold)
    best = score(judgement, selection).best
    there = counts.truths > 0
    return ClassScore(
        class_name=title,
        truths=counts.truths,
        found=counts.found,
        hits=counts.hits,
        precision=counts.hits / counts.found if counts.found else None,
        recall=counts.hits / counts.truths if there else None,
        f1=2 * counts.hits / (counts.found + counts.truths) if there else None,
        precision_95=share_interval(counts.hits, counts.found),
        recall_95=share_interval(counts.hits, counts.truths),
        f1_95=f1_interval(judgement, selection, options.threshold),
        best_f1=None if math.isnan(best.f1) else best.f1,
        best_confidence=None if math.isnan(best.f1) else best.confidence,
    )


def _confusion(
    judgement: Judgement,
    rows: Sequence[_Seen],
    labels: Sequence[LabelledTile],
    options: ScoringOptions,
) -> dict[tuple[str, str], int]:
    """Return how often each class was found as each other, at the threshold."""
    names = (*ICHTHYOLITHS, MISSED)
    table = {(one, other): 0 for one in names for other in names if (one, other) != (MISSED,) * 2}
    true_names = [one.class_name for tile in labels for one in tile.objects]
    missed = set(np.flatnonzero(~judgement.true_ignored).tolist())
    for row, truth in zip(rows, judgement.truth.tolist(), strict=True):
        if np.float32(row.confidence) < options.threshold:
            continue
        if truth == NOTHING:
            table[MISSED, row.class_name] += 1
        elif truth in missed:
            missed.remove(truth)
            table[true_names[truth], row.class_name] += 1
    for truth in missed:
        table[true_names[truth], MISSED] += 1
    return table
