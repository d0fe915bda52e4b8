"""A labelled set seen with fewer classes: what is of the others becomes background."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.learning.annotations import Dataset, label_path, read_dataset, write_dataset


def keep_classes(data: Path, names: Sequence[str], out: Path) -> Path:
    """Write a set with some classes of another, and return its YAML file.

    Pictures are linked, or copied where links cannot be; labels of other classes are left out.

    Parameters
    ----------
    data : Path
        YAML file of the set.
    names : sequence of str
        Classes to keep, in their new order.
    out : Path
        Folder of the new set; what an earlier call wrote there is written anew.

    Raises
    ------
    ConfigurationError
        The set has no such class, or one is named twice.
    FormatError
        A broken dataset file or label.
    """
    known = read_dataset(data)
    if not names or len(set(names)) < len(names) or not set(names) <= set(known.class_names):
        raise ConfigurationError(
            f"classes: expected some of {', '.join(known.class_names)}, each once, received "
            f"{', '.join(names)}"
        )
    places = {known.class_names.index(name): place for place, name in enumerate(names)}
    for split in ("train", "val"):
        _write_split(known, split, places, out)
    return write_dataset(
        out, names, surveys=known.surveys or None, encoding=known.encoding
    )


def _write_split(known: Dataset, split: str, places: dict[int, int], out: Path) -> None:
    folder = out / "images" / split
    folder.mkdir(parents=True, exist_ok=True)
    label_path(folder / "x.png").parent.mkdir(parents=True, exist_ok=True)
    for image in known.images.get(split, ()):
        target = folder / image.name
        target.unlink(missing_ok=True)
        link_or_copy(image, target)
        label_path(target).write_text(_kept_lines(label_path(image), places), encoding="utf-8")


def _kept_lines(path: Path, places: dict[int, int]) -> str:
    """Return the lines of the classes kept, with their new numbers."""
    if not path.exists():
        return ""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        number, _, box = line.strip().partition(" ")
        if number and not number.isdecimal():
            raise FormatError(f"expected `class x y w h`, received {line!r}", file=str(path))
        if number and int(number) in places:
            kept.append(f"{places[int(number)]} {box}\n")
    return "".join(kept)


def link_or_copy(source: Path, target: Path) -> None:
    """Let a file be in a second place, without a copy where that can be."""
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
