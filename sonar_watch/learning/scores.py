"""Precision, recall, F1 and false images at every threshold, from what became of each box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sonar_watch.learning.intervals import resampled_interval, share_interval
from sonar_watch.learning.matching import (
    NOTHING,
    BoolArray,
    FloatArray,
    IndexArray,
    Judgement,
    Selection,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """The scores at one threshold.

    Parameters
    ----------
    confidence : float
        Boxes of at least this confidence count.
    precision, recall, f1 : float, 0 to 1
        Precision is 1 when nothing is found; recall and F1 are NaN when nothing is there: a set
        without plumes says nothing of them.
    false_image_rate : float, 0 to 1
        Share of the images without such objects in which something was found.
    empty_image_rate : float, 0 to 1
        The same of the images that hold no object of any class.
    """

    confidence: float
    precision: float
    recall: float
    f1: float
    false_image_rate: float
    empty_image_rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """The scores of one class, or of all, at every threshold that makes a difference.

    Parameters
    ----------
    truths : int
        Objects there are.
    images_without : int
        Images that have none, not even one to be ignored.
    images_empty : int
        Images that have no object of any class.
    confidence : ndarray, shape (k,), falling
        Thresholds: each distinct confidence that was found.
    precision, recall, f1, false_image_rate, empty_image_rate : ndarray, shape (k,), 0 to 1
    """

    truths: int
    images_without: int
    images_empty: int
    confidence: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    false_image_rate: FloatArray
    empty_image_rate: FloatArray

    @property
    def best(self) -> OperatingPoint:
        """The threshold with the highest F1; of equals the most confident."""
        return self.at(float(self.confidence[self.f1.argmax()])) if self.f1.size else self.at(1.0)

    def at(self, confidence: float) -> OperatingPoint:
        """Return the scores when boxes of at least that confidence count."""
        index = int(np.count_nonzero(self.confidence >= confidence)) - 1
        if index < 0:
            recall = math.nan if self.truths == 0 else 0.0
            return OperatingPoint(confidence=confidence, precision=1.0, recall=recall,
                                  f1=recall, false_image_rate=0.0)
        return OperatingPoint(
            confidence=confidence,
            precision=float(self.precision[index]),
            recall=float(self.recall[index]),
            f1=float(self.f1[index]),
            false_image_rate=float(self.false_image_rate[index]),
            empty_image_rate=float(self.empty_image_rate[index]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counted:
    """What a selection asks for, and the found boxes that count for or against."""

    asked: BoolArray
    confidence: FloatArray
    is_true: BoolArray
    picture: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are, are found, and are found truly, at one threshold."""

    truths: int
    found: int
    hits: int


def count(judgement: Judgement, selection: Selection, confidence: float) -> Counts:
    """Return what precision and recall at a threshold are shares of."""
    counted = _count(judgement, selection)
    kept = counted.confidence >= confidence
    return Counts(
        truths=int(counted.asked.sum()),
        found=int(kept.sum()),
        hits=int(counted.is_true[kept].sum()),
    )


def _count(judgement: Judgement, selection: Selection) -> _Counted:
    """Leave out what lies on a true box that is not asked for: it counts neither way."""
    asked = selection.truths(judgement)
    chosen = np.isin(judgement.class_id, selection.classes(judgement))
    chosen &= selection.pictures(judgement)[judgement.picture]
    false = judgement.truth == NOTHING
    first = _first_of_each(judgement)
    true = ~false & first & np.append(asked, False)[judgement.truth]
    counts = chosen & (false | true)
    return _Counted(
        asked=asked,
        confidence=judgement.confidence[counts],
        is_true=true[counts],
        picture=judgement.picture[counts],
    )


def _first_of_each(judgement: Judgement) -> BoolArray:
    """Return which found boxes are the most confident on their true one."""
    order = np.argsort(-judgement.confidence, kind="stable")
    first = np.zeros(len(order), bool)
    first[order[np.unique(judgement.truth[order], return_index=True)[1]]] = True
    return first


def score(judgement: Judgement, selection: Selection | None = None) -> Scores:
    """Return the scores of what is selected, at every threshold.

    Parameters
    ----------
    judgement : Judgement
    selection : Selection or None
        None is everything. Found boxes that lie on a true box outside of it count neither way;
        false ones always count, since nobody can say how strong a plume they feign.
    """
    selection = selection or Selection()
    counted = _count(judgement, selection)
    truths = int(counted.asked.sum())
    thresholds = np.unique(counted.confidence)[::-1]
    order = np.argsort(-counted.confidence, kind="stable")
    counts = np.searchsorted(-counted.confidence[order], -thresholds, side="right")
    true = np.cumsum(counted.is_true[order])[counts - 1] if len(order) else np.zeros(0)
    without, empty = _pictures_without(judgement, selection)
    return Scores(
        truths=truths,
        images_without=int(without.sum()),
        images_empty=int(empty.sum()),
        confidence=thresholds,
        precision=true / np.maximum(counts, 1),
        recall=true / truths if truths else np.full(len(thresholds), math.nan),
        f1=2 * true / (counts + truths) if truths else np.full(len(thresholds), math.nan),
        false_image_rate=_flagged(counted, without, thresholds),
        empty_image_rate=_flagged(counted, empty, thresholds),
    )


def _pictures_without(judgement: Judgement, selection: Selection) -> tuple[BoolArray, BoolArray]:
    """Return which pictures hold nothing of the classes, and which hold nothing at all."""
    wanted = np.isin(judgement.true_class, selection.classes(judgement))
    without, empty = (selection.pictures(judgement) for _ in range(2))
    without[judgement.true_picture[wanted]] = False
    empty[judgement.true_picture] = False
    return without, empty


def _flagged(counted: _Counted, pictures: BoolArray, thresholds: FloatArray) -> FloatArray:
    """Return the share of some pictures in which something is found, at each threshold."""
    loudest = np.zeros(len(pictures))
    np.maximum.at(loudest, counted.picture, counted.confidence)
    falling = -np.sort(-loudest[pictures])
    return np.searchsorted(-falling, -thresholds, side="right") / max(int(pictures.sum()), 1)


def f1_interval(
    judgement: Judgement, selection: Selection, confidence: float
) -> tuple[float, float]:
    """Return the 95 % interval of F1 at a threshold, the surveys drawn anew.

    With one survey, or nothing asked for, it says nothing: then it is 0 to 1.
    """
    parts = _parts(judgement, selection, confidence)
    if len(parts) < 2 or not parts[:, 2].any():
        return 0.0, 1.0
    return resampled_interval(parts, lambda sums: _share(2 * sums[:, 0], sums[:, 1:].sum(axis=1)))


def recall_interval(
    judgement: Judgement, selection: Selection, confidence: float
) -> tuple[float, float]:
    """Return the 95 % interval of recall at a threshold.

    Pictures of one survey are alike: it is no narrower than what surveys drawn anew give, nor
    than that of as many objects apart (Wilson). With one survey it is the latter alone.
    """
    parts = _parts(judgement, selection, confidence)
    hits, _, truths = parts.sum(axis=0) if len(parts) else (0, 0, 0)
    low, high = share_interval(int(hits), int(truths))
    if len(parts) < 2 or not truths:
        return low, high
    least, most = resampled_interval(parts, lambda sums: _share(sums[:, 0], sums[:, 2]))
    return min(low, least), max(high, most)


def _parts(judgement: Judgement, selection: Selection, confidence: float) -> FloatArray:
    """Return hits, found boxes and true boxes of each survey, shape (surveys, 3)."""
    counted = _count(judgement, selection)
    names, survey = np.unique(np.array(judgement.surveys, str), return_inverse=True)
    kept = counted.confidence >= confidence
    places = survey[counted.picture[kept]]
    parts = np.stack([
        np.bincount(places, counted.is_true[kept], minlength=len(names)),
        np.bincount(places, minlength=len(names)),
        np.bincount(survey[judgement.true_picture[counted.asked]], minlength=len(names)),
    ], axis=1).astype(float)
    return np.asarray(parts[np.unique(survey[selection.pictures(judgement)])], float)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.asarray(part / np.maximum(whole, 1), float)
