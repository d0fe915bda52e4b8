"""How many swaths one batch may hold, so that it is soon done on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

BATCH_S = 0.25
"""A batch takes about so long at most: its first alert waits for its last swath, and so does
whoever asks the watch to end."""


class BatchPace:
    """Learns how long a swath takes, and says how many to take together.

    What is found does not depend on how swaths are grouped; only how soon it is stored does.

    Parameters
    ----------
    most : int
        Swaths of a batch at most; the first batch holds one, as nothing is known yet.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._began_s = 0.0
        self.size = 1

    def begin(self) -> None:
        """Note that a batch begins."""
        self._began_s = self._clock()

    def end(self, swaths: int) -> None:
        """Note that it is done, and how many swaths it held.

        The size follows a slower machine at once and doubles at most on a faster one.
        """
        if swaths:
            each_s = (self._clock() - self._began_s) / swaths
            fits = int(BATCH_S / each_s) if each_s > 0 else self._most
            self.size = max(1, min(fits, 2 * self.size, self._most))
