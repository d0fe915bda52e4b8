"""Small files that would become huge: refused before memory or time is taken for them."""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bounds import little_taken

from sonar_watch import image_headers, images
from sonar_watch.errors import ImageError

cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")

from picture_seeds import (  # noqa: E402 - needs both
    COLOUR,
    GREY,
    MAGIC,
    animated,
    chunk,
    grey_tiff,
    header,
    interlaced,
    pictures,
    rows_of,
    tiff,
)

PIXELS = chunk(b"IDAT", zlib.compress(rows_of(GREY)))
END = chunk(b"IEND", b"")
TILED = {"t273": -1, "t278": -1, "t279": -1, "t324": 8, "t325": 64}


def a_file(folder: Path, data: bytes) -> Path:
    path = folder / "picture"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "picture", range(len(pictures())), ids=lambda number: f"{pictures()[number][:4]!r}-{number}"
)
def test_pictures_of_every_kind_are_read(tmp_path, picture):
    path = a_file(tmp_path, pictures()[picture])
    assert images.is_whole(path)
    assert images.read_image(path).shape[:2] == GREY.shape


def test_interlaced_and_animated_pictures_are_those_that_were_drawn(tmp_path):
    for data in (interlaced(), animated()):
        assert np.array_equal(images.read_image(a_file(tmp_path, data)), GREY)


def bmp(width: int, height: int, bits: int = 8) -> bytes:
    data = bytearray(cv2.imencode(".bmp", GREY)[1].tobytes())
    struct.pack_into("<ii", data, 18, width, height)
    struct.pack_into("<H", data, 28, bits)
    return bytes(data)


def jpeg(width: int, height: int) -> bytes:
    data = bytearray(cv2.imencode(".jpg", GREY)[1].tobytes())
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (60_000, 60), (60, 60_000)])
@pytest.mark.parametrize("make", [
    lambda width, height: MAGIC + header(width, height) + PIXELS + END,
    lambda width, height: MAGIC + header(width, height, lace=1, bits=16, colour=6) + PIXELS + END,
    jpeg,
    lambda width, height: tiff(grey_tiff(width, height, t279=64)),
    lambda width, height: tiff(grey_tiff(width, height, t279=64, t259=5)),
    bmp,
    lambda width, height: bmp(width, -height, 24),
], ids=["png", "interlaced png", "jpeg", "tiff", "tiff lzw", "bmp", "bmp upside down"])
def test_pictures_of_sixty_thousand_pixels_are_refused(tmp_path, make, width, height):
    path = a_file(tmp_path, make(width, height))
    assert images.image_size(path) == (width, height)
    with little_taken(memory_mb=8), pytest.raises(ImageError, match="expected at most"):
        images.read_image(path)


def test_a_second_header_does_not_make_a_picture_smaller(tmp_path):
    data = MAGIC + header(60_000, 60_000) + header(16, 12) + PIXELS + END
    with pytest.raises(ImageError, match="60000 x 60000 px, expected at most"):
        images.read_image(a_file(tmp_path, data))
    late = MAGIC + chunk(b"tEXt", b"a\0b") + header(16, 12) + PIXELS + END
    with pytest.raises(ImageError, match="header"):
        images.read_image(a_file(tmp_path, late))


def test_of_two_equal_tags_the_first_counts(tmp_path):
    entries = sorted([*grey_tiff(60_000, 60_000, t279=64), (256, 4, 1, 16), (257, 4, 1, 12)],
                     key=lambda entry: (entry[0], -entry[3]))
    with pytest.raises(ImageError, match="60000 x 60000 px, expected at most"):
        images.read_image(a_file(tmp_path, tiff(entries)))


@pytest.mark.parametrize("side", [16_000, 30_000, 0xFFFFFFFF])
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_a_tile_larger_than_its_picture_is_no_way_round(tmp_path, side, compression):
    data = tiff(grey_tiff(16, 12, t322=side, t323=side, t259=compression, **TILED))
    with little_taken(memory_mb=8), pytest.raises(ImageError, match=r"16 x 12 px, \d+ of them at"):
        images.read_image(a_file(tmp_path, data))


@pytest.mark.parametrize("changes", [
    {"t278": 0xFFFFFFFF, "t259": 5}, {"t278": 0xFFFFFFFF, "t259": 8}, {"t277": 4000},
    {"t258": 64}, {"t258": 0xFFFFFFFF}, {"t259": 7}, {"t262": 2, "t277": 3}, {"t284": 2},
])
def test_strips_that_lie_are_refused_or_read_in_little_memory(tmp_path, changes):
    path = a_file(tmp_path, tiff(grey_tiff(16, 12, t279=64, **changes)))
    with little_taken(), suppress(ImageError):
        assert images.read_image(path).shape[:2] == GREY.shape


def test_a_directory_that_points_a_thousand_times_at_the_same_numbers(tmp_path):
    numbers = 1 << 18
    entries = [(tag, 4, numbers, 8) for tag in range(1, 4001)]
    path = a_file(tmp_path, tiff(entries, bytes(4 * numbers)))
    with little_taken(memory_mb=32):
        images.is_whole(path)
        with pytest.raises(ImageError):
            images.read_image(path)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt", b"eXIf"])
def test_compressed_words_in_a_picture_are_not_unpacked(tmp_path, kind):
    heads = {b"zTXt": b"k\0\0", b"iCCP": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"eXIf": b"II*\0"}
    packed = chunk(kind, heads[kind] + zlib.compress(bytes(8_000_000), 9))
    data = MAGIC + header(16, 12) + packed * 300 + PIXELS + packed * 300 + END
    with little_taken():
        assert np.array_equal(images.read_image(a_file(tmp_path, data)), GREY)


def test_rows_that_go_on_for_ever_end_with_the_picture(tmp_path):
    endless = chunk(b"IDAT", zlib.compress(rows_of(GREY) + bytes(50_000_000), 1))
    with little_taken():
        found = images.read_image(a_file(tmp_path, MAGIC + header(16, 12) + endless + END))
    assert np.array_equal(found, GREY)


def test_more_frames_than_there_is_memory(tmp_path):
    data = animated().replace(struct.pack(">II", 2, 0), struct.pack(">II", 0x7FFFFFFF, 0))
    at = data.index(b"acTL") - 4
    data = data[:at] + chunk(b"acTL", struct.pack(">II", 0x7FFFFFFF, 0)) + data[at + 20 :]
    with little_taken():
        assert np.array_equal(images.read_image(a_file(tmp_path, data)), GREY)


def test_a_jpeg_that_is_scanned_for_ever_is_refused(tmp_path):
    data = cv2.imencode(".jpg", COLOUR, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    scan = data[data.rindex(b"\xff\xda") : -2]
    path = a_file(tmp_path, data[:-2] + scan * 5000 + data[-2:])
    with little_taken(), pytest.raises(ImageError, match="at most 100 scans of a JPEG, received 5"):
        images.read_image(path)
    assert images.read_image(a_file(tmp_path, data[:-2] + scan * 50 + data[-2:])).ndim == 3


@pytest.mark.parametrize("data", [
    b"\xff\xd8" + b"\xff" * 3_000_000, b"\xff\xd8" + b"\xff\xd0" * 1_500_000,
    MAGIC + header(16, 12) + chunk(b"tEXt", b"") * 250_000,
], ids=["fill", "restarts", "chunks"])
def test_headers_without_end_are_left(tmp_path, data):
    path = a_file(tmp_path, data)
    with little_taken(memory_mb=16, cpu_s=3.0):
        assert not images.is_whole(path)
        with pytest.raises(ImageError):
            images.read_image(path)


def test_the_picture_that_is_decoded_is_the_one_that_was_checked(tmp_path, monkeypatch):
    """A writer puts a huge picture under the name between the look and the reading."""
    long = chunk(b"tEXt", bytes(100_000))  # more than one block of the file
    path = a_file(tmp_path, MAGIC + header(16, 12) + long + PIXELS + END)
    read, seen = image_headers.read_header, []

    def exchanged(file, size):
        found = read(file, size)
        if not seen:
            path.write_bytes(MAGIC + header(50_000, 50_000) + long + PIXELS + END)
        seen.append(found)
        return found

    monkeypatch.setattr(images, "read_header", exchanged)
    with little_taken(), pytest.raises(ImageError, match="50000 x 50000 px, expected at most"):
        images.read_image(path)


def test_old_bitmaps_are_read(tmp_path):
    rows = np.flipud(GREY).tobytes()
    head = struct.pack("<2sIHHIIHHHH", b"BM", 0, 0, 0, 26 + 768, 12, 16, 12, 1, 8)
    palette = b"".join(bytes([level] * 3) for level in range(256))
    data = head + palette + rows
    path = a_file(tmp_path, data[:2] + struct.pack("<I", len(data)) + data[6:])
    assert images.image_size(path) == (16, 12)
    assert np.array_equal(images.read_image(path), GREY)
