"""KMALL framing: the 20-byte header, the common part, text and sounder words.

Little-endian; Kongsberg document 410224, revisions H to J. Every part says its own size, and
readers step by those sizes, so that newer revisions with longer parts are still read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from struct import Struct

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import seconds_of, unpack, utc_from

HEADER = Struct("<I4sBBHII")
PARTITION = Struct("<HH")
COMMON = Struct("<HHBBBBBBBB")
TRAILER = Struct("<I")
BODY = HEADER.size
SMALLEST = BODY + TRAILER.size
LARGEST = 1 << 27
"""Bytes; the largest water column known is about 12 MB."""

_KIND = re.compile(rb"#[A-Z0-9]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The head of a datagram.

    Parameters
    ----------
    size : int
        Bytes of the whole datagram, header and trailer included.
    kind : str
        Such as "#MWC".
    version : int
    sounder : str
        Such as "em2042".
    system : int
        Which of several sounders of one model on board: as a rule the last number of its address.
    time_utc : datetime
        Truncated to microseconds.
    """

    size: int
    kind: str
    version: int
    sounder: str
    system: int
    time_utc: datetime


def parse_header(data: bytes) -> Header:
    """Return the header at the start of `data`.

    Raises
    ------
    FormatError
        Not a KMALL header, or sizes and times no datagram has.
    """
    fields = unpack(HEADER, data, 0, "header")
    size, kind = _size_and_kind(*fields)
    _, _, version, system, model, seconds, nanoseconds = fields
    return Header(
        size=size,
        kind=kind,
        version=version,
        sounder=f"em{model}",
        system=system,
        time_utc=utc_from(seconds, nanoseconds // 1000),
    )


def _size_and_kind(size: int, kind: bytes, *rest: int) -> tuple[int, str]:
    """Return both when the fields of a header can be true."""
    if not _KIND.fullmatch(kind):
        raise FormatError(f"expected a datagram type such as #MWC, received {kind!r}")
    if not SMALLEST <= size <= LARGEST:
        raise FormatError(f"{kind.decode()}: impossible size {size} bytes")
    if rest[-1] >= 1_000_000_000:
        raise FormatError(f"{kind.decode()}: impossible nanoseconds {rest[-1]}")
    return size, kind.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The part that ping datagrams (#MWC, #MRZ, #CHE) share."""

    size: int
    ping_counter: int
    fans: int
    fan: int
    swaths: int
    swath_along: int

    @property
    def swath(self) -> int:
        """Index within one transmission: along-track position first, then receive fan."""
        return self.swath_along * max(self.fans, 1) + self.fan


def parse_common(data: bytes, offset: int) -> Common:
    """Return the common part at `offset`.

    Raises
    ------
    FormatError
        The datagram ends before it.
    """
    size, counter, fans, fan, swaths, along, *_ = unpack(COMMON, data, offset, "common part")
    return Common(
        size=size, ping_counter=counter, fans=fans, fan=fan, swaths=swaths, swath_along=along
    )


def frame_datagram(
    kind: str, time_utc: datetime, body: bytes, *, sounder: str, version: int
) -> bytes:
    """Return `body` with header, padding to four bytes and trailer."""
    body += bytes(-len(body) % 4)
    size = SMALLEST + len(body)
    seconds, microseconds = seconds_of(time_utc)
    head = HEADER.pack(
        size, kind.encode(), version, 40, sounder_model(sounder), seconds, microseconds * 1000
    )
    return head + body + TRAILER.pack(size)


def sounder_model(sounder: str) -> int:
    """Return the model number in a sounder's word.

    >>> sounder_model("em710-210")
    710

    Raises
    ------
    FormatError
        There is none.
    """
    match = re.match(r"\D*(\d+)", sounder)
    if match is None or int(match[1]) > 0xFFFF:
        raise FormatError(f"expected a sounder such as em2042, received {sounder!r}")
    return int(match[1])


class KmallFraming:
    """Where datagrams begin and end in a file of SIS 5."""

    smallest = SMALLEST
    head_bytes = 64
    known = re.compile(
        rb"#(?:I(?:IP|OP|BE|BR|BS)|S(?:PO|KM|VP|VT|CL|DE|HI|HA|PE|PD)|M(?:RZ|WC)|C(?:PO|HE)|FCF)"
    )
    lead_bytes = 4

    def measure(self, head: bytes) -> tuple[str, int]:
        """Return type and size in bytes of the datagram that begins with `head`.

        Raises
        ------
        FormatError
            None can begin so.
        """
        size, kind = _size_and_kind(*unpack(HEADER, head, 0, "header"))
        return kind, size

    def check_end(self, tail: bytes, size: int) -> None:
        """Compare the last four bytes of a datagram with its size.

        Raises
        ------
        FormatError
            They differ.
        """
        (repeated,) = unpack(TRAILER, tail, len(tail) - TRAILER.size, "trailer")
        if repeated != size:
            raise FormatError(f"expected the size {size} again at the end, received {repeated}")

    def check(self, data: bytes) -> None:
        """Check a whole datagram; KMALL has no checksum, only the size at both ends.

        Raises
        ------
        FormatError
            The sizes differ.
        """
        self.check_end(data, len(data))
