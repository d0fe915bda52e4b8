"""Scores of the objects on slides beside a person's labels, several runs in one table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import existing
from sonar_watch.cli.evaluate_pictures import tell
from sonar_watch.cli.output import print_json, progress
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.ichthyolith.labels import LabelledTile
    from sonar_watch.ichthyolith.measured import SkillTarget
    from sonar_watch.ichthyolith.records import SlideObject, Tile
    from sonar_watch.ichthyolith.scoring import ClassScore, SlideScores


def score_slide_runs(options: argparse.Namespace) -> int:
    """Score every run at its final verdicts, and at its detector's where a classifier differed."""
    if not options.detections:
        raise ConfigurationError("--slides: expected --detections, the detections.csv of runs")
    from sonar_watch.ichthyolith.labels import read_labels

    labels = read_labels(existing(options.slides))
    if options.only:
        labels = tuple(tile for tile in labels if set(options.only) & {tile.slide, tile.key})
        if not labels:
            raise ConfigurationError(
                f"--only {' '.join(options.only)}: expected slides among the labels"
            )
    runs = [*_runs(options.detections)]
    target = _target(runs, labels, options) if options.record else None
    scored = [one for run in runs for one in _score(run, labels, options)]
    rows = [row for one in scored for row in one.rows()]
    tell([*rows, *(one.confusion() for one in scored)],
         lambda: [_table(scored), *(_confusion_table(one) for one in scored)])
    if options.crops is not None:
        print_json({"crops": _write_crops(runs, labels, options)})
    if options.plots is not None:
        print_json({"plots": _draw(runs, labels, options)})
    if target is not None:
        from sonar_watch.ichthyolith.measured import record_skill, skill_rows

        path = record_skill(target, scored[0].scores)
        print_json({"recorded": str(path), "weights": target.entry.name,
                    "stages": target.shape["stages"], "skill": skill_rows(scored[0].scores)})
    return 0


def _target(
    runs: Sequence[_Run], labels: Sequence[LabelledTile], options: argparse.Namespace
) -> SkillTarget:
    """Return where the skill is to be written; what forbids it is said before anything is."""
    from sonar_watch.ichthyolith.measured import read_run, skill_target
    from sonar_watch.settings import load_settings

    if options.confidence is not None:
        raise ConfigurationError(
            "--record: without effect with --confidence; give it to `sonar-watch slides`"
        )
    if len(runs) != 1:
        raise ConfigurationError(
            "--record: expected one run, or several pooled as A.csv,B.csv; received "
            f"{', '.join(run.name for run in runs)}"
        )
    return skill_target(
        [read_run(path) for path in runs[0].paths], labels, weights=options.weights,
        classifier=options.classifier, models_dir=load_settings(options.config).slides.models_dir,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run's objects, of one file or of several pooled."""

    name: str
    paths: tuple[Path, ...]
    objects: tuple[SlideObject, ...]


def _runs(words: Sequence[str]) -> Iterator[_Run]:
    names = set()
    for word in words:
        name, said, files = word.rpartition("=")
        paths = [existing(Path(one)) for one in files.split(",")]
        if not said:
            name = paths[0].parent.name if paths[0].stem == "detections" else paths[0].stem
        if name in names:
            raise ConfigurationError(f"--detections: two runs are called {name!r}; use NAME=FILE")
        names.add(name)
        yield _Run(name=name, paths=tuple(paths), objects=tuple(_pooled(paths)))


def _pooled(paths: Sequence[Path]) -> Iterator[SlideObject]:
    """Yield the objects of files that each saw other slides."""
    from sonar_watch.ichthyolith.tables import read_detections

    seen: dict[str, Path] = {}
    for path in paths:
        for one in read_detections(path):
            for sighting in one.sightings:
                if seen.setdefault(sighting.image, path) != path:
                    raise ConfigurationError(
                        f"{path}: expected files of different tiles, {sighting.image} is in "
                        f"{seen[sighting.image]}, too"
                    )
            yield one


def _write_crops(
    runs: Sequence[_Run], labels: Sequence[LabelledTile], options: argparse.Namespace
) -> dict[str, int]:
    """Write crops of all that the runs found, called what the labels say; count them by class."""
    from sonar_watch.ichthyolith.judging import judged_by_labels
    from sonar_watch.ichthyolith.review.training_set import write_reviewed_crops

    tiles = _tiles(options.slides)
    judged = {one.object_id: one for run in runs
              for one in judged_by_labels(run.objects, labels)}
    with progress("crops", len(judged)) as advance:
        return write_reviewed_crops(options.crops, judged.values(), tiles, advance)


def _draw(
    runs: Sequence[_Run], labels: Sequence[LabelledTile], options: argparse.Namespace
) -> list[str]:
    """Draw what each run found and missed, each in a folder of its own where there are several."""
    from sonar_watch.ichthyolith.score_gallery import draw_score_gallery

    tiles = _tiles(options.slides)
    written: list[Path] = []
    for run in runs:
        folder = options.plots / run.name if len(runs) > 1 else options.plots
        objects = [one for one in run.objects if one.confidence >= (options.confidence or 0.0)]
        written += draw_score_gallery(objects, labels, tiles, folder)
    return [str(path) for path in written]


def _tiles(slides: Path) -> dict[str, Tile]:
    from sonar_watch.ichthyolith.tree import read_tree

    folder = slides if slides.is_dir() else slides.parent
    return {tile.image: tile for slide in read_tree(folder)[0] for tile in slide.tiles}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    run: str
    scores: SlideScores

    @property
    def _tried(self) -> dict[str, Any]:
        options = self.scores.options
        return {"run": self.run, "stage": options.stage, "iou": options.iou,
                "confidence": options.confidence}

    def rows(self) -> list[dict[str, Any]]:
        about = {name: getattr(self.scores, name)
                 for name in ("tiles", "slides", "unsure", "elsewhere")}
        return [{**self._tried, **about, **_plain(one)} for one in self.scores.classes]

    def confusion(self) -> dict[str, Any]:
        table: dict[str, dict[str, int]] = {}
        for (there, found), often in self.scores.confusion.items():
            table.setdefault(there, {})[found] = often
        return {**self._tried, "confusion": table}


def _plain(one: ClassScore) -> dict[str, Any]:
    row = {field.name: getattr(one, field.name) for field in fields(one)}
    return {"class": row.pop("class_name"), **row}


def _score(
    run: _Run, labels: Sequence[LabelledTile], options: argparse.Namespace
) -> Iterator[_Scored]:
    from sonar_watch.ichthyolith.scoring import ScoringOptions, score_slides

    differs = any(one.class_name != one.detector_class for one in run.objects)
    for stage in ("final", "detector") if differs else ("final",):
        asked = ScoringOptions(
            iou=options.iou, confidence=options.confidence or 0.0,
            stage=stage,
            cut="ignored" if options.ignore_cut else "asked",
        )
        yield _Scored(run=run.name, scores=score_slides(run.objects, labels, asked))


def _told(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _between(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2f}-{interval[1]:.2f}"


def _table(scored: Sequence[_Scored]) -> Table:
    from rich.table import Table

    first = scored[0].scores
    table = Table(
        "run", "stage", "class", "labelled", "found", "true", "precision", "95 %", "recall",
        "95 %", "F1", "95 %", "best F1", "at",
        title=f"{first.tiles} labelled tiles of {first.slides} slides, IoU {first.options.iou:g}, "
        f"confidence {first.options.confidence:g}; {first.unsure} unsure labels ignored",
        caption="F1's interval draws slides anew; best F1 is chosen on these labels: too good",
    )
    for one in scored:
        for row in one.scores.classes:
            table.add_row(
                one.run, one.scores.options.stage, row.class_name,
                *(str(number) for number in (row.truths, row.found, row.hits)),
                _told(row.precision), _between(row.precision_95), _told(row.recall),
                _between(row.recall_95), _told(row.f1), _between(row.f1_95),
                _told(row.best_f1), _told(row.best_confidence),
                end_section=row.class_name == "any",
            )
    return table


def _confusion_table(one: _Scored) -> Table:
    from rich.table import Table

    body = one.confusion()["confusion"]
    names = [*body]
    table = Table("labelled", *names, title=f"{one.run} ({one.scores.options.stage}): found as")
    for there in names:
        table.add_row(there, *(str(body[there].get(found, "")) for found in names))
    return table
