"""Pings and navigation from the network, as SIS 5 sends them: KMALL over UDP."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.formats.kmall import READ
from sonar_watch.formats.kmall_header import Header, KmallFraming, parse_header
from sonar_watch.records import SourceItem
from sonar_watch.sources.listening import RECEIVE_BUFFER, Listener, Received
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.sockets import check_listening
from sonar_watch.sources.sounder import SounderStream
from sonar_watch.sources.source import Complaints, EmptyLedger, Ledger, add_counts

_log = logging.getLogger(__name__)

DATAGRAMS_PER_POLL = 256
MOST_SOUNDERS = 8
MOST_READY = 64
"""Items that wait for their turn: beyond it datagrams are left in the queue."""

_MOST_DATAGRAMS = 100_000
_READ = frozenset(kind.encode() for kind in READ)


@dataclass(frozen=True, slots=True, kw_only=True)
class KmallFeedOptions:
    """Options of a sounder's datagrams over UDP.

    Parameters
    ----------
    name : str
        Name of this source.
    port : int
        UDP port to which the sounder sends; 0 takes any free one.
    address : str
        Address of this host to listen on; 0.0.0.0 = all.
    group : str or None
        Multicast group to join, such as 224.1.20.40; None for unicast and broadcast.
    interface : str or None
        Network card on which the group is joined: its name, such as eth1, or its address; None
        for that of `address`, or the one that routes there.
    queue_mib : int
        Mebibytes of datagrams kept while the watch is busy; when full the oldest are dropped
        and counted.
    silent_limit_s : float
        Seconds without a datagram after which swaths that wait for navigation are let go.

    Raises
    ------
    ConfigurationError
        A port, address or group that cannot be; a size or time not above 0.
    """

    name: str = "kmall"
    port: int = 0
    address: str = "0.0.0.0"
    group: str | None = None
    interface: str | None = None
    queue_mib: int = 64
    silent_limit_s: float = 60.0

    def __post_init__(self) -> None:
        check_listening(self)
        if self.queue_mib < 1:
            raise ConfigurationError(f"{self.name}: queue_mib: expected 1 or more")
        if not self.silent_limit_s > 0:
            raise ConfigurationError(f"{self.name}: silent_limit_s: expected a number above 0 s")


class KmallFeedSource:
    """Gives the swaths and the navigation that sounders send over UDP.

    The datagrams are those of files, and so are ids, pings and navigation. Swaths that are sent
    in parts are joined, whatever their order; one that lacks a part is dropped whole and told.
    Each sounder is a stream of its own (see `SounderStream`), merged by data time; two of one
    model are told apart by their system number and by the host that sends. `MOST_SOUNDERS` are
    heard at once; one that fell silent makes room for another.

    Parameters
    ----------
    options : KmallFeedOptions
    ledger : Ledger or None
        Who knows what is already done, and how the sounders are installed.
    wake : threading.Event or None
        Set when something came.
    clock : callable
        Seconds that only grow.

    Raises
    ------
    SonarWatchError
        The port is taken, or not for this user.
    """

    exhausted = False

    def __init__(
        self,
        options: KmallFeedOptions,
        ledger: Ledger | None = None,
        *,
        wake: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = options.name
        self._options, self._clock = options, clock
        self._ledger = ledger or EmptyLedger()
        self._framing = KmallFraming()
        self._complaints = Complaints(options.name)
        self._untold: list[SourceItem] = []
        self._streams: dict[tuple[str, str], SounderStream] = {}
        self._counted_before: dict[str, int] = {}
        self._merger = Merger(name=options.name, clock=clock)
        self._taken_until_s = clock()
        self._gave = False
        self._listener = Listener(
            options, most_datagrams=_MOST_DATAGRAMS, most_bytes=options.queue_mib << 20,
            wake=wake, clock=clock, buffer_bytes=RECEIVE_BUFFER, wanted=is_wanted,
        )
        self.port = self._listener.port

    def poll(self) -> list[SourceItem]:
        """Return what is new, navigation before the swaths it belongs to."""
        for _ in range(DATAGRAMS_PER_POLL):
            if self._is_full or (received := self._listener.take()) is None:
                break
            self._taken_until_s = received.at_s
            self._take(received)
        if not len(self._listener):  # else what is waited for may be in the queue
            self._taken_until_s = self._clock()
        for stream in self._streams.values():
            stream.settle(self._taken_until_s)
        untold, self._untold = self._untold, []
        given = self._merger.poll()
        self._gave = bool(given)
        return untold + given

    def counts(self) -> dict[str, int]:
        """Return what waits, what was lost, and whether there is nothing to listen on."""
        here = {
            "backlog": len(self._listener),
            "broken": self._complaints.count,
            "dropped": self._listener.dropped,
            "lost_parts": 0,
        }
        failing = {"failing": 1} if self._listener.failing else {}
        return add_counts([here, failing, self._counted_before, self._merger.counts()])

    def close(self) -> None:
        """End the thread and close the socket."""
        self._listener.close()
        self._merger.close()

    @property
    def _is_full(self) -> bool:
        """True while enough is ready, unless all of it waits for what another sounder sent."""
        held = sum(stream.held for stream in self._streams.values())
        return self._gave and self._merger.counts()["backlog"] - held >= MOST_READY

    def _take(self, received: Received) -> None:
        """Give each datagram in a packet to the stream of its sounder."""
        data = received.data
        try:
            while data:
                kind, size = self._framing.measure(data)
                if size > len(data):
                    raise FormatError(f"{kind} says {size} bytes, {len(data)} came")
                self._framing.check(data[:size])
                stream = self._stream(parse_header(data), received.sender)
                stream.take(kind, data[:size], received.at_s)
                data = data[size:]
        except FormatError as error:
            self._untold += self._complaints.add(received.sender, str(error))

    def _stream(self, header: Header, sender: str) -> SounderStream:
        sounder = f"{header.sounder}-{header.system}"
        if (sounder, sender) not in self._streams:
            self._make_room()
            if len(self._streams) >= MOST_SOUNDERS:
                raise FormatError(f"more than {MOST_SOUNDERS} sounders: {sounder} is left out")
            _log.info("%s: hears %s from %s", self.name, sounder, sender)
            stream = SounderStream(
                source=self.name, sounder=sounder, sender=sender, ledger=self._ledger,
                silent_limit_s=self._options.silent_limit_s,
            )
            self._streams[sounder, sender] = stream
            self._merger.add(stream)
        return self._streams[sounder, sender]

    def _make_room(self) -> None:
        """Forget a silent sounder when there are too many: anybody may send what looks like one."""
        if len(self._streams) < MOST_SOUNDERS:
            return
        for key, stream in self._streams.items():
            if stream.is_silent and self._merger.remove(stream):
                self._counted_before = add_counts([self._counted_before, stream.counts()])
                del self._streams[key]
                return


def is_wanted(data: bytes) -> bool:
    """Tell whether a packet is worth keeping: all but single datagrams that nobody reads.

    >>> is_wanted(b"\\x18\\0\\0\\0#MRZ" + bytes(16)), is_wanted(b"\\x18\\0\\0\\0#MWC" + bytes(16))
    (False, True)
    """
    kind = data[4:8]
    alone = int.from_bytes(data[:4], "little") == len(data)
    return not (alone and KmallFraming.known.fullmatch(kind) and kind not in _READ)
