"""Pictures of slides as blue, green, red: whole tiles, or a huge one strip by strip.

A stitched slide has a thousand million pixels. libvips decodes it from top to bottom and keeps
what is asked for alone; which of its readers is used is decided by the first bytes of the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
    if width < 1 or height < 1:
        raise ImageError(f"{path.name}: expected a PNG, JPEG, TIFF or BMP header, received none")
    if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise ImageError(
            f"{path.name}: {width} x {height} px, expected at most {MOST_SIDE_PX} px a side "
            f"and {MOST_PIXELS} px in all"
        )
    if not is_whole:
        raise ImageError(f"{path.name}: cut: the end of the file is missing")
    return width, height


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
    ((_, image),) = strips(tile, tile.height_px, 0)
    return image


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
        rows = _vips_rows(tile, min(height_px, tile.height_px))
    yield from _cut_strips(rows, tile.height_px, height_px, overlap_px)


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
            try:
                return load(str(path), access="sequential", fail_on=fail_on)
            except _vips().Error as error:
                raise ImageError(f"{path.name}: not readable: {_told(error)}") from error
    raise ImageError(f"{path.name}: expected a PNG, JPEG, TIFF or BMP, received none")


def _told(error: Exception) -> str:
    return " ".join(str(error).split())


def _as_bgr(image: Any) -> Any:
    if image.interpretation != "srgb" or image.format != "uchar":
        image = image.colourspace("srgb")
    if image.bands > 3:
        image = image.extract_band(0, n=3)
    if image.format != "uchar":
        image = image.cast("uchar")
    return image[2].bandjoin([image[1], image[0]])


def _vips_rows(tile: Tile, height_px: int) -> Iterator[ByteImage]:
    """Yield all rows of a picture in pieces of `height_px`."""
    image = _open(tile.path)
    if (image.width, image.height) != (tile.width_px, tile.height_px):
        raise ImageError(
            f"{tile.image}: is {image.width} x {image.height} px now, was {tile.width_px} x "
            f"{tile.height_px} px when the folder was read"
        )
    image = _as_bgr(image)
    for top in range(0, image.height, height_px):
        piece = image.crop(0, top, image.width, min(height_px, image.height - top))
        try:
            data = piece.write_to_memory()
        except _vips().Error as error:
            raise ImageError(f"{tile.image}: broken: {_told(error)}") from error
        yield np.frombuffer(data, np.uint8).reshape(-1, image.width, 3)


def _bitmap_rows(tile: Tile) -> Iterator[ByteImage]:
    image = read_image(tile.path, max_pixels=MOST_AT_ONCE_PX)
    yield np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _cut_strips(
    rows: Iterator[ByteImage], total_px: int, height_px: int, overlap_px: int
) -> Iterator[tuple[int, ByteImage]]:
    """Yield strips of rows that come in pieces; what the next strip needs too is kept."""
    starts = list(range(0, max(total_px - height_px, 0) + 1, height_px - overlap_px))
    if starts[-1] + height_px < total_px:
        starts.append(total_px - height_px)
    held, top = next(rows), 0
    for start in starts:
        held, top = held[start - top :], start
        need = min(height_px, total_px - start)
        while len(held) < need:
            held = np.concatenate([held, next(rows)])
        yield start, held[:need]
