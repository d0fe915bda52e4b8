"""Labelled sets from the simulator: pictures, YOLO labels, truth, dataset.yaml.

    shard of scenes -> passages -> rasteriser, in order -> pictures kept -> sheets or single fans

Every picture passes through the same raster as a ping at sea, with the pings before it in the
raster's memory. Splits are by survey: no scene and no real file gives pictures to two splits.
Training pictures are sheets (see `sheets`); validation and test pictures are single fans, as
the detector will see them.

Work is cut into shards of a few scenes that know nothing of each other: the set is the same
however many processes make it, and a set that was cut short goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.annotations import claim_folder, write_dataset
from sonar_watch.learning.frozen import FROZEN_NAME, known_frozen
from sonar_watch.records import ByteImage
from sonar_watch.side_by_side import done_side_by_side
from sonar_watch.simulation.injection import injected_passage, untouched_passage
from sonar_watch.simulation.labels import CLASS_NAMES
from sonar_watch.simulation.passages import Passage, simulated_passage
from sonar_watch.simulation.recipe import DatasetOptions, Split
from sonar_watch.simulation.recordings import Recording, read_recording
from sonar_watch.simulation.sheets import Picture, stack
from sonar_watch.simulation.shots import kept_swaths, pictures_of

__all__ = ["DatasetOptions", "Disturb", "make_dataset"]

Disturb = Callable[[ByteImage, np.random.Generator], ByteImage]
"""Returns a grey picture of the same size as it is after a screenshot, JPEG, colour map …"""

SCENES_PER_SHARD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of the set that is made at one go.

    Parameters
    ----------
    split : {"train", "val"}
    name : str
        Begins the names of its pictures.
    scenes : tuple of int
        Indices of its scenes.
    recording : Path or None
        Instead of scenes: the raw file whose untouched pings it holds.
    """

    split: Split
    name: str
    scenes: tuple[int, ...] = ()
    recording: Path | None = None


def make_dataset(
    out: Path,
    options: DatasetOptions,
    progress: Callable[[int], None] = lambda _: None,
    *,
    workers: int = 1,
    disturb: Disturb | None = None,
) -> Path:
    """Write a labelled set and return its `dataset.yaml`.

    Writes `images/{train,val}`, `labels/{train,val}`, `truth/{train,val}.jsonl`. A second call
    with the same options makes what is missing.

    Parameters
    ----------
    progress : callable
        Called with the number of scenes done since the last call.
    workers : int
        Processes; the set does not depend on their number.
    disturb : callable, optional
        A function of a module when there are several workers.

    Raises
    ------
    ConfigurationError
        A seed or a real file kept for tests in a set that is not frozen, one that is not in a
        set that is, or a folder that holds another set.
    """
    _refuse_reserved(options)
    _claim(out, options)
    shards = list(shards_of(options))
    left = [shard for shard in shards if not _part(out, shard).exists()]
    progress(sum(len(shard.scenes) for shard in shards if shard not in left))
    make = partial(make_shard, out, options, disturb=disturb)
    for made in done_side_by_side(make, left, workers):
        progress(made)
    return _complete(out, options, shards)


def _refuse_reserved(options: DatasetOptions) -> None:
    """Keep what is for tests and what is for training apart, both ways."""
    kept, names = known_frozen(), [path.stem for path in (*options.inject,
                                                          *options.inject_validation)]
    if not options.frozen:
        taken = [name for name in names if name in kept]
        if taken or kept.reserves(options.seed):
            what = ", ".join(taken) or f"seed {options.seed}"
            raise ConfigurationError(f"{what}: kept for tests; expected others, or a frozen set")
        return
    if kept.seeds and not kept.has_seed(options.seed):
        raise ConfigurationError(
            f"seed {options.seed}: expected one kept for tests, one of {kept.seeds}"
        )
    if free := [name for name in names if name not in kept]:
        raise ConfigurationError(
            f"inject: {', '.join(free)}: training may see it; expected files kept for tests "
            f"alone, named in {FROZEN_NAME}"
        )


def _claim(out: Path, options: DatasetOptions) -> None:
    """Write the recipe of a set; refuse a folder that holds a set of another."""
    claim_folder(out, asdict(options))
    (out / "truth" / "parts").mkdir(parents=True, exist_ok=True)
    for split in ("train", "val"):
        (out / "images" / split).mkdir(parents=True, exist_ok=True)


def shards_of(options: DatasetOptions) -> Iterator[Shard]:
    """Yield the parts of a set: validation first, then training, then untouched pings."""
    validation = round(options.scenes * options.validation_share)
    validation = options.scenes if options.frozen else validation
    parts: tuple[tuple[Split, int, int], ...] = (
        ("val", 0, validation),
        ("train", validation, options.scenes),
    )
    for split, first, end in parts:
        for start in range(first, end, SCENES_PER_SHARD):
            scenes = tuple(range(start, min(start + SCENES_PER_SHARD, end)))
            yield Shard(split=split, name=f"{start:06d}", scenes=scenes)
    for path in options.recordings("val") if options.frozen else ():
        yield Shard(split="val", name=path.stem, recording=path)


def make_shard(
    out: Path, options: DatasetOptions, shard: Shard, disturb: Disturb | None = None
) -> int:
    """Write the pictures of one shard; return the number of its scenes."""
    pictures = _pictures_of_shard(options, shard, disturb)
    if shard.split == "train":
        mixed = list(pictures)
        rng = np.random.default_rng((options.seed, *shard.scenes))
        shuffled = [mixed[place] for place in rng.permutation(len(mixed))]
        pictures = stack(shuffled, options.sheet_px)
    lines = [
        picture.write(out, shard.split, f"{shard.name}_{number:03d}")
        for number, picture in enumerate(pictures)
    ]
    with whole_file(_part(out, shard)) as file:
        file.write("".join(line + "\n" for line in lines).encode())
    return len(shard.scenes)


def _part(out: Path, shard: Shard) -> Path:
    return out / "truth" / "parts" / f"{shard.split}-{shard.name}.jsonl"


def _complete(out: Path, options: DatasetOptions, shards: Iterable[Shard]) -> Path:
    """Join the truth of the shards and write `dataset.yaml`."""
    surveys: dict[str, list[str]] = {"train": [], "val": []}
    with (
        whole_file(out / "truth" / "train.jsonl") as train,
        whole_file(out / "truth" / "val.jsonl") as val,
    ):
        for shard in shards:
            text = _part(out, shard).read_bytes()
            (train if shard.split == "train" else val).write(text)
            for line in text.splitlines():
                surveys[shard.split] += _surveys_of(json.loads(line))
    return write_dataset(out, CLASS_NAMES, surveys=surveys, frozen=options.frozen,
                         encoding=options.encoding)


def _surveys_of(truth: dict[str, Any]) -> list[str]:
    names: list[str] = truth.get("surveys", [truth["survey"]])
    return names


def _pictures_of_shard(
    options: DatasetOptions, shard: Shard, disturb: Disturb | None
) -> Iterator[Picture]:
    if shard.recording is not None:
        passage = untouched_passage(_recording(shard.recording))
        yield from pictures_of(passage, options, range(passage.count), options.encoding)
    for index in shard.scenes:
        rng = np.random.default_rng((options.seed, index))
        passage = _passage(index, rng, options, shard.split)
        grey = shard.split == "train" and rng.random() < options.grey_share
        encoding = "grey" if grey else options.encoding
        kept = kept_swaths(passage, options)
        settled = kept[0] - 1 if rng.random() < options.settled_share else 0
        shown = pictures_of(passage, options, kept, encoding, settled)
        if disturb and encoding == "grey" and rng.random() < options.disturbed_share:
            shown = (_disturbed(picture, disturb, rng) for picture in shown)
        yield from shown


def _passage(
    index: int, rng: np.random.Generator, options: DatasetOptions, split: Split
) -> Passage:
    files = options.recordings(split)
    scene = f"{'frozen' if options.frozen else 'sim'}-{options.seed}-{index:06d}"
    if files and rng.random() < options.inject_share:
        recording = _recording(files[int(rng.integers(len(files)))])
        return injected_passage(scene, rng, recording, options.swaths_per_scene)
    return simulated_passage(scene, rng, options.depth_m, options.swaths_per_scene)


@lru_cache(maxsize=16)
def _recording(path: Path) -> Recording:
    return read_recording(path)


def _disturbed(picture: Picture, disturb: Disturb, rng: np.random.Generator) -> Picture:
    return replace(picture, image=disturb(picture.image, rng))
