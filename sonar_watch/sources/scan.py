"""Looking through a folder a piece at a time: the truth about which files there are."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Size in bytes and time of the last change in ns: whether a file is still the same."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint | None:
        """Return the fingerprint of a file, None when there is none."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(size=status.st_size, mtime_ns=status.st_mtime_ns)


def changed_s(path: Path) -> float:
    """Return when a file was last written or moved, seconds since 1970 UTC; 0 when absent.

    The inode's time: a file moved here keeps the time of writing that it had elsewhere.
    """
    try:
        return path.stat().st_ctime
    except OSError:
        return 0.0


def walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield the files in a folder, hidden ones left out; a folder that vanishes ends quietly."""
    try:
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _log.warning("cannot list %s: %s", folder, error)
        return
    for entry in listing:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):  # a link upwards would never end
            if recursive:
                yield from walk(Path(entry.path), recursive=True)
        else:
            yield Path(entry.path)


class FolderScan:
    """Repeated passes over a folder, each cut into steps that do not block for long.

    Parameters
    ----------
    folder : Path
    recursive : bool
    rescan_s : float
        From the end of a pass to the next.
    """

    def __init__(self, folder: Path, *, recursive: bool, rescan_s: float) -> None:
        self._folder = folder
        self._recursive = recursive
        self._rescan_s = rescan_s
        self._pass: Iterator[Path] | None = None
        self._found: list[Path] = []
        self._next_s = float("-inf")
        self.passes = 0

    def hurry(self) -> None:
        """Begin the next pass at the next step."""
        self._next_s = float("-inf")

    def step(self, now_s: float, most: int = 5000) -> list[Path] | None:
        """Look at up to `most` files; return all files of a pass when it is complete."""
        if self._pass is None:
            if now_s < self._next_s:
                return None
            self._pass = walk(self._folder, recursive=self._recursive)
        piece = list(islice(self._pass, most))
        self._found += piece
        if len(piece) == most:
            return None
        found, self._found, self._pass = self._found, [], None
        self._next_s = now_s + self._rescan_s
        self.passes += 1
        return found
