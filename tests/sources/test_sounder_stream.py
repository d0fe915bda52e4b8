"""A sounder's stream under broken bytes: nothing raised, nothing kept for ever."""

from __future__ import annotations

import functools
import random
from datetime import timedelta

import pytest
from kmall_sender import datagrams_of, packets_of
from sources_builders import START, Ledger, make_ping, navigation_bytes, swaths

from sonar_watch.formats.datagrams import Mounting
from sonar_watch.formats.kmall import encode_che, encode_iip, encode_mwc
from sonar_watch.sources import sounder
from sonar_watch.sources.reader import SWATHS_HELD
from sonar_watch.sources.sounder import SounderStream


def stream() -> SounderStream:
    return SounderStream(
        source="kmall", sounder="em2040", sender="host", ledger=Ledger(), silent_limit_s=60.0)


@functools.cache
def line() -> list[bytes]:
    pings = [encode_mwc(make_ping(number, START + timedelta(seconds=number / 2)))
             for number in range(12)]
    heaves = [encode_che(START, number, 0.5, sounder="em2040") for number in range(12)]
    setup = [encode_iip(START, Mounting(depth_m=5.0), sounder="em2040")]
    return [*setup, *datagrams_of(navigation_bytes(START, 8)),
            *packets_of([each for pair in zip(heaves, pings, strict=True) for each in pair],
                        largest=70)]


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_and_cut_bytes_raise_nothing_and_are_let_go(seed: int) -> None:
    chance = random.Random(seed)
    feed = stream()
    given = 0
    for number in range(40):
        packet = bytearray(chance.choice(line()))
        for _ in range(chance.randrange(4)):
            packet[chance.randrange(8, len(packet))] ^= 1 << chance.randrange(8)
        cut = chance.randrange(24, len(packet) + 1) if chance.random() < 0.3 else len(packet)
        feed.take(packet[4:8].decode("ascii", "replace"), bytes(packet[:cut]), number / 10)
        feed.settle(number / 10)
        given += len(feed.poll())
    feed.settle(100.0)
    feed.poll()
    assert feed.counts()["backlog"] == 0
    assert feed.held == 0


def test_without_navigation_the_oldest_leave_when_many_wait() -> None:
    feed = stream()
    for number in range(SWATHS_HELD + 10):
        feed.take("#MWC", encode_mwc(make_ping(number, START + timedelta(seconds=number))), 0.0)
        feed.settle(0.0)
    assert feed.held == SWATHS_HELD
    assert len(swaths(feed.poll())) == 10


def test_without_navigation_the_oldest_leave_when_they_are_large(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [encode_mwc(make_ping(number, START + timedelta(seconds=number)))
            for number in range(6)]
    monkeypatch.setattr(sounder, "HELD_BYTES", 3 * len(data[0]))
    feed = stream()
    for each in data:
        feed.take("#MWC", each, 0.0)
        feed.settle(0.0)
    assert feed.held == 3


def test_a_wrong_clock_far_ahead_or_back_holds_up_nobody() -> None:
    feed = stream()
    odd = make_ping(90, START + timedelta(days=4000)), make_ping(91, START - timedelta(days=4000))
    for ping in odd:
        feed.take("#MWC", encode_mwc(ping), 0.0)
    for datagram in datagrams_of(navigation_bytes(START, 4)):
        feed.take(datagram[4:8].decode(), datagram, 0.0)
    feed.take("#MWC", encode_mwc(make_ping(1, START)), 0.0)
    feed.settle(0.0)
    assert [ping.ping_counter for ping in swaths(feed.poll())] == [91, 1]  # type: ignore[union-attr]
    feed.settle(sounder.NAVIGATION_WAIT_S + 1)
    assert len(swaths(feed.poll())) == 1
