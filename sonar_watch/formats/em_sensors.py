"""'P' positions and 'A' attitude of `.all` and `.wcd`: bytes <-> NavigationSample.

'P' gives the antenna as it would be on a level ship: the sounder has taken out roll and pitch
(seen in real files: it differs from the sentence it came from by mast height times sine of
roll). Lever arms in the pings of these files therefore count from the antenna.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import (
    as_format_error,
    check_position,
    seconds_of,
    thin,
    unpack,
    utc_from,
)
from sonar_watch.formats.em_header import BODY, END, Header, frame_datagram
from sonar_watch.records import FloatArray, NavigationSample

_POSITION = Struct("<iiHHHHBB")
_UNKNOWN = 0xFFFF
_NO_ANGLE = 0x7FFFFFFF
_NONE = (0, 0)
_ACTIVE = 0x80
_OWN_TIME = 0x40
_SENTENCE_TIME = re.compile(rb"(?:GGA|GNS|GGK|RMC),(\d\d)(\d\d)(\d\d(?:\.\d+)?)")
_LARGEST_DELAY_S = 5.0

_COUNT = Struct("<H")
_ATTITUDE = np.dtype([("ms", "<u2"), ("status", "<u2"), ("roll", "<i2"), ("pitch", "<i2"),
                      ("heave", "<i2"), ("heading", "<u2")])
_INVALID_STATUS = (0x9A, 0xAF)
_SOUND_STATUS = 0x9090
_LARGEST_MS = 60_000


def decode_p(data: bytes, header: Header) -> NavigationSample | None:
    """Return the position, or None without one and of a system that is not the active one.

    A sensor without position writes the largest integer, or exactly 0, 0.

    Raises
    ------
    FormatError
        The datagram is too short, or the position is on no globe.
    """
    lat, lon, quality, speed, course, heading, system, length = unpack(
        _POSITION, data, BODY, "'P'"
    )
    if not system & _ACTIVE or (lat, lon) == _NONE or _NO_ANGLE in (lat, lon):
        return None
    check_position(lat / 2e7, lon / 1e7, "'P'")
    text = data[BODY + _POSITION.size : BODY + _POSITION.size + length]
    time_utc = _position_time(header.time_utc, text) if system & _OWN_TIME else header.time_utc
    seconds, microseconds = seconds_of(time_utc)
    with as_format_error("'P'"):
        return NavigationSample(
            sensor="em-position",
            time_s=np.array([seconds + microseconds * 1e-6]),
            latitude=np.array([lat / 2e7]),
            longitude=np.array([lon / 1e7]),
            speed_m_s=_known(speed, _UNKNOWN - 1, 100.0),
            course_deg=_known(course, 35_999, 100.0),
            heading_deg=_known(heading, 35_999, 100.0),
            position_sigma_m=quality / 100.0 if 0 < quality < _UNKNOWN else None,
        )


def _known(raw: int, largest: int, scale: float) -> FloatArray | None:
    return np.array([raw / scale]) if raw <= largest else None


def _position_time(received_utc: datetime, text: bytes) -> datetime:
    """Return the time in the sentence when it is near the time of reception, else the latter."""
    found = _SENTENCE_TIME.search(text)
    if found is None:
        return received_utc
    since_midnight = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    midnight = received_utc.replace(hour=0, minute=0, second=0, microsecond=0)
    delay = (received_utc - midnight).total_seconds() - since_midnight
    delay = (delay + 43_200.0) % 86_400.0 - 43_200.0
    if abs(delay) > _LARGEST_DELAY_S:
        return received_utc
    return received_utc - timedelta(seconds=delay)


def encode_p(sample: NavigationSample, *, sounder: str, counter: int = 0) -> bytes:
    """Return one 'P' datagram for each position in `sample`.

    Raises
    ------
    FormatError
        The sample has no position.
    """
    if sample.latitude is None or sample.longitude is None:
        raise FormatError("'P': expected a latitude and a longitude")
    sigma = sample.position_sigma_m
    quality = _UNKNOWN if sigma is None else min(round(sigma * 100), _UNKNOWN - 1)
    parts = []
    for row, time_s in enumerate(sample.time_s.tolist()):
        body = _POSITION.pack(
            round(sample.latitude[row] * 2e7), round(sample.longitude[row] * 1e7), quality,
            _raw(sample.speed_m_s, row), _raw_angle(sample.course_deg, row),
            _raw_angle(sample.heading_deg, row), _ACTIVE | 1, 0,
        )
        parts.append(
            frame_datagram(
                "P", utc_from(0, round(time_s * 1e6)), body,
                sounder=sounder, counter=counter + row,
            )
        )
    return b"".join(parts)


def _raw(values: FloatArray | None, row: int) -> int:
    return _UNKNOWN if values is None else min(round(values[row] * 100), _UNKNOWN - 1)


def _raw_angle(values: FloatArray | None, row: int) -> int:
    return _UNKNOWN if values is None else round(values[row] * 100) % 36_000


def decode_a(data: bytes, header: Header) -> NavigationSample | None:
    """Return the attitude at 10 Hz or less, or None when nothing in it is valid or active.

    Raises
    ------
    FormatError
        More rows than the datagram has room for.
    """
    (count,) = unpack(_COUNT, data, BODY, "'A'")
    start = BODY + _COUNT.size
    end = start + count * _ATTITUDE.itemsize
    if end + 1 > len(data) - END.size:
        raise FormatError(f"'A': no room for {count} rows")
    rows = np.frombuffer(data, _ATTITUDE, count=count, offset=start)
    values = _active(rows, system=data[end])
    seconds, microseconds = seconds_of(header.time_utc)
    time_s = seconds + microseconds * 1e-6 + rows["ms"] / 1000.0
    chosen = thin(time_s, _sound(rows))
    if not values or not chosen.size:
        return None
    with as_format_error("'A'"):
        return NavigationSample(
            sensor="em-attitude",
            time_s=time_s[chosen],
            **{name: value[chosen] for name, value in values.items()},
        )


def _active(rows: npt.NDArray[Any], system: int) -> dict[str, Any]:
    """Return what the system descriptor says is in use: bit 0 set, bits 1 to 3 clear."""
    values = {}
    if system & 0x01:
        values["heading_deg"] = rows["heading"] / 100.0
    for bit, name in ((0x02, "roll"), (0x04, "pitch"), (0x08, "heave")):
        if not system & bit:
            values[f"{name}_m" if name == "heave" else f"{name}_deg"] = rows[name] / 100.0
    return values


def _sound(rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which rows have a status of valid data and values within their limits."""
    status = rows["status"] & 0xFF
    broken = (status >= _INVALID_STATUS[0]) & (status <= _INVALID_STATUS[1])
    within = (rows["heading"] < 36_000) & (np.abs(rows["heave"].astype(int)) <= 2000)
    level = np.maximum(np.abs(rows["roll"].astype(int)), np.abs(rows["pitch"].astype(int)))
    sound: npt.NDArray[np.bool_] = ~broken & within & (level <= 9000)
    return sound


def encode_a(sample: NavigationSample, *, sounder: str, counter: int = 0) -> bytes:
    """Return `sample` as one 'A' datagram of at most a minute.

    Raises
    ------
    FormatError
        The rows span more, or there are none.
    """
    milliseconds = np.rint((sample.time_s - sample.time_s[:1]) * 1000.0)
    if not milliseconds.size or milliseconds[-1] > _LARGEST_MS:
        raise FormatError(f"'A': expected rows within {_LARGEST_MS} ms")
    rows = np.zeros(milliseconds.size, _ATTITUDE)
    rows["ms"], rows["status"] = milliseconds, _SOUND_STATUS
    system = 0x0E
    for name, bit in (("roll_deg", 0x02), ("pitch_deg", 0x04), ("heave_m", 0x08)):
        values = getattr(sample, name)
        if values is not None:
            rows[name.split("_")[0]] = np.rint(values * 100.0)
            system &= ~bit
    if sample.heading_deg is not None:
        rows["heading"] = np.rint(sample.heading_deg * 100.0) % 36_000
        system |= 0x01
    body = _COUNT.pack(rows.size) + rows.tobytes() + bytes([system])
    time_utc = utc_from(0, round(float(sample.time_s[0]) * 1e6))
    return frame_datagram("A", time_utc, body, sounder=sounder, counter=counter)
