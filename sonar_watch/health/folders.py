"""Looks at the sources' folders and disks in a thread of its own: a share may hang for minutes."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sonar_watch.formats.rawfile import RAW_SUFFIXES

log = logging.getLogger(__name__)

MOST_ENTRIES = 200_000
FRESH_S = 600.0
"""A raw file changed within this time before the first look is one that is being written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolder:
    """A folder to look at.

    Parameters
    ----------
    name : str
        Of the source, or "data".
    path : Path
    recursive : bool
    raw : bool or None
        True for raw files, False for pictures; None looks at the disk alone.
    """

    name: str
    path: Path
    recursive: bool = True
    raw: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What a look found.

    Parameters
    ----------
    folder : str
        Name of the watched folder.
    looked_s : float
        When, in seconds that only grow.
    files : int or None
        Files in it.
    newest : str
        Name of the raw file changed last, as far as the times of files are right; "" = none.
    raw_bytes : int
        Size of all raw files.
    grown_s : float or None
        When they were last seen to have grown; None when they never were.
    disk, free_bytes, total_bytes : int or None
        Its disk's number and room.
    error : str
        Why it could not be looked at.
    """

    folder: str
    looked_s: float
    files: int | None = None
    newest: str = ""
    raw_bytes: int = 0
    grown_s: float | None = None
    disk: int | None = None
    free_bytes: int | None = None
    total_bytes: int | None = None
    error: str = ""


class FolderLooks:
    """Looks at some folders again and again.

    Parameters
    ----------
    folders : sequence of WatchedFolder
    every_s : float
        From the end of one round to the next; longer when the round itself took longer.
    ticks : callable
        Seconds that only grow.
    look : callable, optional
        Looks at one folder, given it, its last state and the time.
    """

    def __init__(
        self,
        folders: Sequence[WatchedFolder],
        *,
        every_s: float = 10.0,
        ticks: Callable[[], float] = time.monotonic,
        look: Callable[[WatchedFolder, FolderState | None, float], FolderState] | None = None,
    ) -> None:
        self._folders, self._every_s, self._ticks = tuple(folders), every_s, ticks
        self._look = look or look_at
        self._states: dict[str, FolderState] = {}
        self._at: tuple[str, float] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder looks", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def states(self) -> list[FolderState]:
        """Return what was found last, of each folder that was looked at."""
        found = dict(self._states)
        return [found[each.name] for each in self._folders if each.name in found]

    def hanging(self) -> tuple[str, float] | None:
        """Return the folder that is being looked at and for how many seconds; None in between."""
        at = self._at
        return None if at is None else (at[0], self._ticks() - at[1])

    def close(self) -> None:
        """End the thread; one that hangs in a share is left to itself."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            began_s = self._ticks()
            for folder in self._folders:
                now_s = self._ticks()
                self._at = folder.name, now_s
                try:
                    state = self._look(folder, self._states.get(folder.name), now_s)
                except OSError as error:
                    reason = error.strerror or str(error)
                    state = FolderState(folder=folder.name, looked_s=now_s, error=reason)
                self._states[folder.name] = state
                self._at = None
            if self._stop.wait(max(self._every_s, self._ticks() - began_s)):
                return


def look_at(folder: WatchedFolder, before: FolderState | None, now_s: float) -> FolderState:
    """Return what lies in a folder and how much room its disk has.

    Raises
    ------
    OSError
        It cannot be listed.
    """
    disk = shutil.disk_usage(folder.path)
    state = FolderState(
        folder=folder.name, looked_s=now_s, disk=folder.path.stat().st_dev,
        free_bytes=disk.free, total_bytes=disk.total,
    )  # fmt: skip
    if folder.raw is None:
        return state
    if not folder.raw:
        return replace(state, files=sum(1 for _ in _entries(folder)))
    raw = [(status.st_mtime, entry.name, status.st_size)
           for entry in _entries(folder) if Path(entry.name).suffix.lower() in RAW_SUFFIXES
           and (status := _status(entry)) is not None]  # fmt: skip
    if not raw:
        return replace(state, files=0)
    changed_s, newest, _ = max(raw)
    total = sum(size for *_, size in raw)
    grown_s = _grown_s(total, changed_s, before, now_s)
    return replace(state, files=len(raw), newest=newest, raw_bytes=total, grown_s=grown_s)


def _grown_s(
    total: int, changed_s: float, before: FolderState | None, now_s: float
) -> float | None:
    """Sizes tell, not times: a file server's clock may be hours off. Only at first times do."""
    if before is None:
        return now_s if time.time() - changed_s < FRESH_S else None
    return now_s if total > before.raw_bytes else before.grown_s


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # just renamed or deleted
        return None


def _entries(folder: WatchedFolder) -> Iterator[os.DirEntry[str]]:
    """Yield the files in a folder, at most `MOST_ENTRIES` of them."""
    places, seen = [os.fspath(folder.path)], 0
    while places:
        with os.scandir(places.pop()) as entries:
            for entry in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    return
                if entry.is_dir(follow_symlinks=False):
                    places += [entry.path] if folder.recursive else []
                elif not entry.name.startswith("."):
                    yield entry
