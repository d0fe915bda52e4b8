"""One of several sources that are merged: what it gave, since when, and whether it fails."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from sonar_watch.errors import JournalError, SonarWatchError
from sonar_watch.monitoring.words import in_words
from sonar_watch.records import LineEnd, NavigationSample, SourceItem
from sonar_watch.sources.source import Source, SourceState, data_time_s, is_swath

_log = logging.getLogger(__name__)

BUFFERED_PER_SOURCE = 64
MOST_TOLD = 100
"""Reasons for failing that are remembered, so that each is told once."""

RETRY_S = 5.0
"""A source that failed is asked again after this pause."""


class Lane:
    """One source and what it gave that is not handed on yet.

    Parameters
    ----------
    source : Source
    live : bool
        True: an error of the source is logged and it is asked again later. A replay ends with
        it: one that left out a source would look complete.
    tell : callable
        Told the data time of each swath that comes, seconds since 1970 UTC.
    """

    def __init__(
        self, source: Source, *, live: bool, tell: Callable[[float], None] = lambda _: None
    ) -> None:
        self.source = source
        self.live = live
        self._tell = tell
        # Only logs that were passed over ask for it.
        self._note_swath: Callable[[float], bool] | None = getattr(source, "note_swath", None)
        self.queue: deque[SourceItem] = deque()
        self._arrived_s: deque[float] = deque()
        self._last_swath_at_s = float("-inf")
        self._holds_more = False
        self._retry_s = float("-inf")
        self._told: set[str] = set()
        self.failing = False
        self._reason = ""
        self._given_s: float | None = None

    @property
    def head_s(self) -> float | None:
        """Data time of the first item, None when there is none or it has no time."""
        return data_time_s(self.queue[0]) if self.queue else None

    @property
    def head_arrived_s(self) -> float:
        """When the first item came from the source, by the clock."""
        return self._arrived_s[0]

    @property
    def finished(self) -> bool:
        """True when nothing is left and nothing more comes."""
        return not self.queue and self.source.exhausted

    def take(self) -> SourceItem:
        """Remove and return the first item."""
        self._arrived_s.popleft()
        return self.queue.popleft()

    def fill(self, now_s: float) -> list[SourceItem]:
        """Take what the source has; return the navigation that may run ahead of its swaths."""
        if len(self.queue) >= BUFFERED_PER_SOURCE or self.source.exhausted:
            return []
        ahead: list[SourceItem] = []
        ended = any(isinstance(item, LineEnd) for item in self.queue)
        for item in self._poll(now_s):
            ended = ended or isinstance(item, LineEnd)
            if is_swath(item):
                self._last_swath_at_s = now_s
                self._tell(item.time_utc.timestamp())
            # Never past the end of a line: which fix its last swaths get would depend on chance.
            if isinstance(item, NavigationSample) and not ended and self.live:
                ahead.append(item)
            else:
                self.queue.append(item)
                self._arrived_s.append(now_s)
        self._note_backlog()
        return ahead

    def hear(self, time_s: float) -> None:
        """Hear of a swath that came, here or elsewhere: more may have to be read for it."""
        if self._note_swath is not None and self._note_swath(time_s):
            self._note_backlog()

    def _note_backlog(self) -> None:
        self._holds_more = not self.queue and self.source.counts().get("backlog", 0) > 0

    def blocks(self, now_s: float, patience_s: float) -> bool:
        """Return True while an earlier item could still come from here."""
        if self.queue or self.source.exhausted:
            return False
        if self.live:
            return self._holds_more or now_s - self._last_swath_at_s < patience_s
        return True

    def counts(self) -> dict[str, int]:
        """Return the counts of the source; one that fails is "failing", not "scanning"."""
        counts = self.source.counts()
        if self.failing:
            counts = counts | {"failing": counts.get("failing", 0) + 1, "scanning": 0}
        return counts

    def state(self, now_s: float) -> SourceState:
        """Return how the source is; `now_s` as given to `fill`."""
        counts = self.counts()
        return SourceState(
            name=self.source.name,
            counts=counts | {"backlog": counts.get("backlog", 0) + len(self.queue)},
            failing=self._in_words(counts.get("failing", 0), now_s),
            quiet_s=None if self._given_s is None else now_s - self._given_s,
            clock_offset_s=getattr(self.source, "clock_offset_s", None),
        )

    def _in_words(self, failing: int, now_s: float) -> str:
        """Return what cannot be read and when it is tried again; "" when all can be."""
        if not failing:
            return ""
        wait_s: float | None = getattr(self.source, "retry_in_s", None)
        what = f"{failing} of its folders, files or connections"
        if self.failing:
            what, wait_s = self._reason, max(0.0, self._retry_s - now_s)
        again = "" if wait_s is None else f", tried again in {in_words(wait_s)}"
        return f"{what}{again}" + ("" if self.failing else "; the log says which and why")

    def _poll(self, now_s: float) -> list[SourceItem]:
        """Ask the source; a share that is away for a while does not end the watch."""
        if now_s < self._retry_s:
            return []
        try:
            items = self.source.poll()
        except JournalError:  # not the source's: nothing can be stored any more
            raise
        except (OSError, SonarWatchError) as error:
            if not self.live:
                raise
            self._fail(error, now_s)
            return []
        self.failing = False
        self._given_s = now_s if items else self._given_s
        return items

    def _fail(self, error: Exception, now_s: float) -> None:
        self.failing = True
        self._retry_s = now_s + RETRY_S
        self._reason = reason = f"{type(error).__name__}: {error}"
        if reason not in self._told:
            if len(self._told) >= MOST_TOLD:  # reasons that carry a number never end
                self._told.clear()
            self._told.add(reason)
            _log.error("source %s fails, tried again every %g s: %s",
                       self.source.name, RETRY_S, reason)
