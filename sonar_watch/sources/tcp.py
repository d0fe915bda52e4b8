"""Navigation from a TCP server, such as a serial gateway or a ship's data distribution."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sonar_watch.errors import ConfigurationError
from sonar_watch.formats.nmea import LONGEST_LINE, split_datagram
from sonar_watch.records import SourceItem
from sonar_watch.sources.connecting import connect
from sonar_watch.sources.sentences import SentenceReader

_log = logging.getLogger(__name__)

LINES_PER_POLL = 1024
CONNECT_S = 5.0
DRAIN_BYTES = 1 << 18
"""Of a burst, taken together: two minutes of the busiest feed, lines for a second of reading."""

TAKEN_S = 5.0
"""Between the pieces of a burst the connection is left to wait for the watch, at most so long."""

_LOOK_UP_S = 0.2
_READ_AT_ONCE = 65_536
_LINE_END = re.compile(rb"[\r\n]+")
_CLOSE_S = 2.0
_PAUSE_S, _DRAIN_S = 0.02, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class NmeaTcpOptions:
    """Options of a navigation feed over TCP.

    Parameters
    ----------
    host : str
        Name or address of the server.
    port : int
        Its port.
    name : str
        Name of this source.
    silent_limit_s : float
        Seconds without a byte after which the connection is made anew: a server that lost its
        power never says so.
    longest_pause_s : float
        Seconds between two attempts to connect, at most; the first pauses are shorter.
    queue_lines : int
        Lines kept while the watch is busy; when full the oldest are dropped and counted.

    Raises
    ------
    ConfigurationError
        No host or one that no name can be, a port that cannot be, or a number that is not above 0.
    """

    host: str
    port: int
    name: str = "navigation"
    silent_limit_s: float = 60.0
    longest_pause_s: float = 30.0
    queue_lines: int = 10_000

    def __post_init__(self) -> None:
        if not self.host or not _is_name(self.host):
            raise ConfigurationError(
                f"{self.name}: host: expected a name or an address, received {self.host!r}"
            )
        if not 1 <= self.port <= 65_535:
            raise ConfigurationError(f"{self.name}: port: expected 1 to 65535, got {self.port}")
        for key in ("silent_limit_s", "longest_pause_s", "queue_lines"):
            if not getattr(self, key) > 0:
                raise ConfigurationError(f"{self.name}: {key}: expected a number above 0")


def _is_name(host: str) -> bool:
    """Return False for what cannot even be asked for, such as two dots in a row."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


class LineCutter:
    """Bytes as they come -> whole lines; one that is too long is left out and counted.

    Parameters
    ----------
    longest : int
        Bytes of a line.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self.overlong = 0
        self._longest = longest
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes."""
        *lines, rest = _LINE_END.split(self._rest + data)
        if lines and self._skipping:
            self._skipping = False
            lines = lines[1:]
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > self._longest:
            self._skipping, self._rest = True, b""
            self.overlong += 1
        whole = [line for line in lines if 0 < len(line) <= self._longest]
        self.overlong += sum(len(line) > self._longest for line in lines)
        return whole

    def clear(self) -> None:
        """Forget half a line: the next bytes are of another connection."""
        self._rest, self._skipping = b"", False


class _Gulp(NamedTuple):
    """Lines that came at once, and when; `more` of the same burst followed."""

    lines: list[bytes]
    at_utc: datetime
    more: bool = False


class NmeaTcpSource:
    """Keeps a connection to a server of sentences, for ever, and reads what comes.

    A thread connects, and connects again after an error, an end or a silence, with pauses that
    double from half a second up to a limit.

    Parameters
    ----------
    options : NmeaTcpOptions
    wake : threading.Event or None
        Set when something came.
    now : callable
        The time of reception, UTC.
    """

    exhausted = False

    def __init__(
        self,
        options: NmeaTcpOptions,
        *,
        wake: threading.Event | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = options.name
        self.connected = False
        self.dropped = 0
        self._options, self._now = options, now
        self._wake = wake or threading.Event()
        self._sentences = SentenceReader(options.name)
        self._cutter = LineCutter()
        self._lock = threading.Lock()
        self._taken = threading.Condition(self._lock)
        self._queue: deque[_Gulp] = deque()
        self._queued = 0
        self._reconnects = 0
        self._told = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tcp {self.name}", daemon=True)
        self._thread.start()

    @property
    def clock_offset_s(self) -> float | None:
        """Seconds that the last date in a sentence was ahead of its reception."""
        return self._sentences.offset_s

    def counts(self) -> dict[str, int]:
        """Return lines waiting, dropped and broken; "failing" is 1 while not connected."""
        sentences = self._sentences.counts()
        with self._lock:
            waiting, dropped = self._queued, self.dropped
        return sentences | {
            "backlog": waiting,
            "dropped": dropped,
            "broken": sentences["broken"] + self._cutter.overlong,
            "failing": int(not self.connected),
            "reconnects": max(0, self._reconnects - 1),
        }

    def poll(self) -> list[SourceItem]:
        """Return the navigation in what has come."""
        items: list[SourceItem] = []
        taken = 0
        while taken < LINES_PER_POLL and (gulp := self._take()) is not None:
            taken += len(gulp.lines)
            sentences = [each for line in gulp.lines for each in split_datagram(line)]
            items += self._sentences.read_together(
                sentences, gulp.at_utc, self._options.host, more=gulp.more
            )
        return items

    def close(self) -> None:
        """End the thread and close the connection."""
        self._stopping.set()
        with self._taken:
            self._taken.notify_all()
        self._thread.join(_CLOSE_S)  # looking up a name may take longer

    def _take(self) -> _Gulp | None:
        with self._lock:
            if not self._queue:
                return None
            gulp = self._queue.popleft()
            self._queued -= len(gulp.lines)
            self._taken.notify_all()
            return gulp

    def _run(self) -> None:
        pause_s = first_s = min(0.5, self._options.longest_pause_s)
        while not self._stopping.is_set():
            reason = self._connect_and_read()
            self._tell(reason)
            pause_s = first_s if self.connected else min(2 * pause_s, self._options.longest_pause_s)
            self.connected = False
            self._wake.set()
            self._stopping.wait(pause_s)

    def _connect_and_read(self) -> str:
        """Read until the connection ends; return why it did."""
        host, port = self._options.host, self._options.port
        try:
            with connect(host, port, limit_s=CONNECT_S, stopping=self._stopping) as connection:
                connection.settimeout(_LOOK_UP_S)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return self._read(connection)
        except OSError as error:
            return str(error)
        finally:
            self._cutter.clear()

    def _read(self, connection: socket.socket) -> str:
        heard_s = time.monotonic()
        while not self._stopping.is_set():
            try:
                data = connection.recv(_READ_AT_ONCE)
            except TimeoutError:
                if time.monotonic() - heard_s > self._options.silent_limit_s:
                    return f"silent for {self._options.silent_limit_s:g} s"
                continue
            if not data:
                return "the server closed the connection"
            at_utc = self._now()
            heard_s = time.monotonic()
            self._note_connected()
            burst = drain(connection, DRAIN_BYTES)
            more = len(burst) == DRAIN_BYTES
            self._put(_Gulp(self._cutter.feed(data + burst), at_utc, more))
            if more:
                self._let_take()
        return "closing"

    def _let_take(self) -> None:
        """Leave the rest of a burst with the server until this piece is taken: nothing is lost."""
        with self._taken:
            self._taken.wait_for(lambda: self._stopping.is_set() or not self._queue, TAKEN_S)

    def _note_connected(self) -> None:
        """Connected is who hears something: gateways accept and say nothing while cut off."""
        if self.connected:
            return
        self.connected = True
        self._reconnects += 1
        if self._told:
            _log.info("%s: hears %s:%d again", self.name, self._options.host, self._options.port)
        self._told = ""

    def _put(self, gulp: _Gulp) -> None:
        if not gulp.lines:
            return
        with self._lock:
            self._queue.append(gulp)
            self._queued += len(gulp.lines)
            while self._queued > self._options.queue_lines and len(self._queue) > 1:
                lost = len(self._queue.popleft().lines)
                self._queued -= lost
                self.dropped += lost
        self._wake.set()

    def _tell(self, reason: str) -> None:
        if reason != self._told and not self._stopping.is_set():
            self._told = reason
            _log.warning("%s: %s:%d: %s; tried again, at least every %g s", self.name,
                         self._options.host, self._options.port, reason,
                         self._options.longest_pause_s)


def drain(connection: socket.socket, most: int) -> bytes:
    """Return what follows without a pause: after a stall, minutes come within milliseconds.

    No more than `most` bytes; the rest stays where it is and is read next.
    """
    until_s = time.monotonic() + _DRAIN_S
    pieces: list[bytes] = []
    connection.settimeout(_PAUSE_S)
    try:
        while most and time.monotonic() < until_s:
            data = connection.recv(min(most, _READ_AT_ONCE))
            if not data:
                break
            pieces.append(data)
            most -= len(data)
    except OSError:  # nothing more for now; what else is wrong the next read tells
        pass
    finally:
        connection.settimeout(_LOOK_UP_S)
    return b"".join(pieces)
