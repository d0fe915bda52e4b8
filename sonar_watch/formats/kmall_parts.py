"""Parts of one datagram -> the whole: #MWC and #MRZ are cut into pieces for UDP.

Files hold them joined; some loggers write the parts as they came, and in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Datagram, unpack
from sonar_watch.formats.kmall_header import (
    BODY,
    COMMON,
    HEADER,
    LARGEST,
    PARTITION,
    TRAILER,
    parse_common,
)

PARTED = frozenset({"#MWC", "#MRZ"})
MOST_PARTS = 8192
"""The largest datagram in parts of 64,000 bytes has about 2,100."""

_COMMON_IN_ALL_SINCE = {"#MWC": 2, "#MRZ": 2}
_HELD = 8
_OVER_KEPT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A datagram that was given up.

    Parameters
    ----------
    first : Datagram
        The first of its parts that came.
    missing, count : int
        How many parts never came, and how many there are.
    """

    first: Datagram
    missing: int
    count: int

    @property
    def swath(self) -> str:
        """Its ping and swath in words, "" where the parts do not tell."""
        if not _has_common(self.first) and _numbers(self.first)[1] != 1:
            return ""
        common = parse_common(self.first.data, BODY + PARTITION.size)
        return f"ping {common.ping_counter} swath {common.swath}"


@dataclass(slots=True)
class _Partial:
    """The parts of one datagram that have come, and when the last of them did."""

    count: int
    parts: dict[int, Datagram] = field(default_factory=dict)
    size: int = 0
    arrived_s: float = 0.0
    seen: int = 0

    @property
    def first(self) -> Datagram:
        return min(self.parts.values(), key=lambda part: part.offset)

    @property
    def lost(self) -> Lost:
        return Lost(first=self.first, missing=self.count - len(self.parts), count=self.count)


class PartitionJoiner:
    """Collects parts until a datagram is whole, within limits; beyond them the oldest is lost.

    A part of what is whole or lost already, late or sent twice, is passed over.

    Parameters
    ----------
    held : int
        How many datagrams may be waited for at once.
    most_bytes : int
        Of all parts that wait.
    most_seen : int
        Datagrams that may come after the last part of one that is waited for.
    longest_s : float
        Seconds that may pass after it, by the `arrived_s` that the caller gives.
    """

    def __init__(
        self,
        held: int = _HELD,
        *,
        most_bytes: int = LARGEST,
        most_seen: int | None = None,
        longest_s: float = math.inf,
    ) -> None:
        self._held, self._most_bytes = held, most_bytes
        self._most_seen, self._longest_s = most_seen, longest_s
        self._waiting: dict[bytes, _Partial] = {}
        self._over: dict[bytes, None] = {}
        self._seen = 0

    @property
    def earliest_s(self) -> float:
        """Data time of the earliest datagram that waits, seconds since 1970; inf: none does."""
        return min((_time_s(partial.first) for partial in self._waiting.values()), default=math.inf)

    def add(
        self, datagram: Datagram, arrived_s: float = 0.0
    ) -> tuple[Datagram | None, list[Lost]]:
        """Return the datagram that `datagram` is or completes, and what was given up.

        The whole has the offset of its first part in the file.

        Raises
        ------
        FormatError
            Part numbers that cannot be; nothing has changed then.
        """
        count, number = _numbers(datagram)
        self._seen += 1
        if count == 1:
            return datagram, self.expire(arrived_s)
        key = _identity(datagram)
        if key in self._over:
            return None, self.expire(arrived_s)
        partial = self._waiting.setdefault(key, _Partial(count))
        if number not in partial.parts:
            partial.parts[number] = datagram
            partial.size += len(datagram.data)
        partial.arrived_s, partial.seen = arrived_s, self._seen
        if len(partial.parts) < count:
            return None, self.expire(arrived_s)
        del self._waiting[key]
        if _has_common(datagram):  # else the next receive fan may look the same
            self._forget(key)
        whole = _join([partial.parts[each] for each in sorted(partial.parts)])
        return whole, self.expire(arrived_s)

    def expire(self, now_s: float) -> list[Lost]:
        """Give up what is beyond a limit at `now_s`, by the clock of `arrived_s`."""
        lost = [self._give_up(key) for key in [*self._waiting] if self._is_old(key, now_s)]
        while len(self._waiting) > self._held or self._size() > self._most_bytes:
            lost.append(self._give_up(next(iter(self._waiting))))
        return lost

    def flush(self) -> list[Lost]:
        """Give up everything that still waits."""
        return [self._give_up(key) for key in [*self._waiting]]

    def _is_old(self, key: bytes, now_s: float) -> bool:
        partial = self._waiting[key]
        passed = self._most_seen is not None and self._seen - partial.seen > self._most_seen
        return passed or now_s - partial.arrived_s > self._longest_s

    def _size(self) -> int:
        return sum(partial.size for partial in self._waiting.values())

    def _give_up(self, key: bytes) -> Lost:
        self._forget(key)
        return self._waiting.pop(key).lost

    def _forget(self, key: bytes) -> None:
        self._over[key] = None
        while len(self._over) > _OVER_KEPT:
            del self._over[next(iter(self._over))]


def _numbers(datagram: Datagram) -> tuple[int, int]:
    """Return how many parts there are, and which this is."""
    if datagram.kind not in PARTED:
        return 1, 1
    count, number = unpack(PARTITION, datagram.data, BODY, "partition")
    if not 1 <= number <= count <= MOST_PARTS:
        raise FormatError(f"{datagram.kind}: part {number} of {count} cannot be")
    start = BODY + PARTITION.size
    with_common = number == 1 or _has_common(datagram)
    smallest = start + TRAILER.size + (COMMON.size if with_common else 0)
    if count > 1 and len(datagram.data) < smallest:
        raise FormatError(f"{datagram.kind}: a part of {len(datagram.data)} bytes cannot be")
    return count, number


def _time_s(datagram: Datagram) -> float:
    *_, seconds, nanoseconds = unpack(HEADER, datagram.data, 0, "header")
    return float(seconds + nanoseconds * 1e-9)


def _has_common(datagram: Datagram) -> bool:
    version = datagram.data[8]
    return version >= _COMMON_IN_ALL_SINCE[datagram.kind]


def _identity(datagram: Datagram) -> bytes:
    """Return what all parts of a datagram share: type to time, number of parts, swath."""
    data = datagram.data
    shared = data[4:BODY] + data[BODY : BODY + 2]
    start = BODY + PARTITION.size
    return shared + (data[start : start + COMMON.size] if _has_common(datagram) else b"")


def _join(parts: list[Datagram]) -> Datagram:
    head = parts[0]
    start = BODY + PARTITION.size
    skip = start + (COMMON.size if _has_common(head) else 0)
    body = head.data[start : -TRAILER.size] + b"".join(
        part.data[skip : -TRAILER.size] for part in parts[1:]
    )
    size = start + len(body) + TRAILER.size
    data = size.to_bytes(4, "little") + head.data[4 : HEADER.size] + PARTITION.pack(1, 1) + body
    return Datagram(
        kind=head.kind,
        data=data + TRAILER.pack(size),
        offset=min(part.offset for part in parts),
    )


def split_datagram(data: bytes, largest: int) -> list[bytes]:
    """Return the parts of a whole #MWC or #MRZ, each of at most `largest` bytes.

    Raises
    ------
    FormatError
        Not such a datagram, or no room for a head in a part.
    """
    whole = Datagram(kind=data[4:8].decode("ascii", "replace"), data=data, offset=0)
    if whole.kind not in PARTED:
        raise FormatError(f"{whole.kind!r} is never split")
    start = BODY + PARTITION.size
    repeated = data[start : start + COMMON.size] if _has_common(whole) else b""
    room = largest - start - TRAILER.size - COMMON.size
    if room < 1:
        raise FormatError(f"no room for a datagram's head in parts of {largest} bytes")
    first, rest = data[start : start + COMMON.size], data[start + COMMON.size : -TRAILER.size]
    pieces = [rest[at : at + room] for at in range(0, max(len(rest), 1), room)]
    return [
        _part(data, number, len(pieces), (repeated if number > 1 else first) + piece)
        for number, piece in enumerate(pieces, start=1)
    ]


def _part(data: bytes, number: int, count: int, body: bytes) -> bytes:
    size = BODY + PARTITION.size + len(body) + TRAILER.size
    head = size.to_bytes(4, "little") + data[4:BODY] + PARTITION.pack(count, number)
    return head + body + TRAILER.pack(size)
