"""sonar-watch bench slides: tiles per second, beside `yolo predict`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import EXIT_FAILED, add_config, existing, whole_number
from sonar_watch.cli.output import print_json, progress
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from sonar_watch.trials.slide_speed import SpeedReport

LEAST_RATIO = 2.0
_PARTS = 3


def add_slides_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `bench slides`."""
    group = parser.add_argument_group("slides")
    group.add_argument("tiles", type=Path, nargs="?", metavar="DIR", help="folder of tiles")
    group.add_argument("--turns", type=whole_number, default=3, help="of each (default: 3)")
    group.add_argument(
        "--most", type=whole_number, default=None, metavar="N", help="only the first N tiles"
    )
    group.add_argument("--device", default=None, help="auto, cpu or cuda:0")
    add_config(parser)


def bench_slides(options: argparse.Namespace) -> int:
    """Print one JSON line; exit 1 below twice the speed of `yolo predict` on the CPU."""
    if options.tiles is None:
        raise ConfigurationError("bench slides: expected DIR, a folder of tiles")
    root = existing(options.tiles)
    from sonar_watch.settings import load_settings
    from sonar_watch.trials.slide_speed import measure_speed

    said: dict[str, Any] = {"weights": options.weights, "device": options.device}
    wanted = replace(
        load_settings(options.config).slides,
        **{name: value for name, value in said.items() if value is not None},
    )
    with progress("turns", _PARTS * (options.turns + 1)) as advance:
        report = measure_speed(
            root, wanted, turns=options.turns, most_tiles=options.most, advance=advance
        )
    return _tell(report)


def _tell(report: SpeedReport) -> int:
    from dataclasses import asdict

    figures = asdict(report).items()
    print_json({key: round(value, 3) if isinstance(value, float) else value
                for key, value in figures})  # fmt: skip
    on_cpu = report.theirs_runtime.endswith("cpu")
    return EXIT_FAILED if on_cpu and report.ratio < LEAST_RATIO else 0
