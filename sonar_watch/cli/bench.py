"""sonar-watch bench."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.bench_slides import add_slides_arguments, bench_slides
from sonar_watch.cli.common import EXIT_FAILED, positive, refuse_idle
from sonar_watch.cli.output import print_json

if TYPE_CHECKING:
    from sonar_watch.trials.load import LoadOptions, LoadReport

LIMIT_S = 0.5
_LOAD_FLAGS = ("--frames-per-s", "--subscribers", "--out")
_SLIDES_FLAGS = ("--tiles", "--turns", "--most", "--device", "--config")
_TOLD = ("frames", "frames_per_min", "alerts", "backlog", "memory_bytes", "threads",
         "file_handles", "lag")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--load", type=positive, metavar="MINUTES",
        help="watch raw files that grow in real time, with subscribers, for so long",
    )
    what.add_argument(
        "what", nargs="?", choices=("slides",), metavar="slides",
        help="search the tiles of slides, by turns with `yolo predict`: tiles per second",
    )
    parser.add_argument(
        "--weights", default=None, metavar="NAME", help="(default: plume-n; as in the settings)"
    )
    add_slides_arguments(parser)
    group = parser.add_argument_group("load")
    group.add_argument("--frames-per-s", type=positive, default=5.0, metavar="N")
    group.add_argument("--subscribers", type=int, default=20, metavar="N")
    group.add_argument(
        "--out", type=Path, default=None, metavar="DIR",
        help="keep journal, log and raw files there (default: nowhere)",
    )


def run(options: argparse.Namespace) -> int:
    """Print JSON lines; exit 1 when it is not fast enough.

    Under load the 99 % quantile of the latency must be below half a second; see also
    `bench_slides`.
    """
    if options.what == "slides":
        refuse_idle(options, add_arguments, _LOAD_FLAGS, "with slides")
        return bench_slides(options)
    refuse_idle(options, add_arguments, _SLIDES_FLAGS, "without slides")
    from sonar_watch.trials.load import LoadOptions, measure_load

    asked = LoadOptions(
        minutes=options.load, frames_per_s=options.frames_per_s,
        subscribers=options.subscribers, weights=options.weights or "plume-n",
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
