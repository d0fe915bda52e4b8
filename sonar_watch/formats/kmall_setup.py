"""#IIP, #IOP, #SVP and #CHE: what a line says about ship, settings and water."""

from __future__ import annotations

import re
from datetime import datetime
from struct import Struct

import numpy as np

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import (
    Mounting,
    as_format_error,
    check_heave,
    number,
    profile_of,
    seconds_of,
    unpack,
)
from sonar_watch.formats.kmall_header import (
    BODY,
    COMMON,
    TRAILER,
    Common,
    frame_datagram,
    parse_common,
    sounder_model,
)
from sonar_watch.records import SoundSpeedProfile

_TEXT = Struct("<HHH")
_SVP = Struct("<HH4sIdd")
_HEAVE = Struct("<f")
_LEVEL = np.dtype([("depth", "<f4"), ("speed", "<f4"), ("spare", "<u4"), ("temperature", "<f4"),
                   ("salinity", "<f4")])
_INSTALLATION = (
    "OSCV:Empty,EMXV:{model},\nPU_0,\nSN=1,\nIP=127.0.0.1:0xffff0000,\nUDP=1997,\n"
    "TYPE=CON_TECH_PP_B84_64BIT_CPU,\nVERSIONS:,\nCPU:1.0.0 2026-01-01,\n"
    "VXW:1.0 Jan 1 2026 ,\nFILTER:1.0.0 260101,\nCBMF:1.00 26.01.1 ,\n"
    "TX:1.00   Jan 1 2026 ,\nRX:1.0.0 2026-01-01,\nVERSIONS-END,\n"
    "SERIALno:\nTX:1;{width}deg,\nRX:1,\nSERIALno-END,\n"
    "DCL:1.0.0 2026-01-01,\nKMALL:Rev I 2021-06-04,\n"
    "SYSTEM:{model} - Single Tx single Rx,"
    "TRAI_TX1:N=1;{place};S={width},"
    "TRAI_RX1:N=1;{place};G=0.00;S={width},"
    "POSI_1:X=0.000;Y=0.000;Z=0.000;D=0.000;G=WGS84;T=Datagram;C=On;F=GGA;Q=Off;"
    "I=Net port 1;U=ACTIVE,POSI_2:U=NOT_SET,POSI_3:U=NOT_SET,"
    "ATTI_1:X=0.000;Y=0.000;Z=0.000;R=0.000;P=0.000;H=0.000;D=0.000;M=Rotation;"
    "F=KM Binary;I=Net port 2;U=ACTIVE,ATTI_2:U=NOT_SET,"
    "S=CLK;A=On rising edge;I=Net port 1;Q=OK,DPHI:U=NOT_SET,"
    "SVPI:F=AML NMEA;I=Integrated probe;U=ACTIVE,EMXI:SWLZ=0.000,\n"
)
"""Laid out like those of real ships: other readers are strict about it."""
_UNIT = re.compile(r"\b((?:TRAI|POSI|ATTI)_\w+|EMXI):([^,]*)")

_SERIAL = re.compile(r"\bSN=(\d+)")


def decode_text(data: bytes) -> str:
    """Return the text of an #IIP or #IOP datagram.

    Raises
    ------
    FormatError
        The datagram is too short.
    """
    size, _, _ = unpack(_TEXT, data, BODY, "text part")
    end = min(BODY + max(size, _TEXT.size), len(data) - TRAILER.size)
    return data[BODY + _TEXT.size : end].rstrip(b"\0").decode("ascii", "replace")


def encode_text(kind: str, time_utc: datetime, text: str, *, sounder: str) -> bytes:
    """Return a text datagram, `kind` "#IIP" or "#IOP"."""
    coded = text.encode("ascii", "replace")
    body = _TEXT.pack(_TEXT.size + len(coded), 0, 0) + coded
    return frame_datagram(kind, time_utc, body, sounder=sounder, version=0)


def units_of(text: str) -> dict[str, dict[str, str]]:
    """Return the units in an installation text with their settings.

    >>> units_of("EMXV:EM2042,TRAI_TX1:N=5001;X=-0.512;H=177.920,EMXI:SWLZ=0.670,")
    {'TRAI_TX1': {'N': '5001', 'X': '-0.512', 'H': '177.920'}, 'EMXI': {'SWLZ': '0.670'}}
    """
    return {
        name: dict(pair.split("=", 1) for pair in body.split(";") if "=" in pair)
        for name, body in _UNIT.findall(text)
    }


def mounting_of(text: str) -> Mounting:
    """Return where an installation text puts the transducer.

    Beams leave from the transmitter along track and reach the receiver across track, so each
    gives one lever arm. #SPO positions are of the vessel's reference point: the levers count
    from there. `ICZ` is the depth of the acoustic centre below the array's reference.
    """
    units = units_of(text)
    head = units.get("TRAI_HD1", {})
    sender = units.get("TRAI_TX1", head)
    receiver = units.get("TRAI_RX1", head)
    width = number(receiver, "S") or number(sender, "S")
    water_line = number(units.get("EMXI", {}), "SWLZ")
    return Mounting(
        lever_forward_m=number(sender, "X"),
        lever_starboard_m=number(receiver, "Y"),
        depth_m=number(sender, "Z") + number(sender, "ICZ") - water_line,
        beam_width_deg=width if 0 < width < 20 else 1.0,
    )


def serial_of(text: str) -> str:
    """Return the serial number of the processing unit in an installation text; "" = none.

    >>> serial_of("OSCV:Empty,EMXV:EM2040P,PU_0,SN=53037,IP=157.237.20.40:0xffff0000")
    '53037'
    """
    found = _SERIAL.search(text)
    return found[1] if found else ""


def encode_iip(time_utc: datetime, mounting: Mounting, *, sounder: str) -> bytes:
    """Return the installation of one transmitter and receiver, water line at the reference."""
    model = f"EM{sounder_model(sounder)}"
    place = (
        f"X={mounting.lever_forward_m:.3f};Y={mounting.lever_starboard_m:.3f};"
        f"Z={mounting.depth_m:.3f};R=0.000;P=0.000;H=0.000"
    )
    width = f"{mounting.beam_width_deg:.2f}"
    text = _INSTALLATION.format(model=model, place=place, width=width)
    return encode_text("#IIP", time_utc, text, sounder=sounder)


def encode_iop(time_utc: datetime, text: str, *, sounder: str) -> bytes:
    """Return the runtime settings as an #IOP datagram."""
    return encode_text("#IOP", time_utc, text, sounder=sounder)


def decode_svp(data: bytes) -> SoundSpeedProfile:
    """Return the sound speed profile.

    Levels that do not go down or whose speed is not that of sea water are dropped.

    Raises
    ------
    FormatError
        The levels do not fit the datagram, or fewer than two are usable.
    """
    size, count, *_ = unpack(_SVP, data, BODY, "#SVP head")
    offset = BODY + size
    if offset + count * _LEVEL.itemsize > len(data) - TRAILER.size:
        raise FormatError(f"#SVP: no room for {count} levels")
    levels = np.frombuffer(data, _LEVEL, count=count, offset=offset)
    with as_format_error("#SVP"):
        return profile_of(levels["depth"].astype(float), levels["speed"].astype(float), "#SVP")


def encode_svp(time_utc: datetime, profile: SoundSpeedProfile, *, sounder: str) -> bytes:
    """Return `profile` as an #SVP datagram."""
    levels = np.zeros(profile.depth_m.size, _LEVEL)
    levels["depth"], levels["speed"] = profile.depth_m, profile.speed_m_s
    seconds, _ = seconds_of(time_utc)
    body = _SVP.pack(_SVP.size, levels.size, b"S00 ", seconds, 200.0, 200.0) + levels.tobytes()
    return frame_datagram("#SVP", time_utc, body, sounder=sounder, version=1)


def decode_che(data: bytes) -> tuple[Common, float]:
    """Return the swath and its heave at the transducer, metres, + down.

    Raises
    ------
    FormatError
        The datagram is too short, or no ship heaves like that.
    """
    common = parse_common(data, BODY)
    (heave_m,) = unpack(_HEAVE, data, BODY + common.size, "#CHE heave")
    check_heave(heave_m, "#CHE")
    return common, heave_m


def encode_che(
    time_utc: datetime, ping_counter: int, heave_m: float, *, sounder: str, swath: int = 0
) -> bytes:
    """Return the heave at the transducer for the #MWC of the same swath, which follows it."""
    common = COMMON.pack(
        COMMON.size, ping_counter & 0xFFFF, 1, 0, swath + 1, swath, 0, 0, 1, 0
    )
    return frame_datagram(
        "#CHE", time_utc, common + _HEAVE.pack(heave_m), sounder=sounder, version=0
    )
