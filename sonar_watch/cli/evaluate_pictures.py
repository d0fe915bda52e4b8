"""Scores of boxes on labelled pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import existing
from sonar_watch.cli.output import print_json, progress
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.detection.detections import Detections
    from sonar_watch.detection.detector import DetectorOptions
    from sonar_watch.learning.matching import Judgement
    from sonar_watch.learning.truth import TruthSet
    from sonar_watch.settings import Settings
    from sonar_watch.trials.finders import Showing


def tried_settings(options: argparse.Namespace) -> Settings:
    """Return the settings with the weights, threshold and encoding of the command line."""
    from sonar_watch.settings import load_settings

    settings = load_settings(options.config)
    detector, raster = settings.detector, settings.raster
    if options.weights is not None:
        detector = replace(detector, weights=options.weights)
    if options.confidence is not None:
        detector = replace(detector, confidence=options.confidence)
    if options.encoding != "as-is":
        raster = replace(raster, encoding=options.encoding)
    return replace(settings, detector=detector, raster=raster)


def score_pictures(options: argparse.Namespace) -> int:
    """Score boxes on pictures, the classical detector beside: JSON lines, on a terminal tables."""
    from sonar_watch.learning.truth import read_truth_set
    from sonar_watch.pipeline.finder import CLASSICAL

    truth = read_truth_set(existing(options.data), options.split)
    if not truth.pictures:
        raise ConfigurationError(f"--split {options.split}: {options.data} has no picture there")
    detector = tried_settings(options).detector
    tried = [_judge(options, detector, truth)]
    if options.baseline is not False and tried[0].name != CLASSICAL:
        without = replace(detector, weights=CLASSICAL, confidence="auto")
        tried.append(_judge(options, without, truth))
    heads = [row for one in tried for row in one.heads()]
    rows = [row for one in tried for row in one.rows()]
    tell([*heads, *rows], lambda: [headlines(heads), *(table_of(one.rows()) for one in tried)])
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        kept = [*heads, *rows, *(row for one in tried for row in one.sweep())]
        lines = "".join(json.dumps(row) + "\n" for row in kept)
        (options.out / "report.jsonl").write_text(lines, encoding="utf-8")
    if options.plots is not None:
        from sonar_watch.learning.evaluation import MATCHINGS
        from sonar_watch.learning.gallery import draw_gallery
        from sonar_watch.learning.plots import draw_plots

        first = tried[0]
        drawn = draw_plots(first.judged, MATCHINGS, first.confidence, options.plots)
        gallery = draw_gallery(first.found, truth.pictures, first.judged[0], first.confidence,
                               options.plots / "gallery.png")
        for path in (*drawn, gallery):
            print_json({"plot": str(path)})
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One detector on the pictures, judged in every way."""

    name: str
    sha256: str
    split: str
    confidence: float
    found: tuple[Detections, ...]
    judged: tuple[Judgement, ...]

    @property
    def _tried(self) -> dict[str, Any]:
        return {"weights": self.name, "sha256": self.sha256, "split": self.split}

    def heads(self) -> list[dict[str, Any]]:
        from sonar_watch.learning.evaluation import MATCHINGS, headline_rows

        return [{**self._tried, **row} for pair in zip(self.judged, MATCHINGS, strict=True)
                for row in headline_rows(*pair, self.confidence)]

    def rows(self) -> list[dict[str, Any]]:
        from sonar_watch.learning.evaluation import MATCHINGS, report_rows

        return [{**self._tried, **row} for pair in zip(self.judged, MATCHINGS, strict=True)
                for row in report_rows(*pair, self.confidence)]

    def sweep(self) -> list[dict[str, Any]]:
        from sonar_watch.learning.evaluation import MATCHINGS, sweep_rows

        return [{**self._tried, **row} for pair in zip(self.judged, MATCHINGS, strict=True)
                for row in sweep_rows(*pair)]


def _judge(options: argparse.Namespace, detector: DetectorOptions, truth: TruthSet) -> _Judged:
    from sonar_watch.learning.evaluation import MATCHINGS, collect, judge
    from sonar_watch.trials.finders import open_picture_finder

    wanted: Showing = "grey" if options.encoding == "grey" else "as is"
    with (
        open_picture_finder(detector, wanted, encoding=truth.encoding) as finder,
        progress("pictures", len(truth.pictures)) as advance,
    ):

        def find(images: Sequence[Any]) -> list[Any]:
            advance(len(images))
            return finder.find(images)

        found = collect(find, truth)
    return _Judged(
        name=finder.name, sha256=finder.sha256, split=options.split, confidence=finder.confidence,
        found=tuple(found),
        judged=tuple(judge(found, truth.pictures, truth.class_names, one) for one in MATCHINGS),
    )


def tell(rows: Iterable[dict[str, Any]], tables: Callable[[], Sequence[Table]]) -> None:
    """Print rows as JSON lines; on a terminal the tables that stand for them."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(*tables())
        return
    for row in rows:
        print_json(row)


def headlines(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the figures by which detectors are compared as a table."""
    from rich.table import Table

    table = Table(
        "detector", "threshold", "matching", "kind", "plumes\n8 dB +", "F1", "95 %",
        "plumes\n5-8 dB", "recall", "false\nimages", "false of\nempty",
        title="Plumes; classical is the detector without a network",
    )
    for row in rows:
        low, high = row["f1_strong_95"]
        strong, faint = (_share(row[name]) for name in ("f1_strong", "recall_faint"))
        table.add_row(
            row["weights"], f"{row['confidence']:.2f} ({row['headline']})", row["matching"],
            row["kind"], str(row["strong"]), strong, f"{low:.2f}-{high:.2f}",
            str(row["faint"]), faint,
            _share(row["false_image_rate"], 4), _share(row["empty_image_rate"], 4),
        )
    return table


def _share(share: float | None, digits: int = 3) -> str:
    return "-" if share is None else f"{share:.{digits}f}"


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the scores at the working threshold as a table."""
    from rich.table import Table

    at = rows[0]["at_threshold"]["confidence"] if rows else 0.0
    names = ("matching", "kind", "class", "contrast", "truths")
    table = Table(
        *names, "precision", "recall", "F1", "95 %", "best F1", "at", "false\nimages",
        "false of\nempty", title=f"{rows[0]['weights'] if rows else ''} at confidence {at:g}",
    )
    for row in rows:
        point, best = row["at_threshold"], row["best"]
        low, high = point["f1_95"]
        table.add_row(
            *(str(row[name]) for name in names),
            *(_share(point[name]) for name in ("precision", "recall", "f1")),
            f"{low:.2f}-{high:.2f}", _share(best["f1"]), f"{best['confidence']:.2f}",
            _share(point["false_image_rate"], 4), _share(point["empty_image_rate"], 4),
        )
    return table
