"""Pictures of slides as blue, green, red: whole tiles, or a huge one strip by strip.

A stitched slide has a thousand million pixels. libvips decodes it from top to bottom and keeps
what is asked for alone; which of its readers is used is decided by the first bytes of the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.ichthyolith.records import Tile
from sonar_watch.image_headers import read_header
from sonar_watch.images import read_image

if TYPE_CHECKING:
    from types import ModuleType

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
"""Lower-case endings of the pictures that are read."""

MOST_SIDE_PX = 65_535
"""Of width and height: what a JPEG can say; the widest slide that is known has 35,000."""

MOST_PIXELS = 2_500_000_000
"""Width times height of a picture that is read in strips: 50,000 x 50,000."""

MOST_AT_ONCE_PX = 120_000_000
"""Pixels that may be in memory together: of a tile read whole, or of a strip."""

_PIECE_PX = 64
"""Rows that are decoded together: they are in memory besides the strip."""

_PLAUSIBLE_UM = (0.01, 20.0)
"""Micrometres per pixel of microscopes; 72 to 1200 dots per inch, for printers, are 21 to 353."""

_LOADERS = {
    b"\xff\xd8\xff": ("jpegload", "warning"),
    b"\x89PNG": ("pngload", "warning"),
    b"II*\x00": ("tiffload", "error"),
    b"MM\x00*": ("tiffload", "error"),
    b"II+\x00": ("tiffload", "error"),
    b"MM\x00+": ("tiffload", "error"),
}
"""By the first bytes: which reader, and what makes it give up. TIFF readers warn of much."""


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels as the header says, without decoding.

    Raises
    ------
    ImageError
        No picture that is read, cut, or larger than `MOST_SIDE_PX` or `MOST_PIXELS` allow.
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        header = read_header(file, size)
        file.seek(0)
        is_big_tiff = file.read(4) in (b"II+\x00", b"MM\x00+")
    if size == 0:
        raise ImageError(f"{path.name}: the file is empty")
    width, height, is_whole = header.width, header.height, header.is_whole
    if is_big_tiff:
        image = _open(path)
        width, height, is_whole = image.width, image.height, True
    _check_size(path, width, height)
    if not is_whole:
        raise ImageError(f"{path.name}: cut: the end of the file is missing")
    if width * height > MOST_AT_ONCE_PX:
        _check_strips(path, header.held_px)
    return width, height


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{path.name}: expected a PNG, JPEG, TIFF or BMP header, received none")
    if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise ImageError(
            f"{path.name}: {width} x {height} px, expected at most {MOST_SIDE_PX} px a side "
            f"and {MOST_PIXELS} px in all"
        )


def _check_strips(path: Path, held_px: int) -> None:
    """Refuse a large picture that a decoder has to hold whole, whatever is asked of it."""
    if held_px > MOST_AT_ONCE_PX:
        raise ImageError(f"{path.name}: tiles of {held_px} px, expected at most {MOST_AT_ONCE_PX}")
    if _magic(path).startswith(b"BM"):
        raise ImageError(f"{path.name}: BMP of this size is not read: save it as TIFF")
    image = _open(path)
    if image.get_typeof("interlaced") and image.get("interlaced"):
        raise ImageError(
            f"{path.name}: a progressive (interlaced) picture of more than {MOST_AT_ONCE_PX} px "
            "would have to be held whole: save it without"
        )


def read_tile(tile: Tile) -> ByteImage:
    """Return a whole tile.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Blue, green, red; grey and 16 bit pictures are brought to it, alpha is dropped.

    Raises
    ------
    ImageError
        Cut, broken, of another size than the header said when the tree was read, or too large
        to be held whole: `strips` reads such a picture.
    OSError
        The file cannot be opened.
    """
    if tile.width_px * tile.height_px > MOST_AT_ONCE_PX:
        raise ImageError(
            f"{tile.image}: {tile.width_px} x {tile.height_px} px are too many to be held at "
            f"once, expected at most {MOST_AT_ONCE_PX}"
        )
    if _magic(tile.path).startswith(b"BM"):
        return next(_bitmap_rows(tile))
    return next(_vips_rows(tile, tile.height_px))


def strips(tile: Tile, height_px: int, overlap_px: int) -> Iterator[tuple[int, ByteImage]]:
    """Yield a picture from top to bottom in strips of its whole width.

    Parameters
    ----------
    tile : Tile
    height_px : int
        Of a strip; the last one is as high as the others and reaches up further, or all of the
        picture when that is lower.
    overlap_px : int
        Rows that two strips share, at least; less than `height_px`.

    Yields
    ------
    int
        Row of the picture at which the strip begins.
    ndarray, shape (h, w, 3), uint8
        Blue, green, red.

    Raises
    ------
    ValueError
        Strips that get nowhere.
    ImageError, OSError
        As `read_tile`.
    """
    if not 0 <= overlap_px < height_px:
        raise ValueError(f"expected 0 <= overlap < height, received {overlap_px} and {height_px}")
    if _magic(tile.path).startswith(b"BM"):
        rows = _bitmap_rows(tile)
    else:
        rows = _vips_rows(tile, min(height_px, _PIECE_PX))
    yield from _cut_strips(rows, tile, height_px, overlap_px)


def micrometres_per_pixel(tile: Tile) -> float | None:
    """Return the scale that the picture's metadata give, None where they give none.

    Resolutions that printers have, such as 72 dots per inch, are none of a microscope.

    Raises
    ------
    ImageError
        Not a picture.
    OSError
        The file cannot be opened.
    """
    if _magic(tile.path).startswith(b"BM"):
        return None
    image = _open(tile.path)
    across, down = (1000 / one if one > 0 else 0.0 for one in (image.xres, image.yres))
    if not _PLAUSIBLE_UM[0] <= across <= _PLAUSIBLE_UM[1]:
        return None
    if abs(across - down) > 0.01 * across:
        log.warning("%s: %.4g um across, %.4g down: no scale", tile.image, across, down)
        return None
    return across


@cache
def _vips() -> ModuleType:
    try:
        import pyvips as vips
    except ImportError as error:
        raise ConfigurationError(
            f"slides need libvips: pip install 'sonar-watch[detect]' ({error})"
        ) from error
    # A tile may be written anew under its old name: nothing is remembered by name.
    vips.cache_set_max(0)
    # It warns of units and tags that no pixel depends on, for each tile twice.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    module: ModuleType = vips
    return module


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _open(path: Path) -> Any:
    """Return a libvips image that is read from top to bottom; nothing is decoded yet."""
    magic = _magic(path)
    for start, (loader, fail_on) in _LOADERS.items():
        if magic.startswith(start):
            load = getattr(_vips().Image, loader)
            with _as_image_error(path.name):
                return load(str(path), access="sequential", fail_on=fail_on)
    raise ImageError(f"{path.name}: expected a PNG, JPEG, TIFF or BMP, received none")


@contextmanager
def _as_image_error(name: str) -> Iterator[None]:
    try:
        yield
    except _vips().Error as error:
        told = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ImageError(f"{name}: not decodable: {'; '.join(dict.fromkeys(told))}") from error


def _as_rgb(image: Any, name: str) -> Any:
    """Return a picture of any kind with three bands of a byte each."""
    if image.format not in ("uchar", "ushort"):
        raise ImageError(f"{name}: pixels are {image.format}, expected 8 or 16 bit whole numbers")
    if image.interpretation == "multiband":
        raise ImageError(f"{name}: {image.bands} bands that are no colours, expected grey or RGB")
    with _as_image_error(name):
        if image.interpretation != "srgb" or image.format != "uchar":
            image = image.colourspace("srgb")
        return image.extract_band(0, n=3) if image.bands > 3 else image


def _vips_rows(tile: Tile, piece_px: int) -> Iterator[ByteImage]:
    """Yield all rows of a picture in pieces of some rows."""
    import cv2

    image = _open(tile.path)
    if (image.width, image.height) != (tile.width_px, tile.height_px):
        raise ImageError(
            f"{tile.image}: is {image.width} x {image.height} px now, was {tile.width_px} x "
            f"{tile.height_px} px when the folder was read"
        )
    region = _vips().Region.new(_as_rgb(image, tile.image))
    for top in range(0, tile.height_px, piece_px):
        height = min(piece_px, tile.height_px - top)
        with _as_image_error(tile.image):
            data = region.fetch(0, top, tile.width_px, height)
        rgb = np.frombuffer(data, np.uint8).reshape(height, tile.width_px, 3)
        yield np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def _bitmap_rows(tile: Tile) -> Iterator[ByteImage]:
    image = read_image(tile.path, max_pixels=MOST_AT_ONCE_PX)
    yield np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _cut_strips(
    rows: Iterator[ByteImage], tile: Tile, height_px: int, overlap_px: int
) -> Iterator[tuple[int, ByteImage]]:
    """Yield strips of rows that come in pieces; what the next strip needs too is kept."""
    high = min(height_px, tile.height_px)
    starts = list(range(0, tile.height_px - high + 1, height_px - overlap_px))
    if starts[-1] + high < tile.height_px:
        starts.append(tile.height_px - high)
    left = np.empty((0, tile.width_px, 3), np.uint8)
    before, end = left, 0
    for start in starts:
        strip = np.empty((high, tile.width_px, 3), np.uint8)
        filled = end - start
        strip[:filled] = before[len(before) - filled :]
        while filled < high:
            left = left if len(left) else next(rows)
            part, left = left[: high - filled], left[high - filled :]
            strip[filled : filled + len(part)] = part
            filled += len(part)
        before, end = strip, start + high
        yield start, strip
