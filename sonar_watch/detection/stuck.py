"""An inference that never returns: found out by a clock beside it, ended with the process."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

EXIT_STUCK = 70
"""Of a process that ended itself: systemd starts it again."""

NoteLoss = Callable[[str], None]
"""Told why the device is given up, before the process ends."""


class StuckTimer:
    """Ends the process when what it times lasts too long.

    A call that hangs in a driver cannot be ended from outside: only its process can. A thread
    looks at the clock, so code that hangs while it holds Python's lock is left to systemd.

    Parameters
    ----------
    limit_s : float
        Seconds that one inference may take.
    note : callable
        Told the reason first; that it may hang as well does not hold the end up for long.
    """

    def __init__(self, limit_s: float, note: NoteLoss = lambda _: None) -> None:
        self._limit_s, self._note = limit_s, note
        self._changed = threading.Condition()
        self._began_s: float | None = None
        self._what = ""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="stuck-timer", daemon=True)
        self._thread.start()

    @contextmanager
    def timing(self, what: str) -> Iterator[None]:
        """Time what happens inside; `what` is said of it when it is stuck."""
        self._set(time.monotonic(), what)
        try:
            yield
        finally:
            self._set(None, "")

    def close(self) -> None:
        """End the thread; harmless when it has ended already."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _set(self, began_s: float | None, what: str) -> None:
        with self._changed:
            self._began_s, self._what = began_s, what
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                if self._began_s is None:
                    self._changed.wait()
                    continue
                left_s = self._began_s + self._limit_s - time.monotonic()
                if left_s <= 0:
                    self._end()
                self._changed.wait(left_s)

    def _end(self) -> None:
        reason = f"{self._what} has not returned for {self._limit_s:g} s"
        noting = threading.Thread(target=self._note, args=(reason,), daemon=True)
        noting.start()
        noting.join(5.0)
        logger.critical("stuck: %s; the process ends itself, to be started again", reason)
        for handler in logging.getLogger().handlers:
            handler.flush()
        os._exit(EXIT_STUCK)  # nothing else: cleaning up would wait for what hangs
