"""Scores of events on real water: plumes put into real pings, and the pings as they are."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import existing
from sonar_watch.cli.evaluate_pictures import tell, tried_settings
from sonar_watch.cli.sailing import Sailed, keep_summary, sail, sail_classical

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.trials.plans import Plan

log = logging.getLogger(__name__)


def score_injected(options: argparse.Namespace) -> int:
    """Sail over real water; print what it comes to at every threshold, by kind and by file."""
    settings, plans = tried_settings(options), _plans(options)
    _tell_unreserved(options.injected, settings.detector.models_dir)
    sailed = sail(options, settings, plans, options.out)
    rows = [row for confidence in sailed.confidences for row in _rows(sailed, confidence)]
    classical = sail_classical(options, settings, plans)
    beside = _rows(classical, classical.working) if classical else []
    tell([*rows, *beside], lambda: [_table(one) for one in (rows, beside) if one])
    keep_summary([*rows, *beside], options.out)
    return 0


def _rows(sailed: Sailed, confidence: float) -> list[dict[str, Any]]:
    from sonar_watch.trials.injected import summarise_kinds

    return [{**sailed.tried, **row} for row in summarise_kinds(sailed.outcomes, confidence)]


def _tell_unreserved(files: Sequence[Path], models_dir: Path | None) -> None:
    """Warn of files that training may have seen: only what is reserved has it never."""
    from sonar_watch.learning.frozen import FROZEN_NAME, known_frozen

    kept = known_frozen(models_dir)
    for path in files:
        if path.stem not in kept:
            log.warning("%s: not kept from training by any %s: good figures on it may be memory",
                        path.name, FROZEN_NAME)


def _plans(options: argparse.Namespace) -> list[Plan]:
    from sonar_watch.trials.injected import injected_plans
    from sonar_watch.trials.plans import FIRST_SEED, Plan

    template = Plan(
        seed=options.seed or FIRST_SEED,
        depth_m=options.depth,
        swaths=options.swaths,
        contrast_db=options.contrast,
    )
    files = [existing(path).resolve() for path in options.injected]
    return injected_plans(files, options.cruises, template)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    from rich.table import Table

    working = rows[0]["working_confidence"]
    table = Table(
        "kind", "survey", "swaths", "hours", "event recall", "false\nalerts", "per hour\n95 %",
        "error m\nmedian, 95 %", "in ellipse", "empty\nflagged",
        title=f"Real water at confidence {working:.2f}; {rows[0]['weights']}",
    )
    for row in rows:
        if row["confidence"] != working:
            continue
        place, error = row["position"], row["position"]["error_m"]
        low, high = row["false_per_hour"]["interval_95"] or (None, None)
        table.add_row(
            row["kind"], row["survey"], str(row["swaths"]), f"{row['hours']:.2f}",
            _share(row["event_recall"]), str(row["false_alerts"]),
            "-" if low is None else f"{low:.2f}-{high:.2f}",
            "-" if error["median"] is None else f"{error['median']:.1f}, {error['p95']:.1f}",
            _share(place["inside_ellipse"]), _share(row["empty_flagged"]),
            style="bold" if row["survey"] == "all" else None,
        )
    return table


def _share(share: dict[str, Any]) -> str:
    return "-" if share["share"] is None else f"{share['share']:.3f} of {share['of']}"
