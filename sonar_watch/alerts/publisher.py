"""Sends what the journal holds: PUB for whoever listens, ROUTER for whoever missed something.

One thread owns both sockets and a read-only connection to the journal. Alerts are read back
from the journal, so one that is not stored is never sent. A slow, broken or hostile subscriber
costs detection nothing.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sonar_watch.alerts.options import PublisherOptions
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.serving import Serving
from sonar_watch.alerts.wire import LOSSY_TOPICS, Message, pack_object, unpack_object
from sonar_watch.errors import (
    ConfigurationError,
    JournalDamagedError,
    JournalError,
    WireError,
)
from sonar_watch.records import Alert

__all__ = ["Publisher", "PublisherOptions"]

log = logging.getLogger(__name__)

_LOSSY_WAITING = 64


class Publisher:
    """Publishes a journal until closed.

    Parameters
    ----------
    options : PublisherOptions
    journal_path : Path
        A journal that exists: open the `Journal` first.
    on_turn : callable
        Called by the thread each time it has done its work, at least every status interval.
    on_damage : callable
        Called by the thread when it finds the journal damaged; it ends then.
    """

    def __init__(
        self,
        options: PublisherOptions,
        journal_path: Path,
        *,
        on_turn: Callable[[], None] = lambda: None,
        on_damage: Callable[[JournalDamagedError], None] = lambda _: None,
    ) -> None:
        self.options = options
        self.endpoints: tuple[str, str] = (options.publish, options.request)
        """PUB and ROUTER endpoint; with the real ports once started."""
        self._journal_path = journal_path
        self._on_turn, self._on_damage = on_turn, on_damage
        self._status: dict[str, Any] = {}
        self._lossy: deque[Message] = deque(maxlen=_LOSSY_WAITING)
        self._stop = threading.Event()
        self._waker, self._wakened = socket.socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Bind both sockets and start the thread.

        Raises
        ------
        WireError
            An endpoint cannot be bound now: taken, or its address is not up yet.
        ConfigurationError
            The keys cannot be read, or an endpoint can never be bound.
        JournalError
            The journal cannot be read.
        """
        reader = JournalReader(self._journal_path, self._on_damage)
        try:
            serving = Serving(
                self.options, reader, watch=lambda: self._status, wakened=self._wakened
            )
        except (ConfigurationError, JournalError, WireError):
            reader.close()
            raise
        self.endpoints = serving.endpoints
        self._thread = threading.Thread(
            target=self._run, args=(serving,), name="alert-publisher", daemon=True
        )
        self._thread.start()
        log.info("publishing %s on %s, requests on %s", self._journal_path, *self.endpoints)

    def publish(self, alerts: Sequence[Alert] = ()) -> None:
        """Say that `alerts` are committed: they go out at once, as the journal holds them."""
        if alerts:
            self._wake()

    def publish_lossy(self, topic: str, body: Mapping[str, Any]) -> None:
        """Publish what may be lost, such as a preview: "live.frame.", "live.coverage." ...

        Raises
        ------
        WireError
            `body` is not JSON.
        ValueError
            The topic is none of those that may be lost.
        """
        if topic not in LOSSY_TOPICS:
            raise ValueError(f"expected one of {', '.join(LOSSY_TOPICS)}, received {topic!r}")
        self._lossy.append(Message(topic, 0, pack_object(body)))
        self._wake()

    def set_status(self, status: Mapping[str, Any]) -> None:
        """Set what each status message carries as its `watch` from now on.

        Raises
        ------
        WireError
            `status` is not JSON.
        """
        # A copy of its own: the thread must not see the caller change it.
        self._status = unpack_object(pack_object(status))

    def close(self) -> None:
        """Send what is committed, stop the thread and close the sockets, within `linger_s`."""
        self._stop.set()
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self._waker.close()
        self._wakened.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wake(self) -> None:
        # Full: it has been woken often enough. Closed: nobody is left to wake.
        with contextlib.suppress(OSError):
            self._waker.send(b"!")

    def _run(self, serving: Serving) -> None:
        try:
            while not self._stop.is_set():
                serving.turn(self._lossy)
                self._on_turn()
            serving.publish_new()
        except JournalDamagedError as error:
            log.critical("publishing ends, the watch with it: %s", error)
        finally:
            serving.close()
