"""A labelled set of crops: `CROPS/train/CLASS/*.png`, `CROPS/val/CLASS/*.png`.

Without those two a share of each class of `CROPS/CLASS/*.png` is held out. What comes before
two underscores in a file's name is the survey (slide, scene) that it was cut from; crops of one
survey are held out together, because they resemble each other.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonar_watch.errors import ConfigurationError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
SURVEY_END = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """One labelled crop.

    Parameters
    ----------
    path : Path
    class_id : int
        Its place in the classes of the set.
    survey : str
        What it was cut from; its own name where that is not told.
    """

    path: Path
    class_id: int
    survey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CropSet:
    """The crops to learn from, and those held out.

    Parameters
    ----------
    class_names : tuple of str
    train, val : tuple of Crop
        Sorted by class and name.
    """

    class_names: tuple[str, ...]
    train: tuple[Crop, ...]
    val: tuple[Crop, ...]

    def counts(self, crops: Iterable[Crop]) -> dict[str, int]:
        """Return how many crops there are of each class."""
        often = Counter(one.class_id for one in crops)
        return {name: often[number] for number, name in enumerate(self.class_names)}


def read_crops(
    root: Path,
    class_names: Sequence[str],
    val_share: float = 0.15,
    leave_out: Sequence[str] = (),
) -> CropSet:
    """Return the crops of a folder.

    Parameters
    ----------
    root : Path
    class_names : sequence of str
        Names of the folders of crops, in the order in which the network tells them.
    val_share : float
        About how much of each class is held out, 0 to 1, where the folder does not say itself.
    leave_out : sequence of str
        Crops of surveys whose names hold one of these are not used at all: they are for tests.

    Raises
    ------
    ConfigurationError
        No such folder, one of another class, a class without crops, a survey in both parts, or
        nothing to leave out.
    """
    if not root.is_dir():
        raise ConfigurationError(f"{root}: expected a folder of crops, no such folder")
    if (root / "train").is_dir():
        train = _crops(root / "train", class_names)
        val = _crops(root / "val", class_names) if (root / "val").is_dir() else []
        _refuse_shared(root, train, val)
    else:
        every = _crops(root, class_names)
        train = [one for one in every if _draw(one.survey) >= val_share]
        val = [one for one in every if _draw(one.survey) < val_share]
    for word in leave_out:
        if not any(word in one.survey for one in (*train, *val)):
            raise ConfigurationError(f"{root}: expected crops of {word} to leave out, found none")
    train, val = ([one for one in part if not any(word in one.survey for word in leave_out)]
                  for part in (train, val))
    crops = CropSet(class_names=tuple(class_names), train=tuple(train), val=tuple(val))
    empty = [name for name, often in crops.counts(crops.train).items() if not often]
    if empty:
        raise ConfigurationError(
            f"{root}: expected crops of every class to train on, none of {', '.join(empty)}"
        )
    return crops


def _crops(folder: Path, class_names: Sequence[str]) -> list[Crop]:
    unknown = sorted(one.name for one in folder.iterdir()
                     if one.is_dir() and one.name not in (*class_names, "val", "test"))
    if unknown:
        raise ConfigurationError(
            f"{folder}: expected a folder for each of {', '.join(class_names)}, "
            f"received {', '.join(unknown[:5])}"
        )
    return [
        Crop(path=path, class_id=number, survey=_survey(path))
        for number, name in enumerate(class_names)
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]


def _survey(path: Path) -> str:
    before, end, _ = path.name.partition(SURVEY_END)
    return before if end else f"{path.parent.name}/{path.name}"


def _draw(survey: str) -> float:
    """Return a number of 0 to 1 that the name alone decides: more crops move none of the others."""
    return int.from_bytes(hashlib.sha256(survey.encode()).digest()[:4], "big") / 2**32


def _refuse_shared(root: Path, train: Sequence[Crop], val: Sequence[Crop]) -> None:
    told = {one.survey for one in train if "/" not in one.survey}
    shared = sorted(told & {one.survey for one in val})
    if shared:
        raise ConfigurationError(
            f"{root}: expected each survey in one part, train and val share {shared[0]}"
            + (f" and {len(shared) - 1} more" if len(shared) > 1 else "")
        )
