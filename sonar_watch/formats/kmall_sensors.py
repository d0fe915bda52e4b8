"""#SPO positions and #SKM attitude: bytes <-> NavigationSample.

Positions come from #SPO alone: they are corrected to the vessel's reference point, from
which the lever arms count. Those in #SKM are of the motion sensor's own point (in real files
within centimetres of the uncorrected antenna position) and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import (
    as_format_error,
    check_position,
    finite,
    seconds_of,
    thin,
    unpack,
    utc_from,
)
from sonar_watch.formats.kmall_header import BODY, TRAILER, Header, frame_datagram
from sonar_watch.records import FloatArray, NavigationSample

_SENSOR = Struct("<HHHH")
SPO = Struct("<IIfddfff")
"""Seconds, nanoseconds, quality, latitude, longitude, speed, course, height of a position."""

_UNAVAILABLE = 200.0
_NONE = (0.0, 0.0)
_INVALID = 1 << 4
_ACTIVE = 1 << 0

SKM = Struct("<HBBHHHH")
"""Own size, system, status, input format, rows, bytes of each, contents of a #SKM."""

_SKM_SAMPLES = 148
_KMB = np.dtype([
    ("kind", "S4"), ("size", "<u2"), ("version", "<u2"), ("sec", "<u4"), ("nsec", "<u4"),
    ("status", "<u4"), ("latitude", "<f8"), ("longitude", "<f8"), ("ellipsoid_height", "<f4"),
    ("roll", "<f4"), ("pitch", "<f4"), ("heading", "<f4"), ("heave", "<f4"),
    ("rates", "<f4", 3), ("velocity", "<f4", 3), ("errors", "<f4", 7),
    ("acceleration", "<f4", 3),
])
_KMB_SIZE = _KMB.itemsize
_DELAYED_HEAVE_SIZE = 12


@dataclass(frozen=True, slots=True)
class _Quantity:
    """Something #SKM may hold: its bit among the contents (and the invalid flags), its limit."""

    field: str
    bit: int
    limit: float


_QUANTITIES = {
    "roll_deg": _Quantity("roll", 1, 90.0),
    "pitch_deg": _Quantity("pitch", 1, 90.0),
    "heading_deg": _Quantity("heading", 2, 360.0),
    "heave_m": _Quantity("heave", 3, 50.0),
}
_OFFERED = {"latitude": 0, "longitude": 0} | {each.field: each.bit for each in _QUANTITIES.values()}


def decode_spo(data: bytes, header: Header) -> NavigationSample | None:
    """Return the position, or None when the sensor says that it has none.

    It says so by its status, by a latitude or longitude of 200 degrees, or by exactly 0, 0.

    Raises
    ------
    FormatError
        The datagram is too short for what it should hold, or the position is not finite or on
        no globe.
    """
    size, system, status, _ = unpack(_SENSOR, data, BODY, "#SPO sensor part")
    _, _, quality, latitude, longitude, speed, course, _ = unpack(
        SPO, data, BODY + size, "#SPO position"
    )
    position = (latitude, longitude)
    if status & _INVALID or position == _NONE or _UNAVAILABLE in position:
        return None
    check_position(latitude, longitude, "#SPO")
    seconds, microseconds = seconds_of(header.time_utc)
    with as_format_error("#SPO"):
        return NavigationSample(
            sensor="spo" if status & _ACTIVE or system == 0 else f"spo-{system}",
            time_s=np.array([seconds + microseconds * 1e-6]),
            latitude=np.array([latitude]),
            longitude=np.array([longitude]),
            speed_m_s=np.array([speed], float) if finite(speed, 0, 100) else None,
            course_deg=np.array([course % 360.0], float) if finite(course, 0, 360) else None,
            position_sigma_m=quality if finite(quality, 1e-6, 1e4) else None,
        )


def encode_spo(sample: NavigationSample, *, sounder: str) -> bytes:
    """Return one #SPO datagram for each position in `sample`.

    Raises
    ------
    FormatError
        The sample has no position.
    """
    if sample.latitude is None or sample.longitude is None:
        raise FormatError("#SPO: expected a latitude and a longitude")
    speeds = _or_fill(sample.speed_m_s, sample.time_s, -1.0)
    courses = _or_fill(sample.course_deg, sample.time_s, -4.0)
    parts = []
    rows = zip(sample.time_s, sample.latitude, sample.longitude, speeds, courses, strict=True)
    for time_s, latitude, longitude, speed, course in rows:
        time_utc = utc_from(0, round(float(time_s) * 1e6))
        seconds, microseconds = seconds_of(time_utc)
        body = _SENSOR.pack(_SENSOR.size, 0, _ACTIVE, 0) + SPO.pack(
            seconds, microseconds * 1000, sample.position_sigma_m or 0.0,
            latitude, longitude, speed, course, 0.0,
        )
        parts.append(frame_datagram("#SPO", time_utc, body, sounder=sounder, version=0))
    return b"".join(parts)


def decode_skm(data: bytes) -> tuple[NavigationSample | None, str]:
    """Return the attitude of one datagram at 10 Hz or less, and what is wrong with it.

    Only rows where everything that the sensor offers is valid and finite are kept. A row whose
    numbers are not finite though the sensor does not flag them is left out as well, and told:
    the rows around it are sound.

    Returns
    -------
    NavigationSample or None
        None when nothing is valid.
    str
        Empty when nothing is wrong.

    Raises
    ------
    FormatError
        Sizes and counts that do not fit the datagram.
    """
    size, _, _, _, count, stride, contents = unpack(SKM, data, BODY, "#SKM info")
    rows = _rows(data, BODY + size, count, stride)
    values: dict[str, Any] = {}
    keep = np.ones(rows.size, bool)
    for name, quantity in _QUANTITIES.items():
        with np.errstate(invalid="ignore"):  # signalling NaN: not valid, and told below
            value = rows[quantity.field].astype(np.float64)
        valid = _valid(value, rows["status"], quantity)
        if contents >> quantity.bit & 1 and valid.any():
            values[name] = value
            keep &= valid
    broken = _not_finite(rows, contents)
    time_s = rows["sec"] + rows["nsec"] * 1e-9
    chosen = thin(time_s, keep)
    if not values or not chosen.size:
        return None, broken
    kept = {name: value[chosen] for name, value in values.items()}
    if "heading_deg" in kept:
        kept["heading_deg"] %= 360.0
    with as_format_error("#SKM"):
        return NavigationSample(sensor="skm", time_s=time_s[chosen], **kept), broken


def _not_finite(rows: npt.NDArray[Any], contents: int) -> str:
    """Return which quantities are not finite though offered and not flagged; "" when none is."""
    found = []
    for field, bit in _OFFERED.items():
        bad = ~np.isfinite(rows[field]) & ~_flagged(rows["status"], bit)
        if contents >> bit & 1 and bad.any():
            found.append(f"{field} of {np.count_nonzero(bad)} of {rows.size} rows")
    return f"#SKM: expected finite numbers, not so: {', '.join(found)}" if found else ""


def _rows(data: bytes, offset: int, count: int, stride: int) -> npt.NDArray[Any]:
    """Return the KM binary samples; the delayed heave behind each is left out."""
    if stride < _KMB_SIZE or offset + count * stride > len(data) - TRAILER.size:
        raise FormatError(f"#SKM: no room for {count} samples of {stride} bytes")
    flat = np.frombuffer(data, np.uint8, count=count * stride, offset=offset)
    return np.ascontiguousarray(flat.reshape(count, stride)[:, :_KMB_SIZE]).view(_KMB)[:, 0]


def _valid(
    value: FloatArray, status: npt.NDArray[Any], quantity: _Quantity
) -> npt.NDArray[np.bool_]:
    within = np.isfinite(value) & (np.abs(value) <= quantity.limit)
    return within & ~_flagged(status, quantity.bit)


def _flagged(status: npt.NDArray[Any], bit: int) -> npt.NDArray[np.bool_]:
    """Tell which rows their sensor calls invalid."""
    flagged: npt.NDArray[np.bool_] = (status >> np.uint32(bit)) & np.uint32(1) != 0
    return flagged


def encode_skm(sample: NavigationSample, *, sounder: str) -> bytes:
    """Return `sample` as #SKM datagrams of up to 148 rows each.

    Attitude alone is written; a sample without attitude gives rows that hold nothing.
    """
    contents = 0
    rows = np.zeros(sample.time_s.size, _KMB)
    rows["kind"], rows["size"], rows["version"] = b"#KMB", _KMB_SIZE, 1
    ticks = np.rint(sample.time_s * 1e6).astype(np.int64)
    rows["sec"], rows["nsec"] = ticks // 1_000_000, ticks % 1_000_000 * 1000
    for name, quantity in _QUANTITIES.items():
        value = getattr(sample, name)
        if value is not None:
            rows[quantity.field] = value
            contents |= 1 << quantity.bit
    parts = [rows[start : start + _SKM_SAMPLES] for start in range(0, rows.size, _SKM_SAMPLES)]
    return b"".join(_encode_rows(part, contents, sounder) for part in parts)


def _encode_rows(rows: npt.NDArray[Any], contents: int, sounder: str) -> bytes:
    stride = _KMB_SIZE + _DELAYED_HEAVE_SIZE
    info = SKM.pack(SKM.size, 0, 1, 1, rows.size, stride, contents)
    samples = np.zeros((rows.size, stride), np.uint8)
    samples[:, :_KMB_SIZE] = rows.view(np.uint8).reshape(rows.size, _KMB_SIZE)
    time_utc = utc_from(int(rows["sec"][0]), int(rows["nsec"][0]) // 1000)
    return frame_datagram("#SKM", time_utc, info + samples.tobytes(), sounder=sounder, version=1)


def _or_fill(values: FloatArray | None, like: FloatArray, missing: float) -> FloatArray:
    return np.full(like.shape, missing) if values is None else values
