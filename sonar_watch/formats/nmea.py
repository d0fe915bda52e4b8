"""NMEA 0183 sentences, from ships' log lines and from the network, to navigation samples.

Read: GGA GNS RMC GLL (position), HDT (heading), VTG (course and speed), DPT (water depth),
PSXN,23 and PASHR (heading and motion); ZDA and RMC tell the clock. Everything else is not
navigation and gives None.

The quirks of real ships are let pass: no checksum, lower-case checksum, short sentences,
empty fields, dates 1024 weeks old after a rollover of the GPS week, several sentences in one
datagram with or without line ends, the envelopes of IEC 61162-450 (header, TAG blocks, groups;
what a TAG block says is not used, so its checksum is not asked for). What is refused, with
`FormatError`, is a wrong checksum and a field that is not what it must be. The stamp of
reception is trusted; a time of day in the sentence within two seconds of it is finer and
replaces it.

The fields are decoded here and not by a library, because those at hand refuse or silently
drop the sentences above (pynmeagps gives None for a sentence without checksum).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from sonar_watch.errors import FormatError, NavigationError
from sonar_watch.formats.nmea_sentences import DATES, DECODERS, Fields, Values, time_of_day
from sonar_watch.records import NavigationSample, parse_utc

GPS_ROLLOVER = timedelta(weeks=1024)
"""An old receiver's date is wrong by a multiple of this."""

REFINE_WITHIN_S = 2.0
"""How far the sentence's time of day may lie from the stamp of reception to replace it."""

LONGEST_LINE = 1024
"""Characters of a line with its stamp or envelope; the standard's sentences have 82."""

_SENTENCE = re.compile(r"\$(?P<body>[^*$!\r\n]*)(?:\*(?P<checksum>[0-9A-Fa-f]{2}))?\s*", re.ASCII)
_STAMPED = re.compile(
    r"(?:[\w./-]+[\s,;]+)?"  # OpenRVDAS may put the name of the instrument first
    r"(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"[\s,;]+(?P<rest>.*)",
    re.ASCII | re.DOTALL,
)
_ENVELOPE = re.compile(r"(?:UdPbC\x00?)?\s*(?:\\[^\\$]*\\?\s*)*")
_IN_A_LINE = re.compile(r"\$[^$\\]*")


def parse_sentence(
    sentence: str, received_utc: datetime, *, talker_prefix: str = "nmea"
) -> NavigationSample | None:
    """Return the navigation in one sentence, or None where there is none.

    None is the answer to sentences of other kinds, and to a navigation sentence whose
    instrument says that it has no fix, or leaves the fields empty.

    Parameters
    ----------
    sentence : str
        From `$` on; the `UdPbC` header and TAG blocks of IEC 61162-450 before it are dropped.
    received_utc : datetime
    talker_prefix : str
        Put before the address in the name of the sensor: "nmea" gives "nmea:INGGA".

    Raises
    ------
    FormatError
        No sentence, a wrong checksum, or a field that is not what it must be.
    """
    fields = _split_fields(sentence)
    decode = DECODERS.get(_kind(fields))
    if decode is None:
        return None
    try:
        values = decode(fields)
        time_s = _instant(received_utc, values.pop("time_of_day_s", None))
        if not values.keys() - {"position_sigma_m"}:
            return None
        return _sample(f"{talker_prefix}:{fields[0]}", time_s, values)
    except (FormatError, NavigationError, IndexError) as error:
        raise FormatError(f"{sentence.strip()[:100]!r}: {error}") from error


def parse_log_line(line: str, *, talker_prefix: str = "nmea") -> NavigationSample | None:
    """Return the navigation in one line of a ship's log, or None where there is none.

    A line is a UTC stamp of reception and a sentence, as OpenRVDAS and CORIOLIX write it:
    ``2014-08-01T00:00:00.285000Z $INGGA,...``. Lines of instruments that do not speak NMEA
    (no `$` after the stamp), empty lines and comments (`#`) give None.

    Raises
    ------
    FormatError
        No stamp, or a broken sentence.
    """
    found = split_log_line(line)
    if found is None:
        return None
    received_utc, sentence = found
    return parse_sentence(sentence, received_utc, talker_prefix=talker_prefix)


def split_log_line(line: str) -> tuple[datetime, str] | None:
    """Return the stamp of reception and the sentence of one line of a ship's log.

    None for lines that hold no sentence; see `parse_log_line`.

    Raises
    ------
    FormatError
        No stamp.
    """
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    stamped = _STAMPED.fullmatch(text[:LONGEST_LINE])
    if stamped is None:
        raise FormatError(f"expected a UTC stamp and a sentence, received {text[:100]!r}")
    try:
        received_utc = parse_utc(stamped["stamp"])
    except (ValueError, OverflowError) as error:
        raise FormatError(f"stamp {stamped['stamp']!r}: {error}") from error
    if not _strip_envelope(stamped["rest"]).startswith("$"):
        return None
    return received_utc, stamped["rest"]


def split_datagram(data: bytes) -> list[str]:
    """Return the sentences of one UDP datagram, envelopes and line ends removed.

    Binary datagrams (radar and files of IEC 61162-450) give an empty list.

    >>> split_datagram(b"UdPbC\\x00\\\\s:GP0001*28\\\\$GPHDT,1.0,T\\r\\n$GPHDT,2.0,T\\r\\n")
    ['$GPHDT,1.0,T', '$GPHDT,2.0,T']
    """
    text = data.decode("ascii", errors="replace")
    lines = (_strip_envelope(line) for line in re.split(r"[\r\n]+", text))
    spoken = (line for line in lines if line.startswith("$"))
    return [found.strip() for line in spoken for found in _IN_A_LINE.findall(line)]


class ClockReading(NamedTuple):
    """What the clock in a sentence says.

    Parameters
    ----------
    offset_s : float
        How far it is ahead of the stamp of reception, its date put right.
    rollovers : int
        By how many times 1024 weeks the date lay behind.
    """

    offset_s: float
    rollovers: int


def read_clock(sentence: str, received_utc: datetime) -> ClockReading | None:
    """Return what the clock in a ZDA or RMC says; a date wrong by whole rollovers is put right.

    None for other sentences and for empty fields.

    Raises
    ------
    FormatError
        As `parse_sentence`, and for a date that is in no calendar.
    """
    fields = _split_fields(sentence)
    read_date = DATES.get(_kind(fields))
    try:
        date = read_date(fields) if read_date else None
        seconds = time_of_day(fields[1]) if len(fields) > 1 and date else None
        if date is None or seconds is None:
            return None
        said = datetime(*date, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{sentence.strip()[:100]!r}: {error}") from error
    ahead = said - received_utc
    behind = round(-ahead / GPS_ROLLOVER)
    return ClockReading((ahead + behind * GPS_ROLLOVER).total_seconds(), behind)


def has_checksum(sentence: str) -> bool:
    """Tell whether a sentence carries a checksum.

    >>> has_checksum("\\\\s:GP0001*28\\\\$GPHDT,1.0,T"), has_checksum("$GPHDT,1.0,T*0C")
    (False, True)
    """
    return "*" in _strip_envelope(sentence)


def address_of(sentence: str) -> str:
    """Return what tells sentences of one kind and talker from others.

    >>> address_of("$PSXN,23,0.1,0.2,0.3,0.4*hh"), address_of("$INHDT,1.0,T")
    ('PSXN,23', 'INHDT')
    """
    fields = _strip_envelope(sentence[:LONGEST_LINE])[1:].split(",", 2)
    return ",".join(fields[:2]) if fields[0] == "PSXN" else fields[0]


def talker_of(sentence: str) -> str:
    """Return the two letters of the instrument that speaks, "" when there are none.

    >>> talker_of("$INZDA,120000,01,08,2014,,")
    'IN'
    """
    text = _strip_envelope(sentence[:LONGEST_LINE])
    return text[1:3] if text.startswith("$") else ""


def _strip_envelope(text: str) -> str:
    match = _ENVELOPE.match(text)
    return text[match.end() :] if match else text


def _split_fields(sentence: str) -> list[str]:
    """Return the address and the fields of a sentence whose checksum, if any, is right."""
    match = _SENTENCE.fullmatch(_strip_envelope(sentence[: LONGEST_LINE + 1]))
    if match is None or len(sentence) > LONGEST_LINE:
        raise FormatError(f"expected $address,fields*checksum, received {sentence[:100]!r}")
    body, said = match["body"], match["checksum"]
    computed = 0
    for character in body.encode("utf-8", "replace"):
        computed ^= character
    if said is not None and int(said, 16) != computed:
        raise FormatError(f"checksum {said}, computed {computed:02X}: {sentence.strip()[:100]!r}")
    return [field.strip() for field in body.split(",")]


def _kind(fields: Fields) -> str:
    address = fields[0]
    if address == "PSXN":
        return "PSXN" + (fields[1] if len(fields) > 1 else "")
    return address if address.startswith("P") else address[2:]


def _instant(received_utc: datetime, time_of_day_s: float | None) -> float:
    """Return seconds since 1970, of the sentence's time of day where that is near the stamp."""
    received_s = received_utc.timestamp()
    if time_of_day_s is None:
        return received_s
    midnight_s = round((received_s - time_of_day_s) / 86400.0) * 86400.0
    said_s = midnight_s + time_of_day_s
    return said_s if abs(said_s - received_s) <= REFINE_WITHIN_S else received_s


def _sample(sensor: str, time_s: float, values: Values) -> NavigationSample:
    sigma = values.pop("position_sigma_m", None)
    arrays = {name: np.array([value]) for name, value in values.items()}
    return NavigationSample(
        sensor=sensor,
        time_s=np.array([time_s]),
        position_sigma_m=sigma,
        **arrays,
    )
