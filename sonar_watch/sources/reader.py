"""Reads one line: its files together, as they grow."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from sonar_watch.errors import JournalError, SonarWatchError
from sonar_watch.formats.rawfile import LineContext, RawFile, line_name
from sonar_watch.records import (
    NavigationSample,
    Quarantined,
    SourceItem,
    SourceRef,
    WaterColumnFrame,
    WaterColumnPing,
    printable,
)
from sonar_watch.sources.line import Line, Role, size_of
from sonar_watch.sources.source import is_swath

_log = logging.getLogger(__name__)

SWATHS_PER_READ = 8
SWATHS_HELD = 32
NAVIGATION_READS = 16
NAVIGATION_LEAD_S = 2.0
"""Motion is recorded up to a second late: the twin is read this far beyond a swath."""


class LineReader:
    """Reads a line: navigation first, then the swaths that it covers.

    A swath is handed on when the navigation file has been read `NAVIGATION_LEAD_S` beyond it.
    Several instruments speak of each instant, the better ones (motion) up to a second late; a
    swath that left with the first of them would get another fix live than in a replay. It also
    leaves when there is no such file, when more than `SWATHS_HELD` wait (the navigation has
    stopped), or at the end of the line.

    Parameters
    ----------
    line : Line
    source : str
    is_done : callable
        Frames to skip.
    live : bool
        Whether the files may still grow.
    swaths : bool
        False: navigation alone.
    """

    def __init__(
        self,
        line: Line,
        source: str,
        is_done: Callable[[str], bool],
        *,
        live: bool,
        swaths: bool = True,
    ) -> None:
        self.line = line
        self._source = source
        self._is_done = is_done
        self._live = live
        self._with_swaths = swaths
        self._context = LineContext()
        self._files: dict[Role, RawFile] = {}
        self._swaths: deque[WaterColumnPing | WaterColumnFrame] = deque()
        self._navigation_stalled = False
        self._broken = 0
        self._sizes = line.sizes()
        self._now_s = line.changed_s
        self.progressed = False
        self.last_swath_s: float | None = None
        self.sounder = ""
        self.latest_s = self.navigation_s = float("-inf")

    @property
    def broken(self) -> int:
        """What could not be used so far."""
        return self._broken + sum(file.broken for file in self._files.values())

    @property
    def waiting(self) -> int:
        """Swaths read and not handed on."""
        return len(self._swaths)

    def read(self, now_s: float, *, beyond_s: float | None = None) -> list[SourceItem]:
        """Return what is new.

        Parameters
        ----------
        now_s : float
        beyond_s : float or None
            Read navigation up to this data time and keep the swaths back.
        """
        self._now_s = now_s
        items = self._follow_files()
        self.progressed = bool(items)
        room = SWATHS_HELD if beyond_s is None else 1
        if len(self._swaths) < room or (beyond_s is None and self._navigation_stalled):
            self._pull("water column", items)
        if beyond_s is None:
            beyond_s = self._needed_s()
            self._read_navigation(items, beyond_s)
            return items + self._hand_on()
        self._read_navigation(items, beyond_s)
        return items

    def finish(self) -> list[SourceItem]:
        """Return what is left when the files will not grow any more."""
        items: list[SourceItem] = []
        for role in list(self._files):
            try:
                self._sort(self._files[role].finish(), role, items)
            except JournalError:
                raise
            except (SonarWatchError, OSError) as error:
                items += self._drop(role, error)
        items += self._swaths
        self._swaths.clear()
        return items

    def set_back(self) -> None:
        """Take back the swaths that wait: another reader of the line will give them."""
        self.line.given.difference_update(swath.frame_id for swath in self._swaths)
        self._swaths.clear()

    def close(self) -> None:
        """Close the files and note what was read."""
        self.line.sizes_read = dict(self._sizes)
        for role in list(self._files):
            self._close(role)

    def _hand_on(self) -> list[SourceItem]:
        """Return the swaths that may leave."""
        items: list[SourceItem] = []
        at_once = "navigation" not in self._files or (
            self._navigation_stalled and not self._live
        )
        while self._swaths and (
            at_once
            or self._swaths[0].time_utc.timestamp() + NAVIGATION_LEAD_S <= self.navigation_s
            or (self._navigation_stalled and len(self._swaths) > SWATHS_HELD)
        ):
            items.append(self._swaths.popleft())
        return items

    def _needed_s(self) -> float:
        if not self._swaths:
            return float("inf")
        return max(swath.time_utc.timestamp() for swath in self._swaths) + NAVIGATION_LEAD_S

    def _read_navigation(self, items: list[SourceItem], beyond_s: float) -> None:
        """Read the navigation file as far as needed, or until it gives no more now."""
        self._navigation_stalled = False
        for _ in range(NAVIGATION_READS):
            if self.navigation_s >= beyond_s or len(self._swaths) > SWATHS_HELD:
                return
            if not self._pull("navigation", items):
                self._navigation_stalled = True
                return

    def _pull(self, role: Role, items: list[SourceItem]) -> bool:
        """Read a piece of one file; return False when nothing came."""
        file = self._files.get(role)
        if file is None:
            return False
        before = file.offset
        try:
            found = file.read(SWATHS_PER_READ)
        except JournalError:  # of `is_done`: not the file's
            raise
        except (SonarWatchError, OSError) as error:
            items += self._drop(role, error)
            return True
        self._sort(found, role, items)
        moved = bool(found) or file.offset != before
        self.progressed = self.progressed or moved
        return moved

    def _sort(self, found: Sequence[SourceItem], role: Role, items: list[SourceItem]) -> None:
        """Put swaths aside and everything else into `items`."""
        for item in found:
            if is_swath(item):
                if item.frame_id not in self.line.given:
                    self.line.given.add(item.frame_id)
                    self._swaths.append(item)
                self.sounder = item.sounder.partition("-")[0]
                self.last_swath_s = item.time_utc.timestamp()
                self.latest_s = max(self.latest_s, self.last_swath_s)
                continue
            if isinstance(item, NavigationSample) and item.time_s.size:
                self._note(item, role)
            items.append(item)

    def _note(self, sample: NavigationSample, role: Role) -> None:
        last_s = float(sample.time_s[-1])
        self.latest_s = max(self.latest_s, last_s)
        if role == "navigation":
            self.navigation_s = max(self.navigation_s, last_s)

    def _follow_files(self) -> list[SourceItem]:
        """Open what is new, drop what is gone, begin again with what is not what it was."""
        items: list[SourceItem] = []
        sizes: dict[str, int] = {}
        for role, path in list(self.line.files.items()):
            size = size_of(path)
            file = self._files.get(role)
            if size < 0:
                items += self._drop(role, "the file vanished while it was being read")
                continue
            if file is not None and file.path == path:
                items += self._begin_again(role, file, size)
            elif file is not None:
                self._close(role)
            if role not in self._files:
                items += self._open(role, path)
            sizes[line_name(path)] = size
        self._sizes = sizes
        self.line.look(self._now_s)
        return items

    def _begin_again(self, role: Role, file: RawFile, size: int) -> list[SourceItem]:
        """Close a file that was cut or written over; what it gave is not given again."""
        if size < file.offset:
            reason = f"shrank to {size} bytes when {file.offset} had been read; read again"
        else:
            try:
                if file.begins_as_before():
                    return []
            except OSError:
                return []  # reading it will say so
            reason = "written over with something else; read again"
        self._close(role)
        return [self._set_aside(file.path, reason)]

    def _open(self, role: Role, path: Path) -> list[SourceItem]:
        # Where the water column has a file of its own, the other one is read for navigation.
        alone = role == "water column" or "water column" not in self.line.files
        try:
            self._files[role] = RawFile(
                path, source=self._source, context=self._context,
                is_done=lambda frame_id: frame_id in self.line.given or self._is_done(frame_id),
                water_column=self._with_swaths and alone,
            )
        except (SonarWatchError, OSError) as error:
            return self._drop(role, error)
        return []

    def _close(self, role: Role) -> None:
        file = self._files.pop(role, None)
        if file is not None:
            self._broken += file.broken
            file.close()

    def _drop(self, role: Role, reason: str | Exception) -> list[SourceItem]:
        """Leave a file out: until it changes or, when it cannot be read, for a while."""
        path = self.line.files.pop(role)
        self._close(role)
        if isinstance(reason, OSError):
            is_news = self.line.leave(path, str(reason), self._now_s)
            return [self._set_aside(path, str(reason))] if is_news else []
        self.line.refused[path] = size_of(path)
        return [self._set_aside(path, str(reason))]

    def _set_aside(self, path: Path, reason: str) -> Quarantined:
        name, reason = line_name(path), printable(reason)
        _log.warning("%s: %s", name, reason)
        self._broken += 1
        return Quarantined(source=SourceRef(source=self._source, file=name), reason=reason)
