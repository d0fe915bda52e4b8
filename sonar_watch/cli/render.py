"""sonar-watch render."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from sonar_watch.cli.common import EXIT_FAILED, add_config, existing
from sonar_watch.cli.output import print_json, progress

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="RAW", help="raw files or folders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="pictures go here")
    parser.add_argument(
        "--annotated",
        action="store_true",
        help="also write pictures for people: axes in metres, seabed, minimum slant range",
    )
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Draw every swath."""
    from sonar_watch.archive import render_lines
    from sonar_watch.settings import load_settings

    inputs = [existing(path) for path in options.inputs]
    settings = load_settings(options.config)
    drawn = 0
    with progress("swaths") as advance:
        for path in render_lines(inputs, options.out, settings, annotated=options.annotated):
            print_json({"image": str(path)})
            advance()
            drawn += 1
    if not drawn:
        log.error("no swath was found in %s", ", ".join(map(str, inputs)))
        return EXIT_FAILED
    return 0
