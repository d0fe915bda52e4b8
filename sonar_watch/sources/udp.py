"""Navigation from a socket, as ships' instruments and gateways send it."""

from __future__ import annotations

import ipaddress
import logging
import queue
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sonar_watch.errors import ConfigurationError, SonarWatchError
from sonar_watch.formats.nmea import split_datagram
from sonar_watch.records import SourceItem
from sonar_watch.sources.sentences import SentenceReader

_log = logging.getLogger(__name__)

DATAGRAMS_PER_POLL = 256
LARGEST_DATAGRAM = 65_536
_LOOK_UP_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class NmeaFeedOptions:
    """Options of a navigation feed over UDP.

    Parameters
    ----------
    name : str
        Name of this source.
    port : int
        UDP port; 0 takes any free one.
    address : str
        Address of this host to listen on; 0.0.0.0 = all.
    group : str or None
        Multicast group to join, such as 239.192.0.4; None for unicast and broadcast.
    queue_datagrams : int
        Datagrams kept while the watch is busy; when full the oldest are dropped and counted.

    Raises
    ------
    ConfigurationError
        A port, address or group that cannot be.
    """

    name: str = "navigation"
    port: int = 0
    address: str = "0.0.0.0"
    group: str | None = None
    queue_datagrams: int = 10_000

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigurationError(f"{self.name}: port: expected 0 to 65535, got {self.port}")
        if self.queue_datagrams < 1:
            raise ConfigurationError(f"{self.name}: queue_datagrams: expected 1 or more")
        for key, text in (("address", self.address), ("group", self.group)):
            _check_address(f"{self.name}: {key}", text, multicast=key == "group")


def _check_address(key: str, text: str | None, *, multicast: bool) -> None:
    if text is None:
        return
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise ConfigurationError(f"{key}: expected an IPv4 address, received {text!r}") from error
    if multicast and not address.is_multicast:
        raise ConfigurationError(f"{key}: expected 224.0.0.0 to 239.255.255.255, received {text}")


def open_socket(options: NmeaFeedOptions) -> socket.socket:
    """Return a bound socket that has joined its group.

    Raises
    ------
    SonarWatchError
        The port is taken, or the address is not of this host.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if options.group is None:
            listening.bind((options.address, options.port))
        else:
            # Several programs of a ship listen to one group; each hears everything.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((options.group, options.port))
            members = struct.pack(
                "4s4s", socket.inet_aton(options.group), socket.inet_aton(options.address)
            )
            listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, members)
    except OSError as error:
        listening.close()
        where = f"{options.group or options.address}:{options.port}"
        # Not a wrong configuration: at boot the interface may come up a little later.
        raise SonarWatchError(f"{options.name}: cannot listen on {where}: {error}") from error
    listening.settimeout(_LOOK_UP_S)
    return listening


class NmeaFeedSource:
    """Listens to NMEA sentences; a thread takes them off the socket with the time of reception.

    Parameters
    ----------
    options : NmeaFeedOptions
    wake : threading.Event or None
        Set when something came.
    now : callable
        The time of reception, UTC.

    Raises
    ------
    SonarWatchError
        The socket cannot be opened.
    """

    exhausted = False

    def __init__(
        self,
        options: NmeaFeedOptions,
        *,
        wake: threading.Event | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = options.name
        self.dropped = 0
        self._wake = wake or threading.Event()
        self._now = now
        self._sentences = SentenceReader(options.name)
        self._queue: queue.Queue[tuple[bytes, str, datetime]] = queue.Queue(
            options.queue_datagrams
        )
        self._stopping = threading.Event()
        self._socket = open_socket(options)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, name=f"udp {self.name}", daemon=True)
        self._thread.start()

    @property
    def broken(self) -> int:
        """Sentences that could not be read."""
        return self._sentences.broken

    def counts(self) -> dict[str, int]:
        """Return datagrams waiting and dropped, and what was wrong with sentences."""
        waiting = {"backlog": self._queue.qsize(), "dropped": self.dropped}
        return waiting | self._sentences.counts()

    def poll(self) -> list[SourceItem]:
        """Return the navigation in what has come."""
        items: list[SourceItem] = []
        for _ in range(DATAGRAMS_PER_POLL):
            try:
                data, sender, received_utc = self._queue.get_nowait()
            except queue.Empty:
                break
            for sentence in split_datagram(data):
                items += self._sentences.read(sentence, received_utc, sender)
        return items

    def close(self) -> None:
        """End the thread and close the socket."""
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                data, (host, _) = self._socket.recvfrom(LARGEST_DATAGRAM)
            except TimeoutError:
                continue
            except OSError as error:  # the network goes and comes
                _log.warning("%s: %s", self.name, error)
                self._stopping.wait(_LOOK_UP_S)
                continue
            self._put((data, host, self._now()))
            self._wake.set()

    def _put(self, received: tuple[bytes, str, datetime]) -> None:
        while True:
            try:
                self._queue.put_nowait(received)
                return
            except queue.Full:
                self.dropped += 1
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    continue
