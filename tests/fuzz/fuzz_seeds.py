"""Sound inputs of every format, made by code: small, so that damage hits what matters."""

from __future__ import annotations

import json
import struct
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.alerts.wire import Message, pack
from sonar_watch.formats import em, kmall
from sonar_watch.formats.datagrams import Mounting
from sonar_watch.records import (
    NavigationSample,
    SoundSpeedProfile,
    SourceRef,
    WaterColumnPing,
)
from sonar_watch.settings.defaults import commented_defaults

START = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
_EM = "em710-210"


def ping(
    counter: int = 7, *, beams: int = 9, samples: int = 24, sectors: int = 3,
    sounder: str = "em304", swath: int = 0,
) -> WaterColumnPing:
    """Return a small seeded ping whose runs have even lengths."""
    random = np.random.default_rng([counter, swath, beams])
    counts = 2 * random.integers(1, samples // 2 + 1, beams).astype(np.int32)
    values = np.full((beams, int(counts.max(initial=0))), -128, np.int8)
    for row, count in zip(values, counts, strict=True):
        row[:count] = random.integers(-128, 128, count)
    return WaterColumnPing(
        time_utc=START + timedelta(milliseconds=500 * counter + 3 * swath),
        ping_counter=counter, swath=swath, sounder=sounder,
        beam_angle_deg=np.linspace(-60.0, 60.0, beams).astype(np.float32),
        samples_half_db=values,
        first_sample=np.zeros(beams, np.int32), sample_count=counts,
        detected_sample=np.floor(counts * 0.8).astype(np.float32),
        sector=np.sort(random.integers(0, sectors, beams)).astype(np.int32),
        sector_frequency_hz=np.linspace(26e3, 34e3, sectors).astype(np.float32),
        sector_tilt_deg=np.zeros(sectors, np.float32),
        sample_rate_hz=2314.75, sound_speed_m_s=1502.5, tvg_offset_db=-20.0,
        source=SourceRef(source="fuzz", file="fuzz"),
    )


def navigation(rows: int = 3) -> NavigationSample:
    """Return positions and attitude at 10 Hz."""
    steps = np.arange(rows)
    return NavigationSample(
        sensor="skm", time_s=START.timestamp() + steps / 10.0,
        latitude=45.0 + steps * 1e-5, longitude=-130.0 + steps * 1e-5,
        heading_deg=355.0 + steps, course_deg=1.0 + steps, speed_m_s=np.full(rows, 2.5),
        roll_deg=np.full(rows, -1.25), pitch_deg=np.full(rows, 0.5), heave_m=np.full(rows, 0.25),
        position_sigma_m=1.5,
    )


MOUNTING = Mounting(lever_forward_m=12.5, lever_starboard_m=-1.25, depth_m=6.75)
PROFILE = SoundSpeedProfile(
    depth_m=np.array([0.0, 50.0, 400.0]), speed_m_s=np.array([1510.0, 1500.0, 1480.0])
)


@cache
def kmall_datagrams() -> tuple[bytes, ...]:
    """Return one datagram of each kind that is read, and some that are passed over."""
    water = kmall.encode_mwc(ping())
    return (
        water,
        kmall.encode_mwc(ping(8, swath=1), version=1),
        kmall.encode_mwc(ping(9), version=0),
        kmall.encode_mwc(ping(10, beams=0, samples=2)),
        *kmall.split_datagram(water, 160)[:2],
        kmall.encode_spo(navigation(1), sounder="em304"),
        kmall.encode_skm(navigation(), sounder="em304"),
        kmall.encode_svp(START, PROFILE, sounder="em304"),
        kmall.encode_iip(START, MOUNTING, sounder="em304"),
        kmall.encode_iop(START, "Depth mode: Deep\n", sounder="em304"),
        kmall.encode_che(START, 7, 0.5, sounder="em304"),
    )


@cache
def kmall_parts() -> tuple[bytes, ...]:
    """Return streams of parts, whole and of several swaths, as they come over UDP."""
    both = [kmall.split_datagram(kmall.encode_mwc(ping(n, swath=n % 2)), 160) for n in (3, 4)]
    old = kmall.split_datagram(kmall.encode_mwc(ping(5), version=1), 140)
    mixed = [part for pair in zip(*both, strict=False) for part in pair]
    line = [*kmall_datagrams()[6:], *mixed, kmall_datagrams()[7]]
    together = (b"".join(parts) for parts in (*both, old, mixed, both[0][::-1], line))
    return (*together, old[0], old[1], both[0][0], both[0][1])


@cache
def em_datagrams() -> tuple[bytes, ...]:
    """Return one datagram of each kind that is read."""
    return (
        em.encode_k(ping(sounder=_EM)),
        *_cut_em(em.encode_k(ping(8, beams=40, samples=80, sounder=_EM), largest=1900))[:2],
        em.encode_p(navigation(1), sounder=_EM),
        em.encode_a(navigation(), sounder=_EM),
        em.encode_i(START, MOUNTING, sounder=_EM),
        em.encode_r(START, sounder=_EM, mode=3, pulse_us=2000),
        em.encode_u(START, PROFILE, sounder=_EM),
    )


def _cut_em(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "little") + 4
        found.append(data[:size])
        data = data[size:]
    return found


@cache
def raw_files() -> tuple[bytes, ...]:
    """Return small lines of both families; the first byte tells which (see the target)."""
    newer = b"".join(kmall_datagrams()) + kmall_parts()[3]
    older = b"".join(em_datagrams())
    return (b"K" + newer, b"E" + older, b"K" + kmall_parts()[0], b"E" + older[-900:])


@cache
def svp_files() -> tuple[bytes, ...]:
    """Return profiles as operators keep them."""
    head = "( SoundVelocity  1.0 0 202603040506 45.0 -130.0 -1 0 0 OMS_01 P 0089 )\n"
    levels = "".join(f"{depth:.2f} {1510 - depth / 50:.2f}\n" for depth in range(0, 1000, 100))
    return (f"{head}{levels}12000.00 1675.80\n".encode(), f"{head}0 1500\n10 1490\n".encode())


@cache
def sentences() -> tuple[bytes, ...]:
    """Return sentences, log lines and envelopes that are met on ships."""
    plain = [
        "GPGGA,000000.28,4500.1234,N,13000.4321,W,2,09,0.9,12.3,M,-20.1,M,3.0,0120",
        "GNGNS,000000.28,4500.1234,N,13000.4321,W,AAN,19,0.9,12.3,-20.1,,",
        "GPRMC,000000.28,A,4500.1234,N,13000.4321,W,8.4,271.3,040326,1.0,E,D",
        "GPGLL,4500.1234,N,13000.4321,W,000000.28,A,D", "INHDT,271.33,T",
        "GPVTG,271.3,T,260.1,M,8.4,N,15.6,K,D", "SDDPT,812.4,6.5,12000",
        "PSXN,23,-1.25,0.50,271.33,0.25", "PASHR,000000.28,271.33,T,-1.25,0.50,0.25,0.1,0.1,0.2,2",
        "GPZDA,000000.28,04,03,2026,00,00",
    ]
    whole = [f"${body}*{_xor(body):02X}\r\n" for body in plain]
    return tuple(line.encode() for line in (
        *whole, f"${plain[4]}\r\n", f"${plain[4]}*{_xor(plain[4]):02x}\r\n",
        f"UdPbC\0\\s:GP0001,n:1*{_xor('s:GP0001,n:1'):02X}\\{whole[0]}",
        f"UdPbC\0\\g:1-2-12,s:IN0001*3C\\{whole[4]}\\g:2-2-12*1A\\{whole[5]}",
        "".join(whole), f"2026-03-04T05:06:07.285000Z {whole[0]}",
        f"gyr1 2026-03-04T05:06:07Z {whole[4]}", "2026-03-04T05:06:07.285Z 271.3 ok\n",
        "RaUdP\0" + "\0" * 40, "!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D\r\n",
    ))


def _xor(body: str) -> int:
    total = 0
    for byte in body.encode():
        total ^= byte
    return total


@cache
def sidecars() -> tuple[bytes, ...]:
    """Return sidecars, the shortest and one with all that a sidecar can say."""
    shortest = {
        "time_utc": "2026-03-04T05:06:07Z", "across_track_m": [-500, 500], "depth_m": [0, 900.5],
    }
    full = shortest | {
        "latitude": 45.1, "longitude": -130.2, "heading_deg": 271.5, "ping_counter": 17,
        "swath": 0, "sounder": "em710-210", "transducer_depth_m": 6.5, "beam_width_deg": 1.0,
        "tilt_deg": 1.5, "tilt_spread_deg": 0.1, "refraction": "layered",
        "minimum_slant_range_m": 812.5, "seabed_depth_m": [800.0, None, 801.25, 802.0],
        "heading_source": "course", "roll_deg": 1.0, "pitch_deg": -1.0, "heave_m": 0.1,
        "speed_m_s": 4.2, "position_sigma_m": 1.0, "heading_sigma_deg": 0.3,
        "navigation_source": "spo+skm", "navigation_age_s": 0.5, "source_file": "0001.kmwcd",
        "sector_edges_deg": [-20.0, 20.0], "encoding": "sonar_watch.layers/1", "theirs": {"a": 1},
    }
    return (json.dumps(shortest).encode(), json.dumps(full, indent=1).encode())


@cache
def configurations() -> tuple[bytes, ...]:
    """Return settings: the default file by its sections, and one as a ship would write it."""
    lines = [line for line in commented_defaults().splitlines()
             if line.strip() and not line.lstrip().startswith("#")]
    sections: list[list[str]] = []
    for line in lines:
        if line[:1].strip() and not line.startswith("data_dir"):
            sections.append([])
        (sections or [[]])[-1].append(line)
    ship = """\
data_dir: /var/lib/sonar_watch
sources:
  raw:
    - {path: /data/em304, name: em304, recursive: true}
  images:
    - path: pictures
      name: screen
      calibration: {across_track_m: [-500, 500], depth_m: [0, 900], time_pattern: "%Y%m%d%H%M"}
      pictures: {palette: jet, span_db: 60}
  nmea_udp:
    - {name: posmv, port: 6224, group: 239.192.0.4}
"""
    return (ship.encode(), *("\n".join(each).encode() + b"\n" for each in sections if each))


@cache
def alert_messages() -> tuple[bytes, ...]:
    """Return messages as one piece: three frames, each behind its length."""
    alerts = [
        sample_alert(1), sample_alert(2, kind="end"),
        sample_alert(3, latitude=None, longitude=None, covariance_m2=None),
    ]
    sent = [pack(Message("live.alert.new.", each.sequence, encode_alert(each))) for each in alerts]
    status = json.dumps({"schema": "sonar_watch.status/1", "epoch": "e", "head_sequence": 3})
    answer = json.dumps({"ok": True, "id": 1, "epoch": "e", "head_sequence": 3, "more": False})
    sent += [pack(Message("status.", 0, status.encode())), [b"epoch.e"],
             [answer.encode(), *sent[0], *sent[1]]]
    return tuple(join_frames(frames) for frames in sent)


def join_frames(frames: list[bytes]) -> bytes:
    """Return frames as one piece of bytes: each behind its length."""
    return b"".join(struct.pack("<H", len(frame)) + frame for frame in frames)


def cut_frames(data: bytes) -> list[bytes]:
    """Return the frames in a piece of bytes, at least one."""
    frames = []
    while data or not frames:
        (size,) = struct.unpack("<H", data[:2].ljust(2, b"\0"))
        frames.append(data[2 : 2 + size])
        data = data[2 + size :]
    return frames


@cache
def requests() -> tuple[bytes, ...]:
    """Return questions to the request socket."""
    asked = [{"verb": "replay", "after": 1, "limit": 2, "id": 7}, {"verb": "status"},
             {"verb": "snapshot", "id": "x"}, {"verb": "replay"}]
    return tuple(json.dumps(each).encode() for each in asked)


def with_sums(data: bytes) -> bytes:
    """Return a PNG with the checksums of its chunks put right; other bytes as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    made, at = bytearray(data), 8
    while at + 12 <= len(made):
        size = int.from_bytes(made[at : at + 4], "big")
        end = at + 8 + size
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made)
