"""Navigation from log files and from the network."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kmall_sender import Sender
from realdata import real_data
from sources_builders import Clock, append, drain, headings, poll_times, poll_until, refusals

from sonar_watch.errors import ConfigurationError, SonarWatchError
from sonar_watch.records import NavigationSample
from sonar_watch.sources import logs
from sonar_watch.sources.logs import NmeaLogOptions, NmeaLogSource, is_navigation_log
from sonar_watch.sources.udp import NmeaFeedOptions, NmeaFeedSource

RECEIVED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ODDITIES = {"broken": 0, "clock_offset": 0, "rollover": 0, "no_checksum": 0}
HEADING = "2026-03-04T05:06:{:02d}.000000Z $INHDT,{:.1f},T\n"


def lines(*seconds: int) -> bytes:
    return "".join(HEADING.format(second, second) for second in seconds).encode()


def live_log(path: Path, clock: Clock) -> NmeaLogSource:
    return NmeaLogSource(NmeaLogOptions(path=path), clock=clock)


def test_a_growing_log_gives_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "gyro.log"
    source = live_log(path, Clock())
    assert source.poll() == []
    text = lines(1, 2)
    path.write_bytes(text[:-10])
    assert headings(source.poll()) == [1]
    append(path, text[-10:])
    assert headings(source.poll()) == [2]
    assert source.poll() == []
    assert not source.exhausted


def test_a_log_that_is_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "gyro.log"
    path.write_bytes(lines(1, 2, 3))
    source = live_log(path, Clock())
    assert len(source.poll()) == 3
    path.write_bytes(lines(4))
    assert headings(source.poll()) == [4]


def test_a_log_that_vanishes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "gyro.log"
    path.write_bytes(lines(1))
    source = live_log(path, Clock())
    assert len(source.poll()) == 1
    path.unlink()
    assert source.poll() == []
    path.write_bytes(b"")
    assert source.poll() == []
    append(path, lines(2))
    assert headings(source.poll()) == [2]


def test_a_folder_of_logs_is_followed_and_new_days_are_found(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "gyro-01").write_bytes(lines(1))
    (tmp_path / "notes.txt").write_text("no log")
    source = live_log(tmp_path, clock)
    assert headings(poll_times(source, 2)) == [1]
    (tmp_path / "gyro-02").write_bytes(lines(2))
    clock.pass_by(6)
    assert headings(poll_times(source, 2)) == [2]


def test_a_finite_log_is_read_to_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "gyro.log"
    path.write_bytes(lines(1, 2).rstrip(b"\n"))
    assert headings(drain(NmeaLogSource(NmeaLogOptions(path=path), live=False))) == [1, 2]


def test_finite_logs_stay_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "BYTES_PER_READ", 100)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(lines(*range(50)))
    items = drain(NmeaLogSource(NmeaLogOptions(path=tmp_path), live=False))
    seconds = headings(items)
    assert len(seconds) == 100
    assert max(max(seconds[:place + 1]) - second for place, second in enumerate(seconds)) <= 4


def test_broken_lines_are_told_with_file_and_offset_a_few_times(tmp_path: Path) -> None:
    path = tmp_path / "gyro.log"
    path.write_bytes(lines(1) + b"2026-03-04T05:06:08Z $INHDT,1.0,T*00\n" * 50 + lines(9))
    source = NmeaLogSource(NmeaLogOptions(path=path), live=False)
    items = drain(source)
    assert headings(items) == [1, 9]
    assert len(refusals(items)) == 5
    assert "checksum" in refusals(items)[0]
    assert source.broken == 50
    refused = next(item for item in items if not isinstance(item, NavigationSample))
    assert refused.source.offset == len(lines(1))  # type: ignore[union-attr]


def test_a_file_without_lines_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"x" * 500_000)
    source = live_log(path, Clock())
    poll_times(source, 12)
    assert source.broken > 0


@pytest.mark.parametrize(
    ("content", "is_log"),
    [(b"2026-03-04T05:06:07.1Z $INHDT,1.0,T\n", True),
     (b"# header\ngyro1 2026-03-04T05:06:07Z $INHDT,1.0,T\n", True),
     (b"$INHDT,1.0,T\n", False), (b"", False), (bytes(100), False),
     (b"2026-03-04T05:06:07Z costs 5 $\n", False)],
)
def test_logs_are_told_by_their_first_lines(tmp_path: Path, content: bytes, is_log: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert is_navigation_log(path) is is_log


def test_a_file_that_is_not_there_is_no_log(tmp_path: Path) -> None:
    assert not is_navigation_log(tmp_path / "nowhere")


def test_real_logs_give_navigation_and_no_complaint() -> None:
    source = NmeaLogSource(NmeaLogOptions(path=real_data("nmea")), live=False)
    items = drain(source)
    sensors = {item.sensor for item in items if isinstance(item, NavigationSample)}
    assert {"nmea:INGGA", "nmea:HEHDT", "nmea:PSXN", "nmea:KIDPT"} <= sensors
    assert refusals(items) == []
    counts = source.counts()
    assert counts["no_checksum"] > 0
    assert {counts[key] for key in ("backlog", "broken", "clock_offset", "rollover")} == {0}


@pytest.fixture
def feed(wake: threading.Event) -> Iterator[NmeaFeedSource]:
    source = NmeaFeedSource(
        NmeaFeedOptions(address="127.0.0.1", queue_datagrams=4), wake=wake, now=lambda: RECEIVED)
    yield source
    source.close()


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


def test_a_feed_is_heard_with_the_time_of_reception(
    feed: NmeaFeedSource, wake: threading.Event
) -> None:
    send(feed.port, b"$INHDT,12.5,T\r\n$INHDT,13.0,T\r\n", b"UdPbC\0\\s:GP01*00\\$INHDT,14.0,T\r\n")
    items = poll_until(feed, lambda items: len(items) == 3, wake)
    assert headings(items) == [12.5, 13.0, 14.0]
    assert all(isinstance(item, NavigationSample) and item.time_s[0] == RECEIVED.timestamp()
               for item in items)
    assert not feed.exhausted


def test_broken_sentences_are_told_and_counted(feed: NmeaFeedSource, wake: threading.Event) -> None:
    send(feed.port, b"$INHDT,12.5,T*00\r\n", b"\xff\xfe", b"$INXYZ,1\r\n", b"$INHDT,1.0,T\r\n")
    items = poll_until(feed, lambda items: len(headings(items)) == 1, wake)
    assert len(refusals(items)) == 1
    assert feed.broken == 1


def test_a_full_queue_drops_the_oldest_and_counts(
    feed: NmeaFeedSource, wake: threading.Event
) -> None:
    send(feed.port, *(f"$INHDT,{number}.0,T\r\n".encode() for number in range(10)))
    deadline_s = time.monotonic() + 20
    while feed.dropped < 6 and time.monotonic() < deadline_s:
        wake.wait(0.01)
        wake.clear()
    assert feed.counts() == ODDITIES | {"backlog": 4, "dropped": 6}
    assert headings(feed.poll()) == [6, 7, 8, 9]
    assert feed.dropped == 6
    assert feed.counts()["backlog"] == 0


ON_TIME = (b"$INZDA,050608,04,03,2026,,", b"$GPZDA,050607,19,07,2006,,",  # a rollover ago
           b"$GPRMC,050607,A,4500.0,N,01000.0,E,5.0,10.0,040326,,", b"$GPZDA,,,,,,")
OFF = (b"$INZDA,050613,04,03,2026,,", b"$INZDA,050614,04,03,2026,,",
       b"$GPRMC,040607,A,4500.0,N,01000.0,E,5.0,10.0,040326,,")


def clock_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records
            if record.name == "sonar_watch.sources.sentences"]


def test_a_clock_that_is_off_is_complained_about_once_per_talker(
    feed: NmeaFeedSource, wake: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    send(feed.port, b"\r\n".join([*ON_TIME, *OFF, b"$INHDT,1.0,T"]))
    items = poll_until(feed, lambda items: len(headings(items)) == 1, wake)
    assert len(items) == 3
    assert all(isinstance(item, NavigationSample) and item.time_s[0] == RECEIVED.timestamp()
               for item in items)
    assert feed.counts()["clock_offset"] == 3
    told = [each for each in clock_warnings(caplog) if "weeks" not in each]
    assert len(told) == 2
    assert "the clock of IN is +6.0 s off" in told[0]
    assert "the clock of GP is -3600.0 s off" in told[1]


def test_a_clock_that_is_off_in_a_log_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log").write_bytes(b"".join(
        b"2026-03-04T05:06:07Z " + sentence + b"\n"
        for sentence in (*ON_TIME, *OFF, b"$INZDA,050607,31,02,2026,,")))
    source = NmeaLogSource(NmeaLogOptions(path=tmp_path), live=False)
    assert source.counts().items() >= ODDITIES.items()
    items = drain(source)
    counted = {"broken": 1, "clock_offset": 3, "rollover": 1, "no_checksum": 8}
    assert source.counts().items() >= counted.items()
    assert len(refusals(items)) == 1
    assert len(clock_warnings(caplog)) == 3


def test_a_position_with_a_date_of_no_calendar_is_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"2026-03-04T05:06:07Z $GPRMC,050607,A,4500.0,N,01000.0,E,5.0,10.0,310226,,\n")
    items = drain(NmeaLogSource(NmeaLogOptions(path=path), live=False))
    assert [isinstance(item, NavigationSample) for item in items] == [True, False]


def test_a_taken_port_is_said(feed: NmeaFeedSource) -> None:
    with pytest.raises(SonarWatchError, match=f"127.0.0.1:{feed.port}"):
        NmeaFeedSource(NmeaFeedOptions(address="127.0.0.1", port=feed.port))


def test_a_group_is_heard_over_the_loopback(wake: threading.Event) -> None:
    group = "239.255.61.61"
    source = NmeaFeedSource(NmeaFeedOptions(group=group, interface="lo"), wake=wake)
    try:
        if source.counts().get("failing"):
            pytest.skip("no multicast on the loopback here")
        with Sender(source.port, group) as sender:
            sender.send(b"UdPbC\0\\s:HE0001,n:1*23\\$HEHDT,7.0,T\r\n")
        assert headings(poll_until(source, lambda items: bool(items), wake)) == [7.0]
    finally:
        source.close()


def test_a_date_of_a_past_gps_week_is_put_right_counted_and_told_once(
    feed: NmeaFeedSource, wake: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    old = b"$GPZDA,050607,19,07,2006,,", b"$GPRMC,050607,A,4500.0,N,01000.0,E,5.0,10.0,190706,,"
    older = b"$INZDA,050607,03,12,1986,,"
    send(feed.port, *old, older, b"$INHDT,1.0,T")
    items = poll_until(feed, lambda items: len(headings(items)) == 1, wake)
    assert all(isinstance(item, NavigationSample) and item.time_s[0] == RECEIVED.timestamp()
               for item in items)
    assert feed.counts()["rollover"] == 3
    assert feed.counts()["clock_offset"] == 0
    assert feed.counts()["no_checksum"] == 4
    told = clock_warnings(caplog)
    assert ["1024 weeks" in told[0], "2048 weeks" in told[1], len(told)] == [True, True, 2]


@pytest.mark.parametrize(
    "wrong",
    [{"port": 70_000}, {"address": "ship"}, {"group": "10.0.0.1"}, {"queue_datagrams": 0}],
)
def test_feeds_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        NmeaFeedOptions(**wrong)  # type: ignore[arg-type]


def test_a_log_without_a_rescan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="rescan_s"):
        NmeaLogOptions(path=tmp_path, rescan_s=0)
