"""Navigation from the log files that ships write, while they grow or afterwards."""

from __future__ import annotations

import heapq
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.formats.nmea import split_log_line
from sonar_watch.records import SourceItem, printable
from sonar_watch.sources.log_need import LogNeed, PassedOver
from sonar_watch.sources.scan import FolderScan, changed_s
from sonar_watch.sources.sentences import SentenceReader
from sonar_watch.sources.source import data_time_s

_log = logging.getLogger(__name__)

BYTES_PER_READ = 1 << 16
BEHIND_PER_POLL = 4
"""Live, so many logs that have more to read are read on in one poll: a tenth of a second each.
Half of them are those written last, which tell of now."""

PLACED_PER_POLL = 32
"""So many logs are looked at in one poll for where what is needed of them begins."""

QUIET_S = 60.0
"""A log read to its end that has not grown for so long is looked at every `rescan_s` alone."""

_LOG_LINE = re.compile(
    rb"^\S*[ \t]*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*[ \t,;]+[^\s$]*[$\\]", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NmeaLogOptions:
    """Options of navigation logs.

    Parameters
    ----------
    path : Path
        A log file, or a folder of them; each line is a UTC stamp and a sentence.
    name : str
        Name of this source.
    pattern : str
        Which files of a folder.
    rescan_s : float
        Seconds from one look for new files to the next.

    Raises
    ------
    ConfigurationError
        The time is not above 0.
    """

    path: Path
    name: str = "navigation"
    pattern: str = "*"
    rescan_s: float = 5.0

    def __post_init__(self) -> None:
        if not self.rescan_s > 0:
            raise ConfigurationError(f"{self.name}: expected rescan_s above 0 s")


def is_navigation_log(path: Path) -> bool:
    """Return True when a file begins like a ship's log of NMEA sentences."""
    try:
        with path.open("rb", buffering=0) as file:
            return _LOG_LINE.search(file.read(4096)) is not None
    except OSError:
        return False


class _Tail:
    """One log file and how far it has been read."""

    def __init__(self, path: Path, now_s: float) -> None:
        self.path = path
        self.name = printable(path.name)
        self.written_s = changed_s(path)
        self.last_s = float("-inf")
        self.at_end = False
        self.looked_s = self.grown_s = now_s
        self.told = ""
        self.passed: PassedOver | None = None
        """What is not read of it; None: it is not known yet where to begin."""
        self._offset = 0
        self._rest = b""

    def begin(self, passed: PassedOver) -> None:
        """Begin after what is passed over; a second time only when that lies further back."""
        if self.passed is None or passed.offset < self.passed.offset:
            self._offset, self._rest = passed.offset, b""
            self.last_s = float("-inf")
            self.at_end = passed.is_all
            if passed.is_all:  # it did not grow lately: looked at with the others that did not
                self.grown_s = float("-inf")
            self.passed = passed

    def read(self, *, final: bool) -> list[tuple[int, str]]:
        """Return new whole lines with their byte offsets; the last one, too, when `final`."""
        if self.path.stat().st_size < self._offset:
            _log.warning("%s was cut or replaced: read from its start", self.path.name)
            self._offset, self._rest, self.passed = 0, b"", PassedOver()
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read(BYTES_PER_READ)
        self.at_end = len(data) < BYTES_PER_READ
        start = self._offset - len(self._rest)
        self._offset += len(data)
        text = self._rest + data
        cut = len(text) if final and self.at_end else text.rfind(b"\n") + 1
        if not cut and len(text) > BYTES_PER_READ:
            cut = len(text)  # not lines at all: let it be refused
        self._rest = text[cut:]
        return _with_offsets(text[:cut], start)


def _with_offsets(text: bytes, start: int) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    for line in text.splitlines(keepends=True):
        lines.append((start, line.decode("ascii", "replace")))
        start += len(line)
    return lines


class NmeaLogSource:
    """Gives the navigation in a log file, or in all those of a folder.

    Live, files are followed as they grow and new ones are found; a cruise has hundreds, and no
    poll reads more than some of those that lie there at the start. Finite, the file that is
    furthest behind in data time is read next, so that instruments stay side by side.

    What swaths still to come do not need is passed over; see `LogNeed`.

    Parameters
    ----------
    options : NmeaLogOptions
    live : bool
    clock : callable
        Seconds that only grow.
    need : LogNeed or None
        What is needed; None: everything.
    """

    def __init__(
        self,
        options: NmeaLogOptions,
        *,
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
        need: LogNeed | None = None,
    ) -> None:
        self._options = options
        self._need = need or LogNeed()
        self._live = live
        self._clock = clock
        self._scan = FolderScan(options.path, recursive=False, rescan_s=options.rescan_s)
        self._tails: dict[Path, _Tail] = {}
        self._unplaced: dict[Path, _Tail] = {}
        self._sentences = SentenceReader(options.name)
        if options.path.is_file():
            self._admit(options.path, clock())

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._options.name

    @property
    def exhausted(self) -> bool:
        """True when every file of a finite source has been read."""
        started = bool(self._tails) or self._scan.passes > 0
        return not self._live and started and all(tail.at_end for tail in self._tails.values())

    @property
    def broken(self) -> int:
        """Lines that could not be read."""
        return self._sentences.broken

    def counts(self) -> dict[str, int]:
        """Return files not read to their end, what was wrong with lines, and an absent folder."""
        behind = sum(
            not tail.at_end or path in self._unplaced for path, tail in self._tails.items()
        )
        counts = {"backlog": behind} | self._sentences.counts()
        if self._scan.failing and not self._options.path.is_file():
            counts["failing"] = self._scan.failing
        return counts if self._scan.passes or self._tails else counts | {"scanning": 1}

    def poll(self) -> list[SourceItem]:
        """Return the navigation of the lines that are new."""
        now_s = self._clock()
        self._look(now_s)
        self._place()
        items: list[SourceItem] = []
        for tail in self._turn(now_s):
            items += self._read(tail, now_s)
        return items

    def note_swath(self, time_s: float) -> bool:
        """Hear of a swath that waits; return True when logs are read further back for it."""
        if not self._need.note(time_s):
            return False
        again = {path: tail for path, tail in self._tails.items()
                 if tail.passed is not None and self._need.since_in(tail.passed) is not None}
        self._unplaced |= again
        return bool(again)

    def close(self) -> None:
        """Nothing to close: files are open only while they are read."""

    def _look(self, now_s: float) -> None:
        """Find files: a single one may appear later, too."""
        single = self._options.path
        if single.is_file():
            if single not in self._tails:
                self._admit(single, now_s)
            return
        if not self._live and self._scan.passes:
            return
        found = self._scan.step(now_s)
        for path in found or ():
            known = path in self._tails or not path.match(self._options.pattern)
            if not known and is_navigation_log(path):
                self._admit(path, now_s)
        if found is not None and self._live:
            self._forget_gone(set(found))

    def _forget_gone(self, found: set[Path]) -> None:
        """Let go of files that were moved to an archive."""
        for path in self._tails.keys() - found:
            if not self._scan.hides(path):
                del self._tails[path]
                self._unplaced.pop(path, None)

    def _admit(self, path: Path, now_s: float) -> None:
        self._tails[path] = tail = _Tail(path, now_s)
        if self._need.is_all:
            tail.begin(PassedOver())
        else:
            self._unplaced[path] = tail

    def _place(self) -> None:
        """Find out where to begin, in the newest logs first."""
        waiting = self._unplaced.values()
        for tail in heapq.nlargest(PLACED_PER_POLL, waiting, key=lambda tail: tail.written_s):
            del self._unplaced[tail.path]
            try:
                passed = self._need.pass_over(tail.path)
            except OSError:  # reading it will say so
                passed = PassedOver()
            tail.begin(passed)
            _log.debug("%s: read from byte %d on", tail.name, passed.offset)

    def _turn(self, now_s: float) -> list[_Tail]:
        """Return the files to read now."""
        begun = [tail for tail in self._tails.values() if tail.passed is not None]
        behind = sorted((tail for tail in begun if not tail.at_end), key=lambda tail: tail.last_s)
        if not self._live:
            return behind[:1]
        newest = heapq.nlargest(BEHIND_PER_POLL // 2, behind, key=lambda tail: tail.written_s)
        oldest = [tail for tail in behind if tail not in newest]
        followed = [tail for tail in begun if tail.at_end and self._is_due(tail, now_s)]
        return followed + newest + oldest[: BEHIND_PER_POLL - len(newest)]

    def _is_due(self, tail: _Tail, now_s: float) -> bool:
        """Return True for a file read to its end that may have grown."""
        looked_s = now_s - tail.looked_s
        return now_s - tail.grown_s < QUIET_S or looked_s >= self._options.rescan_s

    def _read(self, tail: _Tail, now_s: float) -> list[SourceItem]:
        tail.looked_s = now_s
        try:
            lines = tail.read(final=not self._live)
        except OSError as error:
            if str(error) != tail.told:
                tail.told = str(error)
                _log.warning("%s: %s", tail.path.name, error)
            tail.at_end = True  # live: looked for again at the next turn
            return []
        tail.told = ""
        tail.grown_s = now_s if lines else tail.grown_s
        items: list[SourceItem] = []
        for offset, line in lines:
            items += self._parse(tail, offset, line)
        return items

    def _parse(self, tail: _Tail, offset: int, line: str) -> list[SourceItem]:
        try:
            found = split_log_line(line)
        except FormatError as error:
            return self._sentences.refuse(tail.name, str(error), offset)
        if found is None:
            return []
        received_utc, sentence = found
        items = self._sentences.read(sentence, received_utc, tail.name, offset)
        for item in items:
            tail.last_s = max(tail.last_s, data_time_s(item) or tail.last_s)
        return items
