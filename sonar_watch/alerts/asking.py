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


def unpack_answer(frames: Sequence[bytes]) -> tuple[dict[str, Any], list[Message]]:
    """Return header and messages of an answer.

    Raises
    ------
    WireError
        It is not an answer, or it says that the request was wrong.
    """
    header = unpack_object(frames[0])
    if header.get("ok") is not True:
        raise WireError(f"the publisher refused: {header.get('error', 'no reason given')}")
    return header, unpack_many(frames[1:])


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
    if curve is not None:
        curve.apply(prepared)
    return prepared


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
