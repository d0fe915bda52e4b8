"""How good a detector is: matching what was found with what is there, and counting.

Boxes are matched greedily, the most confident first, within their class; each true box can be
found once. That order makes one matching serve every threshold: leaving out the less confident
boxes never changes what the others were matched with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.learning.annotations import label_path, read_dataset, read_labels

FloatArray = npt.NDArray[np.float64]
Find = Callable[[Sequence[ByteImage]], list[Detections]]

ALL_CLASSES = "all"
"""Key of the scores of all classes together."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """The scores at one threshold.

    Parameters
    ----------
    confidence : float
        Boxes of at least this confidence count.
    precision, recall, f1 : float, 0 to 1
        Precision is 1 when nothing is found, recall is 1 when nothing is there.
    false_image_rate : float, 0 to 1
        Share of the images without such objects in which something was found.
    """

    confidence: float
    precision: float
    recall: float
    f1: float
    false_image_rate: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """The scores of one class, or of all, at every threshold that makes a difference.

    Parameters
    ----------
    truths : int
        Objects there are.
    images_without : int
        Images that have none.
    confidence : ndarray, shape (k,), falling
        Thresholds: each distinct confidence that was found.
    precision, recall, f1, false_image_rate : ndarray, shape (k,), 0 to 1
    """

    truths: int
    images_without: int
    confidence: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    false_image_rate: FloatArray

    @property
    def best(self) -> OperatingPoint:
        """The threshold with the highest F1; of equals the most confident."""
        return self.at(float(self.confidence[self.f1.argmax()])) if self.f1.size else self.at(1.0)

    def at(self, confidence: float) -> OperatingPoint:
        """Return the scores when boxes of at least that confidence count."""
        index = int(np.count_nonzero(self.confidence >= confidence)) - 1
        if index < 0:
            recall = 1.0 if self.truths == 0 else 0.0
            return OperatingPoint(confidence=confidence, precision=1.0, recall=recall,
                                  f1=recall, false_image_rate=0.0)
        return OperatingPoint(
            confidence=confidence,
            precision=float(self.precision[index]),
            recall=float(self.recall[index]),
            f1=float(self.f1[index]),
            false_image_rate=float(self.false_image_rate[index]),
        )


def match(found: Detections, truth: Detections, matching: Matching) -> npt.NDArray[np.bool_]:
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
    fitness = _fitness(found, truth, matching)
    is_true = np.zeros(len(found), bool)
    for index in np.argsort(-found.confidence, kind="stable"):
        if not np.any(fitness[index] > 0):
            continue
        is_true[index] = True
        fitness[:, fitness[index].argmax()] = 0.0
    return is_true


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
    if len(found) != len(truth):
        raise ConfigurationError(f"expected {len(truth)} results, received {len(found)}")
    names = truth[0].class_names if truth else ()
    if any(one.class_names != names for one in (*found, *truth)):
        raise ConfigurationError(f"expected the classes {names} in every image")
    hits = [match(one, other, matching or Matching())
            for one, other in zip(found, truth, strict=True)]
    classes = {ALL_CLASSES: list(range(len(names)))}
    classes |= {name: [index] for index, name in enumerate(names)}
    return {name: _score(found, truth, hits, wanted) for name, wanted in classes.items()}


def _score(
    found: Sequence[Detections],
    truth: Sequence[Detections],
    hits: Sequence[npt.NDArray[np.bool_]],
    wanted: list[int],
) -> Scores:
    """Return the scores of some classes from the matching of every image."""
    chosen = [np.isin(one.class_id, wanted) for one in found]
    truths = [int(np.isin(one.class_id, wanted).sum()) for one in truth]
    confidence = _joined([one.confidence[pick] for one, pick in zip(found, chosen, strict=True)])
    is_true = _joined([hit[pick] for hit, pick in zip(hits, chosen, strict=True)])
    thresholds = np.unique(confidence)[::-1]
    order = np.argsort(-confidence, kind="stable")
    counts = np.searchsorted(-confidence[order], -thresholds, side="right")
    true = np.cumsum(is_true[order])[counts - 1] if len(order) else np.zeros(0)
    loudest = np.array([
        one.confidence[pick].max(initial=0.0)
        for one, pick, count in zip(found, chosen, truths, strict=True) if count == 0
    ])
    flagged = np.array([np.count_nonzero(loudest >= limit) for limit in thresholds], float)
    recall = true / sum(truths) if sum(truths) else np.ones(len(thresholds))
    return Scores(
        truths=sum(truths),
        images_without=len(loudest),
        confidence=thresholds,
        precision=true / np.maximum(counts, 1),
        recall=recall,
        f1=2 * true / np.maximum(counts + sum(truths), 1),
        false_image_rate=flagged / max(len(loudest), 1),
    )


def _joined(parts: Sequence[npt.NDArray[Any]]) -> FloatArray:
    return np.concatenate(parts).astype(float) if parts else np.zeros(0)


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
        A broken dataset file or label.
    ConfigurationError
        No such split, or a detector with other classes.
    ImageError
        An image that cannot be read.
    """
    dataset = read_dataset(data)
    if split not in dataset.images:
        raise ConfigurationError(f"split: expected one of {[*dataset.images]}, received {split!r}")
    found: list[Detections] = []
    truth: list[Detections] = []
    for images, labels in _batches(dataset.images[split], dataset.class_names):
        found += find(images)
        truth += labels
    return [evaluate(found, truth, matching) for matching in matchings]


def _batches(
    paths: Sequence[Path], names: tuple[str, ...], size: int = 16
) -> Iterator[tuple[list[ByteImage], list[Detections]]]:
    """Yield images with their labels, a few at a time."""
    for start in range(0, len(paths), size):
        chunk = paths[start : start + size]
        images = [_read(path) for path in chunk]
        yield images, [
            read_labels(label_path(path), image.shape[1], image.shape[0], names)
            for path, image in zip(chunk, images, strict=True)
        ]


def _read(path: Path) -> ByteImage:
    """Return the image of a file, grey or BGR, as the trainer reads it."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path}: expected an image, could not decode it")
    return np.asarray(image, np.uint8)
