"""The journal: what was found, what was alerted and how far the watch has come, in one file.

SQLite in WAL mode with synchronous=FULL: a commit that returned survives a power cut, one that
did not return leaves no trace. See docs/decisions/0006-journal-first.md.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sonar_watch.alerts.damage import (
    OVERLAP_S,
    Mark,
    examine,
    kept_journals,
    read_mark,
    set_aside,
    write_mark,
)
from sonar_watch.alerts.message import alert_topic, encode_alert
from sonar_watch.alerts.reading import (
    BEGINS_KEY,
    SCHEMA_VERSION,
    JournalReader,
    open_connection,
)
from sonar_watch.alerts.text import printable
from sonar_watch.errors import JournalDamagedError, JournalError, JournalUnavailableError
from sonar_watch.records import Alert, Quarantined, Tense, identify, iso_utc

log = logging.getLogger(__name__)

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE frames (position INTEGER PRIMARY KEY, frame_id TEXT NOT NULL UNIQUE,"
    " time_utc TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE alerts (sequence INTEGER PRIMARY KEY, topic TEXT NOT NULL,"
    " event_id TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE open_events (event_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL)",
    "CREATE TABLE checkpoints (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE quarantine (position INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE,"
    " source TEXT NOT NULL, file TEXT NOT NULL, byte_offset INTEGER, ping_counter INTEGER,"
    " swath INTEGER, reason TEXT NOT NULL)",
)

_LATER = (
    "CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS alerts_by_event ON alerts (event_id)",
)
"""What journals of earlier releases have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEntry:
    """What one frame gave, also when that is nothing.

    Parameters
    ----------
    frame_id : str
    time_utc : datetime
    body : mapping
        The object that becomes its line in detections.jsonl.
    """

    frame_id: str
    time_utc: datetime
    body: Mapping[str, Any]


class Journal(JournalReader):
    """The one writer of a journal; makes the file when there is none.

    Parameters
    ----------
    path : Path
        On a local disk: WAL does not work on network shares.
    tense : {"live", "replay", "test"}, optional
        What this session tells of; a journal holds one tense for good, so that a replay never
        continues a live one. Without it, the first alert decides.
    replace_damaged : bool
        Set a damaged journal aside and begin another, of a new epoch, instead of refusing it.

    Attributes
    ----------
    notice : str or None
        Which damaged journals are kept beside this one.

    Raises
    ------
    JournalDamagedError
        The file is damaged; from every method.
    JournalError
        The file cannot be written, is no journal, is in use by another writer, or is of
        another tense; as from every method.
    """

    def __init__(
        self, path: Path, *, tense: Tense | None = None, replace_damaged: bool = False
    ) -> None:
        self._wanted_tense = tense
        self._begins_utc: str | None = None
        self._lock_fd = _lock_writer(path)
        try:
            mark = read_mark(self._lock_fd)
            try:
                examine(path, mark)
            except JournalDamagedError as error:
                if replace_damaged:
                    self._replace(path, mark, error)
                elif path.exists():
                    raise
            super().__init__(path, self.hear_damage)
            self._begin_mark(mark)
        except BaseException:
            self._unlock()
            raise
        self.notice = _notice(path) if replace_damaged else None

    def _replace(self, path: Path, mark: Mark | None, error: JournalDamagedError) -> None:
        """Keep the damaged file under another name; the next one begins where it ended.

        There is no file where this was interrupted by a kill, or done by hand.
        """
        log.critical("the journal is damaged: %s", error)
        if path.exists():
            try:
                if mark is not None:  # first: killed in the middle, the next start knows
                    write_mark(self._lock_fd, replace(mark, damaged=str(error)))
                log.critical("the damaged journal is kept as %s", set_aside(path))
            except OSError as refusal:
                told = f"{path}: damaged, and cannot be set aside: {refusal}"
                raise JournalUnavailableError(told) from error
        self._begins_utc = None if mark is None else mark.begins_utc
        log.critical("a new journal: its alerts count from 1 again and come from data since %s",
                     self._begins_utc or "the beginning")  # fmt: skip

    def _begin_mark(self, known: Mark | None) -> None:
        """Have the lock file tell of this journal."""
        epoch, begins_utc = self.epoch, self.begins_utc
        frame_utc = known.frame_utc if known is not None and known.epoch == epoch else None
        if frame_utc is None and begins_utc is not None:  # damaged before its first frame, too
            frame_utc = iso_utc(begins_utc + timedelta(seconds=OVERLAP_S))
        self._mark = Mark(epoch=epoch, head=self.head_sequence, frame_utc=frame_utc)
        self._leave_mark()

    def _leave_mark(self) -> None:
        try:
            write_mark(self._lock_fd, self._mark)
        except OSError as error:  # not needed as long as the journal is whole
            log.debug("%s: the lock file is not brought up to date: %s", self.path, error)

    def commit(
        self,
        frames: Sequence[FrameEntry],
        alerts: Sequence[Alert],
        state: Mapping[str, Any] | None = None,
        checkpoints: Mapping[str, Any] | None = None,
        memory: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """Store all of this in one transaction: after a crash, all of it is there or nothing.

        Each frame is committed exactly once, together with its alerts: a frame that is known
        already makes the whole commit fail, so that its alerts cannot be stored twice. Ask
        `is_done` before processing. After an error nothing of this commit is stored, and it
        may be tried again.

        Parameters
        ----------
        frames : sequence of FrameEntry
            In the order in which they were processed.
        alerts : sequence of Alert
            Sequences continue at `head_sequence` + 1 without a gap.
        state : mapping, optional
            The tracker's, replacing the last; None leaves it.
        checkpoints : mapping, optional
            What sources need to resume, by key.
        memory : mapping of bytes, optional
            What the drawing of pictures remembers, by key: None is forgotten, the others stay.

        Raises
        ------
        JournalError
            A frame is known, a sequence leaves a gap, the tense is not this journal's, a value
            is not JSON, or the disk refuses.
        WireError
            An alert has a number that is not finite or out of range.
        """
        with self._transaction("IMMEDIATE", "write") as connection:
            for frame in frames:
                self._add_frame(connection, frame)
            self._add_alerts(connection, alerts)
            if state is not None:
                connection.execute("REPLACE INTO state VALUES (1, ?)", (self._json(dict(state)),))
            for key, value in (checkpoints or {}).items():
                connection.execute(
                    "REPLACE INTO checkpoints VALUES (?, ?)", (printable(key), self._json(value))
                )
            self._remember(connection, memory or {})
        self._note_commit(frames, alerts)

    def _note_commit(self, frames: Sequence[FrameEntry], alerts: Sequence[Alert]) -> None:
        if not frames and not alerts:
            return
        # The earliest: a clock that runs ahead for one frame must not hide what comes after it.
        first = min((frame.time_utc for frame in frames), default=None)
        with self._lock:
            head = alerts[-1].sequence if alerts else self._mark.head
            frame_utc = self._mark.frame_utc if first is None else iso_utc(first)
            self._mark = replace(self._mark, head=head, frame_utc=frame_utc)
            self._leave_mark()

    def _remember(
        self, connection: sqlite3.Connection, memory: Mapping[str, bytes | None]
    ) -> None:
        for key, body in memory.items():
            if body is None:
                connection.execute("DELETE FROM memory WHERE key = ?", (printable(key),))
            else:
                connection.execute("REPLACE INTO memory VALUES (?, ?)", (printable(key), body))

    def memory(self) -> dict[str, bytes]:
        """Return what was last stored of the memory of pictures, by key."""
        rows = self._rows("SELECT key, value FROM memory")
        return {str(key): bytes(value) for key, value in rows}

    def quarantine(self, item: Quarantined) -> None:
        """Keep the reason why something could not be used; the same thing counts once."""
        source = item.source
        file, reason = printable(source.file), printable(item.reason)
        place = (source.source, file, source.offset, source.ping_counter, source.swath)
        with self._transaction("IMMEDIATE", "write") as connection:
            connection.execute(
                "INSERT OR IGNORE INTO quarantine (item_id, source, file, byte_offset,"
                " ping_counter, swath, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (identify(*place, reason), *place, reason),
            )

    def close(self) -> None:
        """Close the file and let another writer in; harmless when closed already."""
        super().close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def hear_damage(self, error: JournalDamagedError) -> None:
        """Remember it for the next start, which may not come upon the same page; any thread may."""
        with self._lock:
            if self._lock_fd >= 0 and hasattr(self, "_mark"):
                self._mark = replace(self._mark, damaged=str(error))
                self._leave_mark()

    def _connect(self) -> sqlite3.Connection:
        connection = open_connection(self.path.absolute().as_uri())
        try:
            _prepare(connection, self._begins_utc)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _check(self) -> None:
        super()._check()
        self._check_tense(self._wanted_tense)

    def _check_tense(self, tense: Tense | None) -> None:
        """Take `tense` on, or refuse it when this journal is of another."""
        held = self.tense
        if tense is not None and held is None:
            with self._transaction("IMMEDIATE", "write") as connection:
                connection.execute("INSERT INTO meta VALUES ('tense', ?)", (tense,))
        elif tense not in (None, held):
            raise JournalError(
                f"{self.path}: holds a {held} session and cannot take a {tense} one: name "
                "another journal"
            )

    def _add_frame(self, connection: sqlite3.Connection, frame: FrameEntry) -> None:
        try:
            connection.execute(
                "INSERT INTO frames (frame_id, time_utc, body) VALUES (?, ?, ?)",
                (frame.frame_id, iso_utc(frame.time_utc), self._json(dict(frame.body))),
            )
        except sqlite3.IntegrityError as error:
            raise JournalError(
                f"{self.path}: frame {frame.frame_id} is committed already; nothing was stored"
            ) from error

    def _add_alerts(self, connection: sqlite3.Connection, alerts: Sequence[Alert]) -> None:
        for expected, alert in enumerate(alerts, self.head_sequence + 1):
            if alert.sequence != expected:
                raise JournalError(
                    f"{self.path}: expected alert {expected}, received {alert.sequence}; "
                    "nothing was stored"
                )
            self._check_tense_of(connection, alert)
            self._add_alert(connection, alert)

    def _check_tense_of(self, connection: sqlite3.Connection, alert: Alert) -> None:
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('tense', ?)", (alert.tense,))
        if self.tense != alert.tense:
            raise JournalError(
                f"{self.path}: a {self.tense} journal cannot take {alert.tense} alert "
                f"{alert.sequence}; nothing was stored"
            )

    def _add_alert(self, connection: sqlite3.Connection, alert: Alert) -> None:
        event_id, body = alert.event.event_id, encode_alert(alert)
        connection.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?)",
            (alert.sequence, alert_topic(alert), event_id, body),
        )
        if alert.kind in ("new", "update"):
            connection.execute("REPLACE INTO open_events VALUES (?, ?)", (event_id, alert.sequence))
        else:
            connection.execute("DELETE FROM open_events WHERE event_id = ?", (event_id,))

    def _json(self, value: object) -> str:
        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise JournalError(f"{self.path}: expected plain JSON values: {error}") from error


def _lock_writer(path: Path) -> int:
    """Return a lock that ends with this process, so that two watches never share a journal."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise JournalError(f"cannot open {path}: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            f"{path} is in use: another watch writes it; stop that one or name another journal"
        ) from error
    return descriptor


def _notice(path: Path) -> str | None:
    kept = ", ".join(one.name for one in kept_journals(path))
    if not kept:
        return None
    return (
        f"a journal was damaged and replaced; what is left of it lies in {path.parent} ({kept}): "
        "move it elsewhere, and this notice ends at the next start"
    )


def _prepare(connection: sqlite3.Connection, begins_utc: str | None) -> None:
    """Set durability and, in an empty file, make the tables: all of them or none."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "meta" not in tables:
        raise sqlite3.DatabaseError("not a database of ours")  # and still as it was
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise sqlite3.OperationalError(f"this disk cannot do WAL ({mode}): use a local one")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not tables:
            _make_tables(connection, begins_utc)
        for addition in _LATER:
            connection.execute(addition)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _make_tables(connection: sqlite3.Connection, begins_utc: str | None) -> None:
    for table in _TABLES:
        connection.execute(table)
    # The one random id: it tells journals apart, also two that were made for the same cruise.
    rows = [("schema", SCHEMA_VERSION), ("epoch", str(uuid.uuid4()))]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    if begins_utc is not None:
        value = json.dumps(begins_utc)
        connection.execute("INSERT INTO checkpoints VALUES (?, ?)", (BEGINS_KEY, value))
