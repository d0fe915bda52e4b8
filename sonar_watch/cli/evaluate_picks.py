"""Two people's picks beside each other and beside the detector."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import existing
from sonar_watch.cli.evaluate_pictures import tell, tried_settings
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table


def score_picks(options: argparse.Namespace) -> int:
    """Compare every pair; the first named is the reference."""
    from sonar_watch.trials.agreement import compare
    from sonar_watch.trials.picks import read_detections, read_picks

    picks = [read_picks(existing(path)) for path in options.picks]
    rows = compare(picks[0], picks[1], options.radius)
    if options.detections is not None:
        confidence = options.confidence or _working(options)
        path = existing(_only(options.detections))
        for one in picks:
            found = read_detections(path, confidence, one)
            rows += [{**row, "confidence": confidence}
                     for row in compare(one, found, options.radius)]
    tell(rows, lambda: [_table(rows)])
    return 0


def _only(words: Sequence[str]) -> Path:
    if len(words) != 1:
        raise ConfigurationError(
            f"--detections: expected one detections.jsonl, received {len(words)}"
        )
    return Path(words[0])


def _working(options: argparse.Namespace) -> float:
    from sonar_watch.trials.finders import working_confidence

    return working_confidence(tried_settings(options).detector)


def _told(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(
        "reference", "compared", "matching", "picked", "by other", "precision", "recall", "F1",
        "kappa of\nframes", title="Agreement; F1 is the same whoever is the reference",
    )
    for row in rows:
        kappa = row.get("frames", {}).get("kappa")
        table.add_row(
            row["reference"], row["compared"], row["matching"], str(row["picked_by_reference"]),
            str(row["picked_by_compared"]),
            *(_told(row[name]) for name in ("precision", "recall", "f1")), _told(kappa),
        )
    return table
