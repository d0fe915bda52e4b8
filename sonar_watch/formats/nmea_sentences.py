"""The fields of each kind of NMEA 0183 sentence, to named values in SI units and degrees."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sonar_watch.errors import FormatError

KNOT_M_S = 1852.0 / 3600.0
"""One knot in metres per second."""

Fields = Sequence[str]
"""The address and the fields of a sentence, without its checksum."""

Values = dict[str, float]
"""Fields of `NavigationSample`, and `time_of_day_s`."""

_GPS_BEGAN = 80
"""Years of two digits from this one on are of the last century."""

_MOST_DIGITS = 40
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_TIME_OF_DAY = re.compile(r"(\d\d)(\d\d)(\d\d(?:\.\d*)?)", re.ASCII)
_POSITION_SIGMA_M = {1: 3.0, 2: 1.0, 3: 1.0, 4: 0.05, 5: 0.5, 8: 3.0}
"""Horizontal standard deviation at HDOP 1 by quality: GPS, DGPS, PPS, RTK, float RTK, simulator."""


def _number(field: str) -> float | None:
    if not field:
        return None
    if not _NUMBER.fullmatch(field) or len(field) > _MOST_DIGITS:  # 400 of them are infinite
        raise FormatError(f"expected a number, received {field[:40]!r}")
    return float(field)


def _number_at(fields: Fields, index: int) -> float | None:
    return _number(fields[index]) if index < len(fields) else None


def _degrees(field: str) -> float | None:
    """Return a heading or course in 0..360."""
    value = _number(field)
    if value is not None and not 0.0 <= value <= 360.0:
        raise FormatError(f"expected 0..360 degrees, received {field!r}")
    return None if value is None else value % 360.0


def time_of_day(field: str) -> float | None:
    """Return seconds since midnight of `hhmmss.ss`, None when the field is empty.

    Raises
    ------
    FormatError
        It is no time of day.
    """
    if not field:
        return None
    match = _TIME_OF_DAY.fullmatch(field)
    hour, minute, second = (float(part) for part in match.groups()) if match else (24.0, 0.0, 0.0)
    if hour >= 24 or minute >= 60 or second >= 61:
        raise FormatError(f"expected hhmmss.ss, received {field[:40]!r}")
    return hour * 3600.0 + minute * 60.0 + second


def _angle(field: str, hemisphere: str, positive: str, limit: float) -> float | None:
    """Return degrees from [d]ddmm.mmm and its letter; None when either is empty."""
    value = _number(field)
    if value is None or not hemisphere:
        return None
    degrees, minutes = divmod(value, 100.0)
    angle = degrees + minutes / 60.0
    if value < 0 or minutes >= 60 or angle > limit or hemisphere not in positive:
        raise FormatError(f"expected degrees and minutes up to {limit:.0f} and one of {positive}, "
                          f"received {field[:40]!r}, {hemisphere[:4]!r}")
    return angle if hemisphere == positive[0] else -angle


def _position(fields: Fields, start: int) -> Values:
    latitude = _angle(fields[start], fields[start + 1], "NS", 90.0)
    longitude = _angle(fields[start + 2], fields[start + 3], "EW", 180.0)
    if latitude is None or longitude is None:
        return {}
    return {"latitude": latitude, "longitude": longitude}


def _timed(field: str) -> Values:
    seconds = time_of_day(field)
    return {} if seconds is None else {"time_of_day_s": seconds}


def _known(**values: float | None) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def _decode_gga(fields: Fields) -> Values:
    quality = _number(fields[6])
    scale = _POSITION_SIGMA_M.get(int(quality or 0))
    position = _position(fields, 2)
    if not quality or quality == 7 or not position:  # 7: typed in by hand
        return {}
    hdop = _number_at(fields, 8)
    sigma = scale * hdop if scale is not None and hdop else None
    return position | _timed(fields[1]) | _known(position_sigma_m=sigma)


def _decode_gns(fields: Fields) -> Values:
    if not fields[6].strip("N"):  # one letter per satellite system: N = not used
        return {}
    return _position(fields, 2) | _timed(fields[1])


def _decode_rmc(fields: Fields) -> Values:
    if fields[2] != "A":
        return {}
    return _position(fields, 3) | _timed(fields[1]) | _motion_over_ground(fields[8], fields[7])


def _decode_gll(fields: Fields) -> Values:
    if len(fields) > 6 and fields[6] == "V":
        return {}
    return _position(fields, 1) | _timed(fields[5] if len(fields) > 5 else "")


def _decode_vtg(fields: Fields) -> Values:
    if len(fields) > 9 and fields[9] == "N":
        return {}
    kilometres_h = _number_at(fields, 7)
    knots = fields[5]
    if not knots and kilometres_h is not None:
        return _motion_over_ground(fields[1], "") | {"speed_m_s": kilometres_h / 3.6}
    return _motion_over_ground(fields[1], knots)


def _motion_over_ground(course: str, knots: str) -> Values:
    speed = _number(knots)
    if speed is not None and not 0.0 <= speed < 1000.0:
        raise FormatError(f"expected a speed in knots, received {knots!r}")
    return _known(
        course_deg=_degrees(course), speed_m_s=None if speed is None else speed * KNOT_M_S
    )


def _decode_hdt(fields: Fields) -> Values:
    return _known(heading_deg=_degrees(fields[1]))


def _decode_dpt(fields: Fields) -> Values:
    """Depth below the surface: an offset above 0 is the transducer's depth, below 0 the keel's."""
    depth, offset = _number(fields[1]), _number_at(fields, 2) or 0.0
    if not depth:
        return {}
    return {"depth_m": depth + max(0.0, offset)}


def _decode_psxn23(fields: Fields) -> Values:
    return _known(
        roll_deg=_number(fields[2]),
        pitch_deg=_number(fields[3]),
        heading_deg=_degrees(fields[4]),
        heave_m=_number_at(fields, 5),
    )


def _decode_pashr(fields: Fields) -> Values:
    """Without heave: whether it counts up or down differs between makers."""
    if fields[1] in ("ATT", "POS", "SAT"):  # other sentences under the same address
        return {}
    motion = _known(
        heading_deg=_degrees(fields[2]), roll_deg=_number(fields[4]), pitch_deg=_number(fields[5])
    )
    return motion | _timed(fields[1])


def _zda_date(fields: Fields) -> tuple[int, int, int] | None:
    day, month, year = (_number_at(fields, index) for index in (2, 3, 4))
    return None if not day or not month or not year else (int(year), int(month), int(day))


def _rmc_date(fields: Fields) -> tuple[int, int, int] | None:
    """Of a receiver that has a fix; one that rolled over in 2014 writes 94 for 1994."""
    if len(fields) < 10 or fields[2] != "A" or not re.fullmatch(r"\d{6}", fields[9], re.ASCII):
        return None
    day, month, year = (int(fields[9][at : at + 2]) for at in (0, 2, 4))
    return year + (1900 if year >= _GPS_BEGAN else 2000), month, day


DECODERS: dict[str, Callable[[Fields], Values]] = {
    "GGA": _decode_gga,
    "GNS": _decode_gns,
    "RMC": _decode_rmc,
    "GLL": _decode_gll,
    "VTG": _decode_vtg,
    "HDT": _decode_hdt,
    "DPT": _decode_dpt,
    "PSXN23": _decode_psxn23,
    "PASHR": _decode_pashr,
}
"""What a kind of sentence says; empty where its instrument has no fix."""

DATES: dict[str, Callable[[Fields], tuple[int, int, int] | None]] = {
    "ZDA": _zda_date,
    "RMC": _rmc_date,
}
"""The (year, month, day) of the kinds that carry one; None where the field is empty."""
