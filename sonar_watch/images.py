"""Pictures in and out: is a file whole, how large is it, decode it, write it in one step.

OpenCV 5 answers None for a cut file and OpenCV 4 may answer a picture that is partly grey, so
the trailer is checked before anything is decoded; the dimensions come from the header, so a
small file that claims a huge picture is refused before memory is taken. OpenCV is imported
when a picture is decoded, not before: the base install does not carry it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.errors import ImageError
from sonar_watch.records import ByteImage

if TYPE_CHECKING:
    from types import ModuleType

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
"""Lower-case endings of the pictures that are read."""

MAX_FILE_BYTES = 1 << 30
"""Larger files are refused unread."""

_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_TIFF_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_MAX_TIFF_ENTRIES = 4096
_MAX_TIFF_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Header:
    """What the header and trailer say: `width` and `height` are 0 while they are not there."""

    width: int
    height: int
    is_whole: bool


_CUT = _Header(0, 0, False)


def is_whole(path: Path) -> bool:
    """Return whether the file at `path` is a complete PNG, JPEG, TIFF or BMP.

    A file that is still being written answers False, as does one that is no picture at all.

    Raises
    ------
    ImageError
        The file is larger than `MAX_FILE_BYTES`.
    OSError
        The file cannot be opened.
    """
    return _read_header(path).is_whole


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels as the header says, without decoding.

    Raises
    ------
    ImageError
        The header is not there or is of no format that is read, or the file is larger than
        `MAX_FILE_BYTES`.
    OSError
        The file cannot be opened.
    """
    header = _read_header(path)
    if header.width < 1 or header.height < 1:
        raise ImageError(f"{path.name}: expected a PNG, JPEG, TIFF or BMP header, received none")
    return header.width, header.height


def read_image(path: Path, *, max_pixels: int = 64_000_000) -> ByteImage:
    """Return the picture at `path`, grey or BGR.

    Parameters
    ----------
    path : Path
    max_pixels : int
        Pictures whose header claims more are refused before decoding.

    Returns
    -------
    ndarray, shape (h, w) or (h, w, 3), uint8
        16-bit pictures come scaled to 8 bits; alpha is dropped; the orientation tag of a
        camera is ignored, because sidecars count pixels as they are stored.

    Raises
    ------
    ImageError
        Cut, too large, or not decodable; or OpenCV is not installed.
    OSError
        The file cannot be opened.
    """
    width, height = image_size(path)
    if width * height > max_pixels:
        raise ImageError(f"{path.name}: {width} x {height} px, expected at most {max_pixels} px")
    if not is_whole(path):
        raise ImageError(f"{path.name}: cut: the end of the file is missing")
    image = _decode(path.read_bytes(), path.name)
    if image.shape[:2] != (height, width):
        raise ImageError(
            f"{path.name}: header says {width} x {height} px, decoded to "
            f"{image.shape[1]} x {image.shape[0]} px"
        )
    return image


def write_png(path: Path, image: ByteImage) -> None:
    """Write `image` to `path` as PNG; a reader sees the whole file or none.

    Parameters
    ----------
    path : Path
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        Grey or BGR.

    Raises
    ------
    ImageError
        The array is not a picture, or OpenCV is not installed.
    OSError
        The file cannot be written.
    """
    is_picture = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not is_picture or image.size == 0:
        raise ImageError(f"{path.name}: expected a uint8 picture, received {image.shape}")
    cv2 = _opencv()
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(image))
    if not done:
        raise ImageError(f"{path.name}: not encodable as PNG: shape {image.shape}")
    write_atomic(path, encoded.tobytes())


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a temporary file beside it, renamed when complete.

    Raises
    ------
    OSError
        The folder is missing, full or not writable; nothing is left behind then.
    """
    with whole_file(path) as file:
        file.write(data)


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise ImageError(
            f"pictures need OpenCV: pip install 'sonar-watch[detect]' ({error})"
        ) from error
    return cv2


def _decode(data: bytes, name: str) -> ByteImage:
    cv2 = _opencv()
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{name}: not decodable: {error}") from error
    if image is None or image.dtype != np.uint8:
        raise ImageError(f"{name}: not decodable")
    return np.asarray(image, np.uint8)


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size > MAX_FILE_BYTES:
            raise ImageError(f"{path.name}: {size} bytes, expected at most {MAX_FILE_BYTES}")
        file.seek(0)
        magic = file.read(8)
        for start, reader in _READERS.items():
            if magic.startswith(start):
                return reader(file, size)
    return _CUT


def _unsigned(data: bytes, big_endian: bool = True) -> int:
    return int.from_bytes(data, "big" if big_endian else "little")


def _read_png(file: BinaryIO, size: int) -> _Header:
    """Hop over the chunks to IEND: a file grown to its size but not yet filled stops early."""
    width = height = 0
    at = 8
    while at + 12 <= size:
        file.seek(at)
        chunk = file.read(16)
        if chunk[4:8] == b"IHDR":
            width, height = _unsigned(chunk[8:12]), _unsigned(chunk[12:16] + file.read(4)) >> 32
        if chunk[4:8] == b"IEND":
            return _Header(width, height, True)
        if not chunk[4:8].isalpha():
            break
        at += 12 + _unsigned(chunk[:4])
    return _Header(width, height, False)


def _read_jpeg(file: BinaryIO, size: int) -> _Header:
    width, height = _jpeg_size(file, size)
    file.seek(max(0, size - 4096))
    # Cameras and shares pad the end with zeros; the end-of-image marker must be last otherwise.
    tail = file.read().rstrip(b"\x00\r\n ")
    return _Header(width, height, width > 0 and tail.endswith(b"\xff\xd9"))


def _jpeg_size(file: BinaryIO, size: int) -> tuple[int, int]:
    at = 2
    while at + 4 <= size:
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


def _read_bmp(file: BinaryIO, size: int) -> _Header:
    file.seek(0)
    head = file.read(30)
    if len(head) < 30:
        return _CUT
    width, height = (
        int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22)
    )
    bits, start = _unsigned(head[28:30], False), _unsigned(head[10:14], False)
    stored = _unsigned(head[2:6], False)
    rows = start + (abs(width) * bits + 31) // 32 * 4 * abs(height)
    return _Header(abs(width), abs(height), size >= (stored or rows))


def _read_tiff(file: BinaryIO, size: int) -> _Header:
    """Read the first directory and see that all it points at lies inside the file."""
    file.seek(0)
    head = file.read(8)
    big = head[:2] == b"MM"
    entries = list(_tiff_entries(file, _unsigned(head[4:8], big), big)) if len(head) == 8 else []
    tags = {entry.tag: entry.values for entry in entries}
    width, height = ((tags.get(tag) or [0])[0] for tag in (256, 257))
    starts, counts = (tags.get(a) or tags.get(b) or [] for a, b in ((273, 324), (279, 325)))
    ends = [entry.end for entry in entries] + [a + n for a, n in zip(starts, counts, strict=False)]
    whole = 0 < len(starts) == len(counts) and max(ends) <= size
    return _Header(width, height, whole)


class _TiffEntry(NamedTuple):
    """One entry: where its values end in the file, and the values when they are whole numbers."""

    tag: int
    end: int
    values: list[int]


def _tiff_entries(file: BinaryIO, at: int, big: bool) -> Iterator[_TiffEntry]:
    """Yield the entries of the directory at byte `at`; none when the directory is cut."""
    file.seek(at)
    number = _unsigned(file.read(2), big)
    table = file.read(12 * min(number, _MAX_TIFF_ENTRIES) + 4)
    if at < 8 or len(table) != 12 * number + 4:
        return
    for start in range(0, 12 * number, 12):
        entry = table[start : start + 12]
        tag, kind, count = (_unsigned(part, big) for part in (entry[:2], entry[2:4], entry[4:8]))
        length = _TIFF_TYPE_BYTES.get(kind, 1) * count
        end = at + start if length <= 4 else _unsigned(entry[8:12], big) + length
        wanted = kind in (3, 4) and count <= _MAX_TIFF_VALUES
        yield _TiffEntry(tag, end, _tiff_values(file, entry, length, big) if wanted else [])


def _tiff_values(file: BinaryIO, entry: bytes, length: int, big: bool) -> list[int]:
    """Return the 16 or 32-bit whole numbers of an entry, as many as the file holds."""
    data = entry[8:12]
    if length > 4:
        file.seek(_unsigned(data, big))
        data = file.read(length)
    width = _TIFF_TYPE_BYTES[_unsigned(entry[2:4], big)]
    data = data[: min(length, len(data)) // width * width]
    return [int(value) for value in np.frombuffer(data, f"{'>' if big else '<'}u{width}")]


_READERS: dict[bytes, Callable[[BinaryIO, int], _Header]] = {
    b"\x89PNG\r\n\x1a\n": _read_png,
    b"\xff\xd8\xff": _read_jpeg,
    b"BM": _read_bmp,
    b"II*\x00": _read_tiff,
    b"MM\x00*": _read_tiff,
}
