"""sonar-watch review."""

from __future__ import annotations

import argparse
import getpass

from sonar_watch.cli.common import positive
from sonar_watch.cli.keys import add_client_keys, read_client_keys
from sonar_watch.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.epilog = (
        "The verdict goes into reviews.jsonl beside the watch's journal, from which "
        "`sonar-watch train --from-review` learns. The last one on an event counts."
    )
    parser.add_argument(
        "event_id", metavar="EVENT_ID", help="the alert's event_id; its first letters suffice"
    )
    verdict = parser.add_mutually_exclusive_group(required=True)
    verdict.add_argument(
        "--confirm", dest="verdict", action="store_const", const="confirmed", help="it is a plume"
    )
    verdict.add_argument(
        "--reject", dest="verdict", action="store_const", const="rejected",
        help="it is none: a live watch takes it back, for good",
    )
    parser.add_argument("--by", default=None, metavar="NAME", help="who says so (default: you)")
    parser.add_argument("--note", default="", metavar="TEXT", help="such as the CTD that saw it")
    parser.add_argument(
        "--request",
        default="tcp://127.0.0.1:6791",
        metavar="ENDPOINT",
        help="where the watch answers requests (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        default=5.0,
        metavar="S",
        help="seconds to wait for its answer (default: %(default)g)",
    )
    add_client_keys(parser)


def run(options: argparse.Namespace) -> int:
    """Give the verdict; print it as the watch keeps it."""
    from sonar_watch.alerts.asking import send_review

    review = {
        "event_id": options.event_id,
        "verdict": options.verdict,
        "by": _user() if options.by is None else options.by,
        "note": options.note,
    }
    keys = read_client_keys(options)
    print_json(send_review(options.request, review, options.timeout, keys))
    return 0


def _user() -> str:
    """Return who runs this; nothing when the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
