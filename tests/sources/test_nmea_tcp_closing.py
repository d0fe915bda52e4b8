"""A watch that is to end does not wait for gateways that have lost their power."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from busyness import on_this_machine
from sources_builders import PATIENCE_S

from sonar_watch.sources.connecting import connect
from sonar_watch.sources.tcp import CONNECT_S, NmeaTcpOptions, NmeaTcpSource

CONNECTIONS = Path("/proc/self/net/tcp")
SYN_SENT = "02"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux leaves a full queue without an answer"
)


@pytest.fixture
def powerless() -> Iterator[int]:
    """Return a port that answers nothing: its queue is full, and nobody takes from it."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


def asking(port: int) -> int:
    """Return how many connections to a port have been asked for and not answered."""
    rows = [line.split() for line in CONNECTIONS.read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == SYN_SENT for row in rows)


def test_each_feed_that_connects_is_closed_at_once(powerless: int) -> None:
    before = asking(powerless)
    feeds = [NmeaTcpSource(NmeaTcpOptions(host="127.0.0.1", port=powerless)) for _ in range(3)]
    deadline_s = time.monotonic() + PATIENCE_S
    while asking(powerless) < before + len(feeds):
        assert time.monotonic() < deadline_s
    began_s = time.monotonic()
    for feed in feeds:
        feed.close()
    assert time.monotonic() - began_s < min(on_this_machine(1.5), CONNECT_S)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tcp ")]


def test_what_is_not_answered_is_given_up(powerless: int) -> None:
    with pytest.raises(TimeoutError, match="timed out"):
        connect("127.0.0.1", powerless, limit_s=0.1, stopping=threading.Event())


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        connect("127.0.0.1", port, limit_s=5.0, stopping=threading.Event())
