"""Pictures that are not given yet: being written, or waiting for their sidecar."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sonar_watch.errors import ConfigurationError, SonarWatchError
from sonar_watch.formats.sidecar import sidecar_of
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.pictures import Picture, Unfinished, inspect
from sonar_watch.sources.scan import Fingerprint, changed_s
from sonar_watch.sources.unreadable import Unreadable
from sonar_watch.watercolumn.pictures import PictureOptions

EXAMINED_PER_POLL = 128


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
        is set aside. Also how long, from when it was first seen, one that keeps changing may
        hold up those after it.
    sidecar_wait_s : float
        Seconds to wait for a sidecar before the calibration is used.
    silent_limit_s : float
        Seconds without a new picture after which those waiting for navigation are let go.
    poll_events : bool
        Look every second instead of waiting for kernel events: for network shares.
    calibration : Calibration or None
        For pictures that come without a sidecar.
    pictures : PictureOptions
        How the colours of pictures that others made are read.

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
    pictures: PictureOptions = field(default_factory=PictureOptions)

    def __post_init__(self) -> None:
        times_s = self.rescan_s, self.half_written_limit_s, self.silent_limit_s
        if not all(time_s > 0 for time_s in times_s):  # nor NaN
            raise ConfigurationError(
                f"{self.name}: expected rescan_s, half_written_limit_s and silent_limit_s above 0 s"
            )
        if not self.sidecar_wait_s >= 0:
            raise ConfigurationError(f"{self.name}: expected sidecar_wait_s of 0 s or more")
        if not self.patterns:
            raise ConfigurationError(f"{self.name}: expected at least one pattern such as *.png")


@dataclass(slots=True)
class Candidate:
    """A picture not given yet, as it was when it last changed."""

    path: Path
    marks: int | None
    changed_s: float
    first_seen_s: float
    time_s: float | None = None
    examined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A picture to set aside."""

    path: Path
    reason: str


class Candidates:
    """Which pictures there are, and which of them are ready.

    Quiet is what this program saw no change of, by its own clock. Only of what the first pass
    finds the files' times tell as well: a backlog need not wait. Where they lie, a picture that
    is being written at that moment is set aside too early, and taken when it changes.

    Parameters
    ----------
    options : FolderOptions
    live : bool
        False: nothing is waited for.
    is_done : callable
        Frames that need not be looked at closely.

    Attributes
    ----------
    examined : int
        How many have been looked at so far, each time they came or changed after being settled.
    unreadable : Unreadable
        Those that could not be read when last tried; who reads one takes it out.
    """

    def __init__(
        self, options: FolderOptions, *, live: bool, is_done: Callable[[str], bool]
    ) -> None:
        self._options = options
        self._is_done = is_done
        self._live = live
        self._settled: dict[str, int | None] = {}
        self._waiting: dict[str, Candidate] = {}
        self._fresh: deque[str] = deque()
        self._seen: set[str] = set()
        self._is_backlog = True
        self.examined = 0
        self.unreadable = Unreadable()

    def __len__(self) -> int:
        """Pictures that wait."""
        return len(self._waiting)

    @property
    def has_unexamined(self) -> bool:
        """True while some have never been looked at."""
        return bool(self._fresh)

    def admit(self, path: Path, now_s: float) -> None:
        """Note a picture that is new or has changed."""
        name, marks = str(path), _marks(path)
        self._seen.add(name)
        known = self._waiting.get(name)
        if known is not None and known.marks != marks:
            known.marks, known.changed_s = marks, now_s
        elif known is None and marks is not None and self._settled.get(name) != marks:
            self._admit_new(path, name, marks, now_s)

    def pass_over(self, path: Path) -> None:
        """Note a picture that is not to be looked at unless it changes."""
        self._seen.add(str(path))
        self._settled[str(path)] = _marks(path)

    def _admit_new(self, path: Path, name: str, marks: int, now_s: float) -> None:
        # Who is written again had its turn: it does not hold up the others once more.
        first_seen_s = float("-inf") if name in self._settled else now_s
        quiet_s = _quiet_s(path) if self._is_backlog and self._live else 0.0
        self._waiting[name] = Candidate(path, marks, now_s - quiet_s, first_seen_s)
        self._fresh.append(name)

    def end_pass(self, is_hidden: Callable[[Path], bool]) -> None:
        """Forget settled pictures not admitted since the last pass: gone, unless out of sight."""
        self._is_backlog = False
        for name in self._settled.keys() - self._seen:
            if not is_hidden(Path(name)):
                del self._settled[name]
                self.unreadable.discard(Path(name))
        self._seen.clear()

    def is_unchanged(self, path: Path) -> bool:
        """Return True when a settled picture and its sidecar are as they were examined."""
        marks = _marks(path)
        return marks is not None and self._settled.get(str(path)) == marks

    def try_again(self, path: Path, error: OSError | None = None) -> Refusal | None:
        """Look at a settled picture again when it is next seen, even unchanged.

        Returns its refusal when `error`, why it cannot be read, is news.
        """
        self._settled[str(path)] = None
        if error is None:
            return None
        reason = f"{path.name}: {error.strerror or error}"
        is_news = self.unreadable.add(path, reason)
        return Refusal(path=path, reason=reason) if is_news else None

    def examine(self, now_s: float) -> list[Picture | Refusal]:
        """Look at up to `EXAMINED_PER_POLL` of them; return those that need not wait longer."""
        decided = [self._examine(self._waiting[name], now_s) for name in self._take()]
        return [decision for decision in decided if decision is not None]

    def any_before(self, time_s: float, name: str, now_s: float) -> bool:
        """Return True when one that waits comes before: by time if known, else by file name.

        One that was first seen longer than `half_written_limit_s` ago holds up nobody: it may
        be rewritten for ever.
        """
        return any(
            waiting.path.name < name if waiting.time_s is None else waiting.time_s < time_s
            for waiting in self._holding_up(now_s)
        )

    def holds_up(self, now_s: float) -> bool:
        """Return True while others may have to wait for one of these."""
        return any(True for _ in self._holding_up(now_s))

    def _holding_up(self, now_s: float) -> Iterator[Candidate]:
        seen_since_s = now_s - self._options.half_written_limit_s
        return (each for each in self._waiting.values()
                if not each.examined or each.first_seen_s > seen_since_s)

    def _take(self) -> list[str]:
        """Return names to look at: new ones first, then those that waited longest."""
        names = [self._fresh.popleft() for _ in range(min(len(self._fresh), EXAMINED_PER_POLL))]
        self.examined += len(names)
        old = (name for name, candidate in self._waiting.items() if candidate.examined)
        names += islice(old, EXAMINED_PER_POLL - len(names))
        for name in names:
            self._waiting[name] = candidate = self._waiting.pop(name)
            candidate.examined = True
        return names

    def _examine(self, candidate: Candidate, now_s: float) -> Picture | Refusal | None:
        marks = _marks(candidate.path)
        if marks is None:
            self._forget(candidate)
            return None
        if marks != candidate.marks:
            candidate.marks, candidate.changed_s = marks, now_s
        try:
            found = inspect(candidate.path, self._options.calibration, self._is_done)
        except FileNotFoundError:
            self._forget(candidate)
            return None
        except SonarWatchError as error:  # such as a file too large to look at
            found = Unfinished(reason=str(error))
        except OSError as error:  # unreadable for now, such as on a share
            return self._wait_or_try_again(candidate, error, now_s)
        if isinstance(found, Unfinished):
            return self._wait_or_decide(candidate, found, now_s)
        self._settle(candidate)
        return found

    def _wait_or_decide(
        self, candidate: Candidate, found: Unfinished, now_s: float
    ) -> Picture | Refusal | None:
        candidate.time_s = None if found.time_utc is None else found.time_utc.timestamp()
        wait_s = self._options.half_written_limit_s
        if found.fallback is not None:
            wait_s = min(wait_s, self._options.sidecar_wait_s)
        if self._live and now_s - candidate.changed_s < wait_s:
            return None
        self._settle(candidate)
        if found.fallback is None:
            self.unreadable.discard(candidate.path)
        return found.fallback or Refusal(path=candidate.path, reason=found.reason)

    def _wait_or_try_again(
        self, candidate: Candidate, error: OSError, now_s: float
    ) -> Refusal | None:
        """Set aside what stays unreadable, told once; each later pass tries it again."""
        wait_s = self._options.half_written_limit_s
        if self._live and now_s - candidate.changed_s < wait_s:
            return None
        self._settle(candidate)
        return self.try_again(candidate.path, error)

    def _forget(self, candidate: Candidate) -> None:
        del self._waiting[str(candidate.path)]
        self.unreadable.discard(candidate.path)

    def _settle(self, candidate: Candidate) -> None:
        name = str(candidate.path)
        del self._waiting[name]
        self._settled[name] = candidate.marks


def _quiet_s(path: Path) -> float:
    """Return for how long the files have lain there, by clocks that need not agree."""
    newest_s = max(changed_s(path), changed_s(sidecar_of(path)))
    return max(0.0, time.time() - newest_s)


def _marks(path: Path) -> int | None:
    """Return one number that changes when the picture or its sidecar does; None when gone."""
    fingerprint = Fingerprint.of(path)
    return None if fingerprint is None else hash((fingerprint, Fingerprint.of(sidecar_of(path))))
