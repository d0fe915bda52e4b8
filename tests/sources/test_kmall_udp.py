"""Pings off the network: cut into parts, mixed, repeated and lost, over real sockets."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kmall_sender import Sender, datagrams_of, packets_of, stream_of, time_s
from realdata import real_data
from sources_builders import (
    PATIENCE_S,
    START,
    Clock,
    Ledger,
    drain,
    make_ping,
    navigation_bytes,
    poll_until,
    refusals,
    swaths,
    water_column_bytes,
)

from sonar_watch.errors import ConfigurationError, SonarWatchError
from sonar_watch.formats.datagrams import Mounting
from sonar_watch.formats.kmall import encode_che, encode_iip, encode_mwc, encode_svp
from sonar_watch.records import (
    LineEnd,
    NavigationSample,
    SoundSpeedProfile,
    SourceItem,
    WaterColumnPing,
)
from sonar_watch.sources.kmall_udp import (
    DATAGRAMS_PER_POLL,
    KmallFeedOptions,
    KmallFeedSource,
)
from sonar_watch.sources.raw import RawFolderSource, RawOptions
from sonar_watch.sources.sounder import NAVIGATION_WAIT_S, PARTS_WAIT_S

MOUNTING = Mounting(lever_forward_m=9.0, lever_starboard_m=-1.0, depth_m=5.0)
PART = 70
PROFILE = SoundSpeedProfile(
    depth_m=np.array([0.0, 50.0, 400.0]), speed_m_s=np.array([1510.0, 1500.0, 1480.0]))


@pytest.fixture
def listen(wake: threading.Event) -> Iterator[Callable[..., KmallFeedSource]]:
    """Return a maker of sources that listen to the loopback."""
    opened: list[KmallFeedSource] = []

    def make(ledger: Any = None, clock: Any = None, **options: Any) -> KmallFeedSource:
        told = KmallFeedOptions(**{"address": "127.0.0.1"} | options)
        more = {"clock": clock} if clock else {}
        opened.append(KmallFeedSource(told, ledger, wake=wake, **more))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def header(**more: Any) -> bytes:
    mounting = replace(MOUNTING, **more)
    sounder = "em2040"
    return (encode_iip(START, mounting, sounder=sounder)
            + encode_svp(START, PROFILE, sounder=sounder))


def line_bytes(pings: int = 6, first: int = 0) -> bytes:
    """Return a line as sent, in order: setup, then pings half a second apart and navigation."""
    data = datagrams_of(water_column_bytes(START, pings, first=first)
                        + navigation_bytes(START, pings / 2 + 4))
    return header() + b"".join(sorted(data, key=time_s))


def write_line(folder: Path, data: bytes) -> None:
    """Write as twins what was sent."""
    water = [each for each in datagrams_of(data) if each[4:8] != b"#SKM"]
    other = [each for each in datagrams_of(data) if each[4:8] not in (b"#MWC", b"#CHE")]
    (folder / "0001_20260304_050607_Ship.kmwcd").write_bytes(b"".join(water))
    (folder / "0001_20260304_050607_Ship.kmall").write_bytes(b"".join(other))


def replayed(folder: Path) -> list[SourceItem]:
    with closing(RawFolderSource(RawOptions(path=folder), live=False)) as source:
        return drain(source)


def content(ping: Any) -> dict[str, Any]:
    """Return all of a ping but where it was read."""
    assert isinstance(ping, WaterColumnPing)
    values = {name: getattr(ping, name) for name in ping.__dataclass_fields__ if name != "source"}
    if values["profile"] is not None:
        values["profile"] = (values["profile"].depth_m.tolist(),
                             values["profile"].speed_m_s.tolist())
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value
            for name, value in values.items()} | {"frame_id": ping.frame_id}


def rows(items: list[SourceItem]) -> set[tuple[Any, ...]]:
    """Return what navigation says, row by row."""
    said = set()
    for item in items:
        if isinstance(item, NavigationSample):
            for row, time_s in enumerate(item.time_s):
                fields = (item.latitude, item.longitude, item.heading_deg, item.roll_deg)
                said.add((item.sensor, float(time_s), *(
                    None if field is None else float(field[row]) for field in fields)))
    return said


def enough(count: int) -> Callable[[list[SourceItem]], bool]:
    return lambda items: len(swaths(items)) >= count


def assert_same(live: list[SourceItem], recorded: list[SourceItem]) -> None:
    """Pings are equal bit by bit and in the same order, and so is what navigation says."""
    assert [content(ping) for ping in swaths(live)] == [content(ping) for ping in swaths(recorded)]
    assert rows(live) == rows(recorded)


@pytest.mark.parametrize("seed", range(3))
def test_parts_in_any_order_give_the_pings_of_the_file(
    tmp_path: Path, listen: Any, wake: threading.Event, seed: int
) -> None:
    data = line_bytes(8)
    write_line(tmp_path, data)
    recorded = replayed(tmp_path)
    source = listen()
    packets = packets_of(datagrams_of(data), seed=seed, largest=PART, repeat=0.2)
    assert len(packets) > len(datagrams_of(data)) + 8
    with Sender(source.port) as sender:
        sender.send(*packets)
        live = poll_until(
            source, lambda items: enough(8)(items) and rows(items) == rows(recorded), wake)
    assert_same(live, recorded)
    counts = source.counts()
    assert (counts["lost_parts"], counts["dropped"], counts["broken"]) == (0, 0, 0)
    assert counts["without_setup"] == 0
    first = swaths(live)[0]
    assert isinstance(first, WaterColumnPing)
    assert first.transducer_depth_m == pytest.approx(5.0)
    assert first.source.source == "kmall"
    assert first.source.file == "127.0.0.1"


@pytest.mark.parametrize("stem", ["em2042_os01_a", "em2042_os03_b", "em2040_tampa"])
def test_real_pings_sent_in_parts_are_those_of_their_files(
    tmp_path: Path, listen: Any, wake: threading.Event, stem: str
) -> None:
    folder = real_data("kongsberg")
    paths = [folder / f"{stem}{suffix}" for suffix in (".kmall", ".kmwcd")]
    for path in paths:
        (tmp_path / path.name).symlink_to(path)
    recorded = replayed(tmp_path)
    count = len(swaths(recorded))
    assert count >= 5
    stream = stream_of(paths)
    packets = packets_of(stream, seed=5, largest=16_000)
    assert len(packets) > len(stream) + 4 * count
    clock = Clock()
    source = listen(clock=clock)
    items: list[SourceItem] = []
    with Sender(source.port) as sender:
        for packet in packets:
            sender.send(packet)
            # The kernel drops what its queue has no room for: a busy machine is given time. What
            # nobody wants (#MRZ and the like) wakes nobody.
            wake.wait(0.02)
            wake.clear()
            items += source.poll()
        items += poll_until(
            source, lambda more: rows([*items, *more]) == rows(recorded), wake)
        clock.pass_by(NAVIGATION_WAIT_S + 1)  # these files end with their last ping
        items += poll_until(source, lambda more: enough(count)([*items, *more]), wake)
    assert_same(items, recorded)
    assert source.counts()["lost_parts"] == 0


def test_a_swath_with_lost_parts_is_dropped_whole_and_counted(
    listen: Any, wake: threading.Event
) -> None:
    data = line_bytes(8)
    stream = datagrams_of(data)
    cut = {3: {0}, 5: {1, 2}}
    packets = packets_of(
        stream, seed=1, largest=PART, lose=lambda swath, part: part in cut.get(swath, ()))
    clock = Clock()
    source = listen(clock=clock)
    with Sender(source.port) as sender:
        sender.send(*packets)
        last_s = START.timestamp() + 8
        items = poll_until(
            source, lambda items: any(row[1] >= last_s for row in rows(items)), wake)
        # The fourth waits for its parts, and those after it with it.
        assert [item.source.ping_counter for item in swaths(items)] == [0, 1, 2]
        clock.pass_by(PARTS_WAIT_S + 1)
        items += poll_until(source, enough(3), wake)
        late = packets_of(stream, largest=PART, lose=lambda swath, part: swath != 3)
        sender.send(*[packet for packet in late if packet[4:8] == b"#MWC"])
        sender.send(encode_mwc(make_ping(9, START + timedelta(seconds=20))))
        items += poll_until(source, lambda _: source.counts()["backlog"] == 1, wake)
    assert [item.source.ping_counter for item in swaths(items)] == [0, 1, 2, 4, 6, 7]
    assert refusals(items) == ["#MWC: parts are missing"] * 2
    counts = source.counts()
    assert (counts["lost_parts"], counts["dropped"]) == (3, 2)


def test_many_datagrams_later_a_lost_part_is_no_longer_waited_for(
    listen: Any, wake: threading.Event
) -> None:
    parts = packets_of([encode_mwc(make_ping(1, START))], largest=PART)
    source = listen(clock=Clock())
    with Sender(source.port) as sender:
        sender.send(header(), *parts[1:])
        for datagram in datagrams_of(navigation_bytes(START, 150)):
            sender.send(datagram)
        items = poll_until(source, lambda _: source.counts()["dropped"] == 1, wake)
    assert swaths(items) == []
    assert source.counts()["lost_parts"] == 1


def test_a_swath_waits_for_its_navigation_but_not_for_ever(
    listen: Any, wake: threading.Event
) -> None:
    clock = Clock()
    source = listen(clock=clock)
    with Sender(source.port) as sender:
        sender.send(header(), water_column_bytes(START, 1), navigation_bytes(START, 1))
        items = poll_until(source, lambda items: len(rows(items)) >= 2, wake)
        assert swaths(items) == []
        assert source.counts()["backlog"] >= 1
        sender.send(navigation_bytes(START + timedelta(seconds=2), 1))
        assert len(swaths(poll_until(source, enough(1), wake))) == 1
        sender.send(water_column_bytes(START + timedelta(seconds=60), 1, first=1))
        poll_until(source, lambda _: source.counts()["backlog"] == 1, wake)
        clock.pass_by(NAVIGATION_WAIT_S + 1)
        assert len(swaths(poll_until(source, enough(1), wake))) == 1


def test_silence_lets_everything_go_once(listen: Any, wake: threading.Event) -> None:
    clock = Clock()
    source = listen(clock=clock, silent_limit_s=NAVIGATION_WAIT_S / 2)
    parts = packets_of([encode_mwc(make_ping(7, START))], largest=PART)
    with Sender(source.port) as sender:
        sender.send(parts[0], header(), water_column_bytes(START, 1))
        poll_until(source, lambda items: len(items) == 4 and source.counts()["backlog"] == 1, wake)
        clock.pass_by(NAVIGATION_WAIT_S / 2 + 1)
        items = poll_until(source, enough(1), wake)
    ends = [item for item in items if isinstance(item, LineEnd)]
    assert [end.sounder for end in ends] == ["em2040"]
    assert source.counts()["lost_parts"] == len(parts) - 1
    clock.pass_by(1000)
    assert source.poll() == []


def test_heave_may_come_after_the_last_part(listen: Any, wake: threading.Event) -> None:
    ping = make_ping(1, START)
    heave = encode_che(START, 1, 1.5, sounder="em2040")
    source = listen()
    with Sender(source.port) as sender:
        sender.send(header(), encode_mwc(ping), heave, navigation_bytes(START, 3))
        (found,) = swaths(poll_until(source, enough(1), wake))
    assert isinstance(found, WaterColumnPing)
    assert found.transducer_depth_m == pytest.approx(6.5)


def test_a_ping_keeps_the_installation_it_was_measured_with(
    listen: Any, wake: threading.Event
) -> None:
    source = listen()
    with Sender(source.port) as sender:
        sender.send(header(), encode_mwc(make_ping(1, START)), header(depth_m=8.0),
                    encode_mwc(make_ping(2, START + timedelta(seconds=1))),
                    navigation_bytes(START, 4))
        found = swaths(poll_until(source, enough(2), wake))
    depths = [ping.transducer_depth_m for ping in found if isinstance(ping, WaterColumnPing)]
    assert depths == pytest.approx([5.0, 8.0])


def test_a_watch_that_starts_amid_a_line_knows_the_installation_from_the_journal(
    listen: Any, wake: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    before = listen(ledger)
    with Sender(before.port) as sender:
        sender.send(header(), header())
        sender.send(b"the end")
        items = poll_until(before, lambda items: bool(refusals(items)), wake)
    ledger.commit(items)
    assert len(items) == 5, "each change is kept once, for this sender and for all"
    for known, depth_m in ((ledger, 5.0), (Ledger(), 0.0)):
        source = listen(known)
        with Sender(source.port) as sender:
            sender.send(encode_mwc(make_ping(1, START)), navigation_bytes(START, 3))
            (found,) = swaths(poll_until(source, enough(1), wake))
        assert isinstance(found, WaterColumnPing)
        assert found.transducer_depth_m == pytest.approx(depth_m)
        assert (found.profile is None) is (known is not ledger)
        assert source.counts()["without_setup"] == (known is not ledger)
    assert "how it is installed" in caplog.text


def test_what_the_journal_keeps_may_be_damaged(
    listen: Any, wake: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    ledger.checkpoints["kmall/em2040-40/setup"] = {"#IIP": "not base64!", "#SVP": 7}
    source = listen(ledger)
    with Sender(source.port) as sender:
        sender.send(encode_mwc(make_ping(1, START)), navigation_bytes(START, 3))
        assert len(swaths(poll_until(source, enough(1), wake))) == 1
    assert caplog.text.count("cannot be read") == 2


def of_system(data: bytes, system: int) -> list[bytes]:
    """Return datagrams as another sounder of the same model sends them."""
    return [each[:9] + bytes([system]) + each[10:] for each in datagrams_of(data)]


def test_two_sounders_of_one_model_keep_their_own_installations(
    listen: Any, wake: threading.Event
) -> None:
    clock = Clock()
    source = listen(clock=clock)
    setups = of_system(header(), 40) + of_system(header(depth_m=8.0), 41)
    pings = [each for system in (40, 41) for each in of_system(
        encode_mwc(make_ping(system, START + timedelta(seconds=system - 40))), system)]
    later = [each for system in (40, 41) for each in of_system(navigation_bytes(START, 4), system)]
    with Sender(source.port) as sender:
        sender.send(*setups, *pings, *later)
        found = swaths(poll_until(source, enough(1), wake))
        clock.pass_by(NAVIGATION_WAIT_S + 1)  # the second need not wait for more of the first
        found += swaths(poll_until(source, enough(1), wake))
    depths = [ping.transducer_depth_m for ping in found if isinstance(ping, WaterColumnPing)]
    assert depths == pytest.approx([5.0, 8.0])


def test_a_busy_watch_does_not_give_up_parts_that_are_in_its_own_queue(
    listen: Any, wake: threading.Event
) -> None:
    clock = Clock()
    source = listen(clock=clock)
    times = [START + timedelta(seconds=number / 100) for number in range(DATAGRAMS_PER_POLL)]
    pings = [encode_mwc(make_ping(number, time_utc)) for number, time_utc in enumerate(times)]
    parts = packets_of(pings[-1:], largest=PART)
    with Sender(source.port) as sender:
        sender.send(*pings[:-1], *parts, navigation_bytes(times[-1], 3))
        deadline_s = time.monotonic() + PATIENCE_S
        while source.counts()["backlog"] < len(pings) + len(parts):
            assert time.monotonic() < deadline_s
            wake.wait(0.01)
            wake.clear()
    items = source.poll()  # takes all up to the first part, and gives some
    clock.pass_by(PARTS_WAIT_S + 1)
    items += poll_until(source, lambda more: enough(len(pings))([*items, *more]), wake)
    assert source.counts()["lost_parts"] == 0


def test_done_swaths_are_not_given_again(listen: Any, wake: threading.Event) -> None:
    ledger = Ledger()
    pings = [make_ping(number, START + timedelta(seconds=number)) for number in range(3)]
    ledger.done.add(pings[1].frame_id)
    packets = packets_of([encode_mwc(ping) for ping in pings], largest=PART)
    source = listen(ledger)
    with Sender(source.port) as sender:
        sender.send(header(), *packets, *packets, navigation_bytes(START, 6))
        found = poll_until(source, enough(2), wake)
    assert [item.source.ping_counter for item in swaths(found)] == [0, 2]
    assert source.counts()["backlog"] == 0


def test_two_sounders_on_one_port_are_given_in_the_order_of_data_time(
    listen: Any, wake: threading.Event
) -> None:
    source = listen()
    times = [START + timedelta(seconds=second) for second in range(4)]
    packets = [encode_mwc(make_ping(number, time_utc, sounder))
               for number, time_utc in enumerate(times) for sounder in ("em122", "em712")]
    late = [navigation_bytes(START, 7, sounder=sounder) for sounder in ("em122", "em712")]
    with Sender(source.port) as sender:
        sender.send(*packets[::2], *packets[1::2], *late)
        found = swaths(poll_until(source, enough(7), wake))
    seconds = [item.time_utc for item in found]
    assert seconds == sorted(seconds)
    assert {item.sounder for item in found} == {"em122", "em712"}


def test_what_is_no_datagram_is_told_a_few_times_and_counted(
    listen: Any, wake: threading.Event
) -> None:
    source = listen()
    good = encode_mwc(make_ping(1, START))
    with Sender(source.port) as sender:
        sender.send(*[b"noise"] * 7, good[:-1], good[:-4] + bytes(4), header() + good[:40],
                    b"\0\0\0\0#MWC" + bytes(40), good, navigation_bytes(START, 3))
        items = poll_until(source, enough(1), wake)
    assert source.counts()["broken"] == 11
    assert len(refusals(items)) == 5


def test_sounders_that_are_none_do_not_fill_the_memory(
    listen: Any, wake: threading.Event
) -> None:
    source = listen()
    packets = [encode_mwc(make_ping(1, START, f"em{model}")) for model in range(100, 200)]
    with Sender(source.port) as sender:
        sender.send(*packets)
        poll_until(source, lambda _: source.counts()["broken"] == 92, wake)


def test_a_full_queue_drops_the_oldest_and_counts(listen: Any, wake: threading.Event) -> None:
    source = listen(queue_mib=1)
    packet = packets_of(datagrams_of(line_bytes(1)))[-1]
    noise = packet[:8] + bytes(60_000)
    with Sender(source.port) as sender:
        for _ in range(40):  # a kernel with small queues loses some: they count, too
            sender.send(noise)
        deadline_s = time.monotonic() + PATIENCE_S
        while source.counts()["dropped"] < 20:
            assert time.monotonic() < deadline_s
            wake.wait(0.01)
            wake.clear()
    assert source.counts()["dropped"] + source.counts()["backlog"] <= 40


def test_a_group_is_heard_by_every_member(listen: Any, wake: threading.Event) -> None:
    group = "239.255.61.62"
    try:
        first = listen(group=group)
        second = listen(group=group, port=first.port, interface="lo")
    except SonarWatchError as error:  # a sandbox without multicast
        pytest.skip(f"no multicast on the loopback here: {error}")
    if first.counts().get("failing") or second.counts().get("failing"):
        pytest.skip("no multicast on the loopback here")
    data = line_bytes(4)
    with Sender(first.port, group) as sender:
        sender.send(*packets_of(datagrams_of(data), largest=PART))
        for source in (first, second):
            assert len(swaths(poll_until(source, enough(4), wake))) == 4


def test_a_network_card_that_is_away_is_waited_for(listen: Any, wake: threading.Event) -> None:
    source = listen(group="239.255.61.63", interface="eth-none")
    assert source.counts()["failing"] == 1
    assert source.poll() == []
    away = listen(address="192.0.2.77", port=0)
    assert away.counts()["failing"] == 1


def test_a_taken_port_is_said_at_once(listen: Any) -> None:
    port = listen().port
    with pytest.raises(SonarWatchError, match=f"127.0.0.1:{port}"):
        listen(port=port)


@pytest.mark.parametrize(
    "wrong",
    [{"port": -1}, {"address": "ship"}, {"group": "10.0.0.1"}, {"queue_mib": 0},
     {"silent_limit_s": 0}, {"interface": ""}],
)
def test_feeds_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        KmallFeedOptions(**wrong)
