"""The publisher's own half: both sockets and the journal, one turn of work at a time.

Everything here runs in one thread, as ZeroMQ and the order of messages want it.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zmq

from sonar_watch.alerts.answers import Answerer
from sonar_watch.alerts.curve import Gate
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.wire import (
    EPOCH_TOPIC,
    MAX_BATCH,
    MAX_REQUEST_BYTES,
    STATUS_SCHEMA,
    STATUS_TOPIC,
    Message,
    pack,
    pack_object,
    require_secure,
)
from sonar_watch.errors import ConfigurationError, JournalError, WireError
from sonar_watch.records import iso_utc

log = logging.getLogger(__name__)

_REQUESTS_PER_TURN = 64
_ANSWERS_WAITING = 16

_NEVER = (errno.EINVAL, errno.ENAMETOOLONG, zmq.EPROTONOSUPPORT)
_NOT_UP = "is the network up, and is this an address of this host?"
_ADVICE: dict[int, str] = {
    errno.EADDRINUSE: "is another watch running? stop it, or choose another port under alerts",
    errno.EADDRNOTAVAIL: _NOT_UP,
    errno.ENODEV: _NOT_UP,
    errno.EACCES: "this user may not: choose a port from 1024 up, or a folder it may write",
    errno.ENOENT: "make the folder of the ipc:// path",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherOptions:
    """Where alerts are published.

    Parameters
    ----------
    publish, request : str
        Endpoints of the PUB and the ROUTER socket, tcp://HOST:PORT or ipc://PATH. Beyond this
        host only with `curve_secret`.
    status_interval_s : float
        Seconds between status messages, 0.05 to 10; a subscriber notices within this time that
        it missed the last alert.
    queue_messages : int
        Messages held for each slow subscriber; what it misses beyond it asks for later.
    linger_s : float
        Seconds that closing waits for messages to leave.
    curve_secret : Path or None
        Secret certificate of this publisher (`sonar-watch keys`); None for plain text.
    curve_allowed : Path or None
        Folder of the public certificates of those who may subscribe.
    """

    publish: str = "tcp://127.0.0.1:6790"
    request: str = "tcp://127.0.0.1:6791"
    status_interval_s: float = 1.0
    queue_messages: int = 1000
    linger_s: float = 1.0
    curve_secret: Path | None = None
    curve_allowed: Path | None = None

    def __post_init__(self) -> None:
        if (self.curve_secret is None) != (self.curve_allowed is None):
            raise ConfigurationError("expected curve_secret and curve_allowed together, or neither")
        if self.publish == self.request and not self.publish.endswith(":0"):
            raise ConfigurationError(f"publish and request: expected two, received {self.publish}")
        for endpoint in (self.publish, self.request):
            require_secure(endpoint, encrypted=self.curve_secret is not None)
        if not 0.05 <= self.status_interval_s <= 10:
            raise ConfigurationError(
                f"status_interval_s: expected 0.05 to 10 s, received {self.status_interval_s}"
            )
        if self.queue_messages < 1 or not 0 <= self.linger_s <= 60:
            raise ConfigurationError(
                "expected queue_messages of at least 1 and linger_s of 0 to 60 s, received "
                f"{self.queue_messages}, {self.linger_s}"
            )


class Serving:
    """PUB and ROUTER socket over one journal.

    Parameters
    ----------
    options : PublisherOptions
    reader : JournalReader
        Closed with this.
    watch : callable
        Returns what a status message says about the watch.
    wakened : socket
        Becomes readable when there is something to do; only emptied here.

    Raises
    ------
    WireError
        An endpoint cannot be bound now: taken, or its address is not up yet.
    ConfigurationError
        The keys cannot be read, or an endpoint can never be bound.
    """

    def __init__(
        self,
        options: PublisherOptions,
        reader: JournalReader,
        watch: Callable[[], Mapping[str, Any]],
        wakened: socket.socket,
    ) -> None:
        self._options, self._reader, self._watch = options, reader, watch
        self._wakened = wakened
        self._answerer = Answerer(reader, self._status)
        self._epoch, self._published = reader.epoch, reader.head_sequence
        self._trouble = ""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._gate: Gate | None = None
        try:
            self._gate = self._open_gate()
            self._pub, self._router = self._bind_pub(), self._bind_router()
        except (ConfigurationError, WireError):
            self._end()
            raise
        self._poller = self._make_poller()
        self._next_status = time.monotonic()

    @property
    def endpoints(self) -> tuple[str, str]:
        """PUB and ROUTER endpoint, with the real ports."""
        return _bound(self._pub), _bound(self._router)

    def turn(self, lossy: deque[Message]) -> None:
        """Wait until there is something to do, then do it once."""
        self._wait()
        self.publish_new()
        while lossy:
            self._pub.send_multipart(pack(lossy.popleft()))
        self._answer_requests()
        if time.monotonic() >= self._next_status:
            self._send_status()

    def publish_new(self) -> None:
        """Publish what the journal holds beyond the last alert published."""
        try:
            while rows := self._reader.alerts_after(self._published, MAX_BATCH):
                for sequence, topic, body in rows:
                    self._pub.send_multipart(pack(Message(topic, sequence, body)))
                    self._published = sequence
            self._trouble = ""
        except JournalError as error:
            self._note_trouble(str(error))

    def close(self) -> None:
        """Close sockets and journal; waits up to `linger_s` for what is on its way."""
        self._end()
        self._reader.close()

    def _wait(self) -> None:
        left_s = self._next_status - time.monotonic()
        ready = dict(self._poller.poll(max(0, round(left_s * 1000))))
        if self._wakened.fileno() in ready:
            self._wakened.recv(4096)

    def _answer_requests(self) -> None:
        """Answer a bounded number, so that requests cannot starve what is published."""
        for _ in range(_REQUESTS_PER_TURN):
            try:
                frames = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            # A REQ socket puts an empty frame after its identity; a DEALER need not.
            envelope = frames[:2] if len(frames) > 2 and not frames[1] else frames[:1]
            answer = self._answerer.answer(b"".join(frames[len(envelope) :]))
            self._router.send_multipart(envelope + answer)

    def _send_status(self) -> None:
        status = pack_object(self._status())
        self._pub.send_multipart(pack(Message(STATUS_TOPIC, 0, status)))
        self._next_status = time.monotonic() + self._options.status_interval_s

    def _status(self) -> dict[str, Any]:
        trouble = {"journal_error": self._trouble} if self._trouble else {}
        return {
            "schema": STATUS_SCHEMA,
            "epoch": self._epoch,
            "head_sequence": self._published,
            "time_utc": iso_utc(datetime.now(UTC)),
            "watch": dict(self._watch()),
        } | trouble

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("%s", trouble)
        self._trouble = trouble

    def _open_gate(self) -> Gate | None:
        secret, allowed = self._options.curve_secret, self._options.curve_allowed
        return Gate(self._context, secret, allowed) if secret and allowed else None

    def _bind_pub(self) -> zmq.Socket[bytes]:
        pub = self._context.socket(zmq.PUB)
        pub.sndhwm = self._options.queue_messages
        # Each new connection hears first which journal it listens to.
        pub.setsockopt(zmq.XPUB_WELCOME_MSG, f"{EPOCH_TOPIC}{self._epoch}".encode())
        return self._bind(pub, self._options.publish)

    def _bind_router(self) -> zmq.Socket[bytes]:
        router = self._context.socket(zmq.ROUTER)
        router.sndhwm = _ANSWERS_WAITING
        return self._bind(router, self._options.request)

    def _bind(self, bound: zmq.Socket[bytes], endpoint: str) -> zmq.Socket[bytes]:
        bound.linger = round(self._options.linger_s * 1000)
        bound.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
        bound.ipv6 = "[" in endpoint
        if self._gate is not None:
            self._gate.guard(bound)
        try:
            bound.bind(endpoint)
        except zmq.ZMQError as error:
            raise _bind_failure(endpoint, error) from error
        return bound

    def _make_poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        # PUB never has input; polling it lets ZeroMQ take in subscriptions at once.
        poller.register(self._pub, zmq.POLLIN)
        poller.register(self._wakened, zmq.POLLIN)
        return poller

    def _end(self) -> None:
        if self._gate is not None:
            self._gate.close()
        self._context.destroy(linger=round(self._options.linger_s * 1000))


def _bind_failure(endpoint: str, error: zmq.ZMQError) -> ConfigurationError | WireError:
    """Return what to raise: a wrong setting stays wrong, anything else may pass by itself."""
    trouble = f"cannot bind {endpoint}: {error.strerror}"
    if error.errno in _NEVER:
        return ConfigurationError(f"{trouble}; expected tcp://ADDRESS:PORT or ipc://PATH")
    advice = _ADVICE.get(error.errno or 0, "check alerts.publish and alerts.request")
    return WireError(f"{trouble}; {advice}")


def _bound(bound: zmq.Socket[bytes]) -> str:
    return bound.getsockopt_string(zmq.LAST_ENDPOINT)
