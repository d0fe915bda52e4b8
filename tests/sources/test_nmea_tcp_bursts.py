"""A server that sends much at once: taken piece by piece, and nothing is lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sources_builders import poll_until

from sonar_watch.records import NavigationSample
from sonar_watch.sources import tcp
from sonar_watch.sources.sentences import SentenceReader
from sonar_watch.sources.tcp import NmeaTcpOptions, NmeaTcpSource, drain

RECEIVED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
FIX = b"$GPGGA,0506{:02d}.5,1000.000,N,02000.000,E,4,12,0.8,1.0,M,0.0,M,,\r\n"


def fixes(count: int) -> bytes:
    """Return sentences with times of their own, near that of their reception and not the same."""
    return b"".join(FIX.replace(b"{:02d}", b"%02d" % (5 + number % 4)) for number in range(count))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_burst_is_cut_and_its_rest_left_where_it_is(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    sent = bytes(range(250)) * 20
    theirs.sendall(sent)
    first = drain(ours, 1024)
    assert len(first) == 1024
    theirs.close()
    assert first + drain(ours, 100_000) == sent


def test_what_more_follows_on_was_not_said_just_now() -> None:
    reader, old, new = SentenceReader("gps"), ["$INHDT,1.0,T"], ["$INHDT,2.0,T"]
    items = reader.read_together(old, RECEIVED, "gps", more=True)
    items += reader.read_together(new, RECEIVED, "gps")
    (sample,) = items
    assert isinstance(sample, NavigationSample)
    assert sample.heading_deg is not None
    assert sample.heading_deg[0] == 2.0
    assert reader.counts()["superseded"] == 1


def test_a_burst_in_pieces_arrives_to_the_last_sentence(
    wake: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2000
    monkeypatch.setattr(tcp, "DRAIN_BYTES", 2000)
    data = fixes(count)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        options = NmeaTcpOptions(host="127.0.0.1", port=port, queue_lines=count)
        source = NmeaTcpSource(options, wake=wake, now=lambda: RECEIVED)
        client, _ = listening.accept()
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        try:
            items = poll_until(source, lambda items: len(items) >= count, wake)
        finally:
            client.close()
            sender.join()
            source.close()
    assert len(items) == count
    assert all(isinstance(item, NavigationSample) for item in items)
    assert source.counts()["dropped"] == source.counts()["broken"] == 0


def test_a_source_that_waits_for_the_watch_can_be_closed(wake: threading.Event) -> None:
    """The first piece of a burst is never taken, and its rest waits with the server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        source = NmeaTcpSource(NmeaTcpOptions(host="127.0.0.1", port=port), wake=wake)
        client, _ = listening.accept()
        client.setblocking(False)
        while not (source.counts()["backlog"] or wake.wait(0.01)):
            with suppress(BlockingIOError):
                client.send(fixes(1000))
        source.close()
        client.close()
