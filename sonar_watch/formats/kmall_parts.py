"""Parts of one datagram -> the whole: #MWC and #MRZ are cut into pieces for UDP.

Files hold them joined; some loggers write the parts as they came, and in any order.
"""

from __future__ import annotations

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Datagram, unpack
from sonar_watch.formats.kmall_header import BODY, COMMON, HEADER, PARTITION, TRAILER

PARTED = frozenset({"#MWC", "#MRZ"})
_COMMON_IN_ALL_SINCE = {"#MWC": 2, "#MRZ": 2}
_HELD = 8


class PartitionJoiner:
    """Collects parts until a datagram is whole; at most `held` datagrams at a time.

    Parameters
    ----------
    held : int
        How many datagrams may be waited for at once; the oldest is given up beyond that.
    """

    def __init__(self, held: int = _HELD) -> None:
        self._held = held
        self._waiting: dict[bytes, tuple[int, dict[int, Datagram]]] = {}

    def add(self, datagram: Datagram) -> tuple[Datagram | None, list[Datagram]]:
        """Return the datagram that `datagram` is or completes, and what was given up for it.

        The whole has the offset of its first part in the file. What was given up is returned
        as one of its parts, for a message.

        Raises
        ------
        FormatError
            Part numbers that cannot be.
        """
        if datagram.kind not in PARTED:
            return datagram, []
        count, number = unpack(PARTITION, datagram.data, BODY, "partition")
        if not 1 <= number <= count:
            raise FormatError(f"{datagram.kind}: part {number} of {count} cannot be")
        if count == 1:
            return datagram, []
        key = _identity(datagram)
        parts = self._waiting.setdefault(key, (count, {}))[1]
        parts.setdefault(number, datagram)  # a part sent twice is the same part
        if len(parts) < count:
            return None, self._give_up()
        del self._waiting[key]
        return _join([parts[index] for index in sorted(parts)]), []

    def flush(self) -> list[Datagram]:
        """Give up everything that still waits; return one part of each."""
        waiting, self._waiting = self._waiting, {}
        return [_first(parts) for _, parts in waiting.values()]

    def _give_up(self) -> list[Datagram]:
        if len(self._waiting) <= self._held:
            return []
        oldest = next(iter(self._waiting))
        return [_first(self._waiting.pop(oldest)[1])]


def _first(parts: dict[int, Datagram]) -> Datagram:
    return min(parts.values(), key=lambda part: part.offset)


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
