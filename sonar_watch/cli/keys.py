"""sonar-watch keys, and the key options of the commands that hear a watch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from sonar_watch.alerts.curve import ClientKeys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.epilog = (
        "On the watch's host: keys make /etc/sonar-watch/keys --name watch. On the subscriber's: "
        "keys make keys --name bridge. Bring bridge.key to the watch and let it in: keys allow "
        "/etc/sonar-watch/keys bridge.key; bring watch.key to the subscriber. Run each as the "
        "user that will read the keys."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("make", help="make a key pair; never overwrites one")
    make.add_argument("folder", type=Path, metavar="DIR", help="NAME.key, NAME.key_secret go here")
    make.add_argument("--name", default="watch", help="whose keys (default: %(default)s)")
    allow = actions.add_parser("allow", help="let the holder of a public key subscribe")
    allow.add_argument(
        "server", type=Path, metavar="SERVER_DIR", help="DIR of the watch's own keys"
    )
    allow.add_argument("public", type=Path, metavar="PUBLIC_KEY", help="the subscriber's NAME.key")
    allow.add_argument(
        "--reviewer", action="store_true", help="take its verdicts on events, too"
    )


def run(options: argparse.Namespace) -> int:
    """Make keys, or let one in; print the files."""
    return _make(options) if options.action == "make" else _allow(options)


def _make(options: argparse.Namespace) -> int:
    from sonar_watch.alerts.curve import ALLOWED_FOLDER, make_keys

    public, secret = make_keys(options.folder, options.name)
    print(f"public key, for the other side: {public}")
    print(f"secret key, stays here: {secret}")
    print("For a watch, let its subscribers in with `sonar-watch keys allow`, and configure:")
    print(f"  alerts:\n    curve_secret: {secret.absolute()}")
    print(f"    curve_allowed: {options.folder.absolute() / ALLOWED_FOLDER}")
    return 0


def _allow(options: argparse.Namespace) -> int:
    from sonar_watch.alerts.curve import allow_key

    copy = allow_key(options.server, options.public, reviewer=options.reviewer)
    print(f"may subscribe{' and review' if options.reviewer else ''}: {copy}")
    return 0


def add_client_keys(parser: argparse.ArgumentParser) -> None:
    """Add --key and --server-key."""
    group = parser.add_argument_group("keys, for a watch on another host (`sonar-watch keys`)")
    group.add_argument("--key", type=Path, metavar="FILE", help="our own NAME.key_secret")
    group.add_argument(
        "--server-key", type=Path, metavar="FILE", help="the watch's public key, its NAME.key"
    )


def read_client_keys(options: argparse.Namespace) -> ClientKeys | None:
    """Return the keys that --key and --server-key name; None without both.

    Raises
    ------
    ConfigurationError
        Only one of them is given, or one is no key.
    """
    if options.key is None and options.server_key is None:
        return None
    if options.key is None or options.server_key is None:
        raise ConfigurationError("expected --key and --server-key together, or neither")
    from sonar_watch.alerts.curve import client_keys

    return client_keys(options.key, options.server_key)
