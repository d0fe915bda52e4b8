"""What people say of events: `reviews.jsonl` beside the journal, an object a line.

Of an event's lines the last counts. People may write the file by hand; a running watch appends
to it what comes with the `review` request. See docs/decisions/0012-reviews-in-a-file.md.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from sonar_watch.alerts.wire import pack_object
from sonar_watch.errors import FormatError, JournalUnavailableError, WireError

log = logging.getLogger(__name__)

REVIEWS_NAME = "reviews.jsonl"
Verdict = Literal["confirmed", "rejected"]
VERDICTS: tuple[Verdict, ...] = ("confirmed", "rejected")

LONGEST = {"by": 200, "note": 2000}
"""Most characters of what people say in their own words."""


class Reviews:
    """The verdicts beside one journal; a watch has one writer of them.

    Parameters
    ----------
    path : Path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, review: Mapping[str, Any]) -> None:
        """Append a verdict; it is on the disk, whole, when this returns.

        Raises
        ------
        JournalUnavailableError
            It cannot be written; nothing of it is left in the file.
        WireError
            It is not JSON.
        """
        line = pack_object(review) + b"\n"
        is_new = not self.path.exists()
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                _append(handle, line)
            finally:
                os.close(handle)
            if is_new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise JournalUnavailableError(
                f"cannot write {self.path}: {error.strerror}; the verdict is not kept"
            ) from error

    def last(self) -> dict[str, dict[str, Any]]:
        """Return the last verdict on each event, in the order of events first judged.

        Lines that say none are passed over with a warning.

        Raises
        ------
        JournalUnavailableError
            The file cannot be read; one that is not there holds none.
        """
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise JournalUnavailableError(f"cannot read {self.path}: {error.strerror}") from error
        verdicts: dict[str, dict[str, Any]] = {}
        for number, line in review_lines(text):
            self._take(verdicts, line, number)
        return verdicts

    def _take(self, verdicts: dict[str, dict[str, Any]], line: str, number: int) -> None:
        try:
            review = parse_review(line, f"{self.path} line {number}")
        except FormatError as error:
            log.warning("passed over: %s", error)
            return
        verdicts[review["event_id"]] = review


def review_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line that is not empty.

    Only a line feed ends one: words may hold what `str.splitlines` takes for an end, such as
    U+2028.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _append(handle: int, line: bytes) -> None:
    """Write a line at the end of a file, all of it or nothing."""
    size = os.fstat(handle).st_size
    # An editor may have left the last line without its end.
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line
    try:
        if os.write(handle, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _sync_folder(folder: Path) -> None:
    """Make sure that the name of a new file survives a power cut, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parse_review(line: str, where: str) -> dict[str, Any]:
    """Return the verdict in a line.

    Raises
    ------
    FormatError
        It says none on an event; names `where`.
    """
    try:
        body = json.loads(line)
        event_id, verdict = body["event_id"], body["verdict"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise FormatError(f"expected event_id and verdict: {error!r}", file=where) from error
    if not isinstance(event_id, str) or verdict not in VERDICTS:
        raise FormatError(f"verdict: expected one of {VERDICTS}, received {verdict!r}", file=where)
    return dict(body)


def requested_review(request: Mapping[str, Any]) -> dict[str, str]:
    """Return what a `review` request says: event_id (or its first letters), verdict, by, note.

    Raises
    ------
    WireError
        A field is missing, too long or not of its kind.
    """
    event_id, verdict = request.get("event_id"), request.get("verdict")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= 100:
        raise WireError(
            f"event_id: expected the id of an event or its first letters, received {event_id!r:.60}"
        )
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        raise WireError(f"verdict: expected {' | '.join(VERDICTS)}, received {verdict!r:.60}")
    review = {"event_id": event_id, "verdict": str(verdict)}
    for key, longest in LONGEST.items():
        text = request.get(key, "")
        if not isinstance(text, str) or len(text) > longest:
            raise WireError(f"{key}: expected up to {longest} characters, received {text!r:.60}")
        if text:
            review[key] = text
    return review
