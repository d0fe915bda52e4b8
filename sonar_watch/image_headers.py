"""What the header and the end of a picture say, without decoding: PNG, JPEG, TIFF, BMP.

A decoder believes what it is told and takes the memory and the time for it. What it would be told
is read here first, as the decoders read it: the first IHDR, the first of two equal TIFF tags, the
tiles as well as the picture. Every walk has an end, however long the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ImageError

MOST_SCANS = 100
"""Of a progressive JPEG, which has about ten. Each goes over all pixels and takes 30 bytes."""

_PNG = b"\x89PNG\r\n\x1a\n"
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})
_MOST_CHUNKS = 1 << 16
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_MOST_SEGMENTS = 4096
_OLD_BMP = 12
_TIFF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_MOST_TIFF_ENTRIES = 4096
_MOST_TIFF_VALUES = 1 << 18
_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
_STARTS, _SIZES = (273, 324), (279, 325)
_WANTED = frozenset({_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, *_STARTS, *_SIZES})

_Numbers = npt.NDArray[np.int64]
_NONE: _Numbers = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header and trailer say.

    Parameters
    ----------
    width, height : int
        Pixels; 0 while they are not there.
    is_whole : bool
        The end of the picture is there.
    held_px : int
        What the decoder holds at once besides, in pixels: a tile may be larger than the picture.
    """

    width: int = 0
    height: int = 0
    is_whole: bool = False
    held_px: int = 0


def read_header(file: BinaryIO, size: int) -> Header:
    """Return what the header of a picture of `size` bytes says, zeros when it is none."""
    file.seek(0)
    magic = file.read(8)
    for start, reader in _READERS.items():
        if magic.startswith(start):
            return reader(file, size)
    return Header()


def decodable(data: bytes) -> bytes:
    """Return what of a picture goes to the decoder.

    Of a PNG the chunks that make its pixels: text and profiles are compressed, and a file of a
    megabyte may hold a thousand of them that expand to eight megabytes each.

    Raises
    ------
    ImageError
        A JPEG of more than `MOST_SCANS` scans.
    """
    if data.startswith(_PNG):
        return _PNG + b"".join(_critical(data))
    if data.startswith(b"\xff\xd8") and (scans := data.count(b"\xff\xda")) > MOST_SCANS:
        raise ImageError(f"expected at most {MOST_SCANS} scans of a JPEG, received {scans}")
    return data


def _critical(data: bytes) -> Iterator[memoryview]:
    view, at = memoryview(data), 8
    while at + 12 <= len(data):
        end = at + 12 + _unsigned(data[at : at + 4])
        if data[at + 4 : at + 8] in _CRITICAL:
            yield view[at:end]
        at = end


def _unsigned(data: bytes, big_endian: bool = True) -> int:
    return int.from_bytes(data, "big" if big_endian else "little")


def _read_png(file: BinaryIO, size: int) -> Header:
    """Hop over the chunks to IEND: a file grown to its size but not yet filled stops early."""
    file.seek(8)
    first = file.read(16)
    if first[:8] != b"\0\0\0\x0dIHDR":  # it comes first; a decoder refuses a second one
        return Header()
    width, height = _unsigned(first[8:12]), _unsigned(first[12:16])
    at = 8
    for _ in range(_MOST_CHUNKS):
        if at + 12 > size:
            break
        file.seek(at)
        chunk = file.read(8)
        if chunk[4:8] == b"IEND":
            return Header(width=width, height=height, is_whole=True)
        if not chunk[4:8].isalpha():
            break
        at += 12 + _unsigned(chunk[:4])
    return Header(width=width, height=height)


def _read_jpeg(file: BinaryIO, size: int) -> Header:
    width, height = _jpeg_size(file, size)
    file.seek(max(0, size - 4096))
    # Cameras and shares pad the end with zeros; the end-of-image marker must be last otherwise.
    tail = file.read().rstrip(b"\x00\r\n ")
    return Header(
        width=width, height=height, is_whole=width > 0 and tail.endswith(b"\xff\xd9")
    )


def _jpeg_size(file: BinaryIO, size: int) -> tuple[int, int]:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > size:
            break
        file.seek(at)
        head = file.read(9)
        if head[0] != 0xFF:
            break
        marker = head[1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_STANDALONE:
            at += 2
        elif marker in _JPEG_FRAME and len(head) == 9:
            return _unsigned(head[7:9]), _unsigned(head[5:7])
        else:
            at += 2 + max(2, _unsigned(head[2:4]))
    return 0, 0


def _read_bmp(file: BinaryIO, size: int) -> Header:
    file.seek(0)
    head = file.read(30)
    if len(head) < 30:
        return Header()
    if _unsigned(head[14:18], False) == _OLD_BMP:  # of OS/2: 16 bits each
        width, height, bits = (_unsigned(head[at : at + 2], False) for at in (18, 20, 24))
    else:
        width, height = (
            abs(int.from_bytes(head[at : at + 4], "little", signed=True)) for at in (18, 22)
        )
        bits = _unsigned(head[28:30], False)
    start, stored = _unsigned(head[10:14], False), _unsigned(head[2:6], False)
    rows = start + (width * bits + 31) // 32 * 4 * height
    return Header(width=width, height=height, is_whole=size >= (stored or rows))


def _read_tiff(file: BinaryIO, size: int) -> Header:
    """Read the first directory and see that all it points at lies inside the file."""
    file.seek(0)
    head = file.read(8)
    big = head[:2] == b"MM"
    entries = list(_tiff_entries(file, _unsigned(head[4:8], big), big)) if len(head) == 8 else []
    tags: dict[int, _Numbers] = {}
    for entry in entries:
        tags.setdefault(entry.tag, entry.values)  # decoders take the first of two
    width, height, across, down = (
        int(next(iter(tags.get(tag, _NONE)), 0))
        for tag in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT)
    )
    starts, sizes = (tags.get(one, tags.get(other, _NONE)) for one, other in (_STARTS, _SIZES))
    last = max((entry.end for entry in entries), default=0)
    whole = 0 < starts.size == sizes.size and max(last, int((starts + sizes).max())) <= size
    return Header(width=width, height=height, is_whole=whole, held_px=across * down)


class _TiffEntry(NamedTuple):
    """One entry: where its values end in the file, and the whole numbers of those wanted."""

    tag: int
    end: int
    values: _Numbers


def _tiff_entries(file: BinaryIO, at: int, big: bool) -> Iterator[_TiffEntry]:
    """Yield the entries of the directory at byte `at`; none when the directory is cut."""
    file.seek(at)
    number = _unsigned(file.read(2), big)
    table = file.read(12 * min(number, _MOST_TIFF_ENTRIES) + 4)
    if at < 8 or len(table) != 12 * number + 4:
        return
    for start in range(0, 12 * number, 12):
        entry = table[start : start + 12]
        tag, kind, count = (_unsigned(part, big) for part in (entry[:2], entry[2:4], entry[4:8]))
        length = _TIFF_TYPE_BYTES.get(kind, 1) * count
        end = at + start if length <= 4 else _unsigned(entry[8:12], big) + length
        wanted = tag in _WANTED and kind in (3, 4) and count <= _MOST_TIFF_VALUES
        yield _TiffEntry(tag, end, _tiff_values(file, entry, length, big) if wanted else _NONE)


def _tiff_values(file: BinaryIO, entry: bytes, length: int, big: bool) -> _Numbers:
    """Return the 16 or 32-bit whole numbers of an entry, as many as the file holds."""
    data = entry[8:12]
    if length > 4:
        file.seek(_unsigned(data, big))
        data = file.read(length)
    width = _TIFF_TYPE_BYTES[_unsigned(entry[2:4], big)]
    data = data[: min(length, len(data)) // width * width]
    return np.frombuffer(data, f"{'>' if big else '<'}u{width}").astype(np.int64)


_READERS: dict[bytes, Callable[[BinaryIO, int], Header]] = {
    _PNG: _read_png,
    b"\xff\xd8\xff": _read_jpeg,
    b"BM": _read_bmp,
    b"II*\x00": _read_tiff,
    b"MM\x00*": _read_tiff,
}
