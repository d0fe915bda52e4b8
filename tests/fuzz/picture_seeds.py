"""Small pictures of every kind that ships and slides bring, and pictures that are bombs."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import cv2
import numpy as np
from PIL import Image

GREY = (np.arange(12 * 16) % 251).astype(np.uint8).reshape(12, 16)
COLOUR = np.dstack([GREY, GREY[::-1], 255 - GREY])
MAGIC = b"\x89PNG\r\n\x1a\n"


@cache
def pictures() -> tuple[bytes, ...]:
    """Return pictures that must be read: grey, colour, palette, alpha, 16 bits, interlaced ..."""
    ours = [
        cv2.imencode(suffix, image)[1].tobytes()
        for suffix in (".png", ".jpg", ".tif", ".bmp") for image in (GREY, COLOUR)
    ]
    deep = [cv2.imencode(suffix, GREY.astype(np.uint16) * 256)[1].tobytes()
            for suffix in (".png", ".tif")]
    progressive = cv2.imencode(".jpg", COLOUR, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    return (*ours, *deep, progressive, *_theirs(), interlaced(), animated())


def _theirs() -> list[bytes]:
    """Return what other programs write."""
    picture = Image.fromarray(COLOUR)
    kinds = [
        (picture.quantize(16), "PNG", {}), (picture.convert("RGBA"), "PNG", {}),
        (Image.fromarray(GREY > 99), "PNG", {}), (picture.convert("CMYK"), "JPEG", {}),
        (picture.quantize(16), "BMP", {}), (picture.quantize(16), "TIFF", {}),
        (picture, "TIFF", {"compression": "tiff_lzw"}),
        (picture, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (picture, "TIFF", {"compression": "jpeg"}),
        (Image.fromarray(GREY > 99), "TIFF", {"compression": "group4"}),
    ]
    return [_written(image, kind, options) for image, kind, options in kinds]


def _written(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, *, bits: int = 8, colour: int = 0, lace: int = 0) -> bytes:
    """Return an IHDR chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, lace))


def interlaced() -> bytes:
    """Return a grey picture in the seven passes of Adam7."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)]
    rows = b"".join(
        b"\0" + row.tobytes()
        for top, left, down, across in passes for row in GREY[top::down, left::across]
    )
    end = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return MAGIC + header(16, 12, lace=1) + end


def rows_of(image: np.ndarray) -> bytes:
    """Return the filtered rows of a grey picture, not compressed."""
    return b"".join(b"\0" + row.tobytes() for row in image)


def animated() -> bytes:
    """Return a PNG of two frames; the first is the picture."""
    data = zlib.compress(rows_of(GREY))
    frame = struct.pack(">IIIIHHBB", 16, 12, 0, 0, 1, 10, 0, 0)
    return (
        MAGIC + header(16, 12) + chunk(b"acTL", struct.pack(">II", 2, 0))
        + chunk(b"fcTL", struct.pack(">I", 0) + frame) + chunk(b"IDAT", data)
        + chunk(b"fcTL", struct.pack(">I", 1) + frame)
        + chunk(b"fdAT", struct.pack(">I", 2) + data) + chunk(b"IEND", b"")
    )


def tiff(entries: list[tuple[int, int, int, int]], pixels: bytes = bytes(64)) -> bytes:
    """Return a little-endian TIFF of (tag, type, count, value) with its pixels at byte 8."""
    pixels += bytes(len(pixels) % 2)
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    return head + pixels + struct.pack("<H", len(entries)) + table + bytes(4)


def grey_tiff(width: int, height: int, **changes: int) -> list[tuple[int, int, int, int]]:
    """Return the entries of a grey TIFF with one strip, `changes` as t<tag>=value."""
    values = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height,
              279: width * height}
    values |= {int(key[1:]): value for key, value in changes.items()}
    return [(tag, 4, 1, value) for tag, value in sorted(values.items()) if value >= 0]


def fans() -> tuple[bytes, ...]:
    """Return screens that show a fan: apex and aspect, size, and the pixels as they are."""
    y, x = np.mgrid[:72, :112]
    reach = np.hypot(x - 56, y - 4)
    fan = (reach < 66) & (np.abs(x - 56) < 1.2 * (y - 4))
    level = np.random.default_rng(5).integers(40, 180, fan.shape).astype(np.uint8)
    level[fan & (np.abs(x - 40) < 3)] = 220
    grey = np.where(fan, level, 0).astype(np.uint8)
    jet = np.where(fan[..., None], cv2.applyColorMap(level, cv2.COLORMAP_JET), 255)
    jet[68:, 10:90] = (0, 0, 200)  # a legend
    shown = [(grey, 0), (255 - grey, 0), (jet.astype(np.uint8), 1)]
    return tuple(
        struct.pack("<dddBBB", 56.0, 4.0, 1.0, 71, 111, colour) + image.tobytes()
        for image, colour in shown
    )
