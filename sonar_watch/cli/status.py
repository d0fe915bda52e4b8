"""sonar-watch status."""

from __future__ import annotations

import argparse

from sonar_watch.cli.common import EXIT_FAILED, positive
from sonar_watch.cli.keys import add_client_keys, read_client_keys
from sonar_watch.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "endpoint",
        nargs="?",
        default="tcp://127.0.0.1:6791",
        metavar="ENDPOINT",
        help="where the watch answers requests (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=3.0,
        metavar="S",
        help="seconds to wait for an answer (default: %(default)s)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON line instead of tables")
    how.add_argument(
        "--prometheus",
        action="store_true",
        help="Prometheus text, such as for node_exporter's textfile collector",
    )
    add_client_keys(parser)


def run(options: argparse.Namespace) -> int:
    """Ask the watch how it is; exit 1 when it does not answer or something is wrong."""
    from rich.console import Console

    from sonar_watch.alerts.subscriber import read_status
    from sonar_watch.cli.status_table import status_view
    from sonar_watch.monitoring import complaints, prometheus_text

    status = read_status(options.endpoint, options.timeout, read_client_keys(options))
    watch = status.pop("watch", {})
    wrong = complaints(watch, status.get("time_utc"))
    if "journal_error" in status:
        wrong.insert(0, f"nothing new is published: {status['journal_error']}")
    if options.json:
        print_json({**status, "watch": watch, "wrong": wrong})
    elif options.prometheus:
        print(prometheus_text({**status.get("wire", {}), **watch}), end="")
        return 0
    else:
        Console(highlight=False).print(status_view(status, watch, wrong))
    return EXIT_FAILED if wrong else 0
