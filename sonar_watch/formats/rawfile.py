"""A raw Kongsberg file, complete or growing -> its records, datagram by datagram."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import (
    Datagram,
    Decoder,
    IsDone,
    LineContext,
    RawItem,
    never,
)
from sonar_watch.formats.em import EmDecoder
from sonar_watch.formats.em_header import EmFraming
from sonar_watch.formats.kmall import KmallDecoder
from sonar_watch.formats.kmall_header import KmallFraming
from sonar_watch.records import Quarantined, SourceRef, WaterColumnPing, printable

__all__ = ["RAW_SUFFIXES", "LineContext", "RawFile", "is_water_column", "line_name", "twin_of"]

_TWINS = {".kmwcd": ".kmall", ".kmall": ".kmwcd", ".wcd": ".all", ".all": ".wcd"}
_FRAGMENT = "_frag"
_ITEMS_AT_ONCE = 1024
_BLOCK = 1 << 20
_TOLD_IN_FULL = 5
_HEAD_BYTES = 64
_TOLD_EACH = frozenset({"#MWC", "k"})
"""Of what a swath is made: each one lost is told."""

RAW_SUFFIXES: frozenset[str] = frozenset(_TWINS) | {suffix + _FRAGMENT for suffix in _TWINS}
"""Suffixes of raw files; SIS writes `_frag` behind them while a line is being recorded."""


class Framing(Protocol):
    """Where datagrams begin and end."""

    smallest: int
    head_bytes: int
    known: re.Pattern[bytes]
    lead_bytes: int

    def measure(self, head: bytes) -> tuple[str, int]:
        """Return type and size, or raise FormatError."""

    def check_end(self, tail: bytes, size: int) -> None:
        """Raise FormatError when the last bytes are not those of a datagram of `size`."""

    def check(self, data: bytes) -> None:
        """Raise FormatError when the datagram is not whole."""


def twin_of(path: Path) -> Path:
    """Return the other file of the line.

    >>> twin_of(Path("0001_20260102_030405.kmwcd_frag")).name
    '0001_20260102_030405.kmall_frag'

    Raises
    ------
    FormatError
        Not the suffix of a raw file.
    """
    suffix, fragment = _suffix(path)
    twin = _TWINS[suffix.lower()]
    return path.with_suffix((twin.upper() if suffix.isupper() else twin) + fragment)


def is_water_column(path: Path) -> bool:
    """Tell whether this is the file of a line that holds the water column.

    A `.kmall` or `.all` may hold it too; only reading it tells.
    """
    return _suffix(path)[0].lower() in (".kmwcd", ".wcd")


def line_name(path: Path) -> str:
    """Return the file name as it will be when the line is complete: ids and alerts carry it."""
    cut = len(_FRAGMENT) if path.name.lower().endswith(_FRAGMENT) else 0
    return printable(path.name[: len(path.name) - cut])


def _suffix(path: Path) -> tuple[str, str]:
    cut = len(path.suffix) - len(_FRAGMENT)
    whole, fragment = path.suffix[:cut], path.suffix[cut:]
    suffix, fragment = (whole, fragment) if fragment.lower() == _FRAGMENT else (path.suffix, "")
    if suffix.lower() not in _TWINS:
        raise FormatError(f"expected one of {', '.join(_TWINS)}", file=path.name)
    return suffix, fragment


class RawFile:
    """Reads what is complete, remembers where it was, never trips over what is broken.

    The file is opened by its name for each read and never mapped: another may have taken its
    place, its share may have been away, and it may be cut while it is read.

    A sensor that has failed writes the same broken datagram ten times a second for days. The
    first five of each type are told in full, the fifth saying that more are only counted (in
    `broken`). Lost swaths and skipped bytes are told each.

    Parameters
    ----------
    path : Path
        `.kmall`, `.kmwcd`, `.all` or `.wcd`, also with `_frag` appended.
    source : str
        Name of the source in the configuration.
    context : LineContext
        Shared with the twin.
    is_done : callable, optional
        Frame id -> True for swaths to skip from their header alone.
    water_column : bool
        False leaves the water column aside (in a twin read for its navigation).

    Attributes
    ----------
    path : Path
    offset : int
        First byte not yet consumed. Parts of a swath that is not yet whole are held, so a
        new reader begins at 0 with `is_done`, not here.
    broken : int
        What could not be used so far, told or not.

    Raises
    ------
    FormatError
        Not the suffix of a raw file.
    OSError
        The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        source: str,
        context: LineContext,
        is_done: IsDone = never,
        water_column: bool = True,
    ) -> None:
        self.path, self.offset, self.broken = path, 0, 0
        self._source, self._name = source, line_name(path)
        newer = _suffix(path)[0].lower() in (".kmall", ".kmwcd")
        self._framing: Framing = KmallFraming() if newer else EmFraming()
        family = KmallDecoder if newer else EmDecoder
        self._decoder: Decoder = family(
            source=source, file=self._name, context=context,
            is_done=is_done, water_column=water_column,
        )
        self._lost: tuple[int, str] | None = None
        self._looked_inside = (0, 0)
        self._told: Counter[str] = Counter()
        self._final = False
        self._head = b""
        with self._opened():
            pass

    def read(self, max_pings: int = 32) -> list[RawItem]:
        """Return everything newly complete, up to about `max_pings` swaths.

        An empty list means that there is nothing new at the moment. A cut end waits; a broken
        datagram becomes one Quarantined, and reading goes on at the next sound one.

        Raises
        ------
        OSError
            The file cannot be opened or read.
        """
        items: list[RawItem] = []
        pings = 0
        with self._opened():
            size = self._size()
            while pings < max_pings and len(items) < _ITEMS_AT_ONCE:
                found = self._step(size)
                if found is None:
                    break
                items += found
                pings += sum(isinstance(item, WaterColumnPing) for item in found)
            if len(self._head) < _HEAD_BYTES:
                self._head = self._bytes(0, min(self.offset, _HEAD_BYTES))
        return items

    def begins_as_before(self) -> bool:
        """Tell whether the file still begins with the bytes that were read.

        Raises
        ------
        OSError
            It cannot be opened.
        """
        with self._opened():
            return self._bytes(0, len(self._head)) == self._head

    def finish(self) -> list[RawItem]:
        """Return all that is left: the file will not grow. Cut bytes become a Quarantined.

        Raises
        ------
        OSError
            It cannot be opened or read.
        """
        self._final = True
        items: list[RawItem] = []
        while found := self.read():
            items += found
        left = self._decoder.flush()
        self.broken += len(left)
        return items + left

    def close(self) -> None:
        """Nothing to close: the file is open only while it is read."""

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self.path.open("rb", buffering=0) as self._file:
            yield

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _bytes(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count) or b""

    def _step(self, size: int) -> list[RawItem] | None:
        """Return what the next datagram gave; None when the file has no whole one left."""
        if self._lost:
            return self._find_again(size)
        if size - self.offset < self._framing.smallest:
            return self._at_end(size)
        try:
            return self._next(size)
        except FormatError as broken:
            return None if self._is_unwritten(size) else self._lose(size, str(broken))

    def _next(self, size: int) -> list[RawItem] | None:
        head = self._bytes(self.offset, self._framing.head_bytes)
        kind, length = self._framing.measure(head)
        if self.offset + length > size:
            return self._cut(size, kind, length)
        if not self._decoder.wants(head[:length]):
            self._framing.check_end(self._bytes(self.offset + length - 4, 4), length)
            self.offset += length
            return []
        data = self._whole(self.offset, length)
        return self._decode(Datagram(kind=kind, data=data, offset=self.offset))

    def _whole(self, offset: int, length: int) -> bytes:
        """Return a datagram, its end looked at first: a broken size may be of a hundred megabytes.

        FormatError when it is not whole.
        """
        self._framing.check_end(self._bytes(offset + length - 4, 4), length)
        data = self._bytes(offset, length)
        self._framing.check(data)
        return data

    def _decode(self, datagram: Datagram) -> list[RawItem]:
        self.offset += len(datagram.data)
        try:
            items = self._decoder.decode(datagram)
        except FormatError as broken:
            items = [self._quarantined(datagram.offset, str(broken))]
        return [told for item in items if (told := self._spare(datagram.kind, item)) is not None]

    def _spare(self, kind: str, item: RawItem) -> RawItem | None:
        """Count what is broken; return the item, None when enough like it were told."""
        if not isinstance(item, Quarantined):
            return item
        self.broken += 1
        self._told[kind] += 1
        if kind in _TOLD_EACH or self._told[kind] < _TOLD_IN_FULL:
            return item
        if self._told[kind] > _TOLD_IN_FULL:
            return None
        more = f"{item.reason} (more {kind} like this are counted, not told)"
        return replace(item, reason=more)

    def _is_unwritten(self, size: int) -> bool:
        """Tell whether zeros reach from within this datagram to the end of a growing file.

        On some file systems, network shares above all, the size runs ahead of the bytes.
        """
        try:
            _, length = self._framing.measure(self._bytes(self.offset, self._framing.head_bytes))
        except FormatError:
            length = self._framing.head_bytes
        last = min(self.offset + length, size) - 1
        return not self._final and not self._bytes(last, _BLOCK).strip(b"\0")

    def _at_end(self, size: int) -> list[RawItem] | None:
        """Wait for more, or give up the last bytes of a file that will not grow."""
        left = size - self.offset
        if not self._final or left <= 0:
            return None
        start, self.offset = self.offset, size
        self.broken += 1
        return [self._quarantined(start, f"the file ends in {left} bytes that are no datagram")]

    def _cut(self, size: int, kind: str, length: int) -> list[RawItem] | None:
        """Wait for the rest of a datagram, unless another one begins inside it."""
        reason = f"{kind} says {length} bytes, the file ends after {size - self.offset}"
        if self._final:
            return self._lose(size, reason)
        place, enough = self._looked_inside
        if place == self.offset and size < enough:
            return None
        self._looked_inside = (self.offset, 2 * size - self.offset)  # look again at twice as much
        inside = self._search(self.offset + 1, size, whole=True)
        return None if inside is None else self._lose(size, reason)

    def _lose(self, size: int, reason: str) -> list[RawItem] | None:
        self._lost = (self.offset, reason)
        self.offset += 1
        return self._find_again(size)

    def _find_again(self, size: int) -> list[RawItem] | None:
        """Go to the next sound datagram; tell once what was skipped."""
        start, reason = self._lost or (self.offset, "")
        found = self._search(self.offset, size, whole=self._final)
        if found is None and not self._final:
            self.offset = max(self.offset, size - self._framing.head_bytes)
            return None
        self._lost, self.offset = None, size if found is None else found
        self.broken += 1
        skipped = self.offset - start
        return [self._quarantined(start, f"{reason}; {skipped} bytes skipped")]

    def _search(self, start: int, size: int, *, whole: bool) -> int | None:
        """Return where the next sound datagram begins; one that is cut only if not `whole`."""
        overlap = self._framing.head_bytes
        while start < size:
            block = self._bytes(start, _BLOCK + overlap)
            for match in self._framing.known.finditer(block):
                place = start + match.start() - self._framing.lead_bytes
                if place >= start and self._is_sound(place, size, whole=whole):
                    return place
            start += _BLOCK
        return None

    def _is_sound(self, place: int, size: int, *, whole: bool) -> bool:
        try:
            _, length = self._framing.measure(self._bytes(place, self._framing.head_bytes))
            if place + length > size:
                return not whole
            self._whole(place, length)
        except FormatError:
            return False
        return True

    def _quarantined(self, offset: int, reason: str) -> Quarantined:
        ref = SourceRef(source=self._source, file=self._name, offset=offset)
        return Quarantined(source=ref, reason=f"{self._name} at byte {offset}: {reason}")
