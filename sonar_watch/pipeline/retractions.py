"""What people rejected is taken back: one `retract` for each event."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.reviews import REVIEWS_NAME, Reviews
from sonar_watch.errors import JournalUnavailableError, WireError
from sonar_watch.records import EventChange

log = logging.getLogger(__name__)


class Ledger(Protocol):
    """The journal, as retractions need it."""

    path: Path

    @property
    def head_sequence(self) -> int: ...
    def last_alert(self, event_id: str) -> tuple[str, bytes] | None: ...


class Retractions:
    """The events that people rejected and that are not taken back yet.

    Nothing is remembered of what was done: the verdicts beside the journal are compared with
    what it told, whenever either has changed. So no kill loses a rejection, and none is told
    twice.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reviews = Reviews(ledger.path.with_name(REVIEWS_NAME))
        self._stamp: tuple[int, int, int] | None = None
        self._told = ""
        self._rejected: list[str] = []
        self._looked_at = -1

    def due(self) -> list[EventChange]:
        """Return what is to be taken back now, in the order of events first judged."""
        is_new, head = self._read_anew(), self._ledger.head_sequence
        if not is_new and (not self._rejected or head == self._looked_at):
            return []
        self._looked_at = head
        changes = map(self._change, self._rejected)
        return [change for change in changes if change is not None]

    def _read_anew(self) -> bool:
        """Read the verdicts if they have changed; return whether they had."""
        stamp = _stamp(self._reviews.path)  # before reading: what comes meanwhile is read again
        if stamp == self._stamp:
            return False
        try:
            last = self._reviews.last()
        except JournalUnavailableError as error:  # tried again: a new mode is no new stamp
            if str(error) != self._told:
                self._told = str(error)
                log.error("what people rejected is not taken back: %s", error)
            return False
        self._stamp, self._told = stamp, ""
        self._rejected = [key for key, one in last.items() if one["verdict"] == "rejected"]
        return True

    def _change(self, event_id: str) -> EventChange | None:
        """Return the retraction of an event as it was last told, at the data time of that."""
        last = self._ledger.last_alert(event_id)
        if last is None:
            return None
        try:
            alert = decode_alert(last[1])
        except WireError as error:
            log.error("event %s cannot be taken back: %s", event_id, error)
            return None
        if alert.kind == "retract":
            return None
        event = replace(alert.event, state="retracted")
        return EventChange(kind="retract", time_utc=alert.time_utc, event=event)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
