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
    wake : threading.Event or None
        Set on each event.
    silent : bool
        Ask for no events: for network shares, which give none for what others write.
    """

    def __init__(
        self,
        path: Path,
        *,
        recursive: bool,
        wake: threading.Event | None = None,
        silent: bool = False,
    ) -> None:
        self._path = path
        self._recursive = recursive
        self._silent = silent
        self._wake = wake or threading.Event()
        self._lock = threading.Lock()
        self._hints: dict[Path, None] = {}
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None
        self._told = ""
        self.lost = False

    def arm(self) -> None:
        """Start watching, again when that failed or the folder is another one (a remount)."""
        if self._silent:
            return
        try:
            status = self._path.stat()
        except OSError:
            self._stop()
            return
        if self._watched != (status.st_dev, status.st_ino) or not self._is_alive():
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

    def _is_alive(self) -> bool:
        """Return True while the threads run: they end when the folder was away for a moment."""
        observer = self._observer
        return (
            observer is not None
            and bool(observer.emitters)
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def _start(self) -> None:
        observer: BaseObserver | None = None
        try:
            observer = Observer()
            observer.daemon = True
            observer.schedule(self, str(self._path), recursive=self._recursive)
            observer.start()
        except OSError as error:
            # Out of inotify watches, or gone again: rescans still find everything.
            if observer is not None:
                observer.stop()
            if str(error) != self._told:
                self._told = str(error)
                _log.warning("%s: no file events, rescans only: %s", self._path, error)
            return
        self._observer, self._told = observer, ""

    def _stop(self) -> None:
        observer, self._observer, self._watched = self._observer, None, None
        if observer is not None:
            observer.stop()
            observer.join()
