"""Where others ask: can the endpoints be bound, can the keys be read?"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from sonar_watch.alerts.curve import load_pair
from sonar_watch.alerts.gate import expect_private
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.errors import ConfigurationError
from sonar_watch.examination.finding import Finding, good, note, wrong
from sonar_watch.monitoring.options import loopback_address

LONGEST_IPC_PATH = 107
_BY_US = "by the running watch? else choose another in the settings"


def look_at_sockets(alerts: PublisherOptions) -> Iterator[Finding]:
    """Yield whether each endpoint could be bound now, and whether the keys are there."""
    for role, endpoint in (("publish", alerts.publish), ("request", alerts.request)):
        transport, _, address = endpoint.partition("://")
        look = _ipc if transport == "ipc" else _tcp
        yield look(f"socket {role}", endpoint, address)
    if alerts.curve_secret is not None and alerts.curve_allowed is not None:
        yield _keys(alerts.curve_secret, alerts.curve_allowed)


def look_at_metrics(address: str | None) -> Iterator[Finding]:
    """Yield whether Prometheus could be answered at `health.prometheus`, if it is to be."""
    if address is not None:
        host, port = loopback_address(address)
        if port == 0:
            advice = "set its port: Prometheus cannot know which one is taken"
            yield note("metrics", address, advice)
        else:
            yield _tcp("metrics", address, f"{host}:{port}")


def _ipc(what: str, endpoint: str, address: str) -> Finding:
    if address.startswith("@"):
        return good(what, endpoint)
    path = Path(address)
    if len(os.fsencode(address)) > LONGEST_IPC_PATH:
        return wrong(what, endpoint, f"expected a path of at most {LONGEST_IPC_PATH} bytes")
    if not path.parent.is_dir():
        return wrong(what, f"{endpoint}: no folder {path.parent}", f"mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        advice = f"give this user the right to write {path.parent}, or choose another folder"
        return wrong(what, f"{endpoint}: {path.parent} cannot be written", advice)
    if _answers(path):
        return note(what, f"{endpoint}: in use", _BY_US)
    return good(what, f"{endpoint}: free")


def _answers(path: Path) -> bool:
    """Return whether somebody listens there; a socket left behind is simply replaced."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _tcp(what: str, endpoint: str, address: str) -> Finding:
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return wrong(what, endpoint, "expected tcp://ADDRESS:PORT")
    if host in (name for _, name in socket.if_nameindex()):
        return good(what, f"{endpoint}: that interface is there")
    try:
        _bind("" if host == "*" else host.strip("[]"), int(port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return note(what, f"{endpoint}: in use", _BY_US)
        advice = "name an address of this host that is up, and a port this user may use"
        return wrong(what, f"{endpoint}: {error.strerror}", advice)
    return good(what, f"{endpoint}: free")


def _bind(host: str, port: int) -> None:
    """Take a TCP port for a moment; raises `OSError`."""
    flags = socket.AI_PASSIVE
    family, kind, protocol, _, place = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=flags
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)


def _keys(secret: Path, allowed: Path) -> Finding:
    try:
        load_pair(secret)
    except ConfigurationError as error:
        return wrong("keys", str(error), "make them with `sonar-watch keys make`")
    if allowed.is_dir():
        try:
            expect_private(allowed)
        except ConfigurationError as error:
            return wrong("keys", str(error), "see whose keys are in it before you let them in")
    if not allowed.is_dir() or not os.access(allowed, os.R_OK | os.X_OK):
        advice = "let a subscriber in with `sonar-watch keys allow`"
        return wrong("keys", f"{allowed}: not a folder we may read", advice)
    guests = len(list(allowed.glob("*.key")))
    if not guests:
        advice = "let one in with `sonar-watch keys allow`"
        return note("keys", f"{secret}; nobody may subscribe", advice)
    return good("keys", f"{secret}; {guests} may subscribe")
