"""What the request socket answers: from bytes to frames, no sockets.

A request is one frame of JSON, `{"verb": ..., "id": ...}`; an answer is a JSON header, then
three frames for each alert, as they were published. No request raises an exception, a damaged
journal alone does. Who asks too much is told to wait, who does
not listen is not answered.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sonar_watch.alerts.limits import ClientBuckets, TokenBucket
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.reviews import Reviews, requested_review
from sonar_watch.alerts.wire import (
    MAX_BATCH,
    Message,
    pack,
    pack_object,
    review_topic,
    unpack_object,
)
from sonar_watch.errors import JournalDamagedError, JournalError, WireError
from sonar_watch.records import iso_utc

log = logging.getLogger(__name__)

BURST_S = 2.0
"""A client may ask at once as much as in this time, and be told as often to wait."""

Answer = tuple[dict[str, Any], list[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks.

    Parameters
    ----------
    client : bytes
        Whom the limits count: its key, without keys its connection.
    address : str
        Where from, as far as it is known.
    key : str or None
        Public CURVE key (Z85); None in plain text.
    """

    client: bytes = b""
    address: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where verdicts are taken.

    Parameters
    ----------
    reviews : Reviews
    reviewer : callable
        Returns the name of the key that an `Asker` reviews with, None in plain text; raises
        `WireError` for one that may not.
    publish : callable
        Sends a message to all who listen.
    """

    reviews: Reviews
    reviewer: Callable[[Asker], str | None]
    publish: Callable[[Message], None]


class BusyError(WireError):
    """Too much was asked; `wait_s` seconds on it may be asked again."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Answerer:
    """Answers requests from the journal.

    Parameters
    ----------
    reader : JournalReader
    status : callable
        Returns the fields of a status message.
    desk : Desk or None
        None takes no verdicts.
    requests_per_s : float
        How often one client may ask.
    replayed_per_s : float
        How many alerts are sent again each second, to all clients together.
    clock : callable
        Returns seconds that never go back.
    """

    def __init__(
        self,
        reader: JournalReader,
        status: Callable[[], dict[str, Any]],
        desk: Desk | None = None,
        *,
        requests_per_s: float = 20.0,
        replayed_per_s: float = 10_000.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._status, self._desk = reader, status, desk
        self._burst = max(1.0, BURST_S * requests_per_s)
        self._clients = ClientBuckets(requests_per_s, self._burst, clock)
        self._replayed = TokenBucket(replayed_per_s, replayed_per_s, clock)
        self.throttled = 0
        """Requests that were put off or not answered, since the start."""
        self._verbs: dict[str, Callable[[Mapping[str, Any], Asker], Answer]] = {
            "replay": self._replay,
            "snapshot": self._snapshot,
            "status": lambda _request, _asker: (self._status(), []),
            "review": self._review,
            "rejected": self._rejected,
        }

    def answer(self, body: bytes, asker: Asker | None = None) -> list[bytes]:
        """Return the frames that answer the request in `body`, an error object if need be.

        None at all for a client that goes on asking though it was told to wait.

        Raises
        ------
        JournalDamagedError
            No request is at fault: the journal is.
        """
        asker = asker or Asker()
        bucket = self._clients.of(asker.client)
        if bucket.spend(1.0, floor=-self._burst) <= -self._burst:
            self.throttled += 1
            return []
        request: Mapping[str, Any] = {}
        try:
            request = unpack_object(body)
            header, messages = self._verb(request, bucket)(request, asker)
        except BusyError as error:
            self.throttled += 1
            # Rounded up: who comes back too early would be refused again, for ever.
            wait_s = math.ceil(error.wait_s * 1000) / 1000
            header, messages = {"error": str(error), "retry_after_s": wait_s}, []
        except JournalDamagedError:  # nothing more can be told from it: the watch has to end
            raise
        except (WireError, JournalError) as error:
            header, messages = {"error": str(error)}, []
        marks = {"ok": "error" not in header, "verb": request.get("verb"), "id": request.get("id")}
        frames = [frame for message in messages for frame in pack(message)]
        return [pack_object(_plain(marks) | header), *frames]

    def _verb(
        self, request: Mapping[str, Any], bucket: TokenBucket
    ) -> Callable[[Mapping[str, Any], Asker], Answer]:
        if bucket.level < 0:
            raise BusyError("too many requests: ask less often", bucket.wait_s(1.0))
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in self._verbs:
            raise WireError(f"expected verb {' | '.join(self._verbs)}, received {_short(verb)}")
        return self._verbs[verb]

    def _replay(self, request: Mapping[str, Any], _asker: Asker) -> Answer:
        """Alerts beyond `after`, at most `limit`, and whether there are more."""
        after = _whole_number(request, "after", default=0, least=0)
        limit = min(_whole_number(request, "limit", default=MAX_BATCH, least=1), MAX_BATCH)
        self._expect_spare()
        # The head first: an alert that is stored in between only makes `more` too cautious.
        head = self._reader.head_sequence
        rows = self._reader.alerts_after(after, limit)
        last = rows[-1][0] if rows else after
        header = self._heading(max(head, last if rows else head))
        return header | {"more": last < head}, self._messages(rows)

    def _snapshot(self, _request: Mapping[str, Any], _asker: Asker) -> Answer:
        """The latest alert of each open event."""
        self._expect_spare()
        head, rows = self._reader.snapshot()
        return self._heading(head), self._messages(rows)

    def _review(self, request: Mapping[str, Any], asker: Asker) -> Answer:
        """Keep a verdict, then tell it to whoever listens."""
        desk = self._open_desk()
        key = desk.reviewer(asker)
        review: dict[str, Any] = requested_review(request)
        review["event_id"] = self._whole_id(review["event_id"])
        review["time_utc"] = iso_utc(datetime.now(UTC))
        if key is not None:
            review["key"] = key
        desk.reviews.add(review)
        log.info(
            "event %s %s by %r, key %s, from %s",
            review["event_id"], review["verdict"], review.get("by", ""), key, asker.address,
        )  # fmt: skip
        topic = review_topic(self._reader.tense or "live")
        desk.publish(Message(topic, 0, pack_object(review)))
        return self._heading(self._reader.head_sequence) | {"review": review}, []

    def _rejected(self, _request: Mapping[str, Any], _asker: Asker) -> Answer:
        """The last verdict on each event that people have rejected, the newest of them."""
        self._expect_spare()
        last = self._open_desk().reviews.last().values()
        self._replayed.spend(len(last))
        rejected = [review for review in last if review["verdict"] == "rejected"][-MAX_BATCH:]
        return self._heading(self._reader.head_sequence) | {"rejected": rejected}, []

    def _open_desk(self) -> Desk:
        if self._desk is None:
            raise WireError("no verdicts are taken here")
        return self._desk

    def _whole_id(self, start: str) -> str:
        """Return the id of the one event whose id begins with `start`."""
        known = self._reader.events_named(start, limit=3)
        if start in known:
            return start
        if len(known) != 1:
            several = f"fits {', '.join(known)}: give more of it" if known else "is of no event"
            raise WireError(f"event_id: {_short(start)} {several}")
        return known[0]

    def _expect_spare(self) -> None:
        if self._replayed.level < 0:
            raise BusyError("others are catching up: ask again", self._replayed.wait_s())

    def _messages(self, rows: list[tuple[int, str, bytes]]) -> list[Message]:
        self._replayed.spend(len(rows))
        return [Message(topic, sequence, body) for sequence, topic, body in rows]

    def _heading(self, head: int) -> dict[str, Any]:
        return {"epoch": self._reader.epoch, "head_sequence": head}


def _whole_number(request: Mapping[str, Any], key: str, *, default: int, least: int) -> int:
    value = request.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise WireError(f"{key}: expected a whole number from {least} up, received {_short(value)}")
    return value


def _plain(marks: dict[str, Any]) -> dict[str, Any]:
    """Return `marks` without what a stranger sent and JSON cannot say back, such as NaN."""
    try:
        pack_object(marks)
    except WireError:
        return {"ok": marks["ok"]}
    return marks


def _short(value: object) -> str:
    return repr(value)[:60]
