"""What the request socket answers: from bytes to frames, no sockets, never an exception.

A request is one frame of JSON, `{"verb": ..., "id": ...}`; an answer is a JSON header, then
three frames for each alert, as they were published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.wire import MAX_BATCH, Message, pack, pack_object, unpack_object
from sonar_watch.errors import JournalError, WireError

Answer = tuple[dict[str, Any], list[Message]]


class Answerer:
    """Answers requests from the journal.

    Parameters
    ----------
    reader : JournalReader
    status : callable
        Returns the fields of a status message.
    """

    def __init__(self, reader: JournalReader, status: Callable[[], dict[str, Any]]) -> None:
        self._reader = reader
        self._status = status
        self._verbs: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "replay": self._replay,
            "snapshot": self._snapshot,
            "status": lambda _: (self._status(), []),
        }

    def answer(self, body: bytes) -> list[bytes]:
        """Return the frames that answer the request in `body`, an error object if need be."""
        request: Mapping[str, Any] = {}
        try:
            request = unpack_object(body)
            header, messages = self._verb(request)(request)
        except (WireError, JournalError) as error:
            header, messages = {"error": str(error)}, []
        marks = {"ok": "error" not in header, "verb": request.get("verb"), "id": request.get("id")}
        frames = [frame for message in messages for frame in pack(message)]
        return [pack_object(_plain(marks) | header), *frames]

    def _verb(self, request: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Answer]:
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in self._verbs:
            raise WireError(f"expected verb {' | '.join(self._verbs)}, received {_short(verb)}")
        return self._verbs[verb]

    def _replay(self, request: Mapping[str, Any]) -> Answer:
        """Alerts beyond `after`, at most `limit`, and whether there are more."""
        after = _whole_number(request, "after", default=0, least=0)
        limit = min(_whole_number(request, "limit", default=MAX_BATCH, least=1), MAX_BATCH)
        # The head first: an alert that is stored in between only makes `more` too cautious.
        head = self._reader.head_sequence
        rows = self._reader.alerts_after(after, limit)
        last = rows[-1][0] if rows else after
        header = self._heading(max(head, last if rows else head))
        return header | {"more": last < head}, _messages(rows)

    def _snapshot(self, _request: Mapping[str, Any]) -> Answer:
        """The latest alert of each open event."""
        head, rows = self._reader.snapshot()
        return self._heading(head), _messages(rows)

    def _heading(self, head: int) -> dict[str, Any]:
        return {"epoch": self._reader.epoch, "head_sequence": head}


def _messages(rows: list[tuple[int, str, bytes]]) -> list[Message]:
    return [Message(topic, sequence, body) for sequence, topic, body in rows]


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
