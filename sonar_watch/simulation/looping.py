"""A short simulated cruise sailed again and again: the same echoes with new times and names.

Simulating a day takes a day; a loop costs no more than writing it. What changes from one loop to
the next is what changes at sea: the time of every datagram, the ping counter, the names of files
and, when asked for, where the ship is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedWriter
from pathlib import Path
from struct import Struct

from sonar_watch.errors import ConfigurationError
from sonar_watch.formats.kmall_header import BODY, HEADER, PARTITION
from sonar_watch.formats.kmall_sensors import SKM, SPO
from sonar_watch.simulation.cruise import Survey
from sonar_watch.simulation.writing import sail

WATER, MOTION = ".kmwcd", ".kmall"

_SETUP = frozenset({b"#IIP", b"#IOP", b"#SVP"})
_STAMP = Struct("<I")
_SECONDS = 12
"""Offset of the seconds in the header of every datagram."""

_COUNTER_AT = BODY + PARTITION.size + 2
_SKM_ROW_SECONDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """One datagram, or several that belong together.

    Parameters
    ----------
    due_s : float
        Data time of the last thing it tells, seconds since 1970 UTC: written not before.
    suffix : str
        Of the file it belongs to.
    data : bytes
    """

    due_s: float
    suffix: str
    data: bytes

    @property
    def is_swath(self) -> bool:
        """True for water column."""
        return self.data[4:8] == b"#MWC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcerptLine:
    """One line of an excerpt.

    Parameters
    ----------
    start_s : float
        Seconds since 1970 UTC.
    setup : dict
        Datagrams with which a file begins, by suffix.
    body : tuple of Stamped
        In the order in which a sounder writes them.
    """

    start_s: float
    setup: dict[str, bytes]
    body: tuple[Stamped, ...]

    @property
    def swaths(self) -> int:
        """How many there are."""
        return sum(each.is_swath for each in self.body)


def sail_excerpt(survey: Survey, folder: Path) -> tuple[ExcerptLine, ...]:
    """Sail a survey once and return what was written; leaves files in `folder`."""
    for _ in sail(survey, folder, kinds=("raw",)):
        pass
    return tuple(
        _read_line(folder / "raw" / f"{line.name}{WATER}", line.start_utc.timestamp())
        for line in survey.lines
    )


def _read_line(water: Path, start_s: float) -> ExcerptLine:
    setup: dict[str, bytes] = {}
    body: list[Stamped] = []
    for suffix in (MOTION, WATER):
        datagrams = list(_datagrams(water.with_suffix(suffix).read_bytes()))
        setup[suffix] = b"".join(each for each in datagrams if each[4:8] in _SETUP)
        body += [
            Stamped(due_s=_last_s(each), suffix=suffix, data=each)
            for each in datagrams if each[4:8] not in _SETUP
        ]
    body.sort(key=lambda each: (each.due_s, each.is_swath))
    return ExcerptLine(start_s=start_s, setup=setup, body=tuple(body))


def _datagrams(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        (size,) = _STAMP.unpack_from(content, at)
        yield content[at : at + size]
        at += size


def _last_s(data: bytes) -> float:
    """Return the data time of the last thing that a datagram tells."""
    *_, seconds, nanoseconds = HEADER.unpack_from(data)
    if data[4:8] == b"#SKM":
        last = list(_row_offsets(data))[-1]
        seconds, nanoseconds = Struct("<II").unpack_from(data, last)
    return float(seconds + nanoseconds * 1e-9)


def _row_offsets(skm: bytes) -> Iterator[int]:
    """Yield where the seconds of each row of a #SKM stand."""
    size, _, _, _, count, stride, _ = SKM.unpack_from(skm, BODY)
    for row in range(count):
        yield BODY + size + row * stride + _SKM_ROW_SECONDS


def restamp(
    data: bytes, shift_s: int, pings: int, moved_deg: tuple[float, float] = (0.0, 0.0)
) -> bytes:
    """Return a datagram as it would be `shift_s` seconds and `pings` pings later.

    Parameters
    ----------
    data : bytes
        One #MWC, #SPO, #SKM, or one of those with which a file begins.
    shift_s, pings : int
    moved_deg : tuple of float
        Degrees of latitude and longitude to be added to positions.
    """
    changed = bytearray(data)
    kind = data[4:8]
    _add(changed, _SECONDS, shift_s)
    if kind == b"#MWC":
        counter = int.from_bytes(data[_COUNTER_AT : _COUNTER_AT + 2], "little") + pings
        changed[_COUNTER_AT : _COUNTER_AT + 2] = (counter & 0xFFFF).to_bytes(2, "little")
    elif kind == b"#SPO":
        at = BODY + int.from_bytes(data[BODY : BODY + 2], "little")
        seconds, nanoseconds, quality, latitude, longitude, *rest = SPO.unpack_from(data, at)
        moved = latitude + moved_deg[0], longitude + moved_deg[1]
        SPO.pack_into(changed, at, seconds + shift_s, nanoseconds, quality, *moved, *rest)
    elif kind == b"#SKM":
        for offset in _row_offsets(data):
            _add(changed, offset, shift_s)
    return bytes(changed)


def _add(data: bytearray, offset: int, shift_s: int) -> None:
    (seconds,) = _STAMP.unpack_from(data, offset)
    _STAMP.pack_into(data, offset, seconds + shift_s)


class LoopWriter:
    """Writes an excerpt again and again into growing files.

    Parameters
    ----------
    lines : sequence of ExcerptLine
    folder : Path
    loop_s : int
        Data seconds from the beginning of one loop to that of the next; navigation beyond it is
        left to the next loop.
    start_s : int
        Data seconds by which the first loop is later than the excerpt.
    loops_per_file : int
        Loops that go into one pair of files, of an excerpt of one line.
    step_deg : tuple of float
        Degrees of latitude and longitude by which each loop lies beyond the one before: the
        same plumes at places of their own. (0, 0) sails the same water again.
    kept : int or None
        Pairs of files kept, the one being written among them: older ones are deleted, as a
        ship's archive does. None deletes none.

    Raises
    ------
    ConfigurationError
        An excerpt longer than a loop, or several lines for one pair of files.

    Attributes
    ----------
    swaths : int
        Written so far.
    """

    def __init__(
        self,
        lines: Sequence[ExcerptLine],
        folder: Path,
        *,
        loop_s: int,
        start_s: int = 0,
        loops_per_file: int = 1,
        step_deg: tuple[float, float] = (0.0, 0.0),
        kept: int | None = None,
    ) -> None:
        if loops_per_file > 1 and len(lines) > 1:
            raise ConfigurationError("expected one line where several loops are one file")
        self._end_s = lines[0].start_s + loop_s
        if max(each.due_s for each in lines[-1].body if each.is_swath) >= self._end_s:
            raise ConfigurationError(f"expected an excerpt of less than {loop_s} s")
        folder.mkdir(parents=True, exist_ok=True)
        self._lines, self._folder, self._loop_s, self._start_s = lines, folder, loop_s, start_s
        self._loops_per_file, self._step_deg, self._kept = loops_per_file, step_deg, kept
        self._pings = sum(line.swaths for line in lines)
        self._files: dict[str, BufferedWriter] = {}
        self._pairs: list[list[Path]] = []
        self.swaths = 0

    def datagrams(self) -> Iterator[Stamped]:
        """Yield what comes next, for ever, each to be given to `append` before the next."""
        for loop in itertools.count():
            shift_s, pings = self._start_s + loop * self._loop_s, loop * self._pings
            moved_deg = (loop * self._step_deg[0], loop * self._step_deg[1])
            for line in self._lines:
                if loop % self._loops_per_file == 0:
                    self._begin(line, shift_s, pings)
                for each in line.body:
                    if each.due_s < self._end_s:
                        data = restamp(each.data, shift_s, pings, moved_deg)
                        yield Stamped(due_s=each.due_s + shift_s, suffix=each.suffix, data=data)

    def append(self, what: Stamped) -> None:
        """Write a datagram: when this returns, every reader of the file sees it."""
        file = self._files[what.suffix]
        file.write(what.data)
        file.flush()
        self.swaths += what.is_swath

    def close(self) -> None:
        """Close the files being written."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _begin(self, line: ExcerptLine, shift_s: int, pings: int) -> None:
        """Begin a pair of files with installation and sound speed; delete what is too old."""
        self.close()
        start_utc = datetime.fromtimestamp(line.start_s + shift_s, UTC)
        name = f"{len(self._pairs):04d}_{start_utc:%Y%m%d_%H%M%S}_simulated"
        pair = [self._folder / f"{name}{suffix}" for suffix in (MOTION, WATER)]
        self._pairs.append(pair)
        for path in pair:
            file = self._files[path.suffix] = path.open("wb")
            for each in _datagrams(line.setup[path.suffix]):
                file.write(restamp(each, shift_s, pings))
            file.flush()
        for old in self._pairs[: -self._kept] if self._kept else ():
            for path in old:
                path.unlink(missing_ok=True)
