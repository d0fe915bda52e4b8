"""How good a detector is on labelled pictures: run it once, score it every way that is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.matching import Judgement, Matching, Selection, judge, match
from sonar_watch.learning.scores import (
    OperatingPoint,
    Scores,
    f1_interval,
    recall_interval,
    score,
)
from sonar_watch.learning.truth import TruthSet, from_detections, read_picture, read_truth_set

__all__ = [
    "ALL_CLASSES", "MATCHINGS", "STRONG", "TIERS", "Judgement", "Matching", "OperatingPoint",
    "Scores", "Selection", "Tier", "collect", "evaluate", "evaluate_dataset",
    "headline_rows", "judge", "match", "report_rows", "score", "sweep_rows",
]

Find = Callable[[Sequence[ByteImage]], list[Detections]]

ALL_CLASSES = "all"
"""Key of the scores of all classes together."""

MATCHINGS = (Matching(iou=0.3), Matching(iou=0.5), Matching(criterion="centre"))
"""When a found box counts, as reports give it."""

SWEEP = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds of the rows of a sweep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """True boxes of like contrast: from, up to below, in dB over their surroundings.

    `with_ignored` asks for those as well that are too faint to ask for.
    """

    name: str
    contrast_db: tuple[float, float]
    with_ignored: bool = False


STRONG = Tier(name="8 dB and more", contrast_db=(8.0, math.inf))
FAINT = Tier(name="5-8 dB", contrast_db=(5.0, 8.0))
TIERS = (
    Tier(name="3-5 dB", contrast_db=(3.0, 5.0), with_ignored=True),
    FAINT,
    Tier(name="8-12 dB", contrast_db=(8.0, 12.0)),
    Tier(name="12 dB and more", contrast_db=(12.0, math.inf)),
    STRONG,
)
"""In which reports tell plumes apart; the last holds the two before it."""


def evaluate(
    found: Sequence[Detections], truth: Sequence[Detections], matching: Matching | None = None
) -> dict[str, Scores]:
    """Return the scores of each class by its name, and of all together under "all".

    Parameters
    ----------
    found, truth : sequence of Detections
        One of each per image, with the same classes. Run the detector with a low confidence,
        such as 0.01: what it does not give cannot be swept.
    matching : Matching or None

    Raises
    ------
    ConfigurationError
        Lists that do not belong together, or other classes.
    """
    names = truth[0].class_names if truth else ()
    if any(one.class_names != names for one in truth):
        raise ConfigurationError(f"expected the classes {names} in every image")
    return _by_class(judge(found, [from_detections(one) for one in truth], names, matching))


def _by_class(judgement: Judgement) -> dict[str, Scores]:
    scores = {ALL_CLASSES: score(judgement)}
    for name in judgement.class_names:
        scores[name] = score(judgement, Selection(class_names=(name,)))
    return scores


def evaluate_dataset(
    find: Find, data: Path, split: str = "val", matchings: Sequence[Matching] = (Matching(),)
) -> list[dict[str, Scores]]:
    """Return the scores of a detector on the labelled images of a dataset, for each matching.

    Parameters
    ----------
    find : callable
        Such as `Detector.detect`; given a few images at a time.
    data : Path
        The dataset's YAML file.
    split : {"train", "val", "test"}
    matchings : sequence of Matching
        The detector runs once, however many there are.

    Raises
    ------
    FormatError
        A broken dataset file, label or truth.
    ConfigurationError
        No such split, one without pictures, or a detector with other classes.
    ImageError
        An image that cannot be read.
    """
    truth = read_truth_set(data, split)
    if not truth.pictures:
        raise ConfigurationError(f"{data}: expected pictures in the split {split!r}, it is empty")
    found = collect(find, truth)
    return [_by_class(judge(found, truth.pictures, truth.class_names, one)) for one in matchings]


def collect(find: Find, truth: TruthSet, batch: int = 16) -> list[Detections]:
    """Return what a detector finds in each picture of a set, a few at a time.

    Raises
    ------
    ImageError
        An image that cannot be read.
    """
    paths = [picture.image for picture in truth.pictures]
    found: list[Detections] = []
    for start in range(0, len(paths), batch):
        found += find([read_picture(path) for path in paths[start : start + batch]])
    return found


def report_rows(
    judgement: Judgement, matching: Matching, confidence: float, plume: str = "signal"
) -> Iterator[dict[str, Any]]:
    """Yield what is worth telling of one matching, a JSON-able row per kind, class and tier.

    Parameters
    ----------
    judgement : Judgement
    matching : Matching
        Which one it was.
    confidence : float
        The working threshold. Each row also has the best one; that of a tier is chosen on the
        pictures it is told of, so the first is the honest figure.
    plume : str
        The class that is told apart by contrast.
    """
    kinds = sorted(set(judgement.kinds))
    for kind in ["", *kinds] if len(kinds) > 1 else [""]:
        classes: list[tuple[str, ...]] = [(), *((name,) for name in judgement.class_names)]
        for names in classes:
            row = _row(judgement, Selection(class_names=names, kind=kind), confidence)
            yield {"matching": matching.name, "kind": kind or "all",
                   "class": names[0] if names else ALL_CLASSES, "contrast": "all", **row}
        for tier in TIERS:
            selection = _tier(tier, plume, kind)
            if selection.truths(judgement).any():
                yield {"matching": matching.name, "kind": kind or "all", "class": plume,
                       "contrast": tier.name, **_row(judgement, selection, confidence)}


def headline_rows(
    judgement: Judgement, matching: Matching, confidence: float, plume: str = "signal"
) -> Iterator[dict[str, Any]]:
    """Yield the figures by which detectors are compared, a row per kind and threshold.

    The thresholds are the working one, and the one at which F1 of plumes of `STRONG` contrast is
    highest over all kinds together: the same for every row, and for the fainter plumes.
    """
    best = score(judgement, _tier(STRONG, plume)).best.confidence
    kinds = sorted(set(judgement.kinds))
    for chosen, at in (("working", confidence), ("best for strong plumes", best)):
        for kind in ["", *kinds] if len(kinds) > 1 else [""]:
            strong, faint = _tier(STRONG, plume, kind), _tier(FAINT, plume, kind)
            every = score(judgement, Selection(class_names=(plume,), kind=kind)).at(at)
            strongly = score(judgement, strong)
            faintly = score(judgement, faint)
            yield {
                "headline": chosen,
                "confidence": at,
                "matching": matching.name,
                "kind": kind or "all",
                "strong": strongly.truths,
                "f1_strong": strongly.at(at).f1 if strongly.truths else None,
                "f1_strong_95": f1_interval(judgement, strong, at),
                "precision_strong": strongly.at(at).precision,
                "recall_strong": strongly.at(at).recall if strongly.truths else None,
                "faint": faintly.truths,
                "recall_faint": faintly.at(at).recall if faintly.truths else None,
                "false_image_rate": every.false_image_rate if strongly.images_without else None,
                "empty_image_rate": every.empty_image_rate if strongly.images_empty else None,
            }


def sweep_rows(
    judgement: Judgement, matching: Matching, plume: str = "signal"
) -> Iterator[dict[str, Any]]:
    """Yield the scores of all plumes, strong and faint ones at each of `SWEEP`, JSON-able."""
    every, strong, faint = (
        score(judgement, selection)
        for selection in (
            Selection(class_names=(plume,)), _tier(STRONG, plume), _tier(FAINT, plume)
        )
    )
    for confidence in SWEEP:
        strongly = _said(strong, confidence)
        yield {
            "sweep": confidence,
            "matching": matching.name,
            **{name: value for name, value in _said(every, confidence).items()
               if name != "confidence"},
            "f1_strong": strongly["f1"],
            "recall_strong": strongly["recall"],
            "recall_faint": _said(faint, confidence)["recall"],
        }


def _said(scores: Scores, confidence: float) -> dict[str, float | None]:
    """Return the scores at a threshold; None where there is nothing to score."""
    of = {
        "recall": scores.truths, "f1": scores.truths,
        "false_image_rate": scores.images_without, "empty_image_rate": scores.images_empty,
    }
    point = asdict(scores.at(confidence))
    return {name: value if of.get(name, 1) else None for name, value in point.items()}


def _tier(tier: Tier, plume: str, kind: str = "") -> Selection:
    return Selection(
        class_names=(plume,), kind=kind, contrast_db=tier.contrast_db,
        with_ignored=tier.with_ignored,
    )


def _row(judgement: Judgement, selection: Selection, confidence: float) -> dict[str, Any]:
    scores = score(judgement, selection)
    point = _said(scores, confidence)
    return {
        "images": int(selection.pictures(judgement).sum()),
        "truths": scores.truths,
        "images_without": scores.images_without,
        "images_empty": scores.images_empty,
        "at_threshold": {
            **point,
            "recall_95": recall_interval(judgement, selection, confidence),
            "f1_95": f1_interval(judgement, selection, confidence),
        },
        "best": _said(scores, scores.best.confidence),
    }
