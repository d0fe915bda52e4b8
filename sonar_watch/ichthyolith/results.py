"""What a run leaves behind: tables, plots, sheets of crops, a page to review, and a manifest.

Everything is written anew, whole, from the objects of all slides; the manifest comes last, so
that where it stands all the rest does.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

import sonar_watch
from sonar_watch.atomic import whole_file
from sonar_watch.ichthyolith.batch import Batch
from sonar_watch.ichthyolith.census import CensusOptions, CensusRow, take_census
from sonar_watch.ichthyolith.census_table import write_census, write_rows, write_sizes
from sonar_watch.ichthyolith.estimates import Skill
from sonar_watch.ichthyolith.grid import missing_count, missing_tiles
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.records import Placed, SlideObject, Tile
from sonar_watch.ichthyolith.review import Applied, apply_verdicts, join_reviews, read_verdicts
from sonar_watch.ichthyolith.slides import SlideResult
from sonar_watch.ichthyolith.tables import write_detections

log = logging.getLogger(__name__)

SCHEMA = "sonar_watch.slides/1"
MANIFEST = "manifest.json"
_IDLE = ("device", "threads", "workers", "batch", "models_dir")
"""Options that change no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The objects of all slides after the verdicts of people, and what was counted.

    Parameters
    ----------
    objects : tuple of SlideObject
    applied : Applied or None
        What the verdicts did; None when none were given.
    verdicts : mapping of str to str
        Name and sha256 of their files; of files of one name the path.
    census : tuple of CensusRow
    skills : mapping of class to Skill
        By which it is corrected; {} where none holds for this run.
    """

    objects: tuple[SlideObject, ...]
    applied: Applied | None
    verdicts: Mapping[str, str]
    census: tuple[CensusRow, ...]
    skills: Mapping[str, Skill] = field(default_factory=dict)


def count_all(
    batch: Batch,
    networks: Networks,
    options: SlideOptions,
    verdicts: Sequence[Path] = (),
    masses_g: Mapping[str, float] | None = None,
) -> Counted:
    """Return what is counted on all slides.

    Parameters
    ----------
    batch : Batch
    networks : Networks
        Say how they fared where that was measured.
    options : SlideOptions
    verdicts : sequence of Path
        Files that a gallery saved; of an object's verdicts that of the last file counts.
    masses_g : mapping of sample to float
        Dry masses.

    Raises
    ------
    FormatError
        A file of verdicts is none.
    """
    objects, applied = tuple(batch.objects), None
    taken: dict[str, str] = {}
    if verdicts:
        review = join_reviews(map(read_verdicts, verdicts))
        applied = apply_verdicts(objects, review.verdicts)
        taken = {before.object_id: before.class_name
                 for before, after in zip(objects, applied.objects, strict=True)
                 if before.class_name != after.class_name}  # fmt: skip
        objects = applied.objects
        for one in applied.unmatched:
            log.warning("verdict %s on %s: fits no object of this run", one.class_name,
                        one.object_id)  # fmt: skip
    skills = networks.skills()
    rows = take_census(
        objects, [result.scan for result in batch.results], masses_g=masses_g,
        skills=skills, taken=taken, options=census_options(options),
    )  # fmt: skip
    return Counted(
        objects=objects, applied=applied, census=tuple(rows),
        verdicts=_contents(verdicts), skills=skills,
    )


def census_options(options: SlideOptions) -> CensusOptions:
    """Return how objects are counted."""
    return CensusOptions(sawtoothed=options.sawtoothed, size_edges_um=options.size_edges_um)


def write_tables(out: Path, batch: Batch, counted: Counted) -> None:
    """Write detections.csv, census.csv, sizes.csv, tiles.csv, missing.csv and problems.csv.

    Raises
    ------
    OSError
        The folder is full or not writable.
    """
    write_detections(out / "detections.csv", counted.objects)
    write_census(out / "census.csv", counted.census)
    write_sizes(out / "sizes.csv", counted.census)
    _write_rows(out / "tiles.csv", _TILES, [row for one in batch.results for row in _tiles(one)])
    missing = [row for one in batch.results for row in _missing(one)]
    _write_rows(out / "missing.csv", _MISSING, missing)
    problems = [{"image": one.image, "reason": one.reason} for one in batch.problems]
    _write_rows(out / "problems.csv", ("image", "reason"), problems)


def write_manifest(
    out: Path, batch: Batch, networks: Networks, options: SlideOptions, counted: Counted
) -> None:
    """Write manifest.json: what the tables were made of, the same whenever they are the same.

    Raises
    ------
    OSError
        The folder is full or not writable.
    """
    shaping = {name: value for name, value in asdict(options).items() if name not in _IDLE}
    body = {
        "schema": SCHEMA, "version": sonar_watch.__version__,
        "weights": {"name": networks.entry.name, "sha256": networks.entry.sha256},
        "classifier": networks.classifier_entry and {
            "name": networks.classifier_entry.name, "sha256": networks.classifier_entry.sha256,
        },
        "confidence": networks.confidence, "options": shaping, "verdicts": dict(counted.verdicts),
        "skill": {name: list(astuple(skill)) for name, skill in counted.skills.items()},
        "problems": len(batch.problems),
        "slides": {one.slide.key: _slide_body(one) for one in batch.results},
    }  # fmt: skip
    with whole_file(out / MANIFEST) as file:
        file.write((json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode())


def verdicts_left_out(out: Path, verdicts: Sequence[Path]) -> list[str]:
    """Return the verdicts that the results there hold now and that are not given this time."""
    try:
        known = dict(json.loads((out / MANIFEST).read_bytes())["verdicts"])
    except (OSError, ValueError, LookupError, TypeError):
        return []
    given = _contents(verdicts)
    return sorted(name for name, sha256 in known.items()
                  if name not in given and sha256 not in given.values())  # fmt: skip


def _contents(verdicts: Sequence[Path]) -> dict[str, str]:
    """Return the sha256 of each file by its name; a browser calls every file verdicts.json."""
    names = [path.name for path in verdicts]
    return {
        path.name if names.count(path.name) == 1 else path.as_posix():
            hashlib.sha256(path.read_bytes()).hexdigest()
        for path in verdicts
    }  # fmt: skip


def summary(batch: Batch, counted: Counted, options: SlideOptions) -> dict[str, Any]:
    """Return what a run came to, as one JSON object."""
    counting = census_options(options)
    kept = [counting.counted_as(one.class_name) for one in counted.objects
            if one.class_name != "noise"]  # fmt: skip
    body: dict[str, Any] = {
        "slides": len(batch.results), "tiles": sum(one.scan.tiles for one in batch.results),
        "problems": len(batch.problems),
        "missing_tiles": sum(one.scan.missing_tiles for one in batch.results),
        "full_windows": sum(len(one.full_windows) for one in batch.results),
        "ichthyoliths": len(kept),
        "counts": {name: kept.count(name) for name in sorted(set(kept))},
        "rejected": len(counted.objects) - len(kept),
        "reviewed": sum(one.reviewed for one in counted.objects),
        "ran": dict(batch.ran),
    }  # fmt: skip
    if counted.applied is not None:
        done = counted.applied
        body["verdicts"] = {
            "accepted": done.accepted, "rejected": done.rejected, "changed": done.changed,
            "unsure": len(done.unsure), "unmatched": len(done.unmatched),
        }  # fmt: skip
    return body


def tiles_of(batch: Batch) -> dict[str, Tile]:
    """Return every tile by its image."""
    return {tile.image: tile for one in batch.results for tile in one.slide.tiles}


_TILES = ("image", "site", "sample", "slide", "nominal_x_px", "nominal_y_px", "x_px", "y_px",
          "placing", "residual_px")  # fmt: skip


def _tiles(result: SlideResult) -> list[dict[str, Any]]:
    placed: dict[str, Placed] = {one.image: one for one in result.placed}
    return [
        {
            "image": tile.image, "site": result.slide.site, "sample": result.slide.sample,
            "slide": result.slide.slide, "nominal_x_px": tile.x_px, "nominal_y_px": tile.y_px,
            "x_px": round(one.x_px, 2), "y_px": round(one.y_px, 2), "placing": one.placing,
            "residual_px": None if one.residual_px is None else round(one.residual_px, 2),
        }
        for tile in result.slide.tiles if (one := placed.get(tile.image)) is not None
    ]  # fmt: skip


_MOST_MISSING = 100_000
"""Places without a tile of one slide that are listed: more are an error in a name."""

_MISSING = ("site", "sample", "slide", "y_px", "x_px")


def _missing(result: SlideResult) -> list[dict[str, Any]]:
    """Return where, by the grid of its names, a slide has no tile."""
    slide = result.slide
    if (count := missing_count(slide)) > _MOST_MISSING:
        log.warning("%s: %d places without a tile are not listed in missing.csv: more than lie on "
                    "a slide", slide.key, count)  # fmt: skip
        return []
    return [
        {"site": slide.site, "sample": slide.sample, "slide": slide.slide, "y_px": y, "x_px": x}
        for y, x in missing_tiles(slide)
    ]


def _slide_body(result: SlideResult) -> dict[str, Any]:
    contents = json.dumps(sorted(result.inputs.items())).encode()
    return {
        "tiles": result.scan.tiles, "broken": result.scan.broken_tiles,
        "objects": len(result.objects), "tiles_sha256": hashlib.sha256(contents).hexdigest(),
    }  # fmt: skip


def _write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, and the columns' names alone when there are none."""
    if rows:
        write_rows(path, rows)
        return
    with whole_file(path) as file:
        file.write((",".join(columns) + "\n").encode())
