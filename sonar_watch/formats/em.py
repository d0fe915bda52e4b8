"""`.all` and `.wcd` (SIS 3 and 4): datagrams -> records, and the encoders.

Little-endian; Kongsberg document 850-160692. Angles are + port in the bytes and + starboard in
the records: `em_water` turns them round, nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

from sonar_watch.formats.datagrams import Datagram, IsDone, LineContext, RawItem, never
from sonar_watch.formats.em_header import Header, parse_header
from sonar_watch.formats.em_sensors import decode_a, decode_p, encode_a, encode_p
from sonar_watch.formats.em_setup import (
    decode_i,
    decode_r,
    decode_u,
    encode_i,
    encode_r,
    encode_u,
    mounting_of,
)
from sonar_watch.formats.em_water import decode_k, encode_k, part_numbers
from sonar_watch.records import Quarantined, SourceRef, identify, iso_utc

__all__ = ["EmDecoder", "encode_a", "encode_i", "encode_k", "encode_p", "encode_r", "encode_u"]

_HELD = 8
_MOST_BYTES = 1 << 26
"""Of all datagrams that wait for others of their swath: a broken count may ask for 65,535."""


class EmDecoder:
    """Datagrams of one file or stream -> records.

    Parameters
    ----------
    source, file : str
        Written into what is found.
    context : LineContext
        Shared with the twin.
    is_done : callable
        Frame id -> True when that swath need not be decoded again.
    water_column : bool
        False leaves 'k' aside.
    """

    def __init__(
        self,
        *,
        source: str,
        file: str,
        context: LineContext,
        is_done: IsDone = never,
        water_column: bool = True,
    ) -> None:
        self._source, self._file = source, file
        self._shared, self._own = context, LineContext()
        self._is_done, self._water_column = is_done, water_column
        self._swaths: dict[tuple[object, ...], dict[int, Datagram]] = {}
        self._waiting_bytes = 0
        self._decoders: dict[str, Callable[[Datagram, Header], list[RawItem]]] = {
            "k": self._water,
            "P": self._position,
            "A": self._attitude,
            "I": self._installation,
            "R": self._runtime,
            "U": self._profile,
        }

    def wants(self, head: bytes) -> bool:
        """Tell from its first bytes whether a datagram has something new to say."""
        header = parse_header(head)
        if header.kind == "k":
            return self._water_column and not self._swath_done(header)
        return header.kind in self._decoders

    def decode(self, datagram: Datagram) -> list[RawItem]:
        """Return what this datagram, one that `wants` asked for, completes.

        Raises
        ------
        FormatError
            It breaks its format.
        """
        decoder = self._decoders.get(datagram.kind)
        return decoder(datagram, parse_header(datagram.data)) if decoder else []

    def flush(self) -> list[RawItem]:
        """Return a Quarantined for each swath that waits for datagrams."""
        return [self._missing(self._take(key)) for key in list(self._swaths)]

    def _swath_done(self, header: Header) -> bool:
        if self._is_done is never:
            return False
        return self._is_done(
            identify(header.sounder, header.counter, 0, iso_utc(header.time_utc))
        )

    def _missing(self, parts: dict[int, Datagram]) -> Quarantined:
        head = parse_header(next(iter(parts.values())).data)
        count, _ = part_numbers(next(iter(parts.values())).data)
        return Quarantined(
            source=self._ref(parts, head),
            reason=f"'k': ping {head.counter} has {len(parts)} of its {count} datagrams",
        )

    def _ref(self, parts: dict[int, Datagram], header: Header) -> SourceRef:
        offset = min(part.offset for part in parts.values())
        return SourceRef(
            source=self._source, file=self._file, offset=offset,
            ping_counter=header.counter, swath=0,
        )

    def _water(self, datagram: Datagram, header: Header) -> list[RawItem]:
        count, number = part_numbers(datagram.data)
        key = (header.sounder, header.counter, header.time_utc, count)
        parts = self._swaths.setdefault(key, {})
        if number not in parts:
            parts[number] = datagram
            self._waiting_bytes += len(datagram.data)
        if len(parts) < count:
            return self._give_up()
        self._take(key)
        ping = decode_k(
            [parts[index].data for index in sorted(parts)],
            context=self._own.completed_by(self._shared), source=self._ref(parts, header),
        )
        return [ping]

    def _take(self, key: tuple[object, ...]) -> dict[int, Datagram]:
        """Return the datagrams of a swath that wait no more."""
        parts = self._swaths.pop(key)
        self._waiting_bytes -= sum(len(part.data) for part in parts.values())
        return parts

    def _give_up(self) -> list[RawItem]:
        """Let go of the oldest swaths when too many or too much wait."""
        lost: list[RawItem] = []
        while len(self._swaths) > _HELD or self._waiting_bytes > _MOST_BYTES:
            lost.append(self._missing(self._take(next(iter(self._swaths)))))
        return lost

    def _position(self, datagram: Datagram, header: Header) -> list[RawItem]:
        sample = decode_p(datagram.data, header)
        return [sample] if sample else []

    def _attitude(self, datagram: Datagram, header: Header) -> list[RawItem]:
        sample = decode_a(datagram.data, header)
        return [sample] if sample else []

    def _installation(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        self._own.mounting = mounting_of(decode_i(datagram.data))
        self._shared.offer(self._own)
        return []

    def _runtime(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        self._own.mode, self._own.beam_width_deg = decode_r(datagram.data)
        self._shared.offer(self._own)
        return []

    def _profile(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        self._own.profile = decode_u(datagram.data)
        self._shared.offer(self._own)
        return []
