"""What systemd is told, over a real datagram socket; the stages' progress on a clock of its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonar_watch.service import FEED_EVERY_S, STUCK_S, Heart, notify, watchdog_s


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

        self._told: list[str] = []

    def listen(self) -> None:
        """Take what has come: the queue of such a socket holds some ten messages."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._told.append(self.socket.recv(4096).decode())

    def heard(self) -> list[str]:
        """Return what was told since the last look."""
        self.listen()
        told, self._told = self._told, []
        return told


class Clock:
    def __init__(self, systemd: Systemd) -> None:
        self.now_s = 1000.0
        self._systemd = systemd

    def __call__(self) -> float:
        return self.now_s

    def go_on(self, seconds: float) -> None:
        self._systemd.listen()
        self.now_s += seconds


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    path = tmp_path / "notify"
    end = Systemd(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    yield end
    end.socket.close()


@pytest.fixture
def clock(systemd: Systemd) -> Clock:
    return Clock(systemd)


def ready_heart(clock: Clock, systemd: Systemd) -> Heart:
    heart = Heart(clock=clock)
    heart.ready("watching")
    systemd.heard()
    return heart


def test_a_message_arrives_and_nobody_there_is_no_matter(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notify("READY=1")
    assert systemd.heard() == ["READY=1"]
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")  # told in the log, and that is all
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


def test_a_systemd_that_does_not_read_holds_nothing_up(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sonar_watch.service._TOLD_WITHIN_S", 0.05)
    for _ in range(1000):
        notify("WATCHDOG=1")
        if caplog.records:
            break
    assert "could not be told" in caplog.text
    assert set(systemd.heard()) == {"WATCHDOG=1"}


def test_the_watchdog_is_fed_by_marks_alone(systemd: Systemd, clock: Clock) -> None:
    heart = ready_heart(clock, systemd)
    for _ in range(5):
        clock.go_on(FEED_EVERY_S / 2)
        heart.mark("raster")
    assert systemd.heard() == ["WATCHDOG=1"] * 3
    clock.go_on(10 * STUCK_S)  # nothing marks: nothing feeds
    assert systemd.heard() == []


def test_looking_in_vain_for_work_is_healthy(systemd: Systemd, clock: Clock) -> None:
    heart = ready_heart(clock, systemd)
    for _ in range(200):
        clock.go_on(FEED_EVERY_S)
        heart.mark("sources")
        heart.beat("publisher")
    assert systemd.heard() == ["WATCHDOG=1"] * 200
    assert heart.stuck() is None


def test_a_thread_that_stands_still_starves_the_watchdog(systemd: Systemd, clock: Clock) -> None:
    heart = ready_heart(clock, systemd)
    heart.beat("publisher")
    for _ in range(int(STUCK_S)):
        clock.go_on(1.0)
        heart.mark("sources")
    assert systemd.heard() == ["WATCHDOG=1"] * int(STUCK_S)
    for _ in range(10):
        clock.go_on(1.0)
        heart.mark("sources")
    told = systemd.heard()
    assert told == [f"STATUS=stuck: publisher has not moved for {STUCK_S + 1:.0f} s"]
    heart.beat("publisher")
    clock.go_on(1.0)
    heart.mark("sources")
    assert systemd.heard() == ["WATCHDOG=1"]


def test_a_loop_that_hangs_is_named_by_the_thread_that_does_not(
    systemd: Systemd, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    heart = ready_heart(clock, systemd)
    heart.mark("detection")
    systemd.heard()
    for _ in range(60):
        clock.go_on(1.0)
        heart.beat("publisher")
    assert systemd.heard() == [f"STATUS=stuck: detection has not moved for {STUCK_S + 1:.0f} s"]
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


def test_a_start_that_moves_on_is_given_more_time(systemd: Systemd, clock: Clock) -> None:
    heart = Heart(clock=clock)
    heart.mark("sources")
    assert systemd.heard() == ["EXTEND_TIMEOUT_USEC=120000000"]


def test_a_status_is_one_line_and_not_told_all_the_time(systemd: Systemd, clock: Clock) -> None:
    heart = ready_heart(clock, systemd)
    for _ in range(7):
        heart.say(lambda: "disk\nREADY=0")
        clock.go_on(1.0)
    assert systemd.heard() == ["STATUS=disk READY=0"] * 3
    heart.say(lambda: "now", at_once=True)
    assert systemd.heard() == ["STATUS=now"]


def test_a_short_watchdog_is_fed_in_time(
    systemd: Systemd, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    assert watchdog_s() == 2.0
    heart = ready_heart(clock, systemd)
    for _ in range(4):
        clock.go_on(0.5)
        heart.mark("commit")
    assert systemd.heard() == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    ("usec", "pid", "expected"), [("", "", None), ("0", "", None), ("9", "1", None)]
)
def test_a_watchdog_for_nobody_or_another_is_none(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, expected: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_s() == expected
