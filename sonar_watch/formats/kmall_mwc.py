"""#MWC, the water column of one swath, versions 0 to 2: bytes <-> WaterColumnPing.

Beams are recorded one after another, each a short head and a run of samples of its own
length. One tight loop walks the heads (the length of a run is only known from its head);
everything else is done on whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import LineContext, as_format_error, check_heave, unpack
from sonar_watch.formats.datagrams_beams import (
    MAX_BEAMS,
    beam_rows,
    check_rate,
    gather,
    run_starts,
    runtime_word,
    sector_rows,
)
from sonar_watch.formats.kmall_header import (
    BODY,
    COMMON,
    PARTITION,
    TRAILER,
    Common,
    Header,
    frame_datagram,
)
from sonar_watch.records import IntArray, SourceRef, WaterColumnPing

_TX = Struct("<HHHhf")
_RX = Struct("<HHBBBbff")
_SECTOR = np.dtype([("tilt", "<f4"), ("frequency", "<f4"), ("width", "<f4"), ("number", "<u2"),
                    ("spare", "<i2")])
_BEAM = np.dtype([("angle", "<f4"), ("start", "<u2"), ("detected", "<u2"), ("sector", "<u2"),
                  ("count", "<u2"), ("detected_fine", "<f4")])
_BEAM_SIZE_V0 = 12
_COUNT_AT = 10
_PHASE_BYTES = {0: 0, 1: 1, 2: 2}


@dataclass(frozen=True, slots=True)
class _Receiver:
    """The receive part: what all beams share, and where they begin."""

    beams: int
    stride: int
    phase_bytes: int
    tvg_factor: int
    tvg_offset_db: int
    sample_rate_hz: float
    sound_speed_m_s: float
    offset: int


def decode_mwc(
    data: bytes,
    header: Header,
    common: Common,
    *,
    context: LineContext,
    source: SourceRef,
    heave_m: float | None = None,
) -> WaterColumnPing:
    """Return the swath of a whole #MWC datagram.

    Parameters
    ----------
    data : bytes
        Whole, parts joined.
    header, common
        As parsed from `data`.
    context : LineContext
        Installation and profile of the line.
    source : SourceRef
    heave_m : float or None
        At the transducer, + down (from #CHE); None: that of the reference point, in #MWC.

    Raises
    ------
    FormatError
        Sizes, numbers or sectors that do not belong together.
    """
    tx = BODY + PARTITION.size + common.size
    size, sectors, sector_size, _, own_heave_m = unpack(_TX, data, tx, "transmit part")
    table = _sector_table(data, tx + size, sectors, sector_size)
    receiver = _receiver(data, tx + size + sectors * sector_size)
    frequency = table["frequency"].astype(np.float32)
    check_heave(own_heave_m, "#MWC")
    with as_format_error("#MWC"):
        return WaterColumnPing(
            time_utc=header.time_utc,
            ping_counter=common.ping_counter,
            swath=common.swath,
            sounder=header.sounder,
            unit="-".join(filter(None, (str(header.system), context.serial))),
            sector_frequency_hz=frequency,
            sector_tilt_deg=table["tilt"].astype(np.float32),
            sample_rate_hz=receiver.sample_rate_hz,
            sound_speed_m_s=receiver.sound_speed_m_s,
            tvg_range_factor=float(receiver.tvg_factor),
            tvg_offset_db=float(receiver.tvg_offset_db),
            runtime=_runtime(receiver, frequency, common.swath),
            source=source,
            **_beam_fields(data, receiver, table["number"]),
            **context.ping_fields(own_heave_m if heave_m is None else heave_m),
        )


def _beam_fields(
    data: bytes, receiver: _Receiver, sectors: npt.NDArray[Any]
) -> dict[str, Any]:
    """Return what the ping has for each beam."""
    starts = run_starts(
        data, receiver.offset, receiver.beams, receiver.stride, _COUNT_AT,
        1 + receiver.phase_bytes, len(data) - TRAILER.size,
    )
    beams = _beam_table(data, starts, receiver.stride)
    return {
        "beam_angle_deg": -beams["angle"].astype(np.float32),  # Kongsberg counts + to port
        "samples_half_db": beam_rows([(data, starts)], beams["count"]),
        "first_sample": beams["start"].astype(np.int32),
        "sample_count": beams["count"].astype(np.int32),
        "detected_sample": _detected(beams),
        "sector": sector_rows(beams["sector"], sectors, "#MWC"),
    }


def _sector_table(data: bytes, offset: int, count: int, stride: int) -> npt.NDArray[Any]:
    if count and stride < _SECTOR.itemsize:
        raise FormatError(f"#MWC: expected sectors of {_SECTOR.itemsize} bytes, received {stride}")
    starts = offset + stride * np.arange(count)
    return gather(data, starts, _SECTOR, "transmit sectors")


def _receiver(data: bytes, offset: int) -> _Receiver:
    size, beams, stride, phase, factor, gain, rate, speed = unpack(_RX, data, offset, "receiver")
    if beams > MAX_BEAMS or stride < _BEAM_SIZE_V0 or phase not in _PHASE_BYTES:
        raise FormatError(
            f"#MWC: impossible {beams} beams of {stride} bytes with phase flag {phase}"
        )
    check_rate(rate, "#MWC")
    return _Receiver(
        beams, stride, _PHASE_BYTES[phase], factor, gain, rate, speed, offset + size
    )


def _beam_table(data: bytes, starts: npt.NDArray[np.int64], stride: int) -> npt.NDArray[Any]:
    if stride >= _BEAM.itemsize:
        return gather(data, starts - stride, _BEAM, "beams")
    table = np.zeros(starts.size, _BEAM)
    short = np.dtype([field for field in _BEAM.descr if field[0] != "detected_fine"])
    old = gather(data, starts - stride, short, "beams")
    for name in short.names or ():
        table[name] = old[name]
    return table


def _detected(beams: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the range sample of the bottom: the fine value where given, NaN where none."""
    coarse = beams["detected"].astype(np.float32)
    fine = beams["detected_fine"]
    usable = np.isfinite(fine) & (np.abs(fine - coarse) <= 1.0)
    return np.where(beams["detected"] == 0, np.float32(np.nan), np.where(usable, fine, coarse))


def _runtime(receiver: _Receiver, frequency: npt.NDArray[np.float32], swath: int) -> str:
    word = runtime_word(
        frequency, receiver.tvg_factor, receiver.tvg_offset_db, receiver.sample_rate_hz
    )
    return f"{word}_s{swath}"


def encode_mwc(
    ping: WaterColumnPing, *, version: int = 2, heave_m: float = 0.0, swaths_per_ping: int = 1
) -> bytes:
    """Return `ping` as one whole #MWC datagram.

    Parameters
    ----------
    ping : WaterColumnPing
    version : {0, 1, 2}
        0 has no fine bottom detection.
    heave_m : float
        At the vessel's reference point, + down.
    swaths_per_ping : int
        2 for dual swath; at least `ping.swath + 1` is written.

    Raises
    ------
    FormatError
        A version other than 0, 1 or 2, or numbers the format has no room for.
    """
    if version not in (0, 1, 2):
        raise FormatError(f"#MWC: expected version 0, 1 or 2, received {version}")
    swaths = max(swaths_per_ping, ping.swath + 1)
    common = COMMON.pack(
        COMMON.size, ping.ping_counter & 0xFFFF, 1, 0, swaths, ping.swath, 0, 0, 1, 0
    )
    tilt = ping.sector_tilt_deg
    sectors = np.zeros(tilt.size, _SECTOR)
    sectors["tilt"], sectors["frequency"] = tilt, ping.sector_frequency_hz
    sectors["width"], sectors["number"] = ping.beam_width_deg, np.arange(tilt.size)
    tx = _TX.pack(_TX.size, tilt.size, _SECTOR.itemsize, 0, heave_m) + sectors.tobytes()
    body = PARTITION.pack(1, 1) + common + tx + _encode_receiver(ping, version)
    return frame_datagram(
        "#MWC", ping.time_utc, body, sounder=ping.sounder, version=version
    )


def _encode_receiver(ping: WaterColumnPing, version: int) -> bytes:
    stride = _BEAM.itemsize if version else _BEAM_SIZE_V0
    counts = ping.sample_count
    _check_room(ping.first_sample, counts, ping.samples_half_db.shape[1])
    head = _RX.pack(
        _RX.size, counts.size, stride, 0, int(ping.tvg_range_factor), int(ping.tvg_offset_db),
        ping.sample_rate_hz, ping.sound_speed_m_s,
    )
    beams = np.zeros(counts.size, _BEAM)
    fine = np.nan_to_num(ping.detected_sample, nan=0.0)
    beams["angle"], beams["start"], beams["count"] = (
        -ping.beam_angle_deg, ping.first_sample, counts,
    )
    beams["detected"] = np.clip(np.floor(fine), fine > 0, 0xFFFF)  # 0 would mean none
    beams["detected_fine"] = fine
    beams["sector"] = ping.sector
    heads = beams.view(np.uint8).reshape(counts.size, _BEAM.itemsize)[:, :stride]
    parts = [head]
    for row, count, samples in zip(heads, counts.tolist(), ping.samples_half_db, strict=True):
        parts += (row.tobytes(), samples[:count].tobytes())
    return b"".join(parts)


def _check_room(first: IntArray, counts: IntArray, width: int) -> None:
    if counts.size > MAX_BEAMS or np.any(counts < 0) or np.any(counts > min(width, 0xFFFF)):
        raise FormatError(f"#MWC: no room for {counts.size} beams of up to {width} samples")
    if np.any((first < 0) | (first > 0xFFFF)):
        raise FormatError("#MWC: first samples must be 0 to 65535")
