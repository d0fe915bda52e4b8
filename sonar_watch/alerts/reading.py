"""Reading a journal, also while another process or thread writes it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sonar_watch.alerts.text import printable
from sonar_watch.errors import JournalDamagedError, JournalError, JournalUnavailableError
from sonar_watch.records import parse_utc

SCHEMA_VERSION = "1"
BEGINS_KEY = "journal/begins"
"""Checkpoint of the data time before which a journal that replaces a damaged one takes nothing."""
BUSY_TIMEOUT_S = 5.0
_PAGE = 500

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_ADVICE = {
    "full": "free space on that disk; the journal goes on by itself",
    "readonly": "give this user the right to write the file and its folder",
    "unable to open": "check that the folder exists and that this user may write it",
    "locked": "another process holds it; one watch per journal",
    "malformed": "it is damaged; move it aside and start with a new one",
    "not a database": "it is no journal; name another path",
    "no such table": "it is no journal; name another path",
}


class JournalReader:
    """A second, read-only pair of eyes on a journal: for the publisher and `status`.

    Sees each commit as soon as it is done and nothing of one that is not. Safe to use from
    several threads.

    Parameters
    ----------
    path : Path
    on_damage : callable
        Told of damage before it is raised, by the thread that came upon it.

    Raises
    ------
    JournalError
        There is no journal at `path`, or it cannot be read; as from every method.
    """

    def __init__(
        self, path: Path, on_damage: Callable[[JournalDamagedError], None] = lambda _: None
    ) -> None:
        self.path = path
        self._on_damage = on_damage
        self._lock = threading.RLock()
        with self._explained("open"):
            self._connection = self._connect()
        try:
            self._check()
        except JournalError:
            self._connection.close()
            raise

    @property
    def epoch(self) -> str:
        """The id of this journal; another one means that sequences started again at 1."""
        return str(self._meta("epoch"))

    @property
    def tense(self) -> str | None:
        """What it tells of, "live", "replay" or "test"; None before the first alert."""
        return self._meta("tense")

    @property
    def head_sequence(self) -> int:
        """Sequence of the last alert; 0 before the first."""
        return int(self._value("SELECT max(sequence) FROM alerts") or 0)

    def is_done(self, frame_id: str) -> bool:
        """Return whether the frame is committed, with whatever alerts it gave."""
        return bool(self._rows("SELECT 1 FROM frames WHERE frame_id = ?", frame_id))

    def state(self) -> dict[str, Any] | None:
        """Return the tracker's state of the last commit that had one."""
        text = self._value("SELECT body FROM state")
        return None if text is None else dict(self._loads(text))

    def checkpoint(self, key: str) -> Any | None:
        """Return what was last stored under `key`, or None."""
        text = self._value("SELECT value FROM checkpoints WHERE key = ?", printable(key))
        return None if text is None else self._loads(text)

    @property
    def begins_utc(self) -> datetime | None:
        """Data time at which this journal begins, because one before it was damaged."""
        begins = self.checkpoint(BEGINS_KEY)
        return None if begins is None else parse_utc(begins)

    @property
    def resumes_utc(self) -> datetime | None:
        """Data time of the frame committed last; before the first, where this journal begins."""
        text = self._value("SELECT time_utc FROM frames ORDER BY position DESC LIMIT 1")
        return self.begins_utc if text is None else parse_utc(text)

    def alerts_after(self, sequence: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Return up to `limit` alerts beyond `sequence`, in order: (sequence, topic, body)."""
        return self._rows(
            "SELECT sequence, topic, body FROM alerts WHERE sequence > ? ORDER BY sequence LIMIT ?",
            min(sequence, 2**63 - 1),
            limit,
        )

    def open_alerts(self) -> list[tuple[int, str, bytes]]:
        """Return the latest alert of each event that is neither ended nor retracted."""
        return self._rows(
            "SELECT sequence, topic, body FROM alerts JOIN open_events USING (sequence)"
            " ORDER BY sequence"
        )

    def open_events(self) -> list[bytes]:
        """Return the bodies of `open_alerts`."""
        return [body for _, _, body in self.open_alerts()]

    def events_named(self, start: str, limit: int) -> list[str]:
        """Return the ids of up to `limit` events that begin with `start`, exact ones first."""
        rows = self._rows(
            "SELECT DISTINCT event_id FROM alerts WHERE substr(event_id, 1, length(?1)) = ?1"
            " ORDER BY length(event_id), event_id LIMIT ?2",
            printable(start),
            limit,
        )
        return [str(event_id) for (event_id,) in rows]

    def last_alert(self, event_id: str) -> tuple[str, bytes] | None:
        """Return topic and body of what was last told of an event; None when nothing was."""
        rows = self._rows(
            "SELECT topic, body FROM alerts WHERE event_id = ? ORDER BY sequence DESC LIMIT 1",
            printable(event_id),
        )
        return rows[0] if rows else None

    def is_retracted(self, event_id: str) -> bool:
        """Return whether an event was taken back."""
        last = self.last_alert(event_id)
        return last is not None and last[0].endswith(".retract.")

    def snapshot(self) -> tuple[int, list[tuple[int, str, bytes]]]:
        """Return `head_sequence` and `open_alerts` of one and the same moment."""
        with self._transaction("DEFERRED", "read"):
            return self.head_sequence, self.open_alerts()

    def frame_bodies(self) -> Iterator[dict[str, Any]]:
        """Yield what was found in each frame, in the order of commits."""
        position = 0
        # In pages, so that a slow reader does not hold up the writer's housekeeping.
        while page := self._rows(
            "SELECT position, body FROM frames WHERE position > ? ORDER BY position LIMIT ?",
            position,
            _PAGE,
        ):
            yield from (self._loads(text) for _, text in page)
            position = page[-1][0]

    def quarantined(self) -> Iterator[tuple[str, str]]:
        """Yield (file, reason) of what could not be used."""
        yield from self._rows("SELECT file, reason FROM quarantine ORDER BY position")

    def quarantined_lately(self, limit: int) -> list[tuple[str, str]]:
        """Return (file, reason) of the last that could not be used, the newest first."""
        return self._rows(
            "SELECT file, reason FROM quarantine ORDER BY position DESC LIMIT ?", limit
        )

    def counts(self) -> dict[str, int]:
        """Return the numbers of frames, alerts, open events and quarantined items."""
        return {
            # Rows are never deleted, so the last position is the number: no scan.
            "frames": int(self._value("SELECT max(position) FROM frames") or 0),
            "alerts": self.head_sequence,
            "open_events": int(self._value("SELECT count(*) FROM open_events") or 0),
            "quarantined": int(self._value("SELECT max(position) FROM quarantine") or 0),
        }

    def close(self) -> None:
        """Close the file; harmless when closed already."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        return open_connection(uri)

    def _check(self) -> None:
        """Refuse a journal that this release cannot go on with."""
        version = self._meta("schema")
        if version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.path}: expected a journal of schema {SCHEMA_VERSION}, found {version}: "
                "use the release that wrote it, or start a new journal"
            )

    def _loads(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            damage = JournalDamagedError(f"{self.path}: no longer JSON: {error}")
            self._on_damage(damage)
            raise damage from error

    def _meta(self, key: str) -> str | None:
        value = self._value("SELECT value FROM meta WHERE key = ?", key)
        return None if value is None else str(value)

    def _value(self, sql: str, *parameters: object) -> Any:
        rows = self._rows(sql, *parameters)
        return rows[0][0] if rows else None

    def _rows(self, sql: str, *parameters: object) -> list[Any]:
        with self._lock, self._explained("read"):
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _transaction(self, mode: str, doing: str) -> Iterator[sqlite3.Connection]:
        """Hold all that happens inside together: everything or nothing."""
        with self._lock, self._explained(doing):
            self._connection.execute(f"BEGIN {mode}")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                # After an error, and not when SQLite has rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn SQLite's errors into ours: which file, and what to do about it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, JournalError):
                raise
            told = f"cannot {doing} {self.path}: {error}{_advice(error)}"
            if _is_damage(error):
                damage = JournalDamagedError(told)
                self._on_damage(damage)
                raise damage from error
            passing = isinstance(error, sqlite3.OperationalError | OSError)
            raise (JournalUnavailableError if passing else JournalError)(told) from error


def open_connection(uri: str) -> sqlite3.Connection:
    """Return a connection in autocommit, for use from any one thread at a time."""
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _is_damage(error: Exception) -> bool:
    """Return whether it tells of bytes that SQLite did not write."""
    code = getattr(error, "sqlite_errorcode", 0)
    cut = code == sqlite3.SQLITE_IOERR_SHORT_READ
    # Text that is not UTF-8 is found by Python: there is no code.
    return cut or code & 0xFF in _DAMAGE or "decode to UTF-8" in str(error)


def _advice(error: Exception) -> str:
    text = str(error).lower()
    return next((f" ({advice})" for word, advice in _ADVICE.items() if word in text), "")
