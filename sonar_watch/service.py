"""What systemd is told: sd_notify(3) without a library, and signs of life that mean something."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

STUCK_S = 45.0
"""A stage that has work in hand and does not move for so long is stuck."""

STATUS_EVERY_S = 3.0
FEED_EVERY_S = 1.0
START_MORE_S = 120.0
"""A start that moves on is given so much more time with each sign of life."""

_TOLD_WITHIN_S = 1.0

READING = "sources"
"""The stage in which the loop is when it looks for work."""


def notify(message: str) -> None:
    """Tell systemd, where it asks (sd_notify(3)); do nothing elsewhere."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    path = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            # Its queue is short, and a systemd that does not read must not hold up the watch.
            channel.settimeout(_TOLD_WITHIN_S)
            channel.sendto(message.encode(), path)
    except OSError as error:
        log.warning("systemd could not be told %s: %s", message, error)


def watchdog_s() -> float | None:
    """Return the seconds within which systemd wants a sign of life, None where it wants none."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(wanted) / 1e6 if wanted.isdecimal() and int(wanted) else None


class Heart:
    """Feeds systemd's watchdog, from the progress of each stage alone: there is no timer in it.

    The loop says which stage begins a piece of work (`mark`). That is its progress: while it
    hangs in a stage there is no mark, nothing is fed, and systemd ends the watch. Looking in
    vain for work is progress, too: idle is healthy. Other threads beat for themselves; when one
    has stood still for longer than its limit, the marks of the loop feed nothing either.

    Safe to use from any thread, `mark` and `say` from that of the loop alone.

    Parameters
    ----------
    tell : callable
        Sends a message to systemd.
    clock : callable
        Seconds that only grow.
    limit_s : float
        A stage that does not move for so many seconds is stuck.
    """

    def __init__(
        self,
        tell: Callable[[str], None] = notify,
        clock: Callable[[], float] = time.monotonic,
        limit_s: float = STUCK_S,
    ) -> None:
        self._tell, self._clock, self._limit_s = tell, clock, limit_s
        wanted_s = watchdog_s()
        self._feed_every_s = FEED_EVERY_S if wanted_s is None else min(FEED_EVERY_S, wanted_s / 4)
        self._lock = threading.Lock()
        self._stage, self._moved_s = READING, clock()
        self._threads: dict[str, float] = {}
        self._fed_s = self._said_s = -math.inf
        self._complained: str | None = None
        self.is_ready = False

    def mark(self, stage: str) -> None:
        """Say that the loop moves: a piece of work begins in `stage`."""
        now_s = self._clock()
        with self._lock:
            self._stage, self._moved_s = stage, now_s
        if now_s - self._fed_s >= self._feed_every_s:
            self._fed_s = now_s
            self._feed(self.stuck())

    def beat(self, thread: str) -> None:
        """Say that another thread moves; it is watched from its first beat on.

        Looks after the loop as well: one that hangs cannot say so itself.
        """
        with self._lock:
            self._threads[thread] = self._clock()
        self._complain(self.stuck())

    def stuck(self) -> str | None:
        """Return which stage does not move and since when, in words; None when all do."""
        now_s = self._clock()
        with self._lock:
            moved = {self._stage: self._moved_s, **self._threads}
        stage, moved_s = min(moved.items(), key=lambda each: each[1])
        if now_s - moved_s <= self._limit_s:
            return None
        return f"{stage} has not moved for {now_s - moved_s:.0f} s"

    def ready(self, text: str) -> None:
        """Say that the start, or the reading anew of the settings, is over."""
        self.is_ready = True
        self._tell(f"READY=1\nSTATUS={_line(text)}")

    def reloading(self) -> None:
        """Say that the settings are read anew; `ready` ends it."""
        # What systemd compares it with is CLOCK_MONOTONIC, which is Python's on Linux.
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def say(self, text: Callable[[], str], *, at_once: bool = False) -> None:
        """Set the line that `systemctl status` shows, every few seconds at most."""
        now_s = self._clock()
        if at_once or now_s - self._said_s >= STATUS_EVERY_S:
            self._said_s = now_s
            self._tell(f"STATUS={_line(text())}")

    def _feed(self, stuck: str | None) -> None:
        self._complain(stuck)
        if not self.is_ready:
            self._tell(f"EXTEND_TIMEOUT_USEC={round(START_MORE_S * 1e6)}")
        elif stuck is None:
            self._tell("WATCHDOG=1")

    def _complain(self, stuck: str | None) -> None:
        """Tell once, in the log and in the status line, what hangs."""
        stage = stuck and stuck.partition(" ")[0]
        with self._lock:
            known, self._complained = self._complained, stage
        if stuck is not None and stage != known:
            log.critical("stuck: %s; systemd ends the watch if that stays so", stuck)
            self._tell(f"STATUS=stuck: {stuck}")


def _line(text: str) -> str:
    """Return a text as one line: a line end would begin another assignment."""
    return " ".join(text.split())
