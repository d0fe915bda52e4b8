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
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.annotations import write_dataset
from sonar_watch.learning.frozen import known_frozen
from sonar_watch.records import ByteImage
from sonar_watch.simulation.injection import injected_passage, untouched_passage
from sonar_watch.simulation.labels import CLASS_NAMES, label_of, to_label
from sonar_watch.simulation.passages import Passage, simulated_passage
from sonar_watch.simulation.recordings import Recording, read_recording
from sonar_watch.simulation.sheets import Picture, stack
from sonar_watch.watercolumn.opencv import opencv
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

__all__ = ["DatasetOptions", "Disturb", "make_dataset", "to_label"]

Encoding = Literal["layers", "grey"]
Split = Literal["train", "val"]
Disturb = Callable[[ByteImage, np.random.Generator], ByteImage]
"""Returns a grey picture of the same size as it is after a screenshot, JPEG, colour map …"""

SCENES_PER_SHARD = 8
_QUICK_PINGS = 4
"""A static background that settles this fast shows after the warm-up what takes hundreds at sea."""
_SHARES = ("validation_share", "grey_share", "disturbed_share", "settled_share", "inject_share")
_RECIPE = "recipe.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """What `sonar-watch simulate --kind dataset` makes.

    Parameters
    ----------
    scenes : int
        Seabeds with what lives over them; the ship passes over each once.
    swaths_per_scene : int
        Consecutive swaths of a passage, for each configuration of its sounder.
    warm_up : int
        Swaths at its begin, for each configuration, that fill the raster's memory alone.
    pictures_per_scene : int
        Pictures kept, evenly spread over the rest.
    validation_share : float
        Share of the scenes kept for validation, 0 to 1.
    depth_m : tuple of float
        Least and greatest depth; drawn evenly on a logarithmic scale.
    seed : int
    encoding : {"layers", "grey"}
    grey_share : float
        Share of the training scenes drawn in grey whatever the encoding, so that one network
        serves plain pictures too.
    disturbed_share : float
        Share of those that pass through `disturb`, where one is given.
    settled_share : float
        Share of the scenes whose static background is known when the bodies come, as in the
        midst of a line; in the others the line begins with the passage.
    inject : tuple of Path
        Raw files, training scenes are put into.
    inject_validation : tuple of Path
        The same for validation scenes.
    inject_share : float
        Share of the scenes put into real pings where there are any.
    frozen : bool
        A set for tests: all scenes are validation, `inject` files included, and the untouched
        pings of those files are added. Training refuses it.
    max_side_px : int
        Of the fan as drawn.
    sheet_px : int
        Side of a training sheet; fans are scaled to its width as the detector scales them.

    Raises
    ------
    ConfigurationError
        Numbers that make no set, or a real file in two splits.
    """

    scenes: int = 1000
    swaths_per_scene: int = 15
    warm_up: int = 4
    pictures_per_scene: int = 6
    validation_share: float = 0.1
    depth_m: tuple[float, float] = (30.0, 4000.0)
    seed: int = 1
    encoding: Encoding = "layers"
    grey_share: float = 0.3
    disturbed_share: float = 0.5
    settled_share: float = 0.7
    inject: tuple[Path, ...] = ()
    inject_validation: tuple[Path, ...] = ()
    inject_share: float = 0.25
    frozen: bool = False
    max_side_px: int = 1024
    sheet_px: int = 640

    def __post_init__(self) -> None:
        if self.scenes < 1 or not 0 <= self.warm_up < self.swaths_per_scene:
            raise ConfigurationError(
                "expected a scene or more, and fewer swaths to warm up than swaths, received "
                f"{self.scenes}, {self.warm_up}, {self.swaths_per_scene}"
            )
        if not 1 <= self.pictures_per_scene <= self.swaths_per_scene - self.warm_up:
            raise ConfigurationError(
                "pictures_per_scene: expected from 1 to the swaths after the warm-up, received "
                f"{self.pictures_per_scene}"
            )
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name}: expected 0..1, received {getattr(self, name)}")
        if not 10 <= self.depth_m[0] <= self.depth_m[1]:
            raise ConfigurationError(f"depth_m: expected 10 <= low <= high, got {self.depth_m}")
        if self.encoding not in ("layers", "grey"):
            raise ConfigurationError(f"encoding: expected layers or grey, got {self.encoding!r}")
        both = {path.stem for path in self.inject} & {path.stem for path in self.inject_validation}
        if both:
            raise ConfigurationError(f"inject: expected each file in one split, received {both}")

    def recordings(self, split: Split) -> tuple[Path, ...]:
        """Return the raw files that scenes of a split are put into."""
        if split == "train":
            return self.inject
        return self.inject + self.inject_validation if self.frozen else self.inject_validation


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
        A seed or a real file kept for tests in a set that is not frozen, or a folder that holds
        another set.
    """
    _refuse_reserved(options)
    _claim(out, options)
    shards = list(shards_of(options))
    left = [shard for shard in shards if not _part(out, shard).exists()]
    progress(sum(len(shard.scenes) for shard in shards if shard not in left))
    make = partial(make_shard, out, options, disturb=disturb)
    if workers == 1:
        for shard in left:
            progress(make(shard))
    else:
        _make_side_by_side(make, left, workers, progress)
    return _complete(out, options, shards)


def _make_side_by_side(
    make: Callable[[Shard], int],
    shards: Iterable[Shard],
    workers: int,
    progress: Callable[[int], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        waiting = [pool.submit(make, shard) for shard in shards]
        try:
            for done in as_completed(waiting):
                progress(done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    """One process a core: OpenCV's own threads would only get in the way."""
    opencv().setNumThreads(1)


def _refuse_reserved(options: DatasetOptions) -> None:
    frozen = known_frozen()
    kept = [path.stem for path in (*options.inject, *options.inject_validation)
            if path.stem in frozen]
    if not options.frozen and (kept or frozen.has_seed(options.seed)):
        what = ", ".join(kept) or f"seed {options.seed}"
        raise ConfigurationError(f"{what}: kept for tests; expected others, or a frozen set")
    if options.frozen and frozen.seeds and not frozen.has_seed(options.seed):
        raise ConfigurationError(
            f"seed {options.seed}: expected one kept for tests, one of {frozen.seeds}"
        )


def _claim(out: Path, options: DatasetOptions) -> None:
    """Write the recipe of a set; refuse a folder that holds a set of another."""
    recipe = json.dumps(asdict(options), indent=1, default=str)
    path = out / _RECIPE
    if path.exists() and path.read_text(encoding="utf-8") != recipe:
        raise ConfigurationError(f"{out}: holds a set made with other options; choose another")
    (out / "truth" / "parts").mkdir(parents=True, exist_ok=True)
    for split in ("train", "val"):
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
    path.write_text(recipe, encoding="utf-8")


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
    return write_dataset(out, CLASS_NAMES, surveys=surveys, frozen=options.frozen)


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


def kept_swaths(passage: Passage, options: DatasetOptions) -> list[int]:
    """Return the indices of the swaths that become pictures, evenly spread after the warm-up."""
    first = min(options.warm_up * passage.configurations, passage.count - 1)
    places = np.linspace(first, passage.count - 1, options.pictures_per_scene)
    return sorted({int(place) for place in places.round()})


def pictures_of(
    passage: Passage,
    options: DatasetOptions,
    kept: Iterable[int],
    encoding: Encoding,
    settled: int = 0,
) -> Iterator[Picture]:
    """Yield the pictures of the swaths `kept`; without a memory no others are even heard.

    Parameters
    ----------
    settled : int
        The first swaths are heard without bodies, and the static background learns them fast:
        what follows is as it is at sea, where the memory has seen hundreds of swaths.
    """
    drawn = RasterOptions(max_side_px=options.max_side_px, encoding=encoding)
    raster, wanted = Rasteriser(drawn), set(kept)
    if settled and encoding == "layers":
        raster.restore(_settled_memory(passage, drawn, settled))
    for index in range(settled, passage.count):
        if index not in wanted and encoding == "grey":
            continue
        ping, boxes = passage.hear(index)
        frame = raster.frame(ping)
        if index in wanted:
            labels = (label_of(box, frame.geometry) for box in boxes)
            yield Picture(
                image=frame.image,
                labels=tuple(label for label in labels if label),
                surveys=(passage.survey,),
                scenes=(passage.scene,),
                kind=passage.kind,
            )


def _settled_memory(passage: Passage, drawn: RasterOptions, swaths: int) -> dict[str, bytes]:
    quick = Rasteriser(replace(drawn, static_pings=_QUICK_PINGS))
    for index in range(swaths):
        quick.frame(passage.hear_water(index))
    return quick.memory()


def _disturbed(picture: Picture, disturb: Disturb, rng: np.random.Generator) -> Picture:
    return replace(picture, image=disturb(picture.image, rng))
