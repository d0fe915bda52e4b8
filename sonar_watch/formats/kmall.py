"""KMALL (`.kmall`, `.kmwcd`, UDP of SIS 5): datagrams -> records, and the encoders.

Little-endian; Kongsberg document 410224, revisions H to J. Angles are + port in the bytes and
+ starboard in the records: `kmall_mwc` turns them round, nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import (
    Datagram,
    IsDone,
    LineContext,
    RawItem,
    never,
)
from sonar_watch.formats.kmall_header import BODY, PARTITION, Header, parse_common, parse_header
from sonar_watch.formats.kmall_mwc import decode_mwc, encode_mwc
from sonar_watch.formats.kmall_parts import Lost, PartitionJoiner, split_datagram
from sonar_watch.formats.kmall_sensors import decode_skm, decode_spo, encode_skm, encode_spo
from sonar_watch.formats.kmall_setup import (
    decode_che,
    decode_svp,
    decode_text,
    encode_che,
    encode_iip,
    encode_iop,
    encode_svp,
    mounting_of,
    serial_of,
)
from sonar_watch.records import Quarantined, SourceRef, identify, iso_utc

__all__ = [
    "READ",
    "KmallDecoder",
    "PartitionJoiner",
    "encode_che",
    "encode_iip",
    "encode_iop",
    "encode_mwc",
    "encode_skm",
    "encode_spo",
    "encode_svp",
    "split_datagram",
]

READ = frozenset({"#MWC", "#SPO", "#SKM", "#IIP", "#SVP", "#CHE"})
"""Types of datagram that are read; others are stepped over."""

_HEAVES_KEPT = 64


class KmallDecoder:
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
        False leaves #MWC aside.
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
        self._joiner = PartitionJoiner()
        self._heaves: dict[tuple[int, int], float] = {}
        self._decoders: dict[str, Callable[[Datagram, Header], list[RawItem]]] = {
            "#MWC": self._water,
            "#SPO": self._position,
            "#SKM": self._attitude,
            "#IIP": self._installation,
            "#SVP": self._profile,
            "#CHE": self._heave,
        }

    def wants(self, head: bytes) -> bool:
        """Tell from its first 64 bytes whether a datagram has something new to say."""
        kind = head[4:8].decode("ascii", "replace")
        if kind != "#MWC":
            return kind in READ
        in_parts = head[BODY : BODY + 2] != b"\x01\x00"
        return self._water_column and (in_parts or not self._swath_done(head))

    def decode(self, datagram: Datagram) -> list[RawItem]:
        """Return what this datagram, one that `wants` asked for, completes.

        Raises
        ------
        FormatError
            It breaks its format.
        """
        if datagram.kind not in self._decoders:
            return []
        whole, lost = self._joiner.add(datagram)
        items = self._missing(lost)
        joined = whole is not datagram
        if whole is not None and not (joined and self._swath_done(whole.data)):
            items += self._decoders[whole.kind](whole, parse_header(whole.data))
        return items

    def flush(self) -> list[RawItem]:
        """Return a Quarantined for each datagram that waits for parts."""
        return self._missing(self._joiner.flush())

    def _missing(self, lost: list[Lost]) -> list[RawItem]:
        firsts = [each.first for each in lost]
        return [self._told(part.offset, f"{part.kind}: parts are missing") for part in firsts]

    def _told(self, offset: int, reason: str) -> Quarantined:
        said = FormatError(reason, file=self._file, offset=offset)
        return Quarantined(source=self._ref(offset), reason=str(said))

    def _ref(self, offset: int) -> SourceRef:
        return SourceRef(source=self._source, file=self._file, offset=offset)

    def _swath_done(self, data: bytes) -> bool:
        if self._is_done is never:
            return False
        header, common = parse_header(data), parse_common(data, BODY + PARTITION.size)
        return self._is_done(
            identify(header.sounder, common.ping_counter, common.swath, iso_utc(header.time_utc))
        )

    def _water(self, datagram: Datagram, header: Header) -> list[RawItem]:
        common = parse_common(datagram.data, BODY + PARTITION.size)
        ref = SourceRef(
            source=self._source, file=self._file, offset=datagram.offset,
            ping_counter=common.ping_counter, swath=common.swath,
        )
        heave_m = self._heaves.get((common.ping_counter, common.swath))
        return [
            decode_mwc(
                datagram.data, header, common,
                context=self._own.completed_by(self._shared), source=ref, heave_m=heave_m,
            )
        ]

    def _position(self, datagram: Datagram, header: Header) -> list[RawItem]:
        sample = decode_spo(datagram.data, header)
        return [sample] if sample else []

    def _attitude(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        sample, broken = decode_skm(datagram.data)
        items: list[RawItem] = [sample] if sample else []
        return [*items, self._told(datagram.offset, broken)] if broken else items

    def _installation(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        text = decode_text(datagram.data)
        self._own.mounting, self._own.serial = mounting_of(text), serial_of(text)
        self._shared.offer(self._own)
        return []

    def _profile(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        self._own.profile = decode_svp(datagram.data)
        self._shared.offer(self._own)
        return []

    def _heave(self, datagram: Datagram, _header: Header) -> list[RawItem]:
        common, heave_m = decode_che(datagram.data)
        self._heaves[common.ping_counter, common.swath] = heave_m
        while len(self._heaves) > _HEAVES_KEPT:
            del self._heaves[next(iter(self._heaves))]
        return []
