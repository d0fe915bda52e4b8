"""Pictures: whole or cut, honest or lying headers, and writing in one step."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch import images
from sonar_watch.errors import ImageError

cv2 = pytest.importorskip("cv2")

GREY = (np.arange(40 * 60) % 251).astype(np.uint8).reshape(40, 60)
COLOUR = np.dstack([GREY, GREY[::-1], 255 - GREY])
SUFFIXES = [".png", ".jpg", ".tif", ".bmp"]


def encoded(suffix: str, image=GREY, *flags: int) -> bytes:
    return cv2.imencode(suffix, image, list(flags))[1].tobytes()


def a_file(folder, data: bytes, suffix: str):
    path = folder / f"picture{suffix}"
    path.write_bytes(data)
    return path


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read(tmp_path, suffix, image):
    path = a_file(tmp_path, encoded(suffix, image), suffix)
    assert images.is_whole(path)
    assert images.image_size(path) == (60, 40)
    read = images.read_image(path)
    assert read.shape == image.shape or suffix == ".bmp"
    if suffix != ".jpg":
        assert np.array_equal(read, image)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_cut_file_is_whole(tmp_path, suffix):
    data = encoded(suffix, COLOUR)

    for cut in {*range(0, 64), *range(64, len(data), 97), len(data) - 2, len(data) - 1}:
        path = a_file(tmp_path, data[:cut], suffix)
        assert not images.is_whole(path), cut
        with pytest.raises(ImageError, match="picture"):
            images.read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_file_grown_to_its_size_but_not_yet_filled_is_not_whole(tmp_path, suffix):
    data = encoded(suffix, COLOUR)
    half = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    assert not images.is_whole(a_file(tmp_path, half, suffix))


def test_padding_behind_the_end_is_let_pass(tmp_path):
    assert images.is_whole(a_file(tmp_path, encoded(".jpg") + bytes(300), ".jpg"))
    assert images.is_whole(a_file(tmp_path, encoded(".png") + b"more", ".png"))


def test_big_endian_tiff_with_strips_before_its_directory(tmp_path):
    pixels = bytes(range(12))
    entries = [(256, 3, 1, 4 << 16), (257, 3, 1, 3 << 16), (258, 3, 1, 8 << 16),
               (259, 3, 1, 1 << 16), (262, 3, 1, 1 << 16), (273, 4, 1, 8), (277, 3, 1, 1 << 16),
               (278, 3, 1, 3 << 16), (279, 4, 1, 12)]
    table = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    data = struct.pack(">2sHI", b"MM", 42, 20) + pixels + struct.pack(">H", 9) + table + bytes(4)
    path = a_file(tmp_path, data, ".tif")
    assert images.image_size(path) == (4, 3)
    assert images.read_image(path).ravel().tolist() == list(range(12))


def test_sixteen_bits_and_alpha_become_eight_bits_without(tmp_path):
    deep = a_file(tmp_path, encoded(".png", GREY.astype(np.uint16) * 256), ".png")
    assert np.array_equal(images.read_image(deep), GREY)
    clear = a_file(tmp_path, encoded(".png", np.dstack([COLOUR, GREY])), ".png")
    assert np.array_equal(images.read_image(clear), COLOUR)


def test_a_small_file_that_claims_to_be_huge_is_refused_before_decoding(tmp_path):
    data = bytearray(encoded(".png"))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path = a_file(tmp_path, bytes(data), ".png")
    with pytest.raises(ImageError, match="60000 x 60000 px, expected at most 25000000"):
        images.read_image(path)
    with pytest.raises(ImageError, match="60 x 40"):
        images.read_image(a_file(tmp_path, encoded(".png"), ".png"), max_pixels=2399)


def test_a_large_file_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 10)
    with pytest.raises(ImageError, match="at most 10"):
        images.is_whole(a_file(tmp_path, encoded(".png"), ".png"))


def test_other_files_are_no_pictures(tmp_path):
    for data in (b"", b"x", b"GIF89a" + bytes(100), b"\x89PNG\r\n\x1a\n"):
        path = a_file(tmp_path, data, ".png")
        assert not images.is_whole(path)
        with pytest.raises(ImageError, match="header"):
            images.read_image(path)
    with pytest.raises(OSError, match="gone"):
        images.read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(data=st.data())
def test_flipped_bytes_give_a_picture_or_an_image_error(tmp_path, suffix, data):
    raw = bytearray(encoded(suffix))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = a_file(tmp_path, bytes(raw), suffix)
    try:
        image = images.read_image(path, max_pixels=1_000_000)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim in (2, 3)


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_png_comes_back_and_leaves_nothing_beside_it(tmp_path, image):
    path = tmp_path / "a.png"
    images.write_png(path, image)
    images.write_png(path, image[::2])
    assert np.array_equal(images.read_image(path), image[::2])
    assert names_in(tmp_path) == ["a.png"]


@pytest.mark.parametrize("image", [
    np.zeros((2, 2)),
    np.zeros((0, 3), np.uint8),
    np.zeros(4, np.uint8),
    np.zeros((2, 2, 7), np.uint8),
])
def test_what_is_no_picture_is_not_written(tmp_path, image):
    with pytest.raises(ImageError, match=r"a\.png"):
        images.write_png(tmp_path / "a.png", image)
    assert names_in(tmp_path) == []


def test_writing_into_a_missing_folder_fails_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="missing"):
        images.write_atomic(tmp_path / "missing" / "a.bin", b"1")
    assert names_in(tmp_path) == []
