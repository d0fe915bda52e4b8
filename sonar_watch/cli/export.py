"""sonar-watch export."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.cli.common import existing
from sonar_watch.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("journal", type=Path, metavar="JOURNAL", help="journal.sqlite of a watch")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results go here")


def run(options: argparse.Namespace) -> int:
    """Write detections.jsonl, alerts.jsonl and alerts.geojson."""
    from sonar_watch.archive import export_journal

    print_json(export_journal(existing(options.journal), options.out))
    return 0
