"""Scores of events: on a replay, on simulated cruises, on nights without plumes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import existing
from sonar_watch.cli.evaluate_pictures import table_of, tell, tried_settings
from sonar_watch.cli.output import print_json
from sonar_watch.cli.sailing import Sailed, keep_summary, sail, sail_classical

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from sonar_watch.trials.plans import Plan


def score_replay(options: argparse.Namespace) -> int:
    """Score the events and the boxes of a replay on the simulated cruise that was replayed."""
    from sonar_watch.trials import replayed

    existing(options.cruise / "alerts.jsonl")
    row = replayed.score_replay(existing(options.data), options.cruise)
    rows = list(_box_rows(options.data, options.cruise))
    tell([row, *rows], lambda: [_replay_table(row), *([table_of(rows)] if rows else [])])
    return 0


def _box_rows(cruise: Path, replay: Path) -> Iterator[dict[str, Any]]:
    """Yield the scores of boxes, as of pictures; none where nobody knows what swaths hold."""
    from sonar_watch.learning.evaluation import MATCHINGS, report_rows
    from sonar_watch.trials.replayed_boxes import judge_replay

    boxes = judge_replay(cruise, replay)
    if boxes is None:
        return
    head = {"weights": replay.name, "swaths_left_out": boxes.left_out}
    for judgement, matching in zip(boxes.judged, MATCHINGS, strict=True):
        for row in report_rows(judgement, matching, boxes.confidence):
            yield {**head, **row}


def _replay_table(row: dict[str, Any]) -> Table:
    from rich.table import Table

    of = "passes strong on 3 swaths and more" if row["matching"] == "swaths" else "plumes"
    table = Table(
        "recall\n95 %", "false\nalerts", "per hour\n95 %", "error m\nmedian, 95 %",
        "in ellipse\n95 %", "to alert s",
        title=f"{len(row['events'])} events in {row['hours']} hours; recall of {of}",
    )
    table.add_row(
        _share(row["recall"]), str(row["false_alerts"]), _rate(row["false_per_hour"]),
        _spread(row["error_m"]), _share(row["inside_ellipse"]), _spread(row["time_to_alert_s"]),
    )
    return table


def score_simulated(options: argparse.Namespace) -> int:
    """Sail simulated cruises, or a night; print what they come to at every threshold."""
    settings, plans = tried_settings(options), _plans(options)
    if options.record:
        from sonar_watch.trials.measured import record_false_alerts, tried_weights

        tried_weights(settings.detector)  # before hours of sailing for nothing
    sailed = sail(options, settings, plans, options.out)
    rows = [sailed.row(confidence) for confidence in sailed.confidences]
    classical = sail_classical(options, settings, plans)
    rows += [classical.row(classical.working)] if classical else []
    night = _night_row(options, sailed)
    tell([*rows, *night], lambda: [_table(rows, sailed.working), *map(_night_table, night)])
    keep_summary([*rows, *night], options.out)
    if options.record:
        path = record_false_alerts(settings.detector, sailed.outcomes)
        print_json({"recorded": str(path)})
    if options.plots is not None:
        from sonar_watch.trials.curves import draw_cruises

        mine = [row for row in rows if row["weights"] == sailed.weights]
        for path in draw_cruises(mine, sailed.working, options.plots):
            print_json({"plot": str(path)})
    return 0


def _plans(options: argparse.Namespace) -> list[Plan]:
    from sonar_watch.trials.plans import FIRST_SEED, Plan, cruise_plans, night_plans

    template = Plan(
        seed=options.seed or FIRST_SEED,
        depth_m=options.depth,
        family=options.family,
        swaths=options.swaths,
        contrast_db=options.contrast,
    )
    if options.cruises:
        return cruise_plans(options.cruises, template)
    return night_plans(options.nights, template)


def _night_row(options: argparse.Namespace, sailed: Sailed) -> list[dict[str, Any]]:
    """Return the table that models/MANIFEST.yaml holds."""
    from sonar_watch.trials.summary import false_alert_table

    if not options.nights:
        return []
    outcomes = sailed.outcomes
    hours = round(sum(outcome.hours for outcome in outcomes), 3)
    return [{**sailed.tried, "hours": hours, "swaths": sum(one.swaths for one in outcomes),
             "false_alerts_per_hour": false_alert_table(outcomes)}]


def _night_table(night: dict[str, Any]) -> Table:
    """Return what `--record` writes as a table."""
    from rich.table import Table

    from sonar_watch.trials.cruises import key_of

    per_hour = night["swaths"] / night["hours"] if night["hours"] else 0.0
    table = Table("confidence", "false alerts per hour",
                  title=f"Nights of {night['hours']:g} hours, {per_hour:.0f} swaths an hour")
    for confidence, rate in night["false_alerts_per_hour"]:
        table.add_row(key_of(confidence), f"{rate:.3f}",
                      style="bold" if confidence == night["working_confidence"] else None)
    return table


def _table(rows: Sequence[dict[str, Any]], working: float) -> Table:
    from rich.table import Table

    from sonar_watch.trials.cruises import key_of

    table = Table(
        "confidence", "event recall\n95 %", "all visible", "false\nalerts", "per hour\n95 %",
        "error m\nmedian, 95 %", "in ellipse\n95 %", "axis over\nfootprint", "to alert s",
        "empty\nflagged",
        title=f"{rows[0]['cruises']} cruises, {rows[0]['swaths']} swaths, "
        f"{rows[0]['hours']} hours ({rows[0]['swaths_per_hour']} swaths an hour); "
        f"{rows[0]['weights']}",
    )
    for row in rows:
        place, other = row["position"], row["weights"] != rows[0]["weights"]
        style = "bold" if row["confidence"] == working and not other else None
        table.add_row(
            key_of(row["confidence"]) + f" {row['weights']}" * other,
            _share(row["event_recall"]), _share(row["any_recall"]),
            str(row["false_alerts"]), _rate(row["false_per_hour"]), _spread(place["error_m"]),
            _share(place["inside_ellipse"]), _spread(place["semi_major_over_footprint"]),
            _spread(row["time_to_alert_s"]), _share(row["empty_flagged"]), style=style,
        )
    return table


def _share(share: dict[str, Any]) -> str:
    if share["share"] is None:
        return "-"
    low, high = share["interval_95"]
    return f"{share['share']:.3f} of {share['of']}\n{low:.2f}-{high:.2f}"


def _rate(rate: dict[str, Any]) -> str:
    if rate["rate"] is None:
        return "-"
    low, high = rate["interval_95"]
    return f"{rate['rate']:.3f}\n{low:.2f}-{high:.2f}"


def _spread(spread: dict[str, Any]) -> str:
    return "-" if spread["median"] is None else f"{spread['median']:.1f}, {spread['p95']:.1f}"
