"""The command line: parse and call, nothing else; one module per command.

Data on stdout, log on stderr, progress bars only on a terminal. Exit 0; 1 failed; 2 usage;
78 configuration.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import sonar_watch
from sonar_watch.cli.common import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_INTERRUPTED
from sonar_watch.cli.journal import goes_to_journal, with_priority
from sonar_watch.cli.output import set_up_logging
from sonar_watch.errors import ConfigurationError, SonarWatchError

COMMANDS = {
    "run": "watch live: the daemon",
    "demo": "watch a simulated cruise from end to end, with a subscriber",
    "replay": "run recorded lines, pictures and logs through the same pipeline",
    "render": "draw raw files as pictures with sidecars",
    "listen": "print alerts as they arrive",
    "status": "say whether the watch is healthy",
    "review": "confirm or reject an event",
    "keys": "make keys for alerts across hosts, and let subscribers in",
    "export": "write detections, alerts and GeoJSON out of a journal",
    "simulate": "write a simulated cruise, or a training set",
    "train": "train a detector",
    "train-classifier": "train the classifier that takes a second look at particles on slides",
    "evaluate": "score a detector on pictures, cruises and slides with truth, and people's picks",
    "slides": "count and measure ichthyoliths on microscope slides",
    "bench": "measure how soon alerts come under load, and how fast slides are searched",
    "check-config": "check a configuration file, or print the default one",
    "doctor": "look at this machine and say what to do about what is wrong",
}


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; with `only`, the modules of other commands are not imported."""
    parser = argparse.ArgumentParser(
        prog="sonar-watch",
        description="Watches multibeam water-column data for plumes: one geolocated alert each.",
        epilog="Start with: sonar-watch demo, then sonar-watch doctor.",
    )
    parser.add_argument("--version", action="version", version=sonar_watch.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        command.add_argument(
            "--log-level",
            choices=("debug", "info", "warning", "error"),
            default=None,
            help="what is logged (default: info; `run`: as in the settings)",
        )
        if only is None or only == name:
            _module(name).add_arguments(command)
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"sonar_watch.cli.{name.replace('-', '_')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if word in COMMANDS), "")
    options = build_parser(only=chosen).parse_args(words)
    set_up_logging(options.log_level or "info")
    try:
        return int(_module(options.command).run(options) or 0)
    except ConfigurationError as error:
        return _complain(error, EXIT_CONFIGURATION)
    except SonarWatchError as error:
        return _complain(error, EXIT_FAILED)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): not our failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(error, EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _complain(error: Exception, code: int) -> int:
    text = f"sonar-watch: {error}"
    print(with_priority(text, logging.ERROR) if goes_to_journal() else text, file=sys.stderr)
    return code
