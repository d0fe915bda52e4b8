"""sonar-watch replay."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

from sonar_watch.cli.common import EXIT_FAILED, add_config, existing
from sonar_watch.cli.output import print_json, progress
from sonar_watch.errors import ConfigurationError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="raw files, folders of raw files or pictures, NMEA logs",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results go here")
    parser.add_argument(
        "--speed",
        default="max",
        metavar="N|max",
        help="1 is the recorded pace; max (default) is as fast as possible",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="publish the alerts too, with tense replay, on the ports after the live watch's: "
        "whoever listens to that is not disturbed",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="replace the results of another replay in DIR"
    )
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Replay, then write the results and say what was found."""
    from sonar_watch.archive import export_journal, forget_results
    from sonar_watch.daemon import JOURNAL_NAME, Watch
    from sonar_watch.settings import load_settings, replay_options, replay_settings
    from sonar_watch.sources.replay import open_inputs

    inputs = [existing(path) for path in options.inputs]
    if options.fresh:
        forget_results(options.out)
    settings = replay_settings(load_settings(options.config), options.out)
    watch = Watch(
        settings,
        lambda journal, _: open_inputs(inputs, replay_options(settings, inputs), journal),
        tense="replay",
        publish=options.publish,
        speed=_speed(options.speed),
        inputs=inputs,
    )
    with progress("swaths") as advance:
        watch.run(advance)
    summary = export_journal(options.out / JOURNAL_NAME, options.out)
    print_json(summary)
    if not summary["frames"]:
        log.error("no swath was found in %s", ", ".join(map(str, inputs)))
        return EXIT_FAILED
    return 0


def _speed(word: str) -> float:
    """Return data seconds per second; "max" is infinite.

    Raises
    ------
    ConfigurationError
        Neither a number above 0 nor "max".
    """
    try:
        speed = math.inf if word == "max" else float(word)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise ConfigurationError(f"--speed: expected a number above 0 or max, received {word!r}")
    return speed
