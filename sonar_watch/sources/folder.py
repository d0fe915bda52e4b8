"""Pictures that a sounder or a person puts into a folder."""

from __future__ import annotations

import heapq
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from fnmatch import translate
from pathlib import Path

from sonar_watch.errors import SonarWatchError
from sonar_watch.records import (
    LineEnd,
    Quarantined,
    SourceItem,
    SourceRef,
    WaterColumnFrame,
    printable,
)
from sonar_watch.sources.candidates import Candidates, FolderOptions, Refusal
from sonar_watch.sources.horizon import Horizon
from sonar_watch.sources.pictures import Picture, load
from sonar_watch.sources.scan import FolderScan
from sonar_watch.sources.source import EmptyLedger, Ledger
from sonar_watch.sources.watch import FolderWatch

__all__ = ["FolderOptions", "ImageFolderSource"]

_log = logging.getLogger(__name__)

DECODED_PER_POLL = 8
ADMITTED_PER_POLL = 500
SORTED_AT_START = 20_000
GIVEN_REMEMBERED = 10_000


class ImageFolderSource:
    """Gives each picture of a folder once, when it is whole, in the order of data time.

    A picture waits for those before it (by time where it is known, by file name otherwise)
    that are still being written, up to the limit: so live gives the order of a replay.
    When nothing more comes (the end of a replay, or silence beyond the limit) a `LineEnd` lets
    go what waits for navigation. Identity decides what "once" means (see `records.identify`): a
    file that is written again is not given again, nor are hard links to one picture and sidecar.

    A backlog is sorted whole before the first is given: in a replay always, live when the folder
    holds up to `SORTED_AT_START` pictures at the start. Beyond that it is taken in the order of
    folders and file names, and what is given next is the earliest of the `SORTED_AT_START` known
    and not given; names that do not follow data time then give the wrong order. No poll looks
    at more than `ADMITTED_PER_POLL` names or reads more than `DECODED_PER_POLL` pictures.

    Parameters
    ----------
    options : FolderOptions
    ledger : Ledger or None
        Who knows what is already done.
    live : bool
        False: what is in the folder now, once, without waiting; then `exhausted`.
    wake : threading.Event or None
        Set when the file system hints at something new.
    clock : callable
        Seconds that only grow.
    only : iterable of Path or None
        Give these pictures of the folder and no others.
    """

    def __init__(
        self,
        options: FolderOptions,
        ledger: Ledger | None = None,
        *,
        live: bool = True,
        wake: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        only: Iterable[Path] | None = None,
    ) -> None:
        self._options = options
        self._ledger = ledger or EmptyLedger()
        self._horizon = Horizon(self._ledger)
        self._live = live
        self._clock = clock
        self._wake = wake or threading.Event()
        self._only = None if only is None else frozenset(only)
        self._scan = FolderScan(
            options.path, recursive=options.recursive, rescan_s=options.rescan_s,
            polled=options.poll_events,
        )
        self._watch = FolderWatch(
            options.path, recursive=options.recursive, wake=self._wake,
            silent=options.poll_events,
        )
        self._pattern = re.compile("|".join(
            translate(pattern.lower()) for pattern in options.patterns
        ))
        self._candidates = Candidates(options, live=live, is_done=self._ledger.is_done)
        self._ready: list[tuple[float, str, str, str, Picture]] = []
        self._given: dict[str, str] = {}
        self._last_given_s: float | None = None
        self._order_known = False
        self._broken = 0
        if live:
            self._watch.arm()

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._options.name

    @property
    def exhausted(self) -> bool:
        """True when a finite source has given every picture."""
        return self._drained and self._last_given_s is None

    @property
    def backlog(self) -> int:
        """Pictures known and not given yet."""
        return len(self._candidates) + len(self._ready)

    @property
    def _drained(self) -> bool:
        return not self._live and self._scan.passes > 0 and not self.backlog

    def poll(self) -> list[SourceItem]:
        """Return up to `DECODED_PER_POLL` frames, and what had to be set aside."""
        now_s = self._clock()
        self._look(now_s)
        items: list[SourceItem] = []
        for decided in self._candidates.examine(now_s):
            items += self._queue(decided)
        if self._candidates.has_unexamined or self._scan.under_way:
            self._wake.set()  # a backlog is looked through without pause
        if self._may_give():
            items += self._give(now_s)
        return items + self._line_end(items, now_s)

    def counts(self) -> dict[str, int]:
        """Return pictures known and not given yet, those set aside, and what cannot be read."""
        counts = {"backlog": self.backlog, "broken": self._broken}
        if failing := self._scan.failing + len(self._candidates.unreadable):
            counts["failing"] = failing
        return counts if self._order_known else counts | {"scanning": 1}

    def close(self) -> None:
        """End the watching thread."""
        self._watch.close()

    def _look(self, now_s: float) -> None:
        """Note new and changed pictures: hints first, the truth when a pass is complete."""
        if self._watch.lost:
            self._watch.lost = False
            self._scan.hurry()
        room = ADMITTED_PER_POLL
        if self._live:
            room = min(room, SORTED_AT_START - self.backlog)
        # What is new during the first pass comes after what the pass finds.
        hints = self._watch.drain(max(0, room)) if self._scan.passes else []
        for path in hints:
            self._admit_hint(path, now_s)
        if room > len(hints) and (self._live or not self._scan.passes):
            self._look_on(now_s, room - len(hints))

    def _look_on(self, now_s: float, most: int) -> None:
        """Go on with a pass. Sidecars are passed over: their pictures' marks tell of them."""
        found, complete = self._scan.piece(now_s, most)
        is_backlog = self._scan.passes - complete == 0
        for path in filter(self._wanted, found):
            if is_backlog and self._horizon.hides(path):
                self._candidates.pass_over(path)
            else:
                self._candidates.admit(path, now_s)
        if complete:
            self._candidates.end_pass(self._scan.hides)
            if self._live:
                self._watch.arm()

    def _admit_hint(self, path: Path, now_s: float) -> None:
        pictures = self._pictures_of(path) if path.suffix.lower() == ".json" else [path]
        for picture in pictures:
            if self._wanted(picture):
                self._candidates.admit(picture, now_s)

    def _may_give(self) -> bool:
        """Return True once what lay there at the start is sorted, or as much as we sort."""
        if not self._order_known:
            whole = self._scan.passes > 0 and not self._candidates.has_unexamined
            page = self._live and self._candidates.examined >= SORTED_AT_START
            self._order_known = whole or page
        return self._order_known

    def _wanted(self, path: Path) -> bool:
        if self._only is not None and path not in self._only:
            return False
        name = path.name.lower()
        return not name.startswith(".") and self._pattern.match(name) is not None

    def _pictures_of(self, sidecar: Path) -> list[Path]:
        suffixes = {Path(pattern).suffix for pattern in self._options.patterns}
        paths = (sidecar.with_suffix(suffix) for suffix in sorted(suffixes))
        return [path for path in paths if path.exists()]

    def _queue(self, decided: Picture | Refusal) -> list[SourceItem]:
        """Queue a whole picture, unless it was given or done before."""
        if isinstance(decided, Refusal):
            return [self._quarantined(decided.path, decided.reason)]
        name, frame_id = decided.path.name, decided.frame_id
        known = self._given.get(frame_id)
        if known is not None and known != name:
            reason = f"{name}: same sounder, ping and time as {known}"
            return [self._quarantined(decided.path, reason)]
        if known is None and not self._ledger.is_done(frame_id):
            self._remember(frame_id, name)
            entry = (decided.time_utc.timestamp(), name, str(decided.path), frame_id, decided)
            heapq.heappush(self._ready, entry)
        else:
            self._candidates.unreadable.discard(decided.path)
        return []

    def _remember(self, frame_id: str, name: str) -> None:
        self._given[frame_id] = name
        if len(self._given) > GIVEN_REMEMBERED + len(self._ready):
            del self._given[next(iter(self._given))]

    def _quarantined(self, path: Path, reason: str) -> Quarantined:
        reason = printable(reason)
        _log.warning("set aside: %s", reason)
        self._broken += 1
        ref = SourceRef(source=self.name, file=printable(path.name))
        return Quarantined(source=ref, reason=reason)

    def _give(self, now_s: float) -> list[SourceItem]:
        items: list[SourceItem] = []
        while self._ready and len(items) < DECODED_PER_POLL and not self._held(now_s):
            item = self._load(heapq.heappop(self._ready)[-1])
            if item is not None:
                items.append(item)
        return items

    def _held(self, now_s: float) -> bool:
        """Return True while a picture before the next one is still being written."""
        time_s, name, *_ = self._ready[0]
        return self._candidates.any_before(time_s, name, now_s)

    def _line_end(self, items: list[SourceItem], now_s: float) -> list[SourceItem]:
        """Return a `LineEnd` when what was given last is the last for now."""
        if any(isinstance(item, WaterColumnFrame) for item in items):
            self._last_given_s = now_s
        if self._last_given_s is None:
            return []
        waits = bool(self._ready) or self._candidates.holds_up(now_s)
        silent = not waits and now_s - self._last_given_s >= self._options.silent_limit_s
        if not (self._drained or silent):
            return []
        self._last_given_s = None
        return [LineEnd(source=self.name)]

    def _load(self, picture: Picture) -> WaterColumnFrame | Quarantined | None:
        path, options, refused = picture.path, self._options, None
        try:
            frame = load(picture, self.name, options.calibration, options.pictures)
            if frame.frame_id == picture.frame_id:
                self._candidates.unreadable.discard(path)
                return frame
        except SonarWatchError as error:
            if self._candidates.is_unchanged(path):
                self._given.pop(picture.frame_id, None)
                return self._quarantined(path, str(error))
        except FileNotFoundError:
            pass
        except OSError as error:
            refused = self._candidates.try_again(path, error)
        self._given.pop(picture.frame_id, None)
        if refused is not None:
            return self._quarantined(path, refused.reason)
        _log.info("%s: gone or written over before it could be read", printable(path.name))
        self._candidates.try_again(path)
        return None
