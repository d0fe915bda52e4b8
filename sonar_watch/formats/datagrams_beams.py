"""Beams of a swath, in either Kongsberg family: heads and sample runs of their own length."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import finite
from sonar_watch.records import FLOOR_HALF_DB

MAX_BEAMS = 4096
"""No sounder has more; a larger number is a broken header, not a reason to allocate."""

MAX_SECTORS = 256
"""Transmit sectors: sounders have up to 16, and every one is a word of the runtime settings."""

MAX_CELLS = 1 << 25
"""Beams times the longest run: the largest water column known has 12 million samples. One long run
among thousands of empty ones would otherwise make 268 MB of a datagram of 100 kB."""

_COUNT = Struct("<H")


def check_rate(rate_hz: float, what: str) -> None:
    """Check that a sounder may sample at this rate: the deepest at 200 Hz, harbour at 60 kHz.

    Raises
    ------
    FormatError
        Not between 1 Hz and 1 MHz.
    """
    if not finite(rate_hz, 1.0, 1e6):
        raise FormatError(f"{what}: impossible sample rate {rate_hz} Hz")


def run_starts(
    data: bytes, first: int, beams: int, head: int, count_at: int, width: int, end: int
) -> npt.NDArray[np.int64]:
    """Return the byte offset of each beam's samples.

    Beams follow one another, each a head of `head` bytes with its number of samples at byte
    `count_at`, then that many samples of `width` bytes. The length of a run is only known from
    its head, so this walk is the one part that cannot be done on whole arrays.

    Raises
    ------
    FormatError
        They do not end before `end`.
    """
    unpack_count = _COUNT.unpack_from
    starts = [0] * beams
    position = first
    for beam in range(beams):
        if position + head > end:
            raise FormatError(f"beam {beam} of {beams} lies beyond the datagram")
        starts[beam] = position + head
        position += head + unpack_count(data, position + count_at)[0] * width
    if position > end:
        raise FormatError(f"the last beam ends {position - end} bytes beyond the datagram")
    return np.array(starts, np.int64)


def gather(
    data: bytes, starts: npt.NDArray[np.int64], layout: np.dtype[Any], what: str
) -> npt.NDArray[Any]:
    """Return the records of `layout` at the byte offsets `starts`, increasing.

    Raises
    ------
    FormatError
        The datagram ends within them.
    """
    if starts.size and starts[-1] + layout.itemsize > len(data):
        raise FormatError(f"the datagram ends within its {what}")
    flat = np.frombuffer(data, np.uint8)
    picked = flat[starts[:, None] + np.arange(layout.itemsize)]
    return np.ascontiguousarray(picked).view(layout).reshape(starts.size)


def beam_rows(
    blocks: Iterable[tuple[bytes, npt.NDArray[np.int64]]], counts: npt.NDArray[Any]
) -> npt.NDArray[np.int8]:
    """Return the sample runs as rows of one matrix, filled up with the floor.

    Joining slices of bytes is twice as fast here as assigning to rows of an array.

    Parameters
    ----------
    blocks : iterable of (bytes, ndarray)
        Datagrams of the swath, each with the byte offsets of its runs.
    counts : ndarray, shape (b,)
        Samples in each run, over all blocks.

    Returns
    -------
    ndarray, shape (b, max(counts)), int8, half decibels

    Raises
    ------
    FormatError
        More than `MAX_CELLS` samples and filling.
    """
    width = int(counts.max(initial=0))
    if counts.size * width > MAX_CELLS:
        raise FormatError(
            f"expected at most {MAX_CELLS} samples, received {counts.size} beams of up to {width}"
        )
    floor = bytes([FLOOR_HALF_DB & 0xFF]) * width
    lengths = iter(counts.tolist())
    pieces: list[bytes] = []
    for data, starts in blocks:
        for start, count in zip(starts.tolist(), lengths, strict=False):
            pieces += (data[start : start + count], floor[count:])
    return np.frombuffer(b"".join(pieces), np.int8).reshape(counts.size, width)


def sector_rows(
    numbers: npt.NDArray[Any], listed: npt.NDArray[Any], what: str
) -> npt.NDArray[np.int32]:
    """Return for each beam the index of its transmit sector in the sector table.

    Raises
    ------
    FormatError
        The table is longer than `MAX_SECTORS`, or a beam names a sector that it does not list.
    """
    if listed.size > MAX_SECTORS:
        raise FormatError(f"{what}: impossible {listed.size} transmit sectors")
    order = np.argsort(listed, kind="stable")
    place = np.minimum(np.searchsorted(listed[order], numbers), listed.size - 1)
    rows = order[place].astype(np.int32) if listed.size else np.zeros(numbers.shape, np.int32)
    if numbers.size and (not listed.size or np.any(listed[rows] != numbers)):
        raise FormatError(f"{what}: a beam names a transmit sector that is not listed")
    return rows


def runtime_word(
    frequencies_hz: npt.NDArray[np.float32], factor: float, offset_db: float, rate_hz: float
) -> str:
    """Return the configuration as one word: frequencies, time-varying gain, sample rate."""
    sectors = "-".join(f"{frequency / 1e3:.0f}" for frequency in frequencies_hz.tolist())
    return f"f{sectors}khz_x{factor:g}c{offset_db:g}_fs{rate_hz:.0f}"
