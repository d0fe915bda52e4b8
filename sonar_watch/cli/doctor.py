"""sonar-watch doctor."""

from __future__ import annotations

import argparse

from sonar_watch.cli.common import add_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")


def run(options: argparse.Namespace) -> int:
    """Look at everything a watch needs; exit 1 when something is wrong."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sonar_watch.cli.output import print_json
    from sonar_watch.examination import examine
    from sonar_watch.settings import load_settings

    findings = list(examine(load_settings(options.config)))
    if options.json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        table = Table("what", "state", "found", "what to do", title="sonar-watch doctor")
        colours = {"good": "green", "note": "yellow", "wrong": "red"}
        for finding in findings:
            state = f"[{colours[finding.state]}]{finding.state}[/]"
            # Escaped: "sonar-watch[detect]" is no markup.
            words = (finding.what, finding.found, finding.advice)
            what, found, advice = map(escape, words)
            table.add_row(what, state, found, advice)
        Console().print(table)
    return int(any(finding.state == "wrong" for finding in findings))
