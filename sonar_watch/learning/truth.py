"""What is truly in the pictures of a labelled set: boxes, how faint, of which survey.

A set may hold `truth/<split>.jsonl`, an object per picture:

    {"image": "images/val/000001_03.png", "survey": "sim-000001", "kind": "simulated",
     "boxes": [{"class": "signal", "name": "plume-1", "xyxy": [10, 20, 40, 90],
                "contrast_db": 9.1, "ignored": false}]}

Without it the YOLO labels are the truth, of unknown contrast.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.errors import ConfigurationError, FormatError, ImageError
from sonar_watch.learning.annotations import label_path, read_dataset, read_labels

LABELLED = "labelled"
"""Kind of the pictures whose set does not say where they come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueObject:
    """One thing in one picture.

    Parameters
    ----------
    class_name : str
    xyxy : tuple of four floats
        Left, top, right, bottom in pixels.
    contrast_db : float
        Over its surroundings; NaN where nobody knows.
    ignored : bool
        Too faint or too small to ask for: found or not, it counts neither way.
    name : str
        The same in every picture of the survey; "" where it has none.
    """

    class_name: str
    xyxy: tuple[float, float, float, float]
    contrast_db: float = math.nan
    ignored: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTruth:
    """What is in one picture.

    Parameters
    ----------
    image : Path
    survey : str
        Pictures of one survey resemble each other: splits and error bars go by it.
    kind : str
        "simulated", "injected", "real" or "labelled".
    objects : tuple of TrueObject
    """

    image: Path
    survey: str = ""
    kind: str = LABELLED
    objects: tuple[TrueObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthSet:
    """The pictures of one split of a labelled set, and what is in each.

    Parameters
    ----------
    class_names : tuple of str
    pictures : tuple of PictureTruth
    encoding : {"layers", "grey", "picture"}
        What the values mean: the watch's own, or whatever somebody's program drew. When
        `dataset.yaml` does not say, pictures whose truth says where they come from are the
        watch's own.
    """

    class_names: tuple[str, ...]
    pictures: tuple[PictureTruth, ...]
    encoding: str = "picture"


def read_truth_set(data: Path, split: str = "val") -> TruthSet:
    """Return what is in each picture of a split, sorted by file name.

    Parameters
    ----------
    data : Path
        The set's YAML file, or the folder that holds `dataset.yaml`.
    split : {"train", "val", "test"}

    Raises
    ------
    FormatError
        A broken dataset file, label or line of truth; a picture that the truth does not know.
    ConfigurationError
        No such split.
    """
    path = data / "dataset.yaml" if data.is_dir() else data
    dataset = read_dataset(path)
    if split not in dataset.images:
        raise ConfigurationError(f"split: expected one of {[*dataset.images]}, received {split!r}")
    images, names = dataset.images[split], dataset.class_names
    told = path.parent / "truth" / f"{split}.jsonl"
    if not told.exists():
        pictures = tuple(_from_labels(image, names) for image in images)
    else:
        pictures = _from_lines(told, images, names)
    return TruthSet(
        class_names=names, pictures=pictures, encoding=dataset.encoding or _guessed(pictures)
    )


def _guessed(pictures: Sequence[PictureTruth]) -> str:
    """Return the encoding of a set that does not say: older ones of ours tell it by their truth."""
    ours = bool(pictures) and all(one.kind != LABELLED for one in pictures)
    return "layers" if ours else "picture"


def read_picture(path: Path) -> ByteImage:
    """Return the image of a file as BGR, as the trainer reads it.

    Raises
    ------
    ImageError
        It cannot be read.
    """
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path}: expected an image, could not decode it")
    return np.asarray(image, np.uint8)


def from_detections(truth: Detections, image: Path = Path()) -> PictureTruth:
    """Return boxes as the truth of a picture, of unknown contrast."""
    objects = tuple(TrueObject(class_name=row.class_name, xyxy=row.xyxy) for row in truth)
    return PictureTruth(image=image, objects=objects)


def _from_labels(image: Path, names: tuple[str, ...]) -> PictureTruth:
    """Return what the YOLO labels beside an image say; its size turns them into pixels."""
    path = label_path(image)
    if not path.exists() or not path.stat().st_size:
        return PictureTruth(image=image)
    height, width = read_picture(image).shape[:2]
    return from_detections(read_labels(path, width, height, names), image)


def _from_lines(
    path: Path, images: Sequence[Path], names: tuple[str, ...]
) -> tuple[PictureTruth, ...]:
    """Return the truth of these images from a file that may know more of them."""
    known: dict[str, PictureTruth] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            picture = _parse_picture(line, f"{path} line {number}", names)
            known[picture.image.name] = picture
    missing = [image.name for image in images if image.name not in known]
    if missing:
        raise FormatError(
            f"expected a line for each of {len(images)} pictures, none for {len(missing)}, "
            f"such as {missing[0]}", file=str(path),
        )
    return tuple(_with_path(known[image.name], image) for image in images)


def _with_path(picture: PictureTruth, image: Path) -> PictureTruth:
    return PictureTruth(
        image=image, survey=picture.survey, kind=picture.kind, objects=picture.objects
    )


def _parse_picture(line: str, where: str, names: tuple[str, ...]) -> PictureTruth:
    try:
        body = json.loads(line)
        return PictureTruth(
            image=Path(body["image"]),
            survey=str(body.get("survey", "")),
            kind=str(body.get("kind", LABELLED)),
            objects=tuple(_parse_object(box, where, names) for box in body["boxes"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"expected a picture's truth: {error!r}", file=where) from error


def _parse_object(box: dict[str, Any], where: str, names: tuple[str, ...]) -> TrueObject:
    if box["class"] not in names:
        raise FormatError(f"class: expected one of {names}, received {box['class']!r}", file=where)
    x1, y1, x2, y2 = (float(value) for value in box["xyxy"])
    if not (np.isfinite([x1, y1, x2, y2]).all() and x1 <= x2 and y1 <= y2):
        raise FormatError(f"xyxy: expected left <= right, top <= bottom: {box['xyxy']}", file=where)
    contrast = box.get("contrast_db")
    return TrueObject(
        class_name=box["class"],
        xyxy=(x1, y1, x2, y2),
        contrast_db=math.nan if contrast is None else float(contrast),
        ignored=bool(box.get("ignored", False)),
        name=str(box.get("name", "")),
    )
