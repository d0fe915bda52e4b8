"""Framing of `.all` and `.wcd` datagrams: lengths, STX, ETX, checksum, date and time.

Little-endian; Kongsberg document 850-160692.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct

import numpy as np

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import unpack

HEADER = Struct("<IBBHIIHH")
BODY = HEADER.size
END = Struct("<BH")
STX, ETX = 0x02, 0x03
LARGEST = 1 << 20
"""Bytes of a datagram; they were made for UDP and stay below 64 kB."""

_MILLISECONDS_A_DAY = 86_400_000
_FIRST_YEAR, _LAST_YEAR = 1970, 2105
"""Of any sounder, and of the seconds since 1970 that KMALL counts: a clock in the year 1 is broken,
and a second before it or after 9999 could not be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The head of a datagram.

    Parameters
    ----------
    size : int
        Bytes in the file, the length field included.
    kind : str
        One letter or digit, such as "k".
    model : int
        Such as 710.
    serial : int
    counter : int
        Ping counter, or sequence number of the sensor.
    time_utc : datetime
    """

    size: int
    kind: str
    model: int
    serial: int
    counter: int
    time_utc: datetime

    @property
    def sounder(self) -> str:
        """Model and serial number, such as "em710-210"."""
        return f"em{self.model}-{self.serial}"


def parse_header(data: bytes) -> Header:
    """Return the header at the start of `data`.

    Raises
    ------
    FormatError
        No datagram begins so.
    """
    length, stx, kind, model, date, milliseconds, counter, serial = unpack(
        HEADER, data, 0, "header"
    )
    if stx != STX or not 0x21 <= kind <= 0x7E:
        raise FormatError(f"expected STX and a datagram type, received {stx:#x} {kind:#x}")
    if not BODY + END.size <= length + 4 <= LARGEST:
        raise FormatError(f"{chr(kind)!r}: impossible length {length}")
    return Header(
        size=length + 4,
        kind=chr(kind),
        model=model,
        serial=serial,
        counter=counter,
        time_utc=parse_time(date, milliseconds),
    )


def parse_time(date: int, milliseconds: int) -> datetime:
    """Return the instant of a date YYYYMMDD and milliseconds since midnight.

    >>> parse_time(20120821, 61782359).isoformat()
    '2012-08-21T17:09:42.359000+00:00'

    Raises
    ------
    FormatError
        There is no such day, it has no such millisecond, or its year is of no sounder.
    """
    try:
        day = datetime(date // 10_000, date // 100 % 100, date % 100, tzinfo=UTC)
    except ValueError:
        raise FormatError(f"expected a date YYYYMMDD, received {date}") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise FormatError(f"expected a year of {_FIRST_YEAR} to {_LAST_YEAR}, received {date}")
    if milliseconds >= _MILLISECONDS_A_DAY + 1000:  # a leap second has its place
        raise FormatError(f"impossible {milliseconds} ms since midnight")
    return day + timedelta(milliseconds=milliseconds)


def date_and_time(time_utc: datetime) -> tuple[int, int]:
    """Return date YYYYMMDD and whole milliseconds since midnight."""
    rounded = time_utc.astimezone(UTC) + timedelta(microseconds=500)
    midnight = rounded.replace(hour=0, minute=0, second=0, microsecond=0)
    date = rounded.year * 10_000 + rounded.month * 100 + rounded.day
    return date, (rounded - midnight) // timedelta(milliseconds=1)


def frame_datagram(
    kind: str, time_utc: datetime, body: bytes, *, sounder: str, counter: int
) -> bytes:
    """Return `body` with length, header, padding to an even length, ETX and checksum."""
    model, serial = _model_and_serial(sounder)
    date, milliseconds = date_and_time(time_utc)
    body += bytes((BODY + len(body) + END.size) % 2)
    length = BODY - 4 + len(body) + END.size
    head = HEADER.pack(
        length, STX, ord(kind), model, date, milliseconds, counter & 0xFFFF, serial
    )
    data = head + body
    return data + END.pack(ETX, checksum(data[5:]))


def checksum(content: bytes) -> int:
    """Return the sum of the bytes between STX and ETX, modulo 65536."""
    return int(np.frombuffer(content, np.uint8).sum(dtype=np.uint32)) & 0xFFFF


def _model_and_serial(sounder: str) -> tuple[int, int]:
    match = re.fullmatch(r"\D*(\d+)(?:-(\d+))?", sounder)
    model, serial = (int(match[1]), int(match[2] or 0)) if match else (-1, -1)
    if not (0 <= model <= 0xFFFF and 0 <= serial <= 0xFFFF):
        raise FormatError(f"expected a sounder such as em710-210, received {sounder!r}")
    return model, serial


class EmFraming:
    """Where datagrams begin and end in a file of SIS 3 or 4."""

    smallest = BODY + END.size
    head_bytes = 64
    known = re.compile(rb"(?s)\x02[01345ACDEFGHIJKLMNOPQRSTUVWXYbfhijklmnrs]")
    lead_bytes = 4

    def measure(self, head: bytes) -> tuple[str, int]:
        """Return type and size in bytes of the datagram that begins with `head`.

        Raises
        ------
        FormatError
            None can begin so.
        """
        header = parse_header(head)
        return header.kind, header.size

    def check_end(self, tail: bytes, size: int) -> None:
        """Look for ETX before the checksum.

        Raises
        ------
        FormatError
            It is not there.
        """
        if len(tail) < END.size or tail[-END.size] != ETX:
            raise FormatError(f"expected ETX at the end of {size} bytes")

    def check(self, data: bytes) -> None:
        """Check ETX and checksum of a whole datagram.

        Raises
        ------
        FormatError
            One of them is wrong.
        """
        self.check_end(data, len(data))
        (_, stored) = END.unpack(data[-END.size :])
        summed = checksum(data[5 : -END.size])
        if stored != summed:
            raise FormatError(f"expected the checksum {stored}, summed up {summed}")
