"""From changes of events to alerts: numbered, and only what can and may be told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from sonar_watch.alerts.message import encode_alert
from sonar_watch.errors import WireError
from sonar_watch.records import Alert, EventChange

log = logging.getLogger(__name__)


class Ledger(Protocol):
    """The journal, as numbering needs it."""

    @property
    def head_sequence(self) -> int: ...
    def is_retracted(self, event_id: str) -> bool: ...


def number_changes(
    changes: Sequence[EventChange], ledger: Ledger, make: Callable[[int, EventChange], Alert]
) -> tuple[list[Alert], int]:
    """Return the changes as alerts, and how many cannot be written: they block no others.

    Of an event that was taken back nothing is told any more, though the tracker goes on with it:
    what it sees there would be announced as another event otherwise.

    Parameters
    ----------
    changes : sequence of EventChange
    ledger : Ledger
        Sequences follow its last.
    make : callable
        Returns the alert of a sequence and a change.
    """
    alerts: list[Alert] = []
    unwritable = 0
    following = ledger.head_sequence + 1
    for change in changes:
        if ledger.is_retracted(change.event.event_id):
            continue
        alert = make(following + len(alerts), change)
        try:
            encode_alert(alert)
        except WireError as error:
            unwritable += 1
            log.critical("event %s cannot be told: %s", change.event.event_id, error)
            continue
        alerts.append(alert)
    return alerts, unwritable
