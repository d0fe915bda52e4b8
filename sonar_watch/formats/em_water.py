"""'k', the water column of one swath in one or more datagrams: bytes <-> WaterColumnPing.

A swath is cut into datagrams of less than 64 kB that share counter and time and repeat the
transmit sectors. The two swaths of a dual-swath transmission have counters of their own, a few
milliseconds apart: `swath` is always 0, and the frequencies in the runtime word differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import LineContext, as_format_error, unpack
from sonar_watch.formats.datagrams_beams import (
    MAX_BEAMS,
    beam_rows,
    check_rate,
    gather,
    run_starts,
    runtime_word,
    sector_rows,
)
from sonar_watch.formats.em_header import BODY, END, frame_datagram, parse_header
from sonar_watch.records import FLOOR_HALF_DB, SourceRef, WaterColumnPing

LARGEST = 64_000
"""Bytes of one datagram when writing."""

_HEAD = Struct("<HHHHHHIhBbB3x")
_SECTOR = np.dtype([("tilt", "<i2"), ("frequency", "<u2"), ("number", "u1"), ("spare", "u1")])
_BEAM = np.dtype([("angle", "<i2"), ("start", "<u2"), ("count", "<u2"), ("detected", "<u2"),
                  ("sector", "u1"), ("number", "u1")])
_COUNT_AT = 4
_FLOOR = bytes([FLOOR_HALF_DB & 0xFF])


@dataclass(frozen=True, slots=True)
class _Part:
    """One datagram of a swath: the settings that all repeat, and its own beams."""

    settings: tuple[int, ...]
    sectors: npt.NDArray[Any]
    beams: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]


def part_numbers(data: bytes) -> tuple[int, int]:
    """Return how many datagrams the swath has, and which this is, from 1.

    Raises
    ------
    FormatError
        Numbers that cannot be.
    """
    count, number, *_ = unpack(_HEAD, data, BODY, "'k' head")
    if not 1 <= number <= count:
        raise FormatError(f"'k': datagram {number} of {count} cannot be")
    return count, number


def decode_k(
    parts: Sequence[bytes], *, context: LineContext, source: SourceRef
) -> WaterColumnPing:
    """Return the swath of all its datagrams.

    Parameters
    ----------
    parts : sequence of bytes
        Whole datagrams, in the order of their numbers.
    context : LineContext
        Installation, profile and runtime settings of the line.
    source : SourceRef

    Raises
    ------
    FormatError
        Sizes, numbers or sectors that do not belong together.
    """
    header = parse_header(parts[0])
    decoded = [_decode_part(data) for data in parts]
    first = decoded[0]
    _, speed, rate, heave, factor, gain = first.settings
    check_rate(rate / 100.0, "'k'")
    frequency = (first.sectors["frequency"] * 10.0).astype(np.float32)
    word = runtime_word(frequency, factor, gain, rate / 100.0)
    with as_format_error("'k'"):
        return WaterColumnPing(
            time_utc=header.time_utc,
            ping_counter=header.counter,
            swath=0,
            sounder=header.sounder,
            sector_frequency_hz=frequency,
            sector_tilt_deg=(first.sectors["tilt"] * 0.01).astype(np.float32),
            sample_rate_hz=rate / 100.0,
            sound_speed_m_s=speed / 10.0,
            tvg_range_factor=float(factor),
            tvg_offset_db=float(gain),
            runtime=f"{word}_{context.mode}" if context.mode else word,
            source=source,
            **_beam_fields(parts, decoded),
            **context.ping_fields(heave / 100.0),
        )


def _beam_fields(parts: Sequence[bytes], decoded: Sequence[_Part]) -> dict[str, Any]:
    """Return what the ping has for each beam."""
    total, *_ = decoded[0].settings
    beams = np.concatenate([part.beams for part in decoded])
    if any(part.settings != decoded[0].settings for part in decoded) or beams.size != total:
        raise FormatError(f"'k': expected {total} beams and equal settings, got {beams.size}")
    coarse = beams["detected"].astype(np.float32)
    runs = zip(parts, (part.starts for part in decoded), strict=True)
    return {
        "beam_angle_deg": (beams["angle"] * -0.01).astype(np.float32),  # bytes: + to port
        "samples_half_db": beam_rows(runs, beams["count"]),
        "first_sample": beams["start"].astype(np.int32),
        "sample_count": beams["count"].astype(np.int32),
        "detected_sample": np.where(coarse == 0, np.float32(np.nan), coarse),
        "sector": sector_rows(beams["sector"], decoded[0].sectors["number"], "'k'"),
    }


def _decode_part(data: bytes) -> _Part:
    _, _, sectors, total, beams, speed, rate, heave, factor, gain, _ = unpack(
        _HEAD, data, BODY, "'k' head"
    )
    if beams > MAX_BEAMS or total > MAX_BEAMS:
        raise FormatError(f"'k': impossible {beams} of {total} beams")
    table_at = BODY + _HEAD.size
    beams_at = table_at + sectors * _SECTOR.itemsize
    if beams_at > len(data) - END.size:
        raise FormatError(f"'k': no room for {sectors} transmit sectors")
    table = gather(data, np.arange(table_at, beams_at, _SECTOR.itemsize), _SECTOR, "sectors")
    starts = run_starts(
        data, beams_at, beams, _BEAM.itemsize, _COUNT_AT, 1, len(data) - END.size
    )
    heads = gather(data, starts - _BEAM.itemsize, _BEAM, "beams")
    return _Part((total, speed, rate, heave, factor, gain), table, heads, starts)


def encode_k(ping: WaterColumnPing, *, heave_m: float = 0.0, largest: int = LARGEST) -> bytes:
    """Return `ping` as its 'k' datagrams, one behind the other.

    Angles are rounded to 0.01 degrees, bottom detections to samples, time to milliseconds.
    Runs of odd length get one more sample at the floor: sounders write even runs only, and
    readers rely on it.

    Parameters
    ----------
    ping : WaterColumnPing
        Without a `swath`: the second of a dual swath needs a counter of its own.
    heave_m : float
        At the transducer, + down.
    largest : int
        Bytes of one datagram.

    Raises
    ------
    FormatError
        Numbers the format has no room for.
    """
    room = largest - BODY - END.size - _HEAD.size - 256 * _SECTOR.itemsize
    counts = ping.sample_count.tolist()
    runs = [
        head.tobytes() + samples[:count].tobytes() + _FLOOR[: count % 2]
        for head, samples, count in zip(
            _encode_beams(ping), ping.samples_half_db, counts, strict=True
        )
    ]
    groups = _groups(runs, room)
    return b"".join(
        frame_datagram(
            "k", ping.time_utc, _encode_head(ping, len(groups), number, len(group), heave_m)
            + b"".join(group), sounder=ping.sounder, counter=ping.ping_counter,
        )
        for number, group in enumerate(groups, start=1)
    )


def _encode_beams(ping: WaterColumnPing) -> npt.NDArray[Any]:
    counts = ping.sample_count
    width = min(ping.samples_half_db.shape[1], 0xFFFE)
    if counts.size > MAX_BEAMS or np.any((counts < 0) | (counts > width)):
        raise FormatError(f"'k': no room for {counts.size} beams of up to {width} samples")
    beams = np.zeros(counts.size, _BEAM)
    beams["angle"] = np.rint(ping.beam_angle_deg * -100.0)
    beams["start"], beams["sector"] = ping.first_sample, ping.sector
    beams["count"] = counts + counts % 2
    detected = np.nan_to_num(ping.detected_sample, nan=0.0)
    beams["detected"] = np.clip(np.rint(detected), 0, 0xFFFF)
    beams["number"] = 255
    return beams


def _encode_head(
    ping: WaterColumnPing, count: int, number: int, beams: int, heave_m: float
) -> bytes:
    sectors = np.zeros(ping.sector_tilt_deg.size, _SECTOR)
    sectors["tilt"] = np.rint(ping.sector_tilt_deg * 100.0)
    sectors["frequency"] = np.rint(ping.sector_frequency_hz / 10.0)
    sectors["number"] = np.arange(sectors.size)
    head = _HEAD.pack(
        count, number, sectors.size, ping.beam_angle_deg.size, beams,
        round(ping.sound_speed_m_s * 10), round(ping.sample_rate_hz * 100), round(heave_m * 100),
        int(ping.tvg_range_factor), int(ping.tvg_offset_db), 0,
    )
    return head + sectors.tobytes()


def _groups(runs: list[bytes], room: int) -> list[list[bytes]]:
    """Return the beams spread over as many datagrams as they need."""
    groups: list[list[bytes]] = [[]]
    used = 0
    for run in runs:
        if groups[-1] and used + len(run) > room:
            groups.append([])
            used = 0
        groups[-1].append(run)
        used += len(run)
    return groups
