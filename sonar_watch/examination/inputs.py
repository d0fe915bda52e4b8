"""What a watch listens to: folders, navigation logs, UDP ports."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from sonar_watch.errors import SonarWatchError
from sonar_watch.examination.finding import Finding, good, note, wrong
from sonar_watch.settings import SourceOptions
from sonar_watch.sources.sockets import Listening, open_socket
from sonar_watch.sources.tcp import CONNECT_S, NmeaTcpOptions


def look_at_inputs(sources: SourceOptions) -> Iterator[Finding]:
    """Yield whether each source can be read or heard."""
    for raw in sources.raw:
        yield _folder(f"source {raw.name}", raw.path)
    for images in sources.images:
        yield _folder(f"source {images.name}", images.path)
    if not sources.give_swaths:
        advice = "name folders or ports under sources.raw, .images or .kmall_udp; see check-config"
        yield note("sources", "none configured", advice)
    for log in sources.nmea_logs:
        yield _log(f"nmea log {log.name}", log.path)
    for sounder in sources.kmall_udp:
        yield _feed(f"kmall udp {sounder.name}", sounder)
    for feed in sources.nmea_udp:
        yield _feed(f"nmea udp {feed.name}", feed)
    for server in sources.nmea_tcp:
        yield _server(f"nmea tcp {server.name}", server)


def _folder(what: str, path: Path) -> Finding:
    if path.is_dir() and os.access(path, os.R_OK | os.X_OK):
        return good(what, str(path))
    advice = "make it, mount it, or give this user the right to read it"
    return wrong(what, f"{path}: not a folder we may read", advice)


def _log(what: str, path: Path) -> Finding:
    if path.is_file() and os.access(path, os.R_OK):
        return good(what, str(path))
    if path.exists():
        return _folder(what, path)
    return wrong(what, f"{path}: nothing there", "set its path, or mount it")


def _feed(what: str, feed: Listening) -> Finding:
    """Bind as a watch would, for a moment."""
    where = f"{feed.group or feed.address}:{feed.port}"
    if feed.port == 0:
        return note(what, where, "set its port: no instrument can know which one is taken")
    try:
        open_socket(feed).close()
    except SonarWatchError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            advice = "by the running watch? else stop the other program, or use another port"
            return note(what, f"{where}: in use", advice)
        advice = "name an address of this host that is up, and a port this user may use"
        return wrong(what, str(error), advice)
    return good(what, f"{where}: free")


def _server(what: str, server: NmeaTcpOptions) -> Finding:
    """Connect as a watch would, for a moment."""
    where = f"{server.host}:{server.port}"
    try:
        socket.create_connection((server.host, server.port), timeout=CONNECT_S).close()
    except OSError as error:
        return wrong(what, f"{where}: {error}", "start the server, or mend its address and port")
    return good(what, f"{where}: answers")
