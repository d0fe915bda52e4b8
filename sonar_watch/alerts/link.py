"""The subscriber's two connections: who is at the other end, and does it speak to us?"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

import zmq

from sonar_watch.alerts.asking import connect, open_monitor, prepare_socket
from sonar_watch.alerts.curve import ClientKeys
from sonar_watch.alerts.wire import ALERT_TOPICS, EPOCH_TOPIC, STATUS_TOPIC, pack_object
from sonar_watch.errors import ConfigurationError

log = logging.getLogger(__name__)

_MESSAGES_PER_TURN = 1000
_SILENCE_S = 10.0
_REFUSALS = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


class Link:
    """A SUB and a DEALER socket that connect again by themselves.

    Parameters
    ----------
    publish, request : str
        The watch's PUB and ROUTER endpoints.
    curve : ClientKeys or None

    Raises
    ------
    ConfigurationError
        An endpoint is not one, or leaves this host without keys.
    """

    def __init__(self, publish: str, request: str, curve: ClientKeys | None) -> None:
        self._endpoints = (publish, request)
        self._heard_at, self._warned = time.monotonic(), False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._sub = self._open(zmq.SUB, publish, curve)
            self._dealer = self._open(zmq.DEALER, request, curve)
            self._connect()
        except ConfigurationError:
            self.close()
            raise

    def send(self, question: Mapping[str, Any]) -> bool:
        """Return whether `question` is on its way; not while nobody is connected."""
        try:
            self._dealer.send(pack_object(question), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def wait(self, wait_s: float, *, to_send: bool) -> None:
        """Wait until something has come, or can be sent when `to_send`, or time is up."""
        poller = zmq.Poller()
        poller.register(self._sub, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._dealer, zmq.POLLIN | (zmq.POLLOUT if to_send else 0))
        # Rounded up, so that a short rest does not become a busy loop.
        poller.poll(int(wait_s * 1000) + (wait_s > 0))
        for frames in _drain(self._monitor):
            self._warn_refused(int.from_bytes(frames[0][:2], "little"))
        self._warn_silence()

    def answers(self) -> Iterator[list[bytes]]:
        """Yield the answers that have come."""
        return _drain(self._dealer)

    def published(self) -> Iterator[list[bytes]]:
        """Yield what was published."""
        return _drain(self._sub)

    def heard(self) -> None:
        """Take note that the other end makes sense."""
        self._heard_at, self._warned = time.monotonic(), False

    def close(self) -> None:
        """Close both; harmless when closed already."""
        self._context.destroy(linger=0)

    def _open(self, kind: int, endpoint: str, curve: ClientKeys | None) -> zmq.Socket[bytes]:
        return prepare_socket(self._context, kind, endpoint, curve)

    def _connect(self) -> None:
        # Before connecting: the greeting on a connection must find its subscription.
        for topic in (EPOCH_TOPIC, STATUS_TOPIC, *ALERT_TOPICS):
            self._sub.subscribe(topic)
        self._dealer.immediate = True  # Nothing piles up for a watch that is away.
        self._monitor = open_monitor(self._dealer, _REFUSALS)
        for opened, endpoint in zip((self._sub, self._dealer), self._endpoints, strict=True):
            connect(opened, endpoint)

    def _warn_refused(self, event: int) -> None:
        if not self._warned:
            log.warning(
                "%s refuses us (event %d): the keys are missing, wrong or not on its list",
                self._endpoints[1],
                event,
            )
        self._warned = True

    def _warn_silence(self) -> None:
        if not self._warned and time.monotonic() - self._heard_at > _SILENCE_S:
            log.warning(
                "nothing heard from %s and %s for %d s: is the watch running?",
                *self._endpoints,
                _SILENCE_S,
            )
            self._warned = True


def _drain(source: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    """Yield what waits in `source`, within reason."""
    for _ in range(_MESSAGES_PER_TURN):
        try:
            yield source.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
