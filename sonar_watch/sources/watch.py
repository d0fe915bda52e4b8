"""Hints of the file system that something changed; never the truth."""

from __future__ import annotations

import logging
import os
import threading
from itertools import islice
from pathlib import Path

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

_log = logging.getLogger(__name__)

_TELLING = (FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileClosedEvent)
"""Opening and closing after reading are left out: our own reading makes them."""

MOST_HINTS = 10_000


class FolderWatch(FileSystemEventHandler):
    """Collects the paths that the file system says have changed.

    Events get lost (queue overflow, network shares, a folder that was mounted again), so a
    source also looks for itself from time to time: `lost` says that it should do so now.

    Parameters
    ----------
    path : Path
        Folder; it need not exist yet.
    recursive : bool
    polling : bool
        Compare listings instead of asking the kernel: for network shares.
    wake : threading.Event or None
        Set on each event.
    """

    def __init__(
        self, path: Path, *, recursive: bool, polling: bool, wake: threading.Event | None = None
    ) -> None:
        self._path = path
        self._recursive = recursive
        self._polling = polling
        self._wake = wake or threading.Event()
        self._lock = threading.Lock()
        self._hints: dict[Path, None] = {}
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None
        self.lost = False

    def arm(self) -> None:
        """Start watching, again when the folder is another one than before (a remount)."""
        try:
            status = self._path.stat()
        except OSError:
            self._stop()
            return
        if self._watched != (status.st_dev, status.st_ino):
            self._stop()
            self._start()
            self._watched = (status.st_dev, status.st_ino)

    def drain(self, most: int = MOST_HINTS) -> list[Path]:
        """Return up to `most` paths hinted at and not returned yet, oldest first."""
        with self._lock:
            hints = list(islice(self._hints, most))
            for path in hints:
                del self._hints[path]
            if self._hints:
                self._wake.set()
        return hints

    def close(self) -> None:
        """End the watching thread."""
        self._stop()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note the path; called from the thread of the observer."""
        if not isinstance(event, _TELLING):
            return
        path = Path(os.fsdecode(event.dest_path or event.src_path))
        with self._lock:
            if len(self._hints) < MOST_HINTS:
                self._hints[path] = None
            else:
                self.lost = True
        self._wake.set()

    def _start(self) -> None:
        observer = PollingObserver() if self._polling else Observer()
        observer.daemon = True
        try:
            observer.schedule(self, str(self._path), recursive=self._recursive)
            observer.start()
        except OSError as error:
            # Out of inotify watches, or gone again: rescans still find everything.
            _log.warning("%s: no file events, rescans only: %s", self._path, error)
            return
        self._observer = observer

    def _stop(self) -> None:
        observer, self._observer, self._watched = self._observer, None, None
        if observer is not None:
            observer.stop()
            observer.join()
