"""Looking through a folder a piece at a time: the truth about which files there are."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_log = logging.getLogger(__name__)

LISTED_PER_REST = 100
"""Names that are listed for the price of one file looked at."""

PRIVATE = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""Folders of the file system itself, which nobody may list; nor any that begins with a dot."""

POLLED_S = 1.0
"""From one look to the next where the file system gives no hints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Size in bytes and times of change in ns: whether a file is still the same.

    The inode's time tells what the time of writing does not: a new owner or mode, a copy that
    kept its time. Neither is ever compared with a clock.
    """

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint | None:
        """Return the fingerprint of a file, None when there is none: a pipe or folder is none."""
        status = status_of(path)
        if status is None:
            return None
        return cls(
            size=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns
        )


def status_of(path: Path) -> os.stat_result | None:
    """Return the status of a plain file; None when it is gone, or would block who opens it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def changed_s(path: Path) -> float:
    """Return when a file was last written or moved, seconds since 1970 UTC; 0 when absent.

    The inode's time: a file moved here keeps the time of writing that it had elsewhere. By the
    clock of whoever serves the file, which may be hours off: a hint, no more.
    """
    status = status_of(path)
    return 0.0 if status is None else status.st_ctime


def walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield the files in a folder, hidden ones left out; a folder that vanishes ends quietly."""
    failures: dict[Path, str] = {}
    for path in _walk_in_pieces(folder, failures, recursive=recursive):
        if path is not None:
            yield path
    for reason in failures.values():
        _log.warning("cannot be listed: %s", reason)


def _walk_in_pieces(
    folder: Path, failures: dict[Path, str], *, recursive: bool
) -> Iterator[Path | None]:
    """Yield the files, by name; None now and then while listing, for who must not block.

    Why a folder cannot be listed goes into `failures`.
    """
    listing: list[tuple[str, bool]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # The listing knows what is a folder; a link upwards would never end.
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder or _is_plain(entry):
                    listing.append((entry.name, is_folder))
                if len(listing) % LISTED_PER_REST == 0:
                    yield None
    except OSError as error:
        failures[folder] = str(error)
        return
    for name, is_folder in sorted(listing):
        if name.startswith(".") or name in PRIVATE:
            continue
        if not is_folder:
            yield folder / name
        elif recursive:
            yield from _walk_in_pieces(folder / name, failures, recursive=True)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Return False for pipes, devices and links that lead to no file; they are looked at again."""
    try:
        return entry.is_file()
    except OSError:
        return False


class FolderScan:
    """Repeated passes over a folder, each cut into steps that do not block for long.

    Parameters
    ----------
    folder : Path
    recursive : bool
    rescan_s : float
        From the end of a pass to the next; longer when the pass itself took longer.
    polled : bool
        Look at least every `POLLED_S`: nobody gives hints.

    Attributes
    ----------
    passes : int
        How many passes are complete; each goes by file name, folder by folder.
    failing : int
        Folders that could not be listed in the last pass: what is in them is unknown, not gone.
    """

    def __init__(
        self, folder: Path, *, recursive: bool, rescan_s: float, polled: bool = False
    ) -> None:
        self._folder = folder
        self._recursive = recursive
        self._rescan_s = min(rescan_s, POLLED_S) if polled else rescan_s
        self._pass: Iterator[Path | None] | None = None
        self._began_s = 0.0
        self._found: list[Path] = []
        self._next_s = float("-inf")
        self._failures: dict[Path, str] = {}
        self._told: dict[Path, str] = {}
        self._was_mount = False
        self.passes = 0

    def hurry(self) -> None:
        """Begin the next pass at the next step."""
        self._next_s = float("-inf")

    @property
    def under_way(self) -> bool:
        """True in the middle of a pass."""
        return self._pass is not None

    @property
    def failing(self) -> int:
        """How many folders could not be listed in the last pass."""
        return len(self._told)

    def hides(self, path: Path) -> bool:
        """Return True for what lies where the last pass could not look: unknown, not gone."""
        return any(path.is_relative_to(folder) for folder in self._told)

    def piece(self, now_s: float, most: int) -> tuple[list[Path], bool]:
        """Look at up to `most` files; return them, and True when that completes a pass."""
        if self._pass is None:
            if now_s < self._next_s:
                return [], False
            self._pass = self._begin()
            self._began_s = now_s
        looked = list(islice(self._pass, most))
        found = [path for path in looked if path is not None]
        if len(looked) == most:
            return found, False
        self._pass = None
        self._next_s = now_s + max(self._rescan_s, now_s - self._began_s)
        self.passes += 1
        self._tell()
        return found, True

    def step(self, now_s: float, most: int = 5000) -> list[Path] | None:
        """Look at up to `most` files; return all files of a pass when it is complete."""
        piece, complete = self.piece(now_s, most)
        self._found += piece
        if not complete:
            return None
        found, self._found = self._found, []
        return found

    def _begin(self) -> Iterator[Path | None]:
        self._failures = {}
        is_mount = os.path.ismount(self._folder)
        if self._was_mount and not is_mount and self._folder.is_dir():
            # The empty place of a share that is away, not a share without files.
            self._failures[self._folder] = f"{self._folder}: nothing is mounted there any more"
            return iter(())
        self._was_mount = self._was_mount or is_mount
        return _walk_in_pieces(self._folder, self._failures, recursive=self._recursive)

    def _tell(self) -> None:
        """Say once what cannot be listed, and when it can be again."""
        for folder, reason in self._failures.items():
            if folder not in self._told:
                _log.warning("cannot be listed, tried again each time: %s", reason)
        for folder in self._told.keys() - self._failures.keys():
            _log.info("%s can be listed again", folder)
        self._told = self._failures
