"""'I', 'R' and 'U' of `.all` and `.wcd`: installation, runtime settings, sound speed profile."""

from __future__ import annotations

import re
from datetime import datetime
from struct import Struct

import numpy as np

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Mounting, number, profile_of, unpack
from sonar_watch.formats.em_header import BODY, END, date_and_time, frame_datagram
from sonar_watch.records import SoundSpeedProfile

_SECOND_SERIAL = Struct("<H")
_RUNTIME = Struct("<4BBBHHHHHBB14x")
_PROFILE = Struct("<IIHH")
_LEVEL = np.dtype([("depth", "<u4"), ("speed", "<u4")])
_SETTING = re.compile(r"([A-Z0-9]{3})=([^,]*)")
_HEADS = ("1", "2")
"""Values of STC where one unit both sends and receives."""


def decode_i(data: bytes) -> dict[str, str]:
    """Return the settings of an installation text, such as {"WLZ": "1.18", ...}."""
    text = data[BODY + _SECOND_SERIAL.size : -END.size].rstrip(b"\0")
    return dict(_SETTING.findall(text.decode("ascii", "replace")))


def mounting_of(settings: dict[str, str]) -> Mounting:
    """Return where the transducer sits, from the antenna of the active position system.

    S1 is the transmitter and S2 the receiver, unless `STC` says that S1 is both. Beams leave
    from the transmitter along track and reach the receiver across track.
    """
    antenna = f"P{int(number(settings, 'APS')) + 1}"
    receiver = "S1" if settings.get("STC") in _HEADS or "S2X" not in settings else "S2"
    return Mounting(
        lever_forward_m=number(settings, "S1X") - number(settings, f"{antenna}X"),
        lever_starboard_m=number(settings, f"{receiver}Y") - number(settings, f"{antenna}Y"),
        depth_m=number(settings, "S1Z") - number(settings, "WLZ"),
    )


def encode_i(time_utc: datetime, mounting: Mounting, *, sounder: str) -> bytes:
    """Return the installation with the antenna at the reference point, at the water line."""
    place = (mounting.lever_forward_m, mounting.lever_starboard_m, mounting.depth_m)
    array = ",".join(
        f"S{unit}X={place[0]:.3f},S{unit}Y={place[1]:.3f},S{unit}Z={place[2]:.3f},"
        f"S{unit}H=0.000,S{unit}P=0.000,S{unit}R=0.000,S{unit}S=1"
        for unit in (1, 2)
    )
    antennas = ",".join(
        f"P{unit}M={int(unit == 1)},P{unit}T=0,P{unit}Q=1,P{unit}X=0.000,P{unit}Y=0.000,"
        f"P{unit}Z=0.000,P{unit}D=0.000,P{unit}G=WGS84"
        for unit in (1, 2, 3)
    )
    serial = sounder.partition("-")[2] or "0"
    text = (
        f"WLZ=0.000,SMH={serial},STC=0,{array},GO1=0.00,{antennas},P3S=1,"
        "MSX=0.000,MSY=0.000,MSZ=0.000,MRP=RP,MSD=0,MSR=0.000,MSP=0.000,MSG=0.000,"
        "NSX=0.000,NSY=0.000,NSZ=0.000,NRP=RP,NSD=0,NSR=0.000,NSP=0.000,NSG=0.000,"
        "MAS=1.000,GCG=0.000,APS=0,AHS=2,ARO=2,AHE=2,CLS=1,CLO=0,"
    )
    body = _SECOND_SERIAL.pack(0) + text.encode("ascii")
    return frame_datagram("I", time_utc, body, sounder=sounder, counter=0)


def decode_r(data: bytes) -> tuple[str, float | None]:
    """Return the word of the runtime settings and the receive beam width in degrees.

    Raises
    ------
    FormatError
        The datagram is too short.
    """
    (_, _, _, _, mode, _, _, _, _, pulse_us, _, _, receive_width) = unpack(
        _RUNTIME, data, BODY, "'R'"
    )
    return f"m{mode & 0x0F}p{pulse_us}us", receive_width / 10.0 or None


def encode_r(
    time_utc: datetime,
    *,
    sounder: str,
    mode: int = 1,
    pulse_us: int = 500,
    beam_width_deg: float = 1.0,
    depth_m: tuple[int, int] = (1, 1000),
) -> bytes:
    """Return runtime settings as an 'R' datagram.

    Parameters
    ----------
    time_utc : datetime
    sounder : str
    mode : int
        0 very shallow, 1 shallow, 2 medium, 3 deep, 4 very deep, 5 extra deep.
    pulse_us : int
        Length of the transmit pulse.
    beam_width_deg : float
        Of both arrays.
    depth_m : tuple of int
        Smallest and largest depth the operator expects.
    """
    width = round(beam_width_deg * 10)
    body = _RUNTIME.pack(0, 0, 0, 0, mode, 0, *depth_m, 1000, pulse_us, width, 0, width)
    return frame_datagram("R", time_utc, body, sounder=sounder, counter=0)


def decode_u(data: bytes) -> SoundSpeedProfile:
    """Return the sound speed profile in use.

    Raises
    ------
    FormatError
        The levels do not fit the datagram, or fewer than two are usable.
    """
    _, _, count, resolution_cm = unpack(_PROFILE, data, BODY, "'U'")
    start = BODY + _PROFILE.size
    if start + count * _LEVEL.itemsize > len(data) - END.size:
        raise FormatError(f"'U': no room for {count} levels")
    levels = np.frombuffer(data, _LEVEL, count=count, offset=start)
    depth_m = levels["depth"] * (resolution_cm / 100.0)
    return profile_of(depth_m, levels["speed"] / 10.0, "'U'")


def encode_u(time_utc: datetime, profile: SoundSpeedProfile, *, sounder: str) -> bytes:
    """Return `profile` as a 'U' datagram, depths to the centimetre, speeds to 0.1 m/s."""
    levels = np.zeros(profile.depth_m.size, _LEVEL)
    levels["depth"] = np.rint(profile.depth_m * 100.0)
    levels["speed"] = np.rint(profile.speed_m_s * 10.0)
    date, milliseconds = date_and_time(time_utc)
    body = _PROFILE.pack(date, milliseconds // 1000, levels.size, 1) + levels.tobytes()
    return frame_datagram("U", time_utc, body, sounder=sounder, counter=0)
