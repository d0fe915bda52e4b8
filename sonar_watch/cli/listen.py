"""sonar-watch listen."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from sonar_watch.cli.common import whole_number
from sonar_watch.cli.keys import add_client_keys, read_client_keys
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from sonar_watch.alerts.subscriber import Subscriber

log = logging.getLogger(__name__)


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
        "--epoch",
        default=None,
        metavar="EPOCH",
        help="the journal that --after counts in, as the log and `sonar-watch status` name it: "
        "when the watch has another by now, all of that one follows, from 1",
    )
    parser.add_argument(
        "--tense",
        action="append",
        choices=("live", "replay", "test"),
        default=None,
        help="which alerts (default: live); may be given more than once",
    )
    parser.add_argument(
        "--count", type=whole_number, default=None, metavar="N", help="stop after N alerts"
    )
    add_client_keys(parser)


def request_endpoint(publish: str) -> str:
    """Return the endpoint one port on, where the watch answers requests by default.

    >>> request_endpoint("tcp://127.0.0.1:6790")
    'tcp://127.0.0.1:6791'
    """
    head, separator, port = publish.rpartition(":")
    return f"{head}{separator}{int(port) + 1}" if port.isdigit() else f"{publish}.request"


def run(options: argparse.Namespace) -> int:
    """Print each alert as a JSON line on stdout, and nothing else there."""
    epoch = options.epoch
    with _subscribe(options) as subscriber:
        for number, received in enumerate(subscriber, start=1):
            if received.epoch != epoch:
                epoch = received.epoch
                log.info("from here on alerts of epoch %s", epoch)
            sys.stdout.write(received.body.decode() + "\n")
            sys.stdout.flush()
            if number == options.count:
                break
    return 0


def _subscribe(options: argparse.Namespace) -> Subscriber:
    from sonar_watch.alerts.subscriber import Subscriber

    if options.epoch is not None and options.after is None:
        raise ConfigurationError("--epoch: expected --after SEQ with it, to resume there")
    return Subscriber(
        options.endpoint,
        options.request or request_endpoint(options.endpoint),
        after=options.after,
        epoch=options.epoch,
        tenses=tuple(options.tense or ("live",)),
        curve=read_client_keys(options),
    )
