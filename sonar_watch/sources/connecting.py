"""A TCP connection that is given up at once when nobody wants it any more."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time

_LOOK_UP_S = 0.2
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EINTR)


def connect(
    host: str, port: int, *, limit_s: float, stopping: threading.Event
) -> socket.socket:
    """Return a connection to the first address of `host` that takes one.

    As `socket.create_connection`, which cannot be ended from outside: a server that lost its
    power answers nothing, and a watch that is to end would wait for each of its feeds in turn.

    Parameters
    ----------
    host : str
    port : int
    limit_s : float
        Seconds for each address. Looking up a name may take longer.
    stopping : threading.Event
        Set when the connection is no longer wanted.

    Raises
    ------
    OSError
        There is none, or it is no longer wanted.
    """
    failure = OSError(f"no address for {host}")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setblocking(False)
            _await(opened, opened.connect_ex(place), time.monotonic() + limit_s, stopping)
        except OSError as error:
            opened.close()
            failure = error
        else:
            return opened
    raise failure


def _await(
    opened: socket.socket, error: int, until_s: float, stopping: threading.Event
) -> None:
    """Wait until a connection stands, and raise why it does not."""
    poller = select.poll()  # not select(), which knows no handle above 1023
    poller.register(opened, select.POLLOUT)
    while error in _UNDER_WAY:
        if stopping.is_set() or time.monotonic() >= until_s:
            raise TimeoutError("timed out")
        if poller.poll(_LOOK_UP_S * 1000):
            error = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
