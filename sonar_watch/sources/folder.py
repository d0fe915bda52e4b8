"""Pictures that a sounder or a person puts into a folder."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

from sonar_watch.errors import ConfigurationError, SonarWatchError
from sonar_watch.records import (
    LineEnd,
    Quarantined,
    SourceItem,
    SourceRef,
    WaterColumnFrame,
)
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.pictures import Picture, Unfinished, inspect, load, sidecar_of
from sonar_watch.sources.scan import Fingerprint, FolderScan, changed_s
from sonar_watch.sources.source import EmptyLedger, Ledger
from sonar_watch.sources.watch import FolderWatch

_log = logging.getLogger(__name__)

EXAMINED_PER_POLL = 128
DECODED_PER_POLL = 8
GIVEN_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """Options of a folder of pictures.

    Parameters
    ----------
    path : Path
        The folder; it may appear later.
    name : str
        Name of this source.
    patterns : tuple of str
        Which files are pictures, whatever their case.
    recursive : bool
        Look into the folders below, too.
    rescan_s : float
        Seconds from one look through the folder to the next; file events come sooner.
    half_written_limit_s : float
        Seconds without change after which a picture that is not whole, or has no geometry,
        is set aside.
    sidecar_wait_s : float
        Seconds to wait for a sidecar before the calibration is used.
    silent_limit_s : float
        Seconds without a new picture after which those waiting for navigation are let go.
    poll_events : bool
        Compare listings instead of kernel events: for network shares.
    calibration : Calibration or None
        For pictures that come without a sidecar.

    Raises
    ------
    ConfigurationError
        A time is not above 0, or there is no pattern.
    """

    path: Path
    name: str = "images"
    patterns: tuple[str, ...] = ("*.png", "*.jpg", "*.jpeg", "*.tif", "*.tiff", "*.bmp")
    recursive: bool = False
    rescan_s: float = 10.0
    half_written_limit_s: float = 30.0
    sidecar_wait_s: float = 2.0
    silent_limit_s: float = 60.0
    poll_events: bool = False
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if min(self.rescan_s, self.half_written_limit_s, self.silent_limit_s) <= 0:
            raise ConfigurationError(
                f"{self.name}: expected rescan_s, half_written_limit_s and silent_limit_s above 0 s"
            )
        if self.sidecar_wait_s < 0:
            raise ConfigurationError(f"{self.name}: expected sidecar_wait_s of 0 s or more")
        if not self.patterns:
            raise ConfigurationError(f"{self.name}: expected at least one pattern such as *.png")


@dataclass(slots=True)
class _Candidate:
    """A picture not given yet: as it was when it last changed."""

    path: Path
    marks: int
    changed_s: float
    time_s: float | None = None
    examined: bool = False


class ImageFolderSource:
    """Gives each picture of a folder once, when it is whole, in the order of data time.

    A picture waits for those before it (by time where it is known, by file name otherwise)
    that are still being written, up to the limit: so live gives the order of a replay.
    When nothing more comes (the end of a replay, or silence beyond the limit) a `LineEnd` lets
    go what waits for navigation. Identity decides what "once" means (see `records.identify`): a
    file that is written again is not given again. A backlog is sorted whole before the first
    is given; pixels are read only as they are given, `DECODED_PER_POLL` at a time.

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
        self._live = live
        self._clock = clock
        self._only = None if only is None else frozenset(only)
        self._scan = FolderScan(
            options.path, recursive=options.recursive, rescan_s=options.rescan_s
        )
        self._watch = FolderWatch(
            options.path, recursive=options.recursive, polling=options.poll_events, wake=wake
        )
        self._seen: dict[str, int] = {}
        self._waiting: dict[str, _Candidate] = {}
        self._fresh: deque[str] = deque()
        self._ready: list[tuple[float, str, Picture]] = []
        self._given: dict[str, None] = {}
        self._last_given_s: float | None = None
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
    def _drained(self) -> bool:
        return not self._live and self._scan.passes > 0 and not self.backlog

    @property
    def backlog(self) -> int:
        """Pictures known and not given yet."""
        return len(self._waiting) + len(self._ready)

    def poll(self) -> list[SourceItem]:
        """Return up to `DECODED_PER_POLL` frames, and what had to be set aside."""
        now_s = self._clock()
        self._look(now_s)
        items: list[SourceItem] = []
        for name in self._take_for_examination():
            items += self._examine(self._waiting[name], now_s)
        if self._scan.passes and not self._fresh:
            items += self._give()
        return items + self._line_end(items, now_s)

    def close(self) -> None:
        """End the watching thread."""
        self._watch.close()

    def _look(self, now_s: float) -> None:
        """Note new and changed pictures: hints first, the truth when a pass is complete."""
        if self._watch.lost:
            self._watch.lost = False
            self._scan.hurry()
        for path in self._watch.drain():
            self._admit(path, now_s)
        if self._scan.passes and not self._live:
            return
        found = self._scan.step(now_s)
        if found is None:
            return
        if self._live:
            self._watch.arm()
        for path in found:
            self._admit(path, now_s)
        self._forget({str(path) for path in found})

    def _admit(self, path: Path, now_s: float) -> None:
        if path.suffix.lower() == ".json":
            for picture in self._pictures_of(path):
                self._admit(picture, now_s)
        if not self._wanted(path):
            return
        name, marks = str(path), _marks(path)
        known = self._waiting.get(name)
        if known is not None and known.marks != marks:
            known.marks, known.changed_s = marks, now_s
        elif known is None and self._seen.get(name) != marks:
            self._waiting[name] = _Candidate(path, marks, now_s - self._quiet_s(path))
            self._fresh.append(name)

    def _wanted(self, path: Path) -> bool:
        if self._only is not None and path not in self._only:
            return False
        name = path.name.lower()
        return not name.startswith(".") and any(
            fnmatch(name, pattern.lower()) for pattern in self._options.patterns
        )

    def _pictures_of(self, sidecar: Path) -> list[Path]:
        suffixes = {Path(pattern).suffix for pattern in self._options.patterns}
        paths = (sidecar.with_suffix(suffix) for suffix in sorted(suffixes))
        return [path for path in paths if path.exists()]

    def _quiet_s(self, path: Path) -> float:
        """Return for how long the files have lain there: a backlog need not wait."""
        newest_s = max(changed_s(path), changed_s(sidecar_of(path)))
        return max(0.0, time.time() - newest_s)

    def _forget(self, names: set[str]) -> None:
        """Drop what is no longer in the folder."""
        for gone in self._seen.keys() - names:
            del self._seen[gone]

    def _take_for_examination(self) -> list[str]:
        """Return names to look at: new ones first, then those that waited longest."""
        names = [self._fresh.popleft() for _ in range(min(len(self._fresh), EXAMINED_PER_POLL))]
        old = (name for name, candidate in self._waiting.items() if candidate.examined)
        names += islice(old, EXAMINED_PER_POLL - len(names))
        for name in names:
            self._waiting[name] = candidate = self._waiting.pop(name)
            candidate.examined = True
        return names

    def _examine(self, candidate: _Candidate, now_s: float) -> list[SourceItem]:
        """Move a candidate on: ready, set aside, forgotten, or left waiting."""
        marks = _marks(candidate.path)
        if marks != candidate.marks:
            candidate.marks, candidate.changed_s = marks, now_s
        try:
            found = inspect(candidate.path, self._options.calibration)
        except OSError as error:
            return self._settle_missing(candidate, error, now_s)
        if isinstance(found, Picture):
            self._settle(candidate, found)
            return []
        candidate.time_s = None if found.time_utc is None else found.time_utc.timestamp()
        return self._wait_or_settle(candidate, found, now_s)

    def _wait_or_settle(
        self, candidate: _Candidate, found: Unfinished, now_s: float
    ) -> list[SourceItem]:
        quiet_s = now_s - candidate.changed_s
        if found.fallback and (not self._live or quiet_s >= self._options.sidecar_wait_s):
            self._settle(candidate, found.fallback)
        elif not self._live or quiet_s >= self._options.half_written_limit_s:
            return [self._set_aside(candidate, found.reason)]
        return []

    def _settle_missing(
        self, candidate: _Candidate, error: OSError, now_s: float
    ) -> list[SourceItem]:
        """Drop a picture that is gone; one that cannot be read waits like a half-written one."""
        if isinstance(error, FileNotFoundError):
            del self._waiting[str(candidate.path)]
            return []
        return self._wait_or_settle(candidate, Unfinished(reason=str(error)), now_s)

    def _settle(self, candidate: _Candidate, picture: Picture) -> None:
        """Queue a whole picture, unless it was given or done before."""
        name = str(candidate.path)
        del self._waiting[name]
        self._seen[name] = candidate.marks
        if picture.frame_id in self._given or self._ledger.is_done(picture.frame_id):
            _log.debug("%s: frame %s is done", candidate.path.name, picture.frame_id)
            return
        self._remember(picture.frame_id)
        entry = (picture.time_utc.timestamp(), candidate.path.name + "\0" + name, picture)
        heapq.heappush(self._ready, entry)

    def _remember(self, frame_id: str) -> None:
        self._given[frame_id] = None
        while len(self._given) > GIVEN_REMEMBERED + len(self._ready):
            del self._given[next(iter(self._given))]

    def _set_aside(self, candidate: _Candidate, reason: str) -> Quarantined:
        name = str(candidate.path)
        self._waiting.pop(name, None)
        self._seen[name] = candidate.marks
        return self._quarantined(candidate.path, reason)

    def _quarantined(self, path: Path, reason: str) -> Quarantined:
        _log.warning("%s: set aside: %s", path.name, reason)
        return Quarantined(source=SourceRef(source=self.name, file=path.name), reason=reason)

    def _give(self) -> list[SourceItem]:
        items: list[SourceItem] = []
        while self._ready and len(items) < DECODED_PER_POLL and not self._held():
            picture = heapq.heappop(self._ready)[2]
            item = self._load(picture)
            if item is not None:
                items.append(item)
        return items

    def _line_end(self, items: list[SourceItem], now_s: float) -> list[SourceItem]:
        """Return a `LineEnd` when what was given last is the last for now."""
        if any(isinstance(item, WaterColumnFrame) for item in items):
            self._last_given_s = now_s
        if self._last_given_s is None:
            return []
        silent = not self.backlog and now_s - self._last_given_s >= self._options.silent_limit_s
        if not (self._drained or silent):
            return []
        self._last_given_s = None
        return [LineEnd(source=self.name)]

    def _held(self) -> bool:
        """Return True while a picture before the next one is still being written."""
        time_s, name, _ = self._ready[0]
        return any(
            waiting.path.name < name if waiting.time_s is None else waiting.time_s < time_s
            for waiting in self._waiting.values()
        )

    def _load(self, picture: Picture) -> WaterColumnFrame | Quarantined | None:
        try:
            return load(picture, self.name, self._options.calibration)
        except FileNotFoundError:
            _log.info("%s: gone before it could be read", picture.path.name)
            self._given.pop(picture.frame_id, None)
        except (SonarWatchError, OSError) as error:
            self._given.pop(picture.frame_id, None)
            return self._quarantined(picture.path, str(error))
        return None


def _marks(path: Path) -> int:
    """Return one number that changes when the picture or its sidecar does."""
    return hash((Fingerprint.of(path), Fingerprint.of(sidecar_of(path))))
