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
from datetime import UTC, datetime
from typing import Any

import zmq

from sonar_watch.alerts.answers import Answerer, Asker, Desk
from sonar_watch.alerts.asking import keep_alive
from sonar_watch.alerts.gate import Gate, Rejections
from sonar_watch.alerts.options import PublisherOptions
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.reviews import REVIEWS_NAME, Reviews
from sonar_watch.alerts.wire import (
    EPOCH_TOPIC,
    MAX_BATCH,
    MAX_REQUEST_BYTES,
    MAX_SUBSCRIPTION_BYTES,
    STATUS_SCHEMA,
    STATUS_TOPIC,
    Message,
    pack,
    pack_object,
)
from sonar_watch.errors import (
    ConfigurationError,
    JournalDamagedError,
    JournalError,
    WireError,
)
from sonar_watch.records import iso_utc

log = logging.getLogger(__name__)

_REQUESTS_PER_TURN = 64
_FRAMES_PER_TURN = 3 * 2 * MAX_BATCH
_ANSWERS_WAITING = 4
"""For each client; half a megabyte each, and one at a time is what a client asks for."""

_HANDSHAKE_MS = 10_000

_NEVER = (errno.EINVAL, errno.ENAMETOOLONG, zmq.EPROTONOSUPPORT)
_NOT_UP = "is the network up, and is this an address of this host?"
_ADVICE: dict[int, str] = {
    errno.EADDRINUSE: "is another watch running? stop it, or choose another port under alerts",
    errno.EADDRNOTAVAIL: _NOT_UP,
    errno.ENODEV: _NOT_UP,
    errno.EACCES: "this user may not: choose a port from 1024 up, or a folder it may write",
    errno.ENOENT: "make the folder of the ipc:// path",
}


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
        self._rejections = Rejections()
        self._answerer = self._make_answerer()
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

    def counts(self) -> dict[str, int]:
        """Return how many were turned away and how many requests put off, since the start."""
        return {"rejected": self._rejections.count, "throttled": self._answerer.throttled}

    def turn(self, lossy: deque[Message]) -> None:
        """Wait until there is something to do, then do it once."""
        self._wait()
        self.publish_new()
        while lossy:
            self._send(lossy.popleft())
        self._answer_requests()
        if time.monotonic() >= self._next_status:
            self._send_status()

    def publish_new(self) -> None:
        """Publish what the journal holds beyond the last alert published."""
        try:
            while rows := self._reader.alerts_after(self._published, MAX_BATCH):
                for sequence, topic, body in rows:
                    self._send(Message(topic, sequence, body))
                    self._published = sequence
            self._trouble = ""
        except JournalDamagedError:  # nothing more can be told from it: the watch has to end
            raise
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
        sent = 0
        for _ in range(_REQUESTS_PER_TURN):
            try:
                frames = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            asker = self._asker(frames[0])
            parts = [frame.bytes for frame in frames]
            # A REQ socket puts an empty frame after its identity; a DEALER need not.
            envelope = parts[:2] if len(parts) > 2 and not parts[1] else parts[:1]
            answer = self._answerer.answer(b"".join(parts[len(envelope) :]), asker)
            if answer:
                self._router.send_multipart(envelope + answer)
            sent += len(answer)
            if sent > _FRAMES_PER_TURN:
                return

    def _asker(self, identity: zmq.Frame) -> Asker:
        """Return who asks: its key, as the handshake proved it, and where from."""
        key = _property(identity, "User-Id") if self._gate is not None else None
        return Asker(
            client=key.encode() if key else identity.bytes,
            address=_property(identity, "Peer-Address") or "",
            key=key,
        )

    def _reviewer(self, asker: Asker) -> str | None:
        """Return the name of the key that reviews; in plain text everybody on this host may."""
        return None if self._gate is None else self._gate.reviewer(asker.key, asker.address)

    def _make_answerer(self) -> Answerer:
        path = self._reader.path.with_name(REVIEWS_NAME)
        return Answerer(
            self._reader,
            self._status,
            Desk(reviews=Reviews(path), reviewer=self._reviewer, publish=self._send),
            requests_per_s=self._options.requests_per_s,
            replayed_per_s=self._options.replayed_per_s,
        )

    def _send(self, message: Message) -> None:
        self._pub.send_multipart(pack(message))

    def _send_status(self) -> None:
        self._send(Message(STATUS_TOPIC, 0, pack_object(self._status())))
        self._next_status = time.monotonic() + self._options.status_interval_s

    def _status(self) -> dict[str, Any]:
        trouble = {"journal_error": self._trouble} if self._trouble else {}
        return {
            "schema": STATUS_SCHEMA,
            "epoch": self._epoch,
            "head_sequence": self._published,
            "time_utc": iso_utc(datetime.now(UTC)),
            "wire": self.counts(),
            "watch": dict(self._watch()),
        } | trouble

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("%s", trouble)
        self._trouble = trouble

    def _open_gate(self) -> Gate | None:
        secret, allowed = self._options.curve_secret, self._options.curve_allowed
        if secret is None or allowed is None:
            return None
        return Gate(self._context, secret, allowed, self._rejections)

    def _bind_pub(self) -> zmq.Socket[bytes]:
        pub = self._context.socket(zmq.PUB)
        pub.sndhwm = self._options.queue_messages
        pub.setsockopt(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
        # Each new connection hears first which journal it listens to.
        pub.setsockopt(zmq.XPUB_WELCOME_MSG, f"{EPOCH_TOPIC}{self._epoch}".encode())
        return self._bind(pub, self._options.publish)

    def _bind_router(self) -> zmq.Socket[bytes]:
        router = self._context.socket(zmq.ROUTER)
        router.sndhwm = _ANSWERS_WAITING
        router.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
        return self._bind(router, self._options.request)

    def _bind(self, bound: zmq.Socket[bytes], endpoint: str) -> zmq.Socket[bytes]:
        bound.linger = round(self._options.linger_s * 1000)
        bound.ipv6 = "[" in endpoint
        bound.handshake_ivl = _HANDSHAKE_MS
        keep_alive(bound, self._options.heartbeat_s)
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


def _property(frame: zmq.Frame, name: str) -> str | None:
    """Return what ZeroMQ knows of the connection that a frame came by."""
    try:
        return str(frame.get(name)) or None
    except zmq.ZMQError:
        return None


def _bound(bound: zmq.Socket[bytes]) -> str:
    return bound.getsockopt_string(zmq.LAST_ENDPOINT)
