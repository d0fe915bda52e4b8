"""One question to a publisher's request socket, one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from sonar_watch.alerts.curve import ClientKeys
from sonar_watch.alerts.wire import (
    MAX_FRAME_BYTES,
    Message,
    pack_object,
    require_secure,
    unpack_many,
    unpack_object,
)
from sonar_watch.errors import ConfigurationError, WireError

HEARTBEAT_S = 5.0
SILENT_BEATS = 3
"""A connection from which nothing came for so many heartbeats is closed, and made anew."""

_CONNECT_MS = 5_000
_LONGEST_WAIT_S = 60.0


def read_status(
    request: str, timeout_s: float = 5.0, curve: ClientKeys | None = None
) -> dict[str, Any]:
    """Return the status of the watch that answers at `request`.

    Raises
    ------
    WireError
        Nothing came within `timeout_s`, or it is not an answer.
    ConfigurationError
        The endpoint is not one, or leaves this host without keys.
    """
    return ask(request, {"verb": "status"}, timeout_s, curve)[0]


def read_snapshot(
    request: str, timeout_s: float = 5.0, curve: ClientKeys | None = None
) -> list[Message]:
    """Return the latest alert of each open event; raises as `read_status`."""
    return ask(request, {"verb": "snapshot"}, timeout_s, curve)[1]


def ask(
    request: str, question: Mapping[str, Any], timeout_s: float, curve: ClientKeys | None = None
) -> tuple[dict[str, Any], list[Message]]:
    """Return header and messages of the answer to `question`; raises as `read_status`."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, prepare_socket(context, zmq.DEALER, request, curve) as dealer:
        connect(dealer, request)
        dealer.send(pack_object(question))
        if not dealer.poll(round(timeout_s * 1000)):
            raise WireError(
                f"{request}: no answer within {timeout_s:g} s: is the watch running, and is this "
                "its request endpoint?"
            )
        return unpack_answer(dealer.recv_multipart())


def send_review(
    request: str,
    review: Mapping[str, str],
    timeout_s: float = 5.0,
    curve: ClientKeys | None = None,
) -> dict[str, Any]:
    """Give a verdict on an event; return it as the watch keeps it.

    Parameters
    ----------
    request : str
        Where the watch answers.
    review : mapping
        event_id (its first letters suffice), verdict ("confirmed" or "rejected"), by, note.

    Raises
    ------
    WireError
        As `read_status`; or it is of no event, or this key may not.
    """
    header = ask(request, {**review, "verb": "review"}, timeout_s, curve)[0]
    return dict(header["review"])


def read_rejected(
    request: str, timeout_s: float = 5.0, curve: ClientKeys | None = None
) -> list[dict[str, Any]]:
    """Return the last verdict on each event that people rejected; raises as `read_status`."""
    return list(ask(request, {"verb": "rejected"}, timeout_s, curve)[0]["rejected"])


class RefusedError(WireError):
    """The publisher does not answer this; `retry_after_s` when it may be asked again."""

    def __init__(self, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def unpack_answer(frames: Sequence[bytes]) -> tuple[dict[str, Any], list[Message]]:
    """Return header and messages of an answer.

    Raises
    ------
    WireError
        It is not an answer.
    RefusedError
        It says that the request was wrong, or one too many.
    """
    header = unpack_object(frames[0])
    if header.get("ok") is not True:
        raise RefusedError(
            f"the publisher refused: {header.get('error', 'no reason given')}",
            _plausible_wait_s(header.get("retry_after_s")),
        )
    return header, unpack_many(frames[1:])


def _plausible_wait_s(value: object) -> float | None:
    """Return seconds that somebody else says; None for what would stop us for good, such as NaN."""
    if isinstance(value, int | float) and 0 <= value <= _LONGEST_WAIT_S:
        return float(value)
    return None


def prepare_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, endpoint: str, curve: ClientKeys | None
) -> zmq.Socket[bytes]:
    """Return a socket that is ready to connect to `endpoint`.

    Raises
    ------
    ConfigurationError
        The endpoint is not one, or leaves this host without keys.
    """
    require_secure(endpoint, encrypted=curve is not None)
    prepared = context.socket(kind)
    prepared.linger = 0
    prepared.ipv6 = "[" in endpoint
    prepared.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    prepared.connect_timeout = _CONNECT_MS
    keep_alive(prepared, HEARTBEAT_S)
    if curve is not None:
        curve.apply(prepared)
    return prepared


def keep_alive(to: zmq.Socket[bytes], heartbeat_s: float) -> None:
    """Let a connection be noticed that is cut though neither side closed it.

    ZeroMQ asks the other side for a sign of life; the kernel does for a peer too old for it.
    """
    to.heartbeat_ivl = round(heartbeat_s * 1000)
    to.heartbeat_timeout = round(SILENT_BEATS * heartbeat_s * 1000)
    to.tcp_keepalive = 1
    to.tcp_keepalive_idle, to.tcp_keepalive_intvl, to.tcp_keepalive_cnt = 30, 10, 3


def open_monitor(of: zmq.Socket[bytes], events: int) -> zmq.Socket[bytes]:
    """Return a socket that tells of these events; for one thread, closed by who asked.

    Without a limit: ZeroMQ would stop all its work when nobody reads what it tells.
    """
    address = f"inproc://monitor.{of.FD}"
    of.monitor(address, events)
    told: zmq.Socket[bytes] = of.context.socket(zmq.PAIR)
    told.linger, told.rcvhwm = 0, 0
    told.connect(address)
    return told


def connect(prepared: zmq.Socket[bytes], endpoint: str) -> None:
    """Connect to `endpoint`, now and whenever it comes back.

    Raises
    ------
    ConfigurationError
        The endpoint is not one.
    """
    try:
        prepared.connect(endpoint)
    except zmq.ZMQError as error:
        raise ConfigurationError(f"cannot connect to {endpoint}: {error.strerror}") from error
