"""The socket below the feeds: what the kernel drops is known, and cards come and go."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kmall_sender import Sender
from sources_builders import PATIENCE_S

from sonar_watch.sources import listening
from sonar_watch.sources.listening import Listener
from sonar_watch.sources.udp import NmeaFeedOptions

GROUP = "239.255.61.64"
CARD = "sw-test0"
CARD_ADDRESS = "198.18.61.64"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "not before the deadline"
        pause.wait(0.01)


def ip(*words: str) -> bool:
    """Run `ip`; return whether it did as told."""
    try:
        return subprocess.run(["ip", *words], capture_output=True, timeout=20).returncode == 0
    except FileNotFoundError:
        return False


class Card:
    """A network card that can be plugged in and pulled."""

    def plug(self) -> bool:
        """Make a card with a cable to another one, both up; return whether this host may."""
        return all(ip(*words) for words in (
            ("link", "add", CARD, "type", "veth", "peer", "name", f"{CARD}b"),
            ("addr", "add", f"{CARD_ADDRESS}/24", "dev", CARD),
            ("link", "set", f"{CARD}b", "up"), ("link", "set", CARD, "up")))

    def pull(self) -> None:
        ip("link", "del", CARD)


@pytest.fixture
def card() -> Iterator[Card]:
    made = Card()
    if not made.plug():
        made.pull()
        pytest.skip("no right to make a network card here (ip link add ... type veth)")
    made.pull()
    yield made
    made.pull()


def test_what_the_kernel_has_no_room_for_is_counted() -> None:
    gate = threading.Event()
    options = NmeaFeedOptions(address="127.0.0.1")
    packet = bytes(8_000)
    sent = 400
    with closing(Listener(
        options, most_datagrams=10_000, wanted=lambda _: gate.wait(PATIENCE_S))) as listener:
        with Sender(listener.port) as sender:
            for _ in range(sent):  # more than the kernel queues while nobody takes them
                sender.send(packet)
            gate.set()
            wait_for(lambda: len(listener) > 1)
            before = -1
            while before != len(listener):  # until what was queued is through
                before = len(listener)
                sender.send(b"last")
                sent += 1
                wait_for(lambda at=before: len(listener) > at)  # type: ignore[misc]
                if listener.dropped:
                    break
        wait_for(lambda: len(listener) + listener.dropped == sent)
        assert listener.dropped > 0


def test_a_kernel_that_queues_less_than_asked_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        allowed = int(Path("/proc/sys/net/core/rmem_max").read_text())
    except FileNotFoundError:
        pytest.skip("no limit of this kernel's to read here")
    monkeypatch.setattr(listening, "_RCVBUFFORCE", 9999)  # as for a user without privileges
    for asked in (allowed, allowed * 3 // 2):
        options = NmeaFeedOptions(name=f"asks {asked}", address="127.0.0.1")
        Listener(options, most_datagrams=9, buffer_bytes=asked).close()
    told = [each.getMessage() for each in caplog.records if "rmem_max" in each.getMessage()]
    assert [each.partition(":")[0] for each in told] == [f"asks {allowed * 3 // 2}"]


@pytest.fixture
def address() -> Iterator[str]:
    """Return an address that this host does not have, but may give itself."""
    if not ip("addr", "add", f"{CARD_ADDRESS}/32", "dev", "lo"):
        pytest.skip("no right to give the loopback an address here (ip addr add)")
    ip("addr", "del", f"{CARD_ADDRESS}/32", "dev", "lo")
    yield CARD_ADDRESS
    ip("addr", "del", f"{CARD_ADDRESS}/32", "dev", "lo")


def test_an_address_that_this_host_gets_later_is_waited_for(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REOPEN_S", 0.1)
    with closing(Listener(NmeaFeedOptions(address=address), most_datagrams=9)) as listener:
        assert listener.failing
        assert ip("addr", "add", f"{address}/32", "dev", "lo")
        wait_for(lambda: not listener.failing)
        with Sender(listening_port(listener), address) as sender:
            sender.send(b"$HEHDT,1.0,T\r\n")
        wait_for(lambda: len(listener) == 1)


def test_a_feed_on_a_card_that_is_pulled_and_comes_back(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REJOIN_S", 0.3)
    monkeypatch.setattr(listening, "REOPEN_S", 0.1)
    options = NmeaFeedOptions(group=GROUP, interface=CARD)
    with closing(Listener(options, most_datagrams=100)) as listener:
        assert listener.failing  # at boot, before the card is there
        for _ in range(3):
            assert card.plug()
            wait_for(lambda: not listener.failing)
            hear_over_the_card(listener)
            card.pull()
            wait_for(lambda: listener.failing)


def hear_over_the_card(listener: Listener) -> None:
    """Send to the group over the card until it is heard: packets may go before a card is up."""
    port = listening_port(listener)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(CARD_ADDRESS))
        def heard() -> Any:
            sender.sendto(b"$HEHDT,1.0,T\r\n", (GROUP, port))
            return listener.take()
        wait_for(lambda: heard() is not None)
    while listener.take() is not None:
        pass


def listening_port(listener: Listener) -> int:
    assert listener._socket is not None
    port: int = listener._socket.getsockname()[1]
    return port
