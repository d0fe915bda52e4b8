"""Journals whose bytes are not what was written: found at the start, kept, begun anew.

SQLite finds what is wrong with its pages, and drops a write-ahead log it cannot read without a
word: the journal is then back in the past, and would give sequences out a second time. What the
lock file says about the last commit tells. See docs/decisions/0011-damaged-journal.md.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.errors import JournalDamagedError
from sonar_watch.records import iso_utc, parse_utc

OVERLAP_S = 3600.0
"""Data time before the last commit that a new journal works through again, seconds: events that
were open come back, with what the layers knew."""

CHECK_LIMIT_S = 10.0
"""How long the start may take to look through the pages of a journal."""

_MARK_BYTES = 512
_COMPANIONS = ("-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the lock file remembers of a journal, in case that is lost.

    Parameters
    ----------
    epoch : str
    head : int
        Sequence of the last alert.
    frame_utc : str or None
        Data time of the last frame, ISO 8601.
    damaged : str or None
        Why this journal must not be gone on with.
    """

    epoch: str
    head: int = 0
    frame_utc: str | None = None
    damaged: str | None = None

    @property
    def begins_utc(self) -> str | None:
        """Data time at which a journal begins that replaces this one; None: with everything."""
        if self.frame_utc is None:
            return None
        return iso_utc(parse_utc(self.frame_utc) - timedelta(seconds=OVERLAP_S))


def read_mark(descriptor: int) -> Mark | None:
    """Return the mark of a lock file; None when there is none, or none that can be read."""
    try:
        held = json.loads(os.pread(descriptor, _MARK_BYTES, 0))
        mark = Mark(**held)
        parse_utc(mark.frame_utc or "1970-01-01T00:00:00Z")
    except (OSError, ValueError, TypeError):
        return None
    return mark


def write_mark(descriptor: int, mark: Mark) -> None:
    """Leave a mark in a lock file; one that lags behind is no harm, as after a power cut.

    Raises
    ------
    OSError
        The disk refuses.
    """
    text = json.dumps(asdict(mark), separators=(",", ":"))
    if len(text) > _MARK_BYTES:  # a long reason
        text = json.dumps(asdict(mark) | {"damaged": "it was found damaged"})
    os.pwrite(descriptor, text.ljust(_MARK_BYTES).encode(), 0)


def examine(path: Path, mark: Mark | None, limit_s: float = CHECK_LIMIT_S) -> None:
    """Let a journal pass that is whole, or not made yet.

    Parameters
    ----------
    path : Path
    mark : Mark or None
        What its lock file says.
    limit_s : float
        What has not been looked through by then passes, and is found when it is used.

    Raises
    ------
    JournalDamagedError
        It is not what was written: read-only eyes found that, the file is as it was.
    JournalError
        It cannot be read, or is no journal of ours.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        if mark is not None and mark.damaged is not None:  # killed after it was set aside
            raise JournalDamagedError(mark.damaged) from None
        return
    if size:
        _Examiner(path, mark, limit_s).close()
    elif mark is not None and mark.frame_utc is not None:
        raise JournalDamagedError(f"{path}: empty, though it held frames up to {mark.frame_utc}")


def set_aside(path: Path) -> Path:
    """Rename a journal and what SQLite keeps beside it; return the new name of it.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    kept = _free_name(path)
    # The journal last: a kill in between leaves it to be set aside again, under another name.
    for ending in (*_COMPANIONS, ""):
        old = path.with_name(path.name + ending)
        if old.exists():
            old.rename(kept.with_name(kept.name + ending))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def kept_journals(path: Path) -> list[Path]:
    """Return the damaged journals that are kept beside the one at `path`."""
    pattern = f"{path.name}.damaged-*"
    return sorted(one for one in path.parent.glob(pattern) if not one.name.endswith(_COMPANIONS))


def _free_name(path: Path) -> Path:
    number = 1
    while any(
        path.with_name(f"{path.name}.damaged-{number}{ending}").exists()
        for ending in ("", *_COMPANIONS)
    ):
        number += 1
    return path.with_name(f"{path.name}.damaged-{number}")


class _Examiner(JournalReader):
    """Looks through a journal while it is opened; cannot change it, not even by closing it."""

    def __init__(self, path: Path, mark: Mark | None, limit_s: float) -> None:
        self._mark, self._limit_s = mark, limit_s
        super().__init__(path)

    def _check(self) -> None:
        if not self._rows("SELECT 1 FROM sqlite_master"):
            if self._mark is not None and self._mark.frame_utc is not None:
                raise JournalDamagedError(f"{self.path}: its tables are gone")
            return
        super()._check()
        self._check_pages()
        self._check_mark()
        self._check_contiguous()
        self.state()

    def _check_pages(self) -> None:
        until = time.monotonic() + self._limit_s
        self._connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
        try:
            with self._explained("check"):
                found = self._found()
        finally:
            self._connection.set_progress_handler(None, 0)
        if found != "ok":
            raise JournalDamagedError(f"{self.path}: {found}")

    def _found(self) -> str:
        """Return what SQLite has to say about the pages, as far as it came."""
        try:
            return str(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                return "ok"
            raise

    def _check_mark(self) -> None:
        """Find a journal that is back in the past, or was found damaged while it was used."""
        mark = self._mark
        if mark is None or mark.epoch != self.epoch:
            return
        if mark.damaged is not None:
            raise JournalDamagedError(mark.damaged)
        if mark.head > self.head_sequence:
            raise JournalDamagedError(
                f"{self.path}: ends at alert {self.head_sequence}, though {mark.head} were given: "
                "its last commits are lost"
            )

    def _check_contiguous(self) -> None:
        count = int(self._value("SELECT count(*) FROM alerts"))
        if count != self.head_sequence:
            raise JournalDamagedError(
                f"{self.path}: {count} alerts end at sequence {self.head_sequence}: some are "
                "missing; move the file aside and start a new journal"
            )
