"""What `sonar-watch train` and `train-classifier` make of a reviewer's verdicts on slides."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sonar_watch.cli.common import existing, refuse_idle
from sonar_watch.cli.output import progress
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonar_watch.ichthyolith.records import Tile
    from sonar_watch.ichthyolith.review import Applied

VERDICT_FLAGS = ("--tiles", "--detections")
"""What only verdicts need."""

LESSONS = "reviewed"
"""Folder below --out in which the set is written that verdicts make."""


def add_verdict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of learning from verdicts."""
    group = parser.add_argument_group(
        "from verdicts",
        "of what a person saved in the gallery of `sonar-watch slides --review`, a .json file, a "
        f"set is made first, in {LESSONS}/ below --out",
    )
    group.add_argument("--tiles", type=Path, default=None, metavar="DIR",
                       help="the folder of slides that was counted")  # fmt: skip
    group.add_argument("--detections", type=Path, default=None, metavar="CSV",
                       help="the detections.csv beside which the gallery was written")  # fmt: skip


def are_verdicts(path: Path) -> bool:
    """Return whether a training set is to be made of this file first."""
    return path.suffix.lower() == ".json"


def refuse_idle_verdicts(
    options: argparse.Namespace,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    data: Path,
) -> None:
    """Refuse what belongs to verdicts without them, and verdicts without what belongs to them.

    Raises
    ------
    ConfigurationError
    """
    if not are_verdicts(data):
        refuse_idle(options, add_arguments, VERDICT_FLAGS, "without verdicts, a .json file")
        return
    missing = [flag for flag in VERDICT_FLAGS if getattr(options, flag.removeprefix("--")) is None]
    if missing:
        raise ConfigurationError(f"{data}: expected {' and '.join(missing)} with verdicts")


def boxes_of(verdicts: Path, options: argparse.Namespace) -> Path:
    """Return the dataset.yaml of the tiles on which something was judged, written now.

    With --resume the one that is there: training goes on with what it began with.

    Raises
    ------
    ConfigurationError
        Nothing was judged, or a set is there already.
    FormatError
        A file is not what it should be.
    """
    from sonar_watch.ichthyolith.review import reviewed_pictures, write_reviewed_set

    folder = options.out / LESSONS
    if options.resume and (folder / "dataset.yaml").exists():
        return Path(folder / "dataset.yaml")
    applied, tiles = _judged(verdicts, options)
    with progress("pictures") as advance:
        pictures = reviewed_pictures(applied.objects, tiles, unsure=applied.unsure)
        return write_reviewed_set(folder, pictures, advance).data


def crops_of(verdicts: Path, options: argparse.Namespace) -> Path:
    """Return the folder of crops of what was judged, written now.

    Raises
    ------
    ConfigurationError, FormatError
        As `boxes_of`.
    """
    from sonar_watch.ichthyolith.review import write_reviewed_crops

    folder: Path = options.out / LESSONS
    if folder.exists():
        if options.resume:
            return folder
        raise ConfigurationError(f"{folder}: holds a set already; --resume, or another --out")
    applied, tiles = _judged(verdicts, options)
    with progress("crops") as advance:
        write_reviewed_crops(folder, applied.objects, tiles, advance)
    return folder


def _judged(verdicts: Path, options: argparse.Namespace) -> tuple[Applied, dict[str, Tile]]:
    """Return the objects of a run as a person sees them, and the tiles by image."""
    from sonar_watch.ichthyolith.review import apply_verdicts, read_verdicts
    from sonar_watch.ichthyolith.tables import read_detections
    from sonar_watch.ichthyolith.tree import read_tree

    said = read_verdicts(existing(verdicts)).verdicts
    applied = apply_verdicts(read_detections(existing(options.detections)), said)
    slides, _ = read_tree(existing(options.tiles))
    return applied, {tile.image: tile for slide in slides for tile in slide.tiles}
