"""Navigation from a socket, as ships' instruments and gateways send it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sonar_watch.errors import ConfigurationError
from sonar_watch.formats.nmea import split_datagram
from sonar_watch.records import SourceItem
from sonar_watch.sources.listening import Listener
from sonar_watch.sources.sentences import SentenceReader
from sonar_watch.sources.sockets import check_listening

DATAGRAMS_PER_POLL = 256


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
    interface : str or None
        Network card on which the group is joined: its name, such as eth1, or its address; None
        for that of `address`, or the one that routes there.
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
    interface: str | None = None
    queue_datagrams: int = 10_000

    def __post_init__(self) -> None:
        check_listening(self)
        if self.queue_datagrams < 1:
            raise ConfigurationError(f"{self.name}: queue_datagrams: expected 1 or more")


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
        The port is taken, or not for this user.
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
        self._sentences = SentenceReader(options.name)
        self._listener = Listener(
            options, most_datagrams=options.queue_datagrams, wake=wake, now=now
        )
        self.port = self._listener.port

    @property
    def broken(self) -> int:
        """Sentences that could not be read."""
        return self._sentences.broken

    @property
    def dropped(self) -> int:
        """Datagrams that came too fast."""
        return self._listener.dropped

    @property
    def clock_offset_s(self) -> float | None:
        """Seconds that the last date in a sentence was ahead of its reception."""
        return self._sentences.offset_s

    def counts(self) -> dict[str, int]:
        """Return datagrams waiting and dropped, and what was wrong with sentences."""
        waiting = {"backlog": len(self._listener), "dropped": self.dropped}
        failing = {"failing": 1} if self._listener.failing else {}
        return waiting | failing | self._sentences.counts()

    def poll(self) -> list[SourceItem]:
        """Return the navigation in what has come."""
        items: list[SourceItem] = []
        for _ in range(DATAGRAMS_PER_POLL):
            received = self._listener.take()
            if received is None:
                break
            for sentence in split_datagram(received.data):
                items += self._sentences.read(sentence, received.at_utc, received.sender)
        return items

    def close(self) -> None:
        """End the thread and close the socket."""
        self._listener.close()
