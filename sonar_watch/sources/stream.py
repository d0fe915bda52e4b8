"""The lines of one sounder, one after the other."""

from __future__ import annotations

import bisect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import LineEnd, SourceItem
from sonar_watch.sources.line import Line
from sonar_watch.sources.reader import NAVIGATION_LEAD_S, LineReader
from sonar_watch.sources.source import Ledger

_log = logging.getLogger(__name__)

LINES_REMEMBERED = 3
UNKNOWN_SOUNDER = "unknown"
"""Of files that do not begin with a datagram: the end of their line lets nothing else go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOptions:
    """Options of a folder of raw sounder files.

    Parameters
    ----------
    path : Path
        The folder; it may appear later.
    name : str
        Name of this source.
    recursive : bool
        Look into the folders below, too; the two files of a line may lie in different ones.
    rescan_s : float
        Seconds from one look through the folder to the next; file events come sooner.
    line_change_s : float
        Seconds without growth after which a line is over when a newer one has begun.
    silent_limit_s : float
        Seconds without growth after which a line is over though none has followed, or its
        navigation file has not come. Longer than any pause of the writer: a line that goes on
        after it is read on, but its last swaths before the pause had to do without what follows.
    join_s : float
        Seconds of data time within which the next line's navigation still counts for the last
        swaths of a line.
    poll_events : bool
        Look every second instead of waiting for kernel events: for network shares.

    Raises
    ------
    ConfigurationError
        A time is not above 0.
    """

    path: Path
    name: str = "raw"
    recursive: bool = True
    rescan_s: float = 5.0
    line_change_s: float = 5.0
    silent_limit_s: float = 60.0
    join_s: float = 30.0
    poll_events: bool = False

    def __post_init__(self) -> None:
        for key in ("rescan_s", "line_change_s", "silent_limit_s", "join_s"):
            if not getattr(self, key) > 0:
                raise ConfigurationError(f"{self.name}: {key}: expected a number above 0 s")


class LineStream:
    """Reads the lines of one sounder in the order in which they began.

    How a line ends, so that a live run and its replay give the same fixes: a line change cuts
    the stream at once, and the navigation of the last swaths may be in the next line's file.
    `LineEnd` of a line therefore comes

    1. after everything in its files;
    2. when the next line began within `join_s` of the last swath: after that line's navigation
       has been read `NAVIGATION_LEAD_S` beyond the last swath, or its swaths `join_s` beyond it.
       That navigation is handed on before the `LineEnd`, the next line's swaths after it;
    3. when the next line began later than that, or none is known: at once; the next line's
       navigation follows the `LineEnd`.

    Live, "everything in its files" is known when they have not grown for `line_change_s` and
    a newer line exists, or for `silent_limit_s`. After the `LineEnd` a line may go on growing:
    it is then read again, and swaths already given are skipped.

    A line whose checkpoint says that it is complete, with the sizes it has now, is not read,
    but for the navigation of the one before the first line that is: that line's first swaths
    need it.

    Parameters
    ----------
    options : RawOptions
    ledger : Ledger
    live : bool
    clock : callable
        Seconds that only grow.
    sounder : str
        The sounder whose lines these are, such as "em710-210".
    """

    def __init__(
        self,
        options: RawOptions,
        ledger: Ledger,
        *,
        live: bool,
        clock: Callable[[], float],
        sounder: str = UNKNOWN_SOUNDER,
    ) -> None:
        self.name = options.name
        self._sounder = sounder
        self._options = options
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._lines: list[Line] = []
        self._reader: LineReader | None = None
        self._next: LineReader | None = None
        self._before: LineReader | None = None
        self._finished = False
        self._broken = 0

    @property
    def exhausted(self) -> bool:
        """True when a finite stream has given every line."""
        return not self._live and self._reader is None and self._first_open() is None

    def add(self, line: Line) -> None:
        """Take a line into the stream."""
        known = self._ledger.checkpoint(self._key(line))
        if isinstance(known, dict) and known.get("complete"):
            line.sizes_read = known.get("sizes", {})
            line.complete = line.sizes() == line.sizes_read
        line.look(self._clock())
        bisect.insort(self._lines, line, key=lambda each: each.order)

    def review(self) -> None:
        """Open complete lines again whose files have changed, and look at those that wait."""
        now_s, grown = self._clock(), []
        for line in self._lines:
            # Of two files the archive takes one first: less than was read is nothing new.
            if line.complete and not line.sizes().items() <= line.sizes_read.items():
                _log.info("%s has grown after its end: read again", line.stem)
                line.complete = False
                grown.append(line)
            if not line.complete:
                line.look(now_s)
        reader = self._reader
        if grown and reader is not None and grown[0].order < reader.line.order:
            self._set_back()

    def forget_gone(self, is_hidden: Callable[[Path], bool]) -> list[Line]:
        """Forget, and return, lines read to their end whose files are gone; the last few stay.

        Files that are `is_hidden` are out of sight, not gone. Should files come back, the ledger
        knows how far they were read.
        """
        known = self._lines[: max(0, len(self._lines) - LINES_REMEMBERED)]
        held = [reader.line for reader in self._readers]
        gone = [
            line for line in known
            if line.complete and line not in held and not line.sizes()
            and not any(map(is_hidden, line.files.values()))
        ]
        for line in gone:
            self._lines.remove(line)
        return gone

    def _set_back(self) -> None:
        """Let an earlier line go first whose twin came late; this one is read again after it."""
        for reader in self._readers:
            reader.set_back()
        self.close()

    def poll(self) -> list[SourceItem]:
        """Return what is new, of one line at a time."""
        now_s = self._clock()
        if self._reader is None and not self._begin():
            return []
        if self._before is not None:
            return self._read_before(now_s)
        assert self._reader is not None
        items = [] if self._finished else self._reader.read(now_s)
        if not self._finished and (items or self._reader.progressed or not self._is_over(now_s)):
            return items
        return items + self._end(self._reader, now_s)

    def counts(self) -> dict[str, int]:
        """Return lines not begun and swaths read that wait, and what could not be used or read."""
        open_lines = sum(not line.complete for line in self._lines)
        waiting = sum(reader.waiting for reader in self._readers)
        begun = self._reader is not None
        counts = {
            "backlog": max(0, open_lines - begun) + waiting,
            "broken": self._broken + sum(reader.broken for reader in self._readers),
        }
        failing = sum(line.unreadable for line in self._lines)
        return counts | {"failing": failing} if failing else counts

    @property
    def retry_s(self) -> float | None:
        """When a file that cannot be read is tried again, by `clock`; None = all can be read."""
        return min((s for line in self._lines if (s := line.retry_s) is not None), default=None)

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers:
            self._close(reader)
        self._reader = self._next = self._before = None

    @property
    def _readers(self) -> list[LineReader]:
        found = (self._reader, self._next, self._before)
        return [reader for reader in found if reader is not None]

    def _close(self, reader: LineReader) -> None:
        reader.close()
        self._broken += reader.broken

    def _key(self, line: Line) -> str:
        return f"{self.name}/{self._sounder}/{line.stem}"

    def _first_open(self) -> Line | None:
        return next((line for line in self._lines if not line.complete), None)

    def _begin(self) -> bool:
        """Open the first line that is not complete, and the one before it if not read here."""
        line = self._first_open()
        if line is None:
            return False
        self._finished = False
        self._reader = self._reader_of(line)
        place = self._lines.index(line)
        before = self._lines[place - 1] if place else None
        if before is not None and not before.read_here:
            self._before = self._reader_of(before, swaths=False)
        for old in self._lines[: max(0, place - LINES_REMEMBERED)]:
            old.given.clear()
        return True

    def _reader_of(self, line: Line, *, swaths: bool = True) -> LineReader:
        line.read_here = True
        return LineReader(line, self.name, self._ledger.is_done, live=self._live, swaths=swaths)

    def _read_before(self, now_s: float) -> list[SourceItem]:
        assert self._before is not None
        items = self._before.read(now_s)
        if not items and not self._before.progressed:
            self._close(self._before)
            self._before = None
        return items

    def _successor(self, line: Line) -> Line | None:
        later = self._lines[self._lines.index(line) + 1 :]
        return next((each for each in later if not each.complete), None)

    def _is_over(self, now_s: float) -> bool:
        if not self._live:
            return True
        assert self._reader is not None
        line, quiet_s = self._reader.line, now_s - self._reader.line.changed_s
        if not line.files:  # gone, or just being renamed
            return quiet_s >= self._options.line_change_s
        # Any other: a sounder whose clock was put back begins a line that comes before.
        others = any(not each.complete and each is not line for each in self._lines)
        if not others or self._lacks_twin(line):
            return quiet_s >= self._options.silent_limit_s
        return quiet_s >= self._options.line_change_s

    def _lacks_twin(self, line: Line) -> bool:
        """Return True when the navigation file is missing though other lines have theirs."""
        return "navigation" not in line.files and any(
            "navigation" in other.files for other in self._lines
        )

    def _end(self, reader: LineReader, now_s: float) -> list[SourceItem]:
        """Finish a line: what its files still hold, the next one's navigation, `LineEnd`."""
        items: list[SourceItem] = []
        if not self._finished:
            items += reader.finish()
            self._finished = True
        successor = self._successor(reader.line)
        if successor is not None and self._joins(reader, successor):
            self._next = self._next or self._reader_of(successor)
            items += self._next.read(now_s, beyond_s=self._join_until_s(reader))
            if not self._settled(reader, self._next, now_s):
                return items
        self._close(reader)
        reader.line.complete = True
        value = {"complete": True, "sizes": reader.line.sizes_read}
        checkpoint = {"key": self._key(reader.line), "value": value}
        model = reader.sounder or self._sounder.partition("-")[0]
        items.append(LineEnd(
            source=self.name, sounder=model, line=reader.line.stem, checkpoint=checkpoint
        ))
        self._reader, self._next, self._finished = self._next, None, False
        return items

    def _joins(self, reader: LineReader, successor: Line) -> bool:
        last_s = reader.last_swath_s
        return last_s is not None and successor.started_s - last_s <= self._options.join_s

    def _join_until_s(self, reader: LineReader) -> float:
        return (reader.last_swath_s or 0.0) + self._options.join_s

    def _settled(self, reader: LineReader, following: LineReader, now_s: float) -> bool:
        """Return True when the next line has told what it can about the last swaths."""
        needed_s = (reader.last_swath_s or 0.0) + NAVIGATION_LEAD_S
        if max(reader.navigation_s, following.navigation_s) >= needed_s:
            return True
        if following.latest_s > self._join_until_s(reader):
            return True
        if following.progressed:
            return False
        return not self._live or now_s - following.line.changed_s >= self._options.silent_limit_s
