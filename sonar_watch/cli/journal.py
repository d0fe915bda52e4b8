"""What journald wants of a log on stderr: each line begins with its priority (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
_DEBUG = 7


def goes_to_journal(stream: TextIO | None = None) -> bool:
    """Return whether a stream (stderr if none is given) ends in the journal.

    The variable alone says nothing: a child of a service inherits it with another stderr.
    """
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat((stream or sys.stderr).fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def with_priority(text: str, level: int) -> str:
    """Return a text with the priority of a log level before each of its lines.

    >>> with_priority("failed\\n  in line 3", logging.ERROR)
    '<3>failed\\n<3>  in line 3'
    """
    priority = _PRIORITIES.get(level, _DEBUG)
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines() or [""])


class JournalFormatter(logging.Formatter):
    """A record with its priority and without a time: the journal has stamped it."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return with_priority(super().format(record), record.levelno)
