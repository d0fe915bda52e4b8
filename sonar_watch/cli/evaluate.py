"""sonar-watch evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.cli.common import add_config, existing
from sonar_watch.cli.output import print_json, progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("data", type=Path, metavar="DATA", help="dataset.yaml of a labelled set")
    parser.add_argument("--split", default="val", help="which images (default %(default)s)")
    parser.add_argument(
        "--cruise",
        type=Path,
        default=None,
        metavar="DIR",
        help="score the events of a replay (its folder) on the simulated cruise in DATA instead",
    )
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Score boxes on pictures, or events on a cruise."""
    return _score_pictures(options) if options.cruise is None else _score_cruise(options)


def _score_cruise(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from sonar_watch.trials import last_states, read_alerts, read_truth, score_events

    alerts = read_alerts(existing(options.cruise / "alerts.jsonl"))
    score = score_events(read_truth(existing(options.data)), last_states(alerts))
    print_json({**asdict(score), "false_alerts": score.false_alerts})
    return 0


def _score_pictures(options: argparse.Namespace) -> int:
    from collections.abc import Sequence
    from dataclasses import asdict, replace

    from sonar_watch.detection.detections import Detections
    from sonar_watch.detection.detector import open_detector
    from sonar_watch.learning.evaluation import Matching, evaluate_dataset
    from sonar_watch.records import ByteImage
    from sonar_watch.settings import load_settings

    settings = load_settings(options.config)
    # The sweep needs what lies below the threshold, too.
    detector = open_detector(replace(settings.detector, confidence=0.01))
    matchings = (Matching(iou=0.3), Matching(iou=0.5), Matching(criterion="centre"))
    with progress("pictures") as advance:

        def find(images: Sequence[ByteImage]) -> list[Detections]:
            advance(len(images))
            return detector.detect(images)

        results = evaluate_dataset(find, existing(options.data), options.split, matchings)
    for matching, scores in zip(matchings, results, strict=True):
        for class_name, score in scores.items():
            at = score.at(settings.detector.confidence)
            print_json(
                {
                    "matching": f"iou {matching.iou}" if matching.criterion == "iou" else "centre",
                    "class": class_name,
                    "truths": score.truths,
                    "at_threshold": asdict(at),
                    "best": asdict(score.best),
                }
            )
    return 0
