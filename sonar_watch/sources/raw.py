"""Raw sounder files in a folder, complete or growing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sonar_watch.formats.rawfile import RAW_SUFFIXES
from sonar_watch.records import Quarantined, SourceItem, SourceRef, printable
from sonar_watch.sources.horizon import Horizon
from sonar_watch.sources.line import (
    Line,
    is_something_else,
    line_stem,
    read_head,
    size_of,
    time_in_name,
)
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.scan import FolderScan
from sonar_watch.sources.source import EmptyLedger, Ledger, add_counts
from sonar_watch.sources.stream import UNKNOWN_SOUNDER, LineStream, RawOptions
from sonar_watch.sources.unreadable import Unreadable
from sonar_watch.sources.watch import FolderWatch

__all__ = ["RawFolderSource", "RawOptions", "is_raw"]

_log = logging.getLogger(__name__)


def is_raw(path: Path) -> bool:
    """Return True for the name of a raw sounder file.

    >>> is_raw(Path("0001.kmwcd_frag")), is_raw(Path("0001.png"))
    (True, False)
    """
    return path.suffix.lower() in RAW_SUFFIXES


class RawFolderSource:
    """Gives the swaths and the navigation of the lines in a folder.

    Files of one stem and sounder are one line (`x.kmall` + `x.kmwcd`, `x.all` + `x.wcd`,
    `_frag` likewise, in whatever folders); a second file of the same kind is set aside. Lines of
    one sounder follow one another in the order of the times in their names, or of their first
    datagrams; see `LineStream` for how a line ends. Several sounders, also of one model (see
    `read_head`), are read side by side and merged by data time; their files may have the same
    names. A file that cannot be read is told once, counted as failing, and tried again.

    Parameters
    ----------
    options : RawOptions
    ledger : Ledger or None
        Who knows what is already done.
    live : bool
        False: what is in the folder now, once, without waiting; then `exhausted`.
    wake : threading.Event or None
        Set when the file system hints at something new.
    clock : callable
        Seconds that only grow.
    only : iterable of str or None
        Give the lines of these stems (see `line_stem`) and no others.
    """

    def __init__(
        self,
        options: RawOptions,
        ledger: Ledger | None = None,
        *,
        live: bool = True,
        wake: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        only: Iterable[str] | None = None,
    ) -> None:
        self._options = options
        self._ledger = ledger or EmptyLedger()
        self._horizon = Horizon(self._ledger)
        self._live = live
        self._clock = clock
        self._only = None if only is None else frozenset(only)
        self._scan = FolderScan(
            options.path, recursive=options.recursive, rescan_s=options.rescan_s,
            polled=options.poll_events,
        )
        self._watch = FolderWatch(
            options.path, recursive=options.recursive, wake=wake, silent=options.poll_events
        )
        self._merger = Merger(name=options.name, live=live, clock=clock)
        self._streams: dict[str, LineStream] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._line_of: dict[Path, Line] = {}
        self._hidden: dict[Path, int] = {}
        self._left_out: set[Path] = set()
        self._unreadable = Unreadable()
        self._untold: dict[Path, str] = {}
        self._new_lines: list[tuple[str, Line]] = []
        self._files_of_new: dict[str, set[Path]] = {}
        self._sizes_of_new: dict[str, tuple[int, float]] = {}
        if live:
            self._watch.arm()

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._options.name

    @property
    def exhausted(self) -> bool:
        """True when a finite source has given every line."""
        read = not self._live and self._scan.passes > 0 and self._merger.exhausted
        return read and not self._untold

    def poll(self) -> list[SourceItem]:
        """Return what is new in the files, navigation before the swaths it belongs to."""
        self._look(self._clock())
        if not self._scan.passes:
            return []
        return [*self._tell_left_out(), *self._merger.poll()]

    def counts(self) -> dict[str, int]:
        """Return lines and swaths that wait, what could not be used, and what not be read."""
        here = {"backlog": len(self._files_of_new)}
        if self._left_out:
            here["broken"] = len(self._left_out)
        if failing := self._scan.failing + len(self._unreadable):
            here["failing"] = failing
        if not self._scan.passes:
            here["scanning"] = 1
        return add_counts([here, self._merger.counts()])

    @property
    def retry_in_s(self) -> float | None:
        """Seconds until a file that could not be read is tried again; None = nothing waits."""
        known = [s for stream in self._streams.values() if (s := stream.retry_s) is not None]
        return max(0.0, min(known) - self._clock()) if known else None

    def close(self) -> None:
        """End the watching thread and close the files."""
        self._watch.close()
        self._merger.close()

    def _look(self, now_s: float) -> None:
        """Note new files: hints first, the truth when a pass is complete."""
        if self._watch.lost:
            self._watch.lost = False
            self._scan.hurry()
        for path in self._watch.drain():
            self._admit(path, now_s)
        found = self._scan.step(now_s) if self._live or not self._scan.passes else None
        for path in found or ():
            self._admit(path, now_s, is_backlog=self._scan.passes == 1)
        if found is not None and self._live:
            self._watch.arm()
            for stream in self._streams.values():
                stream.review()
            self._forget_gone(set(found))
        if self._scan.passes:
            self._place_new(now_s)

    def _forget_gone(self, found: set[Path]) -> None:
        """Let go of files that were moved to an archive: a cruise has thousands of them."""
        hides = self._scan.hides
        gone = {line for stream in self._streams.values() for line in stream.forget_gone(hides)}
        if gone:
            self._lines = {key: line for key, line in self._lines.items() if line not in gone}
            self._line_of = {
                path: line for path, line in self._line_of.items() if line not in gone
            }
        for path in self._hidden.keys() - found:
            if not hides(path):
                del self._hidden[path]

    def _admit(self, path: Path, now_s: float, *, is_backlog: bool = False) -> None:
        if path.name.startswith(".") or not is_raw(path) or size_of(path) < 0:
            return
        stem = line_stem(path)
        if self._only is not None and stem not in self._only:
            return
        if path in self._line_of:
            self._offer(self._line_of[path], path, now_s)
        elif not self._is_hidden(path, is_backlog=is_backlog):
            self._files_of_new.setdefault(stem, set()).add(path)

    def _is_hidden(self, path: Path, *, is_backlog: bool) -> bool:
        """Return True for a file of the first pass that another journal was done with.

        Later ones are new whatever their times say: the clock of a file server may be hours off.
        """
        size = size_of(path)
        if is_backlog and self._horizon.hides(path):
            self._hidden[path] = size
        return self._hidden.get(path) == size

    def _offer(self, line: Line, path: Path, now_s: float) -> None:
        """Put a file into a line; note it when there is another of its kind already."""
        self._line_of[path] = line
        reason = line.offer(path, now_s)
        if reason is None:
            self._left_out.discard(path)
        elif path not in self._left_out:
            self._left_out.add(path)
            self._untold[path] = reason

    def _tell_left_out(self) -> list[SourceItem]:
        untold, self._untold = self._untold, {}
        told: list[SourceItem] = []
        for path, reason in untold.items():
            if path in self._left_out or path in self._unreadable:
                _log.warning("set aside: %s", printable(reason))
                ref = SourceRef(source=self.name, file=printable(path.name))
                told.append(Quarantined(source=ref, reason=printable(reason)))
        return told

    def _place_new(self, now_s: float) -> None:
        """Put new files into the line of their sounder, as soon as that is known."""
        for stem in sorted(self._files_of_new):
            paths = self._files_of_new[stem]
            self._place_headed(stem, paths, now_s)
            for path in sorted(paths):
                self._place_headless(stem, path, now_s)
            if not paths:
                del self._files_of_new[stem]
                self._sizes_of_new.pop(stem, None)
        # Whole lines only: the stream compares a line's sizes with those of its checkpoint.
        for sounder, line in self._new_lines:
            self._stream(sounder).add(line)
        self._new_lines.clear()

    def _place_headed(self, stem: str, paths: set[Path], now_s: float) -> None:
        """Place those that tell their sounder; the earliest begins the line."""
        heads = [(head, path) for path in paths if (head := self._head_of(path)) is not None]
        for (sounder, first_s), path in sorted(heads, key=lambda each: (each[0][1], each[1])):
            self._offer(self._line_for(path, sounder, first_s, stem), path, now_s)
            paths.discard(path)

    def _head_of(self, path: Path) -> tuple[str, float] | None:
        try:
            head = read_head(path)
        except FileNotFoundError:
            head = None
        except OSError as error:
            if self._live and self._unreadable.add(path, str(error)):
                self._untold[path] = str(error)
            return None
        self._unreadable.discard(path)
        return head

    def _line_for(self, path: Path, sounder: str, first_s: float, stem: str) -> Line:
        """Return the line of a file: that of its sounder, or of its twin beside it.

        The two heads of one sounder have serial numbers of their own, a cut file may have none.
        """
        known = self._lines.get((sounder, stem))
        model = sounder.partition("-")[0]
        twins = (
            line for (other, its), line in self._lines.items()
            if its == stem and other.partition("-")[0] == model
            and line.lacks(path) and line.lies_in(path.parent)
        )
        return known or next(twins, None) or self._line(sounder, first_s, stem)

    def _place_headless(self, stem: str, path: Path, now_s: float) -> None:
        """Place a file that does not tell its sounder: live, nothing may be written yet."""
        paths = self._files_of_new[stem]
        if self._live and size_of(path) < 0:  # gone, or just renamed
            paths.discard(path)
            self._unreadable.discard(path)
            return
        if path in self._unreadable:
            return
        places = [line for (_, other), line in self._lines.items()
                  if other == stem and line.lacks(path)]
        beside = [line for line in places if line.lies_in(path.parent)]
        likely = beside or places
        line = likely[0] if len(likely) == 1 else None
        if beside or not self._live or self._is_none(stem, now_s):
            self._offer(line or self._line(UNKNOWN_SOUNDER, 0.0, stem), path, now_s)
            paths.discard(path)

    def _line(self, sounder: str, first_s: float, stem: str) -> Line:
        """Return the line of a sounder and stem, begun when there is none."""
        line = self._lines.get((sounder, stem))
        if line is None:
            name = stem.partition("/")[2]
            named_s = time_in_name(name)
            line = Line(stem=name, started_s=first_s if named_s is None else named_s)
            self._lines[sounder, stem] = line
            self._new_lines.append((sounder, line))
        return line

    def _is_none(self, stem: str, now_s: float) -> bool:
        """Return True when the files of a new line hold something else, or too little for too long.

        It is then placed, and whoever reads it says what is wrong, and where.
        """
        paths = self._files_of_new[stem]
        size = sum(max(0, size_of(path)) for path in paths)
        known, since_s = self._sizes_of_new.get(stem, (-1, now_s))
        if size != known:
            since_s = now_s
            self._sizes_of_new[stem] = size, now_s
        silent = size > 0 and now_s - since_s >= self._options.silent_limit_s
        none = silent or any(is_something_else(path) for path in paths)
        if none:
            names = ", ".join(sorted(printable(path.name) for path in paths))
            _log.warning("%s: no datagram at the beginning: read for what else it holds", names)
        return none

    def _stream(self, sounder: str) -> LineStream:
        if sounder not in self._streams:
            stream = LineStream(
                self._options, self._ledger, live=self._live, clock=self._clock, sounder=sounder
            )
            self._streams[sounder] = stream
            self._merger.add(stream)
        return self._streams[sounder]
