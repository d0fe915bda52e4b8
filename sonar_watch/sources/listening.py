"""Datagrams off a UDP socket: a thread takes them as they come, with the time of reception."""

from __future__ import annotations

import logging
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from sonar_watch.errors import SonarWatchError
from sonar_watch.sources.sockets import AbsentError, Listening, join_group, open_socket

_log = logging.getLogger(__name__)

LARGEST_DATAGRAM = 65_536
RECEIVE_BUFFER = 8 << 20
"""Bytes asked of the kernel: a swath of 12 MB comes in a burst, while the thread waits."""

QUEUE_BYTES = 64 << 20
"""Kept at most where the options do not say: anybody may send to a port."""

REJOIN_S = 30.0
"""Silence after which a group is joined anew: switches and cards that went away forget members."""

REOPEN_S = 2.0
_TOLD_AS = 2 if sys.platform == "linux" else 1  # Linux adds as much for its own use, and says so
_RCVBUFFORCE = 33  # Linux; beyond net.core.rmem_max, for those who may
_RXQ_OVFL = 40  # Linux; tells how many datagrams the kernel had no room for
_OVERFLOWN = struct.Struct("=I")


class Received(NamedTuple):
    """One datagram: its bytes, who sent it, when it came (UTC, and by a clock that only grows)."""

    data: bytes
    sender: str
    at_utc: datetime
    at_s: float


class Listener:
    """Takes datagrams off a socket and keeps them, up to a number of bytes.

    A card or an address that is away (at boot, after a pulled cable) is waited for. When the
    queue is full, the oldest datagrams go; those and what the kernel had no room for are counted.

    Parameters
    ----------
    options : Listening
    most_datagrams, most_bytes : int
        Kept while nobody takes them.
    wake : threading.Event
        Set when something came.
    now : callable
        The time of reception, UTC.
    clock : callable
        Seconds that only grow.
    buffer_bytes : int
        Of the kernel's own queue; 0 leaves what is usual.
    wanted : callable
        Tells from the bytes whether a datagram is worth keeping.

    Raises
    ------
    SonarWatchError
        The port is taken, or not for this user.
    """

    def __init__(
        self,
        options: Listening,
        *,
        most_datagrams: int,
        most_bytes: int = QUEUE_BYTES,
        wake: threading.Event | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        buffer_bytes: int = 0,
        wanted: Callable[[bytes], bool] = lambda _: True,
    ) -> None:
        self._options, self._wanted = options, wanted
        self._most_datagrams, self._most_bytes = most_datagrams, most_bytes
        self._wake = wake or threading.Event()
        self._now, self._clock, self._buffer_bytes = now, clock, buffer_bytes
        self._lock = threading.Lock()
        self._queue: deque[Received] = deque()
        self._queued_bytes = 0
        self._pushed_out = self._overflown = self._overflown_before = 0
        self._stopping = threading.Event()
        self._told = ""
        self._heard_s = clock()
        self._socket = self._open()
        self.port: int = self._socket.getsockname()[1] if self._socket else 0
        self._thread = threading.Thread(
            target=self._listen, name=f"udp {options.name}", daemon=True
        )
        self._thread.start()

    def __len__(self) -> int:
        """Datagrams that wait."""
        return len(self._queue)

    @property
    def failing(self) -> bool:
        """True while there is nothing to listen on."""
        return self._socket is None

    @property
    def dropped(self) -> int:
        """Datagrams lost because the queue, or that of the kernel, was full."""
        return self._pushed_out + self._overflown_before + self._overflown

    def take(self) -> Received | None:
        """Return the oldest datagram, None when there is none."""
        with self._lock:
            if not self._queue:
                return None
            received = self._queue.popleft()
            self._queued_bytes -= len(received.data)
            return received

    def close(self) -> None:
        """End the thread and close the socket."""
        self._stopping.set()
        self._thread.join()
        if self._socket is not None:
            self._socket.close()

    def _open(self) -> socket.socket | None:
        """Return an open socket, None when what it listens on is away."""
        try:
            opened = open_socket(self._options)
        except AbsentError as error:
            if str(error) != self._told:
                self._told = str(error)
                _log.error("%s; tried again every %g s", error, REOPEN_S)
            return None
        self._enlarge(opened)
        if self._told:
            _log.info("%s: listening again", self._options.name)
        self._told = ""
        return opened

    def _enlarge(self, opened: socket.socket) -> None:
        for option, value in ((_RXQ_OVFL, 1), (_RCVBUFFORCE, self._buffer_bytes)):
            try:
                if value:
                    opened.setsockopt(socket.SOL_SOCKET, option, value)
            except OSError:  # not this kernel, or not this user
                if option == _RCVBUFFORCE:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, value)
        got = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _TOLD_AS
        if got < self._buffer_bytes:
            _log.warning(
                "%s: the kernel queues %d bytes and not %d: raise net.core.rmem_max, else bursts "
                "of large swaths lose parts", self._options.name, got, self._buffer_bytes,
            )

    def _listen(self) -> None:
        while not self._stopping.is_set():
            if self._socket is None:
                self._reopen()
                continue
            try:
                data, ancillary, _, (host, *_) = self._socket.recvmsg(
                    LARGEST_DATAGRAM, socket.CMSG_SPACE(_OVERFLOWN.size)
                )
            except TimeoutError:
                self._rejoin()
                continue
            except OSError as error:  # the network goes and comes
                self._lose(error)
                continue
            self._put(data, host, ancillary)

    def _reopen(self) -> None:
        if self._stopping.wait(REOPEN_S):
            return
        try:
            self._socket = self._open()
        except SonarWatchError as error:  # such as a port that somebody took meanwhile
            if str(error) != self._told:
                self._told = str(error)
                _log.error("%s; tried again every %g s", error, REOPEN_S)

    def _lose(self, error: OSError) -> None:
        _log.warning("%s: %s", self._options.name, error)
        self._overflown_before += self._overflown
        self._overflown = 0
        lost, self._socket = self._socket, None
        if lost is not None:
            lost.close()

    def _rejoin(self) -> None:
        """Ask for the group anew after a long silence."""
        if self._options.group is None or self._clock() - self._heard_s < REJOIN_S:
            return
        self._heard_s = self._clock()
        assert self._socket is not None
        try:
            join_group(self._socket, self._options)
        except OSError as error:
            self._lose(error)

    def _put(self, data: bytes, host: str, ancillary: list[tuple[int, int, bytes]]) -> None:
        self._heard_s = self._clock()
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _RXQ_OVFL):
                (self._overflown,) = _OVERFLOWN.unpack(value[: _OVERFLOWN.size])
        if not self._wanted(data):
            return
        received = Received(data, host, self._now(), self._heard_s)
        with self._lock:
            self._queue.append(received)
            self._queued_bytes += len(data)
            while self._is_full():
                self._queued_bytes -= len(self._queue.popleft().data)
                self._pushed_out += 1
        self._wake.set()

    def _is_full(self) -> bool:
        many = len(self._queue) > self._most_datagrams
        return many or (self._queued_bytes > self._most_bytes and len(self._queue) > 1)
