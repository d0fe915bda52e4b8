"""The process and the clock it runs by."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def process_numbers() -> dict[str, Any]:
    """Return memory in RAM (bytes), open files and sockets, their limit, and threads.

    What the system does not tell is None.
    """
    return {
        "memory_bytes": _memory_bytes(),
        "file_handles": _file_handles(),
        "file_handles_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "threads": threading.active_count(),
    }


def _memory_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _file_handles() -> int | None:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1  # the listing is one of them
    except OSError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """A jump of the clock: seconds forward, and how long ago (seconds)."""

    step_s: float
    age_s: float


class ClockWatch:
    """Notices when the clock is set: it then parts from the seconds that only grow.

    A clock that is slewed (as NTP does it, 0.5 ms a second) makes no step.

    Parameters
    ----------
    least_s : float
        Smallest jump that counts.
    clock, ticks : callable
    """

    def __init__(
        self,
        least_s: float,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least_s, self._clock, self._ticks = least_s, clock, ticks
        self._apart_s = clock() - ticks()
        self._last: tuple[float, float] | None = None
        self.steps = 0

    def look(self) -> None:
        """Compare the two; to be called every few seconds."""
        now_s = self._ticks()
        apart_s = self._clock() - now_s
        step_s, self._apart_s = apart_s - self._apart_s, apart_s
        if abs(step_s) >= self._least_s:
            self.steps += 1
            self._last = step_s, now_s

    def last_step(self) -> ClockStep | None:
        """Return the last jump, None before the first."""
        if self._last is None:
            return None
        step_s, at_s = self._last
        return ClockStep(step_s=step_s, age_s=self._ticks() - at_s)
