"""Two computers send to one port, each its own sounder, of one model and system number."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from kmall_sender import Sender, packets_of
from sources_builders import (
    START,
    Clock,
    Ledger,
    make_ping,
    navigation_bytes,
    poll_until,
    refusals,
    swaths,
)

from sonar_watch.formats.datagrams import Mounting
from sonar_watch.formats.kmall import encode_iip, encode_mwc
from sonar_watch.records import LineEnd, NavigationSample, SourceItem, WaterColumnPing
from sonar_watch.sources.kmall_udp import MOST_SOUNDERS, KmallFeedOptions, KmallFeedSource

HOSTS = ("127.0.0.2", "127.0.0.3")
DEPTH_M = {HOSTS[0]: 5.0, HOSTS[1]: 8.0}
LEVEL = {HOSTS[0]: -60, HOSTS[1]: -20}
PART = 70


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def source(clock: Clock, ledger: Ledger, wake: threading.Event) -> Iterator[KmallFeedSource]:
    options = KmallFeedOptions(address="127.0.0.1")
    with closing(KmallFeedSource(options, ledger, wake=wake, clock=clock)) as opened:
        yield opened


@pytest.fixture
def senders(source: KmallFeedSource) -> Iterator[dict[str, Sender]]:
    with ExitStack() as stack:
        yield {
            host: stack.enter_context(Sender(source.port, address=host)) for host in HOSTS
        }


def setup(host: str) -> bytes:
    mounting = Mounting(lever_forward_m=9.0, lever_starboard_m=-1.0, depth_m=DEPTH_M[host])
    return encode_iip(START, mounting, sounder="em2040")


def ping(host: str, number: int) -> bytes:
    """Return a ping that tells its host by its level alone: number and time are the same."""
    made = make_ping(number, START + timedelta(seconds=number))
    levels = np.full_like(made.samples_half_db, LEVEL[host])
    return encode_mwc(replace(made, samples_half_db=levels))


def told(items: list[SourceItem]) -> set[tuple[str, int, float, int]]:
    """Return sender, ping, depth of the transducer and level of each swath; all levels agree."""
    said = set()
    for item in swaths(items):
        assert isinstance(item, WaterColumnPing)
        (level,) = {*item.samples_half_db.ravel().tolist()}
        said.add((item.source.file, item.source.ping_counter or 0, item.transducer_depth_m, level))
    return said


def latest(items: list[SourceItem]) -> list[SourceItem]:
    """Return the last navigation sent: position and motion of each host."""
    last_s = START.timestamp() + 8
    return [item for item in items
            if isinstance(item, NavigationSample) and item.time_s[-1] >= last_s]  # fmt: skip


def in_time(clock: Clock, enough: Callable[[list[SourceItem]], bool]) -> Callable[..., bool]:
    """Return `enough`, while time goes by: one sounder is waited for that nothing comes from."""

    def look(items: list[SourceItem]) -> bool:
        clock.pass_by(0.5)
        return enough(items)

    return look


def test_parts_and_installations_of_two_hosts_are_not_mixed(
    source: KmallFeedSource, senders: dict[str, Sender], clock: Clock, wake: threading.Event
) -> None:
    parts = {host: packets_of([ping(host, number) for number in range(4)], largest=PART)
             for host in HOSTS}  # fmt: skip
    for host in HOSTS:
        senders[host].send(setup(host))
    for pair in zip(*parts.values(), strict=True):
        for host, part in zip(HOSTS, pair, strict=True):
            senders[host].send(part)
    for host in HOSTS:
        senders[host].send(navigation_bytes(START, 8))
    items = poll_until(source, lambda items: len(latest(items)) == 4, wake)
    all_of_them = in_time(clock, lambda more: len(swaths([*items, *more])) == 8)
    items += poll_until(source, all_of_them, wake)
    assert told(items) == {
        (host, number, DEPTH_M[host], LEVEL[host]) for host in HOSTS for number in range(4)
    }
    assert refusals(items) == []
    assert source.counts()["lost_parts"] == 0


def test_the_silence_of_one_host_names_it(
    source: KmallFeedSource, senders: dict[str, Sender], clock: Clock, wake: threading.Event
) -> None:
    senders[HOSTS[0]].send(ping(HOSTS[0], 0))
    poll_until(source, lambda _: source.counts()["backlog"] == 1, wake)
    clock.pass_by(59.0)
    poll_until(source, lambda items: len(swaths(items)) == 1, wake)
    senders[HOSTS[1]].send(ping(HOSTS[1], 1))
    poll_until(source, lambda _: source.counts()["backlog"] == 1, wake)
    clock.pass_by(2.0)
    (end,) = poll_until(source, lambda items: len(items) == 1, wake)
    assert isinstance(end, LineEnd)
    assert (end.sounder, end.unit, end.line) == ("em2040", "40", HOSTS[0])


def test_a_restart_knows_both_installations_and_a_spare_computer_the_last(
    source: KmallFeedSource, senders: dict[str, Sender], ledger: Ledger, wake: threading.Event
) -> None:
    """The third host sends for a sounder whose computer was replaced: it has said nothing yet."""
    for host in HOSTS:
        senders[host].send(setup(host))
        ledger.commit(poll_until(source, lambda items: len(items) >= 2, wake))
    spare = "127.0.0.4"
    options = KmallFeedOptions(address="127.0.0.1")
    with closing(KmallFeedSource(options, ledger, wake=wake)) as again:
        for host in (*HOSTS, spare):
            with Sender(again.port, address=host) as sender:
                sender.send(ping(HOSTS[0], 0), navigation_bytes(START, 4))
        items = poll_until(again, lambda items: len(swaths(items)) == 3, wake)
    depths = {host: depth_m for host, _, depth_m, _ in told(items)}
    assert depths == {**DEPTH_M, spare: DEPTH_M[HOSTS[1]]}


def test_who_fell_silent_makes_room_for_another_sounder(
    source: KmallFeedSource, senders: dict[str, Sender], clock: Clock, wake: threading.Event
) -> None:
    strangers = [encode_mwc(make_ping(1, START, f"em{100 + one}")) for one in range(MOST_SOUNDERS)]
    true = ping(HOSTS[1], 0)
    senders[HOSTS[0]].send(*strangers)
    poll_until(source, lambda _: source.counts()["backlog"] == MOST_SOUNDERS, wake)
    senders[HOSTS[1]].send(true)
    poll_until(source, lambda items: "more than 8" in "".join(refusals(items)), wake)
    clock.pass_by(61.0)
    poll_until(
        source, in_time(clock, lambda items: len(swaths(items)) == MOST_SOUNDERS), wake)
    broken = source.counts()["broken"]
    senders[HOSTS[1]].send(true, navigation_bytes(START, 4))
    poll_until(source, in_time(clock, lambda items: len(swaths(items)) == 1), wake)
    assert source.counts()["broken"] == broken
