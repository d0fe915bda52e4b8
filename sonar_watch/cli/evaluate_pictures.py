"""Scores of boxes on labelled pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import existing
from sonar_watch.cli.output import print_json, progress

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.settings import Settings
    from sonar_watch.trials.finders import Showing


def tried_settings(options: argparse.Namespace) -> Settings:
    """Return the settings with the weights, threshold and encoding of the command line."""
    from dataclasses import replace

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
    """Score boxes on pictures: JSON lines, on a terminal a table."""
    from sonar_watch.learning.evaluation import (
        MATCHINGS,
        collect,
        headline_rows,
        judge,
        report_rows,
    )
    from sonar_watch.learning.truth import read_truth_set
    from sonar_watch.trials.finders import open_picture_finder

    truth = read_truth_set(existing(options.data), options.split)
    wanted: Showing = "grey" if options.encoding == "grey" else "as is"
    with (
        open_picture_finder(
            tried_settings(options).detector, wanted, encoding=truth.encoding
        ) as finder,
        progress("pictures", len(truth.pictures)) as advance,
    ):

        def find(images: Sequence[Any]) -> list[Any]:
            advance(len(images))
            return finder.find(images)

        found = collect(find, truth)
    tried = {"weights": finder.name, "sha256": finder.sha256, "split": options.split}
    judged = [judge(found, truth.pictures, truth.class_names, one) for one in MATCHINGS]
    pairs = list(zip(judged, MATCHINGS, strict=True))
    heads = [{**tried, **row} for pair in pairs for row in headline_rows(*pair, finder.confidence)]
    rows = [{**tried, **row} for pair in pairs for row in report_rows(*pair, finder.confidence)]
    tell([*heads, *rows], lambda: [headlines(heads), table_of(rows)])
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(row) + "\n" for row in (*heads, *rows))
        (options.out / "report.jsonl").write_text(lines, encoding="utf-8")
    if options.plots is not None:
        from sonar_watch.learning.plots import draw_plots

        for path in draw_plots(judged, MATCHINGS, finder.confidence, options.plots):
            print_json({"plot": str(path)})
    return 0


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
        "threshold", "matching", "kind", "plumes\n8 dB +", "F1", "95 %", "plumes\n5-8 dB",
        "recall", "false\nimages", "false of\nempty", title="Plumes",
    )
    for row in rows:
        low, high = row["f1_strong_95"]
        strong, faint = (_share(row[name]) for name in ("f1_strong", "recall_faint"))
        table.add_row(
            f"{row['confidence']:.2f} ({row['headline']})", row["matching"], row["kind"],
            str(row["strong"]), strong, f"{low:.2f}-{high:.2f}",
            str(row["faint"]), faint,
            f"{row['false_image_rate']:.4f}", f"{row['empty_image_rate']:.4f}",
        )
    return table


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


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
            *(f"{point[name]:.3f}" for name in ("precision", "recall", "f1")),
            f"{low:.2f}-{high:.2f}", f"{best['f1']:.3f}", f"{best['confidence']:.2f}",
            f"{point['false_image_rate']:.4f}", f"{point['empty_image_rate']:.4f}",
        )
    return table
