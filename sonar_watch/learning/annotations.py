"""Labels in the YOLO text format, and the YAML file that describes a dataset.

One text file per image: a line `class x y w h` per object, the centre and the size as fractions
of the image. An image without objects has an empty file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sonar_watch.atomic import whole_file
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError, FormatError

SPLITS = ("train", "val", "test")
ENCODINGS = ("", "layers", "grey", "picture")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


def write_labels(path: Path, truth: Detections, width_px: int, height_px: int) -> None:
    """Write the boxes of one image, clipped to it; an empty file when there are none.

    Parameters
    ----------
    path : Path
        Its folder is made when missing.
    truth : Detections
        Boxes in pixels of the image; confidences are not written.
    width_px, height_px : int
        Of the image.
    """
    size = np.array([width_px, height_px] * 2, float)
    boxes = np.clip(truth.xyxy / size, 0.0, 1.0)
    lines = [
        f"{class_id} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"
        for class_id, (x1, y1, x2, y2) in zip(truth.class_id, boxes.tolist(), strict=True)
        if x2 > x1 and y2 > y1
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def read_labels(
    path: Path, width_px: int, height_px: int, class_names: tuple[str, ...]
) -> Detections:
    """Return the labelled boxes of one image, in pixels, each with confidence 1.

    A missing file means an image without objects, as for the trainer.

    Raises
    ------
    FormatError
        A line that is not five numbers, or numbers beyond the image or the classes.
    """
    if not path.exists():
        return Detections.empty(class_names)
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [
        _parse_line(line, f"{path.name} line {number}", len(class_names))
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    table = np.array(rows, float).reshape(-1, 5)
    centre, half = table[:, 1:3], table[:, 3:5] / 2
    corners = np.hstack([centre - half, centre + half]) * ([width_px, height_px] * 2)
    return Detections(
        xyxy=corners.astype(np.float32),
        confidence=np.ones(len(table), np.float32),
        class_id=table[:, 0].astype(np.int32),
        class_names=class_names,
    )


def _parse_line(line: str, where: str, classes: int) -> list[float]:
    """Return class, centre and size of one line, checked."""
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError as error:
        raise FormatError(f"expected `class x y w h`, received {line!r}", file=where) from error
    if len(numbers) != 5 or not all(0 <= number <= 1 for number in numbers[1:]):
        raise FormatError(f"expected a class and four fractions, received {line!r}", file=where)
    if numbers[0] not in range(classes):
        raise FormatError(f"expected a class below {classes}, received {line!r}", file=where)
    return numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Images with labels, in splits.

    Parameters
    ----------
    class_names : tuple of str
    images : mapping of str to tuple of Path
        Image files of each split ("train", "val", "test"), sorted by name.
    frozen : bool
        Kept for tests: training refuses it.
    surveys : mapping of str to tuple of str
        Names of the surveys in each split; empty when the set does not say.
    folders : mapping of str to Path
        Where the images of each split are.
    encoding : {"layers", "grey", "picture", ""}
        What the values of its pictures mean: ours, or whatever somebody's program drew; "" when
        the set does not say.
    """

    class_names: tuple[str, ...]
    images: Mapping[str, tuple[Path, ...]]
    frozen: bool = False
    surveys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)
    encoding: str = ""


def claim_folder(out: Path, options: Mapping[str, Any]) -> None:
    """Write into a folder which options its set is made with: `recipe.json`.

    Raises
    ------
    ConfigurationError
        It holds a set made with others.
    """
    recipe = json.dumps(options, indent=1, default=str)
    path = out / "recipe.json"
    if path.exists() and path.read_text(encoding="utf-8") != recipe:
        raise ConfigurationError(f"{out}: holds a set made with other options; choose another")
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(recipe.encode())


def write_dataset(
    root: Path,
    class_names: Sequence[str],
    train: str = "images/train",
    val: str = "images/val",
    *,
    surveys: Mapping[str, Sequence[str]] | None = None,
    frozen: bool = False,
    encoding: str = "",
) -> Path:
    """Write `root/dataset.yaml` and return its path.

    The labels of `images/train/x.png` are in `labels/train/x.txt`, as ultralytics expects.

    Parameters
    ----------
    surveys : mapping of split to names, optional
        Which surveys (a scene, a real file) the images of each split are of.
    frozen : bool
        The set is for tests alone; training will refuse it.
    encoding : {"layers", "grey", "picture", ""}
        As in `Dataset`.
    """
    document: dict[str, Any] = {
        "path": str(root.resolve()),
        "train": train,
        "val": val,
        "names": dict(enumerate(class_names)),
    }
    if frozen:
        document["frozen"] = True
    if encoding:
        document["encoding"] = encoding
    if surveys is not None:
        document["surveys"] = {split: sorted(set(names)) for split, names in surveys.items()}
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def read_dataset(path: Path) -> Dataset:
    """Return the classes and image files that a dataset's YAML file names.

    Raises
    ------
    FormatError
        It is missing, is not YAML, or lacks its names or its folders.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = document["names"]
        root = path.parent / document.get("path", ".")
        folders = {
            split: root / document[split] for split in SPLITS if document.get(split) is not None
        }
        surveys = {
            str(split): tuple(str(name) for name in names_of or ())
            for split, names_of in (document.get("surveys") or {}).items()
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"expected a dataset: {error!r}", file=str(path)) from error
    if isinstance(names, dict):
        names = [names[index] for index in sorted(names)]
    return Dataset(
        class_names=tuple(str(name) for name in names),
        images={split: _image_files(folder, path) for split, folder in folders.items()},
        frozen=document.get("frozen") is True,
        surveys=surveys,
        folders=folders,
        encoding=_encoding(document.get("encoding") or "", path),
    )


def _encoding(word: Any, dataset: Path) -> str:
    if word not in ENCODINGS:
        raise FormatError(
            f"encoding: expected layers, grey or picture, received {word!r}", file=str(dataset)
        )
    return str(word)


def write_resolved(data: Path, out: Path) -> Path:
    """Write a dataset's YAML file with whole paths to `out/data.yaml`, and return its path.

    The trainer takes a relative `path` from its working folder, we from the file's: so that the
    pictures trained on are the ones that were checked, it is told whole paths.

    Raises
    ------
    FormatError
        See `read_dataset`.
    """
    dataset = read_dataset(data)
    folders = {split: str(folder.absolute()) for split, folder in dataset.folders.items()}
    document = folders | {"names": dict(enumerate(dataset.class_names))}
    path = out / "data.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _image_files(folder: Path, dataset: Path) -> tuple[Path, ...]:
    """Return the images of one folder, sorted by name."""
    if not folder.is_dir():
        raise FormatError(f"expected a folder of images, received {folder}", file=str(dataset))
    return tuple(sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES))


def label_path(image: Path) -> Path:
    """Return where the labels of an image are: `.../images/... .png` -> `.../labels/... .txt`.

    >>> label_path(Path("set/images/val/0001.png")).as_posix()
    'set/labels/val/0001.txt'
    """
    parts = list(image.parts)
    places = [index for index, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts).with_suffix(".txt")
