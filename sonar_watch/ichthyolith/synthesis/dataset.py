"""Sets of composites on disk: for a detector with boxes, for a classifier as crops.

    batch of composites -> pictures, labels, a note that it is done -> dataset.yaml

Batches know nothing of each other: the set is the same however many processes make it, and one
that was cut short goes on where it stopped. Splits are by survey: a batch is one, a real slide is
one, and no exemplar is shown in both splits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.ichthyolith.classifier import MARGIN, crop_of
from sonar_watch.ichthyolith.particles import LEVEL, background, flattened
from sonar_watch.ichthyolith.records import CLASSES, Box
from sonar_watch.ichthyolith.synthesis.composite import compose
from sonar_watch.ichthyolith.synthesis.recipe import SlideSetOptions, Split
from sonar_watch.ichthyolith.synthesis.stock import Stock, read_stock
from sonar_watch.ichthyolith.synthesis.tiles import chosen_tiles
from sonar_watch.images import write_atomic
from sonar_watch.learning.annotations import claim_folder, write_dataset, write_labels
from sonar_watch.opencv import opencv
from sonar_watch.side_by_side import done_side_by_side

BATCH = 200
"""Composites that share drawn debris, and are made at one go."""
_QUALITY = 94
_LEAST_CROP_PX = 20.0
_MOST_CROP_PX = 320
_SPLITS: tuple[Split, ...] = ("train", "val")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Composites that are made at one go.

    Parameters
    ----------
    split : {"train", "val"}
    number : int
        Of the batch, over all splits: its seed.
    count : int
        Composites in it.
    survey : str
        Begins the names of its pictures.
    """

    split: Split
    number: int
    count: int
    survey: str


def make_slide_set(
    out: Path,
    options: SlideSetOptions,
    progress: Callable[[int], None] = lambda _: None,
    *,
    workers: int = 1,
) -> Path:
    """Write a labelled set; a second call with the same options makes what is missing.

    As boxes: `images/{train,val}`, `labels/{train,val}` and `dataset.yaml`, classes as in
    `records.CLASSES`. As crops: `{train,val}/CLASS/SURVEY__*.jpg`.

    Parameters
    ----------
    progress : callable
        Called with the number of composites done since the last call.
    workers : int
        Processes; the set does not depend on their number.

    Returns
    -------
    Path
        `dataset.yaml`, or for crops the folder.

    Raises
    ------
    ConfigurationError
        A folder that holds another set, or a slide to leave out that there is not.
    FormatError, ImageError, OSError
        Exemplars or tiles that cannot be read.
    """
    _stock(options)  # What is wrong with its sources is said before anything is written.
    _claim(out, options)
    batches = list(batches_of(options))
    left = [batch for batch in batches if not _note(out, batch).exists()]
    progress(sum(batch.count for batch in batches if batch not in left))
    make = partial(make_batch, out, options)
    for made in done_side_by_side(make, left, workers):
        progress(made)
    return _completed(out, options, batches)


def batches_of(options: SlideSetOptions) -> Iterator[Batch]:
    """Yield the batches of a set, those for training first."""
    number = 0
    for split in _SPLITS:
        left = options.count(split)
        while left > 0:
            count = min(left, BATCH)
            survey = f"sim-{options.seed}-{number:04d}"
            yield Batch(split=split, number=number, count=count, survey=survey)
            left, number = left - count, number + 1


def make_batch(out: Path, options: SlideSetOptions, batch: Batch) -> int:
    """Write the pictures of one batch and the note that they are whole; return their number."""
    rng = np.random.default_rng((options.seed, batch.number))
    stock = _stock(options).part_for(batch.split)
    write = _write_boxes if options.form == "boxes" else _write_crops
    counts: dict[str, int] = dict.fromkeys(CLASSES, 0)
    for index in range(batch.count):
        picture, truth = compose(stock, options.composite, rng)
        name = f"{batch.survey}__{index:03d}"
        for class_name in write(out, options, batch.split, name, picture, truth, rng):
            counts[class_name] += 1
    with whole_file(_note(out, batch)) as file:
        file.write(json.dumps({"composites": batch.count, "objects": counts}).encode())
    return batch.count


def _write_boxes(
    out: Path,
    options: SlideSetOptions,
    split: Split,
    name: str,
    picture: ByteImage,
    truth: Detections,
    _: np.random.Generator,
) -> list[str]:
    """Write one picture with its labels, as detectors see it; return the classes of its objects."""
    size, light = options.composite.size_px, background(picture, options.composite.scale)
    write_labels(out / "labels" / split / f"{name}.txt", truth, size, size)
    _write_jpeg(out / "images" / split / f"{name}.jpg", flattened(picture, light))
    return [CLASSES[number] for number in truth.class_id]


def _write_crops(
    out: Path,
    options: SlideSetOptions,
    split: Split,
    name: str,
    picture: ByteImage,
    truth: Detections,
    rng: np.random.Generator,
) -> list[str]:
    """Write the crops of one picture, each as the classifier will see it; return their classes."""
    large = np.flatnonzero((truth.xyxy[:, 2:] - truth.xyxy[:, :2]).max(1) >= _LEAST_CROP_PX)
    noise = [int(row) for row in large if CLASSES[truth.class_id[row]] == "noise"]
    kept = [int(row) for row in large if CLASSES[truth.class_id[row]] != "noise"]
    kept += [int(row) for row in rng.permutation(noise)[: options.noise_crops]]
    for row in kept:
        class_name = CLASSES[truth.class_id[row]]
        box = _shaken(truth.xyxy[row], options.composite.size_px, rng)
        crop = _shrunk(crop_of(picture, box, MARGIN))
        _write_jpeg(out / split / class_name / f"{name}-{row:02d}.jpg", crop)
    return [CLASSES[truth.class_id[row]] for row in kept]


def _shaken(xyxy: np.ndarray, size_px: int, rng: np.random.Generator) -> Box:
    """Return a box as far off as those of a detector are."""
    sides = np.tile(xyxy[2:] - xyxy[:2], 2)
    left, top, right, bottom = np.clip(xyxy + rng.normal(0, 0.03, 4) * sides, 0, size_px).tolist()
    return left, top, right, bottom


def _shrunk(crop: ByteImage) -> ByteImage:
    """Return a crop no larger than a classifier has use for."""
    if crop.shape[0] <= _MOST_CROP_PX:
        return crop
    cv2 = opencv()
    size = (_MOST_CROP_PX, _MOST_CROP_PX)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def _write_jpeg(path: Path, picture: ByteImage) -> None:
    cv2 = opencv()
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    write_atomic(path, encoded.tobytes())


def _claim(out: Path, options: SlideSetOptions) -> None:
    """Write the recipe of a set; refuse a folder that holds a set of another."""
    recipe = asdict(options)
    if options.form == "boxes":  # a set begun when glass was left as it is goes on as nothing else
        recipe["glass_level"] = LEVEL
    claim_folder(out, recipe)
    (out / "parts").mkdir(parents=True, exist_ok=True)
    for split in _SPLITS if options.form == "boxes" else ():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        (out / "labels" / split).mkdir(parents=True, exist_ok=True)


def _note(out: Path, batch: Batch) -> Path:
    return out / "parts" / f"{batch.split}-{batch.survey}.json"


def _completed(out: Path, options: SlideSetOptions, batches: Iterable[Batch]) -> Path:
    """Write what belongs to the set as a whole."""
    if options.form == "crops":
        return out
    surveys: dict[str, list[str]] = {split: [] for split in _SPLITS}
    for batch in batches:
        surveys[batch.split].append(batch.survey)
    surveys["train"] += [tile.slide for tile in _stock(options).tiles]
    return write_dataset(out, CLASSES, surveys=surveys)


def objects_of(out: Path, options: SlideSetOptions) -> dict[str, int]:
    """Return how many objects of each class a whole set holds, all splits together."""
    total: dict[str, int] = dict.fromkeys(CLASSES, 0)
    for batch in batches_of(options):
        note = json.loads(_note(out, batch).read_text(encoding="utf-8"))
        for name, often in note["objects"].items():
            total[name] += often
    return total


def _stock(options: SlideSetOptions) -> Stock:
    return _read_stock(options.exemplars, options.real, options.leave_out)


@lru_cache(maxsize=2)
def _read_stock(exemplars: Path | None, real: Path | None, leave_out: tuple[str, ...]) -> Stock:
    """Return the sources of a set, read once in each process."""
    tiles = chosen_tiles(real, leave_out) if real else ()
    return read_stock(exemplars, real, tiles)
