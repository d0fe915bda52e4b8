"""Pictures in and out: is a file whole, how large is it, decode it, write it in one step.

OpenCV 5 answers None for a cut file and OpenCV 4 may answer a picture that is partly grey, so
the trailer is checked before anything is decoded; what `image_headers` reads there comes before
memory is taken, so that a small file that makes a huge picture is refused. OpenCV is imported
when a picture is decoded, not before: the base install does not carry it.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.errors import ImageError
from sonar_watch.image_headers import Header, decodable, read_header
from sonar_watch.records import ByteImage

if TYPE_CHECKING:
    from types import ModuleType

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
"""Lower-case endings of the pictures that are read."""

MAX_FILE_BYTES = 1 << 28
"""Larger files are refused unread: pictures of `MAX_PIXELS` in colour have 75 MB, uncompressed."""

MAX_PIXELS = 25_000_000
"""Width times height of a picture that is read as usual. Bringing the colours of somebody else's
to ours takes 30 bytes a pixel: larger ones would take more memory than a watch may have."""

MAX_SIDE_PX = 40_000
"""Of width and height; the widest slide that is known has 35,000."""


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
    return _header_of(path).is_whole


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
    header = _header_of(path)
    _check_there(header, path.name)
    return header.width, header.height


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> ByteImage:
    """Return the picture at `path`, grey or BGR.

    Parameters
    ----------
    path : Path
    max_pixels : int
        Pictures whose header claims more are refused before decoding, as are those of more than
        `MAX_SIDE_PX` across or down.

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
    with path.open("rb") as file:
        _check(_header_in(file, path.name), path.name, max_pixels)
        file.seek(0)
        data = file.read(MAX_FILE_BYTES + 1)
    # Once more, in what will be decoded: its writer may have put another picture there.
    header = _header_in(io.BytesIO(data), path.name)
    _check(header, path.name, max_pixels)
    image = _decode(decodable(data), path.name)
    if image.shape[:2] != (header.height, header.width):
        raise ImageError(
            f"{path.name}: header says {header.width} x {header.height} px, decoded to "
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


def _header_of(path: Path) -> Header:
    with path.open("rb") as file:
        return _header_in(file, path.name)


def _header_in(file: BinaryIO, name: str) -> Header:
    size = file.seek(0, os.SEEK_END)
    if size > MAX_FILE_BYTES:
        raise ImageError(f"{name}: {size} bytes, expected at most {MAX_FILE_BYTES}")
    return read_header(file, size)


def _check_there(header: Header, name: str) -> None:
    if header.width < 1 or header.height < 1:
        raise ImageError(f"{name}: expected a PNG, JPEG, TIFF or BMP header, received none")


def _check(header: Header, name: str, max_pixels: int) -> None:
    """Refuse a picture that is cut, or that would take too much to decode."""
    _check_there(header, name)
    size = f"{header.width} x {header.height} px"
    if max(header.width * header.height, header.held_px) > max_pixels:
        at_once = f", {header.held_px} of them at once" if header.held_px else ""
        raise ImageError(f"{name}: {size}{at_once}, expected at most {max_pixels} px")
    if max(header.width, header.height) > MAX_SIDE_PX:
        raise ImageError(f"{name}: {size}, expected at most {MAX_SIDE_PX} across and down")
    if not header.is_whole:
        raise ImageError(f"{name}: cut: the end of the file is missing")
