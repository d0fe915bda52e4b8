"""sonar-watch bench."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import EXIT_FAILED, positive
from sonar_watch.cli.output import print_json

if TYPE_CHECKING:
    from sonar_watch.trials.load import LoadOptions, LoadReport

LIMIT_S = 0.5
_TOLD = ("frames", "frames_per_min", "alerts", "backlog", "memory_bytes", "threads",
         "file_handles", "lag")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--load", type=positive, required=True, metavar="MINUTES",
        help="watch raw files that grow in real time, with subscribers, for so long",
    )
    parser.add_argument("--frames-per-s", type=positive, default=5.0, metavar="N")
    parser.add_argument("--subscribers", type=int, default=20, metavar="N")
    parser.add_argument("--weights", default="plume-n", metavar="NAME")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR",
        help="keep journal, log and raw files there (default: nowhere)",
    )


def run(options: argparse.Namespace) -> int:
    """Print JSON lines; exit 1 when the 99 % quantile of the latency is above half a second."""
    from sonar_watch.trials.load import LoadOptions, measure_load

    asked = LoadOptions(
        minutes=options.load, frames_per_s=options.frames_per_s,
        subscribers=options.subscribers, weights=options.weights,
    )
    if options.out is not None:
        return _tell(asked, measure_load(options.out, asked, _tell_sample))
    with TemporaryDirectory(prefix="sonar-watch-") as folder:
        return _tell(asked, measure_load(Path(folder), asked, _tell_sample))


def _tell_sample(status: dict[str, Any]) -> None:
    print_json({key: status[key] for key in _TOLD if key in status})


def _tell(asked: LoadOptions, report: LoadReport) -> int:
    from dataclasses import asdict

    print_json({"load": asdict(asked), **asdict(report)})
    return 0 if report.latency_p99_s < LIMIT_S else EXIT_FAILED
