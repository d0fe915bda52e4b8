"""Which found boxes are true: matching, once for every threshold.

Boxes are matched greedily, the most confident first, within their class; each true box can be
found once. That order makes one matching serve every threshold: leaving out the less confident
boxes never changes what the others were matched with. What fits no box that is asked for may
fit one that is to be ignored: then it counts neither way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.truth import PictureTruth, TrueObject

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

NOTHING = -1
"""Stands for the true box of a found one that fits none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """When a found box counts as a true one.

    Parameters
    ----------
    criterion : {"iou", "centre"}
        "iou": they overlap enough. "centre": the found box's centre lies in the true box.
    iou : float
        Least intersection over union, 0 to 1, for "iou"; tall thin plumes are usually judged
        at 0.3 as well as at 0.5.

    Raises
    ------
    ConfigurationError
        An overlap beyond 0..1.
    """

    criterion: Literal["iou", "centre"] = "iou"
    iou: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.iou <= 1.0:
            raise ConfigurationError(f"iou: expected above 0 up to 1, received {self.iou}")

    @property
    def name(self) -> str:
        """Such as "iou 0.3", or "centre"."""
        return f"iou {self.iou:g}" if self.criterion == "iou" else self.criterion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """What became of every found box, and of every true one, over many pictures.

    Parameters
    ----------
    class_names : tuple of str
    kinds, surveys : tuple of str
        Of each picture.
    confidence, class_id, picture : ndarray, shape (n,)
        Of the found boxes.
    truth : ndarray, shape (n,), int
        Which true box each found one is, an index into the next; NOTHING when it is false.
        Several may lie on one that is ignored, else each is found once.
    true_class, true_picture : ndarray, shape (m,), int
    true_contrast_db : ndarray, shape (m,)
        NaN where unknown.
    true_ignored : ndarray, shape (m,), bool
    """

    class_names: tuple[str, ...]
    kinds: tuple[str, ...]
    surveys: tuple[str, ...]
    confidence: FloatArray
    class_id: IndexArray
    picture: IndexArray
    truth: IndexArray
    true_class: IndexArray
    true_picture: IndexArray
    true_contrast_db: FloatArray
    true_ignored: BoolArray

    def found(self, confidence: float) -> BoolArray:
        """Return which true boxes were found at that confidence or a surer one, shape (m,)."""
        found = np.zeros(len(self.true_class), bool)
        found[self.truth[(self.confidence >= confidence) & (self.truth != NOTHING)]] = True
        return found


def match(found: Detections, truth: Detections, matching: Matching) -> BoolArray:
    """Return which found boxes are true, the most confident choosing first.

    Parameters
    ----------
    found, truth : Detections
        Of one image.
    matching : Matching

    Returns
    -------
    ndarray, shape (n,), bool
        In the order of `found`.
    """
    hit = _assign(found, truth, np.zeros(len(truth), bool), matching)
    return np.asarray(hit != NOTHING, bool)


def judge(
    found: Sequence[Detections],
    truth: Sequence[PictureTruth],
    class_names: tuple[str, ...],
    matching: Matching | None = None,
) -> Judgement:
    """Return what became of every box.

    Parameters
    ----------
    found : sequence of Detections
        One per picture; a detector may know fewer classes.
    truth : sequence of PictureTruth
    class_names : tuple of str
    matching : Matching or None

    Raises
    ------
    ConfigurationError
        Lists that do not belong together, or classes that the truth does not know.
    """
    if len(found) != len(truth):
        raise ConfigurationError(f"expected {len(truth)} results, received {len(found)}")
    found = [_with_classes(one, class_names) for one in found]
    objects = [_Objects(picture.objects, class_names) for picture in truth]
    firsts = np.cumsum([0, *(len(one.boxes) for one in objects)])
    hits = [
        _assign(one, wanted.boxes, wanted.ignored, matching or Matching())
        for one, wanted in zip(found, objects, strict=True)
    ]
    shifted = [np.where(hit == NOTHING, NOTHING, hit + first)
               for hit, first in zip(hits, firsts[:-1], strict=True)]
    return Judgement(
        class_names=class_names,
        kinds=tuple(picture.kind for picture in truth),
        surveys=tuple(picture.survey for picture in truth),
        confidence=_joined([one.confidence for one in found], float),
        class_id=_joined([one.class_id for one in found], np.intp),
        picture=_counted([len(one) for one in found]),
        truth=_joined(shifted, np.intp),
        true_class=_joined([one.boxes.class_id for one in objects], np.intp),
        true_picture=_counted([len(one.boxes) for one in objects]),
        true_contrast_db=_joined([one.contrast_db for one in objects], float),
        true_ignored=_joined([one.ignored for one in objects], bool),
    )


def _with_classes(found: Detections, names: tuple[str, ...]) -> Detections:
    """Return what was found with the classes of the truth, by their names."""
    if found.class_names == names:
        return found
    if not set(found.class_names) <= set(names):
        raise ConfigurationError(
            f"expected the classes {names} in every image, received {found.class_names}"
        )
    places = np.array([names.index(name) for name in found.class_names], np.int32)
    return Detections(
        xyxy=found.xyxy,
        confidence=found.confidence,
        class_id=places[found.class_id],
        class_names=names,
    )


class _Objects:
    """The objects of one picture as arrays."""

    def __init__(self, objects: Sequence[TrueObject], names: tuple[str, ...]) -> None:
        rows = [(*one.xyxy, 1.0, names.index(one.class_name)) for one in objects]
        self.boxes = Detections.from_rows(np.array(rows, float).reshape(-1, 6), names)
        self.ignored = np.array([one.ignored for one in objects], bool)
        self.contrast_db = np.array([one.contrast_db for one in objects], float)


def _assign(
    found: Detections, truth: Detections, ignored: BoolArray, matching: Matching
) -> IndexArray:
    """Return which true box each found one is, or NOTHING."""
    fitness = _fitness(found, truth, matching)
    asked, beside = np.where(ignored, 0.0, fitness), np.where(ignored, fitness, 0.0)
    hit = np.full(len(found), NOTHING, np.intp)
    if not len(truth):
        return hit
    for index in np.argsort(-found.confidence, kind="stable"):
        if np.any(asked[index] > 0):
            hit[index] = asked[index].argmax()
            asked[:, hit[index]] = 0.0
        elif np.any(beside[index] > 0):
            hit[index] = beside[index].argmax()
    return hit


def _fitness(found: Detections, truth: Detections, matching: Matching) -> FloatArray:
    """Return how well each found box fits each true one, 0 where they do not match."""
    same = found.class_id[:, None] == truth.class_id[None]
    if matching.criterion == "iou":
        overlap = intersection_over_union(found.xyxy, truth.xyxy)
        return np.where(same & (overlap >= matching.iou), overlap, 0.0)
    centre = (found.xyxy[:, None, :2] + found.xyxy[:, None, 2:]) / 2
    inside = (centre >= truth.xyxy[None, :, :2]) & (centre <= truth.xyxy[None, :, 2:])
    away = np.linalg.norm(centre - (truth.xyxy[None, :, :2] + truth.xyxy[None, :, 2:]) / 2, axis=2)
    return np.where(same & inside.all(axis=2), 1.0 / (1.0 + away), 0.0)


def _joined(parts: Sequence[npt.NDArray[Any]], kind: Any) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, kind)


def _counted(sizes: Sequence[int]) -> IndexArray:
    """Return the number of each picture, as often as it has boxes."""
    return np.repeat(np.arange(len(sizes)), sizes).astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which boxes are scored.

    Parameters
    ----------
    class_names : tuple of str
        () is all.
    kind : str
        Of the pictures; "" is all.
    contrast_db : tuple of float
        From, up to below. True boxes of other contrast are ignored, found or not; those of
        unknown contrast are only within (-inf, inf).
    with_ignored : bool
        Ask for the ignored ones as well: how many of the faintest are found all the same.
    """

    class_names: tuple[str, ...] = ()
    kind: str = ""
    contrast_db: tuple[float, float] = (-math.inf, math.inf)
    with_ignored: bool = False

    def pictures(self, judgement: Judgement) -> BoolArray:
        """Return which pictures are scored, shape (pictures,)."""
        return np.array([self.kind in ("", kind) for kind in judgement.kinds], bool)

    def classes(self, judgement: Judgement) -> list[int]:
        """Return the numbers of the classes that are scored."""
        names = judgement.class_names
        return [index for index, name in enumerate(names)
                if not self.class_names or name in self.class_names]

    def truths(self, judgement: Judgement) -> BoolArray:
        """Return which true boxes are asked for, shape (m,)."""
        low, high = self.contrast_db
        contrast = judgement.true_contrast_db
        within = np.isnan(contrast) if math.isinf(low) and math.isinf(high) else False
        within = within | ((contrast >= low) & (contrast < high))
        asked = within & np.isin(judgement.true_class, self.classes(judgement))
        asked &= self.pictures(judgement)[judgement.true_picture]
        return np.asarray(asked & (self.with_ignored | ~judgement.true_ignored), bool)
