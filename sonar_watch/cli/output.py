"""Where the command line writes: JSON lines on stdout, log and progress on stderr."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sonar_watch.cli.journal import JournalFormatter, goes_to_journal

log = logging.getLogger(__name__)

LOG_EVERY_S = 10.0


def set_up_logging(level: str) -> None:
    """Send the log to stderr: in UTC, or with priorities where that is the journal."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        "%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(JournalFormatter() if goes_to_journal() else formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log what nobody caught: with the priority and the time of everything else."""
    log.critical("not expected; please report it", exc_info=(kind, error, trace))


def print_json(body: dict[str, Any]) -> None:
    """Print one JSON line on stdout, at once."""
    print(json.dumps(body, separators=(",", ":"), ensure_ascii=False), flush=True)


class Advance(Protocol):
    """Tells a progress bar how far the work is."""

    def __call__(self, done: int = 1) -> None: ...


class _Counter:
    """Says how far the work is in the log, now and then, where there is no terminal."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title, self._total = title, total
        self._done, self._said_s, self._said = 0, time.monotonic(), 0

    def __call__(self, done: int = 1) -> None:
        self._done += done
        now_s = time.monotonic()
        if now_s - self._said_s > LOG_EVERY_S:
            of = f" of {self._total}" if self._total else ""
            log.info("%d%s %s%s", self._done, of, self._title, self._left(now_s - self._said_s))
            self._said_s, self._said = now_s, self._done

    def _left(self, passed_s: float) -> str:
        """Return how long the rest takes at the pace since the last line."""
        lately = self._done - self._said
        if not self._total or lately <= 0:
            return ""
        seconds = max(self._total - self._done, 0) * passed_s / lately
        return f", {timedelta(seconds=round(seconds))} left"


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar on stderr while the block runs; elsewhere a line in the log every 10 s.

    Both tell the time that is left where `total` is known.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Counter(title, total)
        return
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done=1: bar.advance(task, done)
