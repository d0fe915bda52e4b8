"""Where a journal begins that replaces a damaged one: older files are not read again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sonar_watch.sources.scan import changed_s
from sonar_watch.sources.source import Ledger

BEGINS_KEY = "journal/begins"
"""The checkpoint that says so, as the journal names it."""


class Horizon:
    """Tells which files hold nothing new: not written or moved since the journal begins.

    A file that was is read, and the chain passes over those of its swaths that are older.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        begins = ledger.checkpoint(BEGINS_KEY)
        self._begins_s = None if begins is None else datetime.fromisoformat(begins).timestamp()

    def hides(self, path: Path) -> bool:
        """Return True for a file that the journal before this one was done with."""
        return self._begins_s is not None and 0.0 < changed_s(path) < self._begins_s
