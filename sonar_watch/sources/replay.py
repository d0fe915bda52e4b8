"""Recorded files and folders through the same doors as live data."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sonar_watch.errors import ConfigurationError
from sonar_watch.images import IMAGE_SUFFIXES
from sonar_watch.records import SourceItem
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource
from sonar_watch.sources.line import line_stem
from sonar_watch.sources.logs import NmeaLogOptions, NmeaLogSource, is_navigation_log
from sonar_watch.sources.raw import RawFolderSource, RawOptions, is_raw
from sonar_watch.sources.scan import walk
from sonar_watch.sources.source import Ledger, Source, add_counts, data_time_s, is_swath

_HERE = Path()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How inputs are read; their paths are replaced by those of the inputs.

    Parameters
    ----------
    images : FolderOptions
        With the calibration for pictures without sidecar.
    raw : RawOptions
    logs : NmeaLogOptions
    """

    images: FolderOptions = field(default_factory=lambda: FolderOptions(path=_HERE))
    raw: RawOptions = field(default_factory=lambda: RawOptions(path=_HERE))
    logs: NmeaLogOptions = field(default_factory=lambda: NmeaLogOptions(path=_HERE))


@dataclass(slots=True)
class _Found:
    """What lies in one folder; `deep` when it was named itself, with all below it."""

    deep: bool = False
    pictures: list[Path] = field(default_factory=list)
    raw: list[Path] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def sort_in(self, path: Path) -> bool:
        """Put a file where it belongs; return False when it is nothing we read."""
        if is_raw(path):
            self.raw.append(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            self.pictures.append(path)
        elif path.suffix.lower() != ".json" and is_navigation_log(path):
            self.logs.append(path)
        else:
            return False
        return True


def open_inputs(
    paths: Sequence[Path], options: ReplayOptions | None = None, ledger: Ledger | None = None
) -> list[Source]:
    """Return finite sources for any mix of files and folders.

    Folders are read with everything below them. A raw file brings along the twin beside it, not
    one that has its name in another folder. Sources keep the names that they have in `options`,
    so that results do not depend on where files lie.

    Raises
    ------
    ConfigurationError
        A path that is not there, a file that is nothing we read, or a folder with nothing in it.
    """
    options = options or ReplayOptions()
    folders: dict[Path, _Found] = {}
    seen: set[Path] = set()
    for path in sorted(paths, key=Path.is_file):  # folders first: a file of theirs is theirs
        deep = path.is_dir()
        for file in _files_at(path):
            if (real := file.resolve()) not in seen:
                seen.add(real)
                folder = path if deep else path.parent
                folders.setdefault(folder, _Found(deep=deep)).sort_in(file)
    return [
        source for folder, found in folders.items()
        for source in _open(folder, found, options, ledger)
    ]


def _files_at(path: Path) -> list[Path]:
    """Return what can be read at or below `path`.

    Raises
    ------
    ConfigurationError
        There is nothing.
    """
    if not path.exists():
        raise ConfigurationError(f"{path}: no such file or folder")
    files = list(walk(path, recursive=True)) if path.is_dir() else [path]
    readable = [file for file in files if _Found().sort_in(file)]
    if not readable:
        raise ConfigurationError(
            f"{path}: expected raw files (.kmall .kmwcd .all .wcd), pictures or navigation logs, "
            f"found none among {len(files)} files"
        )
    return readable


def _open(
    folder: Path, found: _Found, options: ReplayOptions, ledger: Ledger | None
) -> Iterator[Source]:
    if found.raw:
        stems = {line_stem(path) for path in found.raw}
        raw = replace(options.raw, path=folder, recursive=found.deep)
        yield RawFolderSource(raw, ledger, live=False, only=stems)
    if found.pictures:
        images = replace(options.images, path=folder, recursive=found.deep)
        yield ImageFolderSource(images, ledger, live=False, only=found.pictures)
    for path in found.logs:
        yield NmeaLogSource(replace(options.logs, path=path), live=False)


class ReplayPace:
    """Hands on the items of a source no sooner than they came when they were recorded.

    Navigation, line ends and what was set aside wait only for the swaths before them.

    Parameters
    ----------
    source : Source
    speed : float
        1 = as recorded, 10 = ten times faster; infinite = as fast as possible.
    clock : callable
        Seconds that only grow.

    Raises
    ------
    ConfigurationError
        The speed is not above 0.
    """

    def __init__(
        self, source: Source, speed: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not speed > 0:
            raise ConfigurationError(f"speed: expected a number above 0, received {speed}")
        self._source = source
        self._speed = speed
        self._clock = clock
        self._queue: deque[SourceItem] = deque()
        self._began: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    @property
    def exhausted(self) -> bool:
        """True when the source is, and everything has been handed on."""
        return not self._queue and self._source.exhausted

    @property
    def wait_s(self) -> float:
        """Seconds until the next item is due; 0 when it is or none is known."""
        due_s = self._due_s(self._queue[0]) if self._queue else None
        return 0.0 if due_s is None else max(0.0, due_s - self._clock())

    def poll(self) -> list[SourceItem]:
        """Return what is due."""
        if not self._queue:
            self._queue.extend(self._source.poll())
        now_s = self._clock()
        items: list[SourceItem] = []
        while self._queue:
            due_s = self._due_s(self._queue[0])
            if due_s is not None and due_s > now_s:
                break
            items.append(self._queue.popleft())
        return items

    def counts(self) -> dict[str, int]:
        """Return the source's counts; what is not due yet is backlog as well."""
        return add_counts([{"backlog": len(self._queue)}, self._source.counts()])

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _due_s(self, item: SourceItem) -> float | None:
        """Return when an item is due by the clock; None = at once."""
        time_s = data_time_s(item) if is_swath(item) else None
        if time_s is None:
            return None
        if self._began is None:
            self._began = (self._clock(), time_s)
        clock_s, first_s = self._began
        return clock_s + (time_s - first_s) / self._speed
