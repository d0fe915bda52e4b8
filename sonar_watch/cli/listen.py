"""sonar-watch listen."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "endpoint",
        nargs="?",
        default="tcp://127.0.0.1:6790",
        metavar="ENDPOINT",
        help="where the watch publishes (default: %(default)s)",
    )
    parser.add_argument(
        "--request",
        default=None,
        metavar="ENDPOINT",
        help="where it answers requests (default: the next port)",
    )
    parser.add_argument(
        "--after",
        type=int,
        default=None,
        metavar="SEQ",
        help="start after this sequence number (0: everything; default: from now on)",
    )
    parser.add_argument(
        "--tense",
        action="append",
        choices=("live", "replay", "test"),
        default=None,
        help="which alerts (default: live); may be given more than once",
    )
    parser.add_argument("--count", type=int, default=None, metavar="N", help="stop after N alerts")


def request_endpoint(publish: str) -> str:
    """Return the endpoint one port on, where the watch answers requests by default.

    >>> request_endpoint("tcp://127.0.0.1:6790")
    'tcp://127.0.0.1:6791'
    """
    head, separator, port = publish.rpartition(":")
    return f"{head}{separator}{int(port) + 1}" if port.isdigit() else f"{publish}.request"


def run(options: argparse.Namespace) -> int:
    """Print each alert as a JSON line."""
    from sonar_watch.alerts.subscriber import Subscriber

    request = options.request or request_endpoint(options.endpoint)
    tenses = tuple(options.tense or ("live",))
    with Subscriber(options.endpoint, request, after=options.after, tenses=tenses) as subscriber:
        for number, received in enumerate(subscriber, start=1):
            sys.stdout.write(received.body.decode() + "\n")
            sys.stdout.flush()
            if number == options.count:
                break
    return 0
