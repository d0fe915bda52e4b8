"""A training set of what people confirmed and rejected, mixed with what was learned before.

Trained on corrections alone, a network forgets the rest: so a share of the set that it comes
from goes with them. What was rejected comes several times, because it fooled the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.learning.annotations import (
    label_path,
    read_dataset,
    write_dataset,
    write_labels,
)
from sonar_watch.learning.classes import link_or_copy
from sonar_watch.learning.frozen import refuse_frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPicture:
    """A picture that somebody has judged.

    Parameters
    ----------
    name : str
        File name without suffix, unlike every other's.
    image : ndarray, shape (h, w) or (h, w, 3), uint8
    truth : Detections
        What is there, in the person's view; empty when all that was found there is nothing.
    survey : str
        Where it comes from, such as the raw file without suffix.
    was_wrong : bool
        Something was found here that is nothing.
    """

    name: str
    image: ByteImage
    truth: Detections
    survey: str
    was_wrong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MixOptions:
    """How corrections are mixed with what was learned before.

    Parameters
    ----------
    wrong_repeats, right_repeats : int
        How often a picture comes with something rejected in it, and one without.
    base_per_picture : int
        Pictures of the base set for each of those, as far as it has as many.
    seed : int
        Of the choice among the base set's.

    Raises
    ------
    ConfigurationError
        A number below 1, or a base below 0.
    """

    wrong_repeats: int = 3
    right_repeats: int = 1
    base_per_picture: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.wrong_repeats, self.right_repeats) < 1 or self.base_per_picture < 0:
            raise ConfigurationError(
                "expected repeats of 1 or more and base_per_picture of 0 or more, received "
                f"{self.wrong_repeats}, {self.right_repeats} and {self.base_per_picture}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSet:
    """The set written: its YAML file, and how many pictures of each kind are in it."""

    data: Path
    right: int
    wrong: int
    base: int


def write_review_set(
    out: Path,
    base: Path,
    pictures: Iterable[ReviewedPicture],
    options: MixOptions | None = None,
) -> ReviewSet:
    """Write a training set of judged pictures and a share of a base set.

    Parameters
    ----------
    out : Path
        A new folder.
    base : Path
        YAML file of the set to take a share of; its classes are those of the new one.
    pictures : iterable of ReviewedPicture
    options : MixOptions or None

    Raises
    ------
    ConfigurationError
        No picture was judged, the folder holds a set already, classes that differ, or anything
        that is kept for tests.
    FormatError
        A broken base set.
    ImageError
        A picture that cannot be written.
    """
    options = options or MixOptions()
    refuse_frozen(base)
    if (out / "images").exists():
        raise ConfigurationError(f"{out}: holds a set already; choose another folder")
    known = read_dataset(base)
    for part in ("images", "labels"):
        (out / part / "train").mkdir(parents=True)
    counts, surveys = _write_reviewed(out, pictures, known.class_names, options)
    weight = counts[0] * options.right_repeats + counts[1] * options.wrong_repeats
    taken = _sample(known.images.get("train", ()), weight * options.base_per_picture, options.seed)
    for number, image in enumerate(taken):
        _borrow(image, out, f"base_{number:06d}")
    surveys += [name for names in known.surveys.values() for name in names]
    data = write_dataset(
        out, known.class_names, val="images/train", surveys={"train": surveys},
        encoding=known.encoding,
    )
    refuse_frozen(data)
    return ReviewSet(data=data, right=counts[0], wrong=counts[1], base=len(taken))


def _write_reviewed(
    out: Path, pictures: Iterable[ReviewedPicture], names: tuple[str, ...], options: MixOptions
) -> tuple[list[int], list[str]]:
    """Write the judged pictures; return how many were right and wrong, and their surveys."""
    counts, surveys = [0, 0], []
    for picture in pictures:
        _expect_classes(picture, names)
        repeats = options.wrong_repeats if picture.was_wrong else options.right_repeats
        _write(out, picture, repeats)
        counts[picture.was_wrong] += 1
        surveys.append(picture.survey)
    if not surveys:
        raise ConfigurationError("no reviewed frame was found in the inputs: nothing to learn from")
    return counts, surveys


def _expect_classes(picture: ReviewedPicture, names: tuple[str, ...]) -> None:
    if picture.truth.class_names != names:
        raise ConfigurationError(
            f"{picture.name}: expected the classes {names} of the base set, received "
            f"{picture.truth.class_names}"
        )


def _write(out: Path, picture: ReviewedPicture, repeats: int) -> None:
    """Write one picture as often as it shall come."""
    import cv2

    height, width = picture.image.shape[:2]
    done, encoded = cv2.imencode(".png", picture.image)
    if not done:
        raise ImageError(f"{picture.name}: cannot be written as PNG")
    for number in range(repeats):
        path = out / "images" / "train" / f"{picture.name}_{number}.png"
        path.write_bytes(encoded.tobytes())
        write_labels(label_path(path), picture.truth, width, height)


def _sample(images: Sequence[Path], count: int, seed: int) -> list[Path]:
    """Return some of the images, in their order; all when there are no more."""
    if count >= len(images):
        return list(images)
    chosen = np.random.default_rng(seed).choice(len(images), count, replace=False)
    return [images[index] for index in sorted(chosen)]


def _borrow(image: Path, out: Path, stem: str) -> None:
    """Take an image of the base set and its labels over, without a copy where that can be."""
    target = out / "images" / "train" / f"{stem}{image.suffix.lower()}"
    link_or_copy(image, target)
    if label_path(image).exists():
        link_or_copy(label_path(image), label_path(target))
