"""Sentences over TCP from a server that breaks off, stalls, vanishes and comes back."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sources_builders import PATIENCE_S, headings, poll_until, refusals

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import NavigationSample, SourceItem
from sonar_watch.sources.sentences import SentenceReader
from sonar_watch.sources.tcp import LineCutter, NmeaTcpOptions, NmeaTcpSource

RECEIVED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Server:
    """A gateway that serves one client after the other, until its power is cut."""

    def __init__(self, port: int = 0) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self._listening.settimeout(PATIENCE_S)
        self.port: int = self._listening.getsockname()[1]
        self._client: socket.socket | None = None

    def accept(self) -> None:
        self.hang_up()
        self._client, _ = self._listening.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        assert self._client is not None
        self._client.sendall(data)

    def hang_up(self, *, hard: bool = False) -> None:
        if self._client is not None:
            if hard:  # a reset, not an end
                self._client.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4))
            self._client.close()
            self._client = None

    def close(self) -> None:
        self.hang_up()
        self._listening.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def connect(wake: threading.Event) -> Iterator[Callable[..., NmeaTcpSource]]:
    """Return a maker of sources that keep a connection to a port of this host."""
    opened: list[NmeaTcpSource] = []

    def make(port: int, **options: Any) -> NmeaTcpSource:
        told = {"longest_pause_s": 0.05} | options
        opened.append(NmeaTcpSource(
            NmeaTcpOptions(host="127.0.0.1", port=port, **told), wake=wake, now=lambda: RECEIVED))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def has(count: int) -> Callable[[list[SourceItem]], bool]:
    return lambda items: len(headings(items)) >= count


def wait_for(condition: Callable[[], bool], wake: threading.Event) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "not before the deadline"
        wake.wait(0.01)
        wake.clear()


def test_half_a_line_waits_for_its_rest(server: Server, connect: Any, wake: Any) -> None:
    source = connect(server.port)
    server.accept()
    server.send(b"$INHDT,1.0,T\r\n$INHDT,2")
    assert headings(poll_until(source, has(1), wake)) == [1.0]
    server.send(b"2.0,T\r")
    assert headings(poll_until(source, has(1), wake)) == [22.0]
    server.send(b"\n$INHDT,3.0,T\n\n")
    assert headings(poll_until(source, has(1), wake)) == [3.0]
    assert source.counts()["failing"] == 0


@pytest.mark.parametrize("hard", [False, True])
def test_a_server_that_breaks_off_is_called_again(
    server: Server, connect: Any, wake: Any, hard: bool, caplog: pytest.LogCaptureFixture
) -> None:
    source = connect(server.port)
    for number in range(3):
        server.accept()
        server.send(f"$INHDT,{number}.0,T\r\n$INHDT,9".encode())
        assert headings(poll_until(source, has(1), wake)) == [float(number)]
        server.hang_up(hard=hard)
    wait_for(lambda: source.counts()["failing"] == 1, wake)
    assert source.counts()["reconnects"] == 2
    assert source.counts()["broken"] == 0


def test_a_server_that_is_killed_and_comes_back_is_found(
    server: Server, connect: Any, wake: Any, caplog: pytest.LogCaptureFixture
) -> None:
    source = connect(server.port)
    server.accept()
    server.send(b"$INHDT,1.0,T\r\n")
    poll_until(source, has(1), wake)
    server.close()
    wait_for(lambda: "refused" in caplog.text, wake)
    assert source.counts()["failing"] == 1
    assert source.poll() == []
    again = Server(server.port)
    try:
        again.accept()
        again.send(b"$INHDT,2.0,T\r\n")
        assert headings(poll_until(source, has(1), wake)) == [2.0]
        assert source.counts()["failing"] == 0
    finally:
        again.close()


GATEWAY = """
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
clients = []
while True:
    clients.append(listening.accept()[0])
    clients[-1].sendall(b"$INHDT,%s.0,T\\r\\n$INHDT,9" % sys.argv[2].encode())
"""


@contextmanager
def running_gateway(port: int, number: int) -> Iterator[None]:
    """Run a gateway that says one heading to each client, and then nothing; cut its power."""
    gateway = subprocess.Popen([sys.executable, "-S", "-c", GATEWAY, str(port), str(number)])
    try:
        yield
    finally:
        gateway.kill()
        gateway.wait()


def test_a_gateway_whose_power_is_cut_five_times_is_found_each_time(
    server: Server, connect: Any, wake: Any
) -> None:
    server.close()
    source = connect(server.port)
    for number in range(5):
        with running_gateway(server.port, number):
            assert headings(poll_until(source, has(1), wake)) == [float(number)]
    wait_for(lambda: source.counts()["failing"] == 1, wake)
    assert source.counts()["reconnects"] == 4
    assert source.counts()["broken"] == 0


def test_a_server_that_is_not_there_yet_is_waited_for(connect: Any, wake: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    source = connect(port)
    assert source.counts()["failing"] == 1
    server = Server(port)
    try:
        server.accept()
        server.send(b"$INHDT,2.0,T\r\n")
        assert headings(poll_until(source, has(1), wake)) == [2.0]
    finally:
        server.close()


def test_a_silent_server_is_called_again(server: Server, connect: Any, wake: Any) -> None:
    server.close()
    with running_gateway(server.port, 1):  # it ends no connection: its client does
        source = connect(server.port, silent_limit_s=0.3)
        poll_until(source, has(3), wake)
    assert source.counts()["reconnects"] >= 2


def test_an_overlong_line_is_dropped_and_counted(
    server: Server, connect: Any, wake: Any
) -> None:
    source = connect(server.port)
    server.accept()
    server.send(b"$INHDT,1.0,T\r\n" + b"x" * 300_000 + b"$INHDT,2.0,T\r\n$INHDT,3.0,T\r\n")
    items = poll_until(source, lambda items: 3.0 in headings(items), wake)
    assert 2.0 not in headings(items)
    assert source.counts()["broken"] == 1


def test_a_broken_sentence_is_told(server: Server, connect: Any, wake: Any) -> None:
    source = connect(server.port)
    server.accept()
    server.send(b"$INHDT,1.0,T*00\r\n\xff\xfe\r\nnoise\r\n$INHDT,3.0,T\r\n")
    items = poll_until(source, has(1), wake)
    assert len(refusals(items)) == 1
    assert source.counts()["broken"] == 1


def test_after_a_stall_only_the_newest_of_each_kind_is_believed(
    server: Server, connect: Any, wake: Any
) -> None:
    source = connect(server.port)
    server.accept()
    position = b"$INGGA,0506%02d.00,2200.1,S,01756.3,W,1,12,0.7,-2.76,M,4.67,M,,\r\n"
    server.send(b"".join(
        position % second + b"$INHDT,%d.0,T\r\n" % second for second in range(8)))
    items = poll_until(source, has(1), wake)
    assert headings(items) == [7.0]
    times = [float(item.time_s[0]) - RECEIVED.timestamp() for item in items
             if isinstance(item, NavigationSample) and item.latitude is not None]
    assert times == [-2.0, -1.0, 0.0]
    assert source.counts()["superseded"] == 12


def test_after_a_stall_old_motion_is_not_believed_either() -> None:
    sentences = [f"$PASHR,0506{second:02d}.0,{second}.0,T,1.0,2.0,0.1,0.02,0.02,0.02,1,1"
                 for second in (0, 1, 2, 6, 7)]
    late = RECEIVED + timedelta(minutes=5)
    reader = SentenceReader("navigation")
    assert headings(reader.read_together(sentences, late, "gateway")) == [7.0]
    assert reader.counts()["superseded"] == 4


def test_a_full_queue_drops_the_oldest_lines(server: Server, connect: Any, wake: Any) -> None:
    source = connect(server.port, queue_lines=2)
    server.accept()
    for number in range(4):
        server.send(f"$INHDT,{number}.0,T\r\n$INROT,1\r\n".encode())
        wait_for(lambda at=2 * number + 2:  # type: ignore[misc]
                 source.counts()["backlog"] + source.counts()["dropped"] >= at, wake)
    assert source.counts()["dropped"] == 6
    assert headings(source.poll()) == [3.0]


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_lines_are_cut_the_same_however_they_come(size: int) -> None:
    text = b"one\r\ntwo\n\r\n" + b"x" * 50 + b"\nthree\rfour"
    cutter = LineCutter(longest=20)
    found = [line for at in range(0, len(text), size) for line in cutter.feed(text[at:at + size])]
    assert found == [b"one", b"two", b"three"]
    assert cutter.overlong == 1
    cutter.clear()
    assert cutter.feed(b"five\n") == [b"five"]


@pytest.mark.parametrize(
    "wrong", [{"port": 0}, {"port": 70_000}, {"host": ""}, {"host": "gate..way"},
              {"silent_limit_s": 0}, {"longest_pause_s": 0}, {"queue_lines": 0}])
def test_servers_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        NmeaTcpOptions(**{"host": "gateway", "port": 4001} | wrong)
