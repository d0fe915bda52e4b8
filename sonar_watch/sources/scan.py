"""Looking through a folder a piece at a time: the truth about which files there are."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_log = logging.getLogger(__name__)

LISTED_PER_REST = 100
"""Names that are listed for the price of one file looked at."""


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
    pieces = _walk_in_pieces(folder, recursive=recursive)
    return (path for path in pieces if path is not None)


def _walk_in_pieces(folder: Path, *, recursive: bool) -> Iterator[Path | None]:
    """Yield the files, by name; None now and then while listing, for who must not block."""
    listing: list[tuple[str, bool]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # The listing knows what is a folder; a link upwards would never end.
                listing.append((entry.name, entry.is_dir(follow_symlinks=False)))
                if len(listing) % LISTED_PER_REST == 0:
                    yield None
    except OSError as error:
        _log.warning("cannot list %s: %s", folder, error)
        return
    for name, is_folder in sorted(listing):
        if name.startswith("."):
            continue
        if not is_folder:
            yield folder / name
        elif recursive:
            yield from _walk_in_pieces(folder / name, recursive=True)


class FolderScan:
    """Repeated passes over a folder, each cut into steps that do not block for long.

    Parameters
    ----------
    folder : Path
    recursive : bool
    rescan_s : float
        From the end of a pass to the next; longer when the pass itself took longer.

    Attributes
    ----------
    passes : int
        How many passes are complete; each goes by file name, folder by folder.
    """

    def __init__(self, folder: Path, *, recursive: bool, rescan_s: float) -> None:
        self._folder = folder
        self._recursive = recursive
        self._rescan_s = rescan_s
        self._pass: Iterator[Path | None] | None = None
        self._began_s = 0.0
        self._found: list[Path] = []
        self._next_s = float("-inf")
        self.passes = 0

    def hurry(self) -> None:
        """Begin the next pass at the next step."""
        self._next_s = float("-inf")

    @property
    def under_way(self) -> bool:
        """True in the middle of a pass."""
        return self._pass is not None

    def piece(self, now_s: float, most: int) -> tuple[list[Path], bool]:
        """Look at up to `most` files; return them, and True when that completes a pass."""
        if self._pass is None:
            if now_s < self._next_s:
                return [], False
            self._pass = _walk_in_pieces(self._folder, recursive=self._recursive)
            self._began_s = now_s
        looked = list(islice(self._pass, most))
        found = [path for path in looked if path is not None]
        if len(looked) == most:
            return found, False
        self._pass = None
        self._next_s = now_s + max(self._rescan_s, now_s - self._began_s)
        self.passes += 1
        return found, True

    def step(self, now_s: float, most: int = 5000) -> list[Path] | None:
        """Look at up to `most` files; return all files of a pass when it is complete."""
        piece, complete = self.piece(now_s, most)
        self._found += piece
        if not complete:
            return None
        found, self._found = self._found, []
        return found
