"""Tiles and strips: every kind of picture as blue, green, red, no more in memory than a strip."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import pyvips
from realdata import real_data

from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith import reading
from sonar_watch.ichthyolith.reading import (
    micrometres_per_pixel,
    picture_size,
    read_tile,
    strips,
)
from sonar_watch.ichthyolith.records import Tile
from sonar_watch.ichthyolith.tree import read_tree


def picture(height: int = 90, width: int = 120) -> np.ndarray:
    """Return blue rising to the right, green downwards, red the same everywhere."""
    y, x = np.mgrid[:height, :width]
    red = np.full_like(x, 200)
    return np.dstack([x * 255 // width, y * 255 // height, red]).astype(np.uint8)


def tile_of(path: Path) -> Tile:
    width, height = picture_size(path)
    return Tile(path=path, image=path.name, x_px=0, y_px=0, width_px=width, height_px=height)


def put(path: Path, image: np.ndarray) -> Tile:
    assert cv2.imwrite(str(path), image)
    return tile_of(path)


def vips(image: np.ndarray) -> pyvips.Image:
    """Return a BGR picture as libvips has it."""
    return pyvips.Image.new_from_array(image[..., ::-1].copy()).copy(interpretation="srgb")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_reads_what_was_written(tmp_path: Path, name: str) -> None:
    tile = put(tmp_path / name, picture())
    np.testing.assert_array_equal(read_tile(tile), picture())


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.jpg"])
def test_grey_comes_as_three_like_channels(tmp_path: Path, name: str) -> None:
    grey = picture()[..., 0]
    image = read_tile(put(tmp_path / name, grey))
    assert image.shape == (90, 120, 3)
    assert (image == image[..., :1]).all()
    assert np.abs(image[..., 0].astype(int) - grey).max() <= 3


def test_a_jpeg_is_decoded_as_opencv_does(tmp_path: Path) -> None:
    tile = put(tmp_path / "a.jpg", picture(301, 217))
    np.testing.assert_array_equal(read_tile(tile), cv2.imread(str(tile.path)))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_come_as_eight(tmp_path: Path, suffix: str) -> None:
    deep = picture().astype(np.uint16) * 257
    image = read_tile(put(tmp_path / f"a.{suffix}", deep))
    assert np.abs(image.astype(int) - picture()).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_alpha_is_dropped(tmp_path: Path, suffix: str) -> None:
    alpha = np.dstack([picture(), np.full((90, 120), 7, np.uint8)])
    np.testing.assert_array_equal(read_tile(put(tmp_path / f"a.{suffix}", alpha)), picture())


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_inks_come_as_light(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    inks = pyvips.Image.black(64, 48, bands=4).copy(interpretation="cmyk")
    red = inks.linear(1, [0, 255, 255, 0]).cast("uchar")
    red.copy(interpretation="cmyk").write_to_file(str(path))
    blue, green, light = (int(one) for one in read_tile(tile_of(path))[20, 20])
    assert light > 180
    assert max(blue, green) < 80


def test_palettes_and_black_and_white_are_read(tmp_path: Path) -> None:
    palette, bilevel = tmp_path / "a.png", tmp_path / "b.tif"
    vips(picture()).write_to_file(str(palette), palette=True)
    (pyvips.Image.black(32, 20) + 255).cast("uchar").write_to_file(str(bilevel), bitdepth=1)
    assert read_tile(tile_of(palette)).shape == (90, 120, 3)
    assert (read_tile(tile_of(bilevel)) == 255).all()


def test_big_tiff_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    vips(picture()).tiffsave(str(path), bigtiff=True, compression="deflate", tile=True)
    np.testing.assert_array_equal(read_tile(tile_of(path)), picture())


def test_numbers_that_are_no_light_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    vips(picture()).cast("float").write_to_file(str(path))
    with pytest.raises(ImageError, match="float"):
        read_tile(tile_of(path))


@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"])
def test_a_cut_jpeg_is_an_error(tmp_path: Path, ending: bytes) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    tile = put(tmp_path / "a.jpg", noise)
    data = tile.path.read_bytes()
    tile.path.write_bytes(data[: len(data) // 2] + ending)
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read_tile(tile)
    with pytest.raises(ImageError, match=r"a\.jpg"):
        list(strips(tile, 50, 10))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_a_cut_picture_is_an_error(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    tile = put(tmp_path / name, noise)
    data = tile.path.read_bytes()
    tile.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"a\."):
        read_tile(tile)


def test_a_tile_that_became_another_is_an_error(tmp_path: Path) -> None:
    tile = put(tmp_path / "a.png", picture())
    put(tmp_path / "a.png", picture(80, 100))
    with pytest.raises(ImageError, match="100 x 80 px now"):
        read_tile(tile)


def test_a_tile_written_anew_is_read_anew(tmp_path: Path) -> None:
    tile = put(tmp_path / "a.png", picture())
    read_tile(tile)
    put(tmp_path / "a.png", 255 - picture())
    np.testing.assert_array_equal(read_tile(tile), 255 - picture())


def test_what_is_called_a_picture_and_is_none_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    with pytest.raises(ImageError, match="received none"):
        picture_size(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
@pytest.mark.parametrize(("height", "overlap"), [(50, 0), (50, 49), (64, 10), (333, 1), (900, 5)])
def test_strips_are_the_picture(tmp_path: Path, name: str, height: int, overlap: int) -> None:
    tile = put(tmp_path / name, picture(333, 70))
    whole, reached = read_tile(tile), 0
    for top, strip in strips(tile, height, overlap):
        assert len(strip) == min(height, 333)
        np.testing.assert_array_equal(strip, whole[top : top + len(strip)])
        assert top <= reached - overlap or top == 0
        assert top + len(strip) > reached
        reached = top + len(strip)
    assert reached == 333


def test_strips_own_their_pixels(tmp_path: Path) -> None:
    tile = put(tmp_path / "a.png", picture(333, 70))
    for _, strip in strips(tile, 100, 50):
        strip[:] = 0
    before = list(strips(tile, 100, 50))
    np.testing.assert_array_equal(before[-1][1], picture(333, 70)[-100:])


@pytest.mark.parametrize(("height", "overlap"), [(10, 10), (10, -1), (0, 0)])
def test_strips_that_get_nowhere_are_refused(tmp_path: Path, height: int, overlap: int) -> None:
    tile = put(tmp_path / "a.png", picture())
    with pytest.raises(ValueError, match="overlap"):
        list(strips(tile, height, overlap))


def test_what_is_too_large_to_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_AT_ONCE_PX", 10_000)
    with pytest.raises(ImageError, match="120 x 90 px are too many"):
        read_tile(put(tmp_path / "a.png", picture()))
    with pytest.raises(ImageError, match="TIFF"):
        put(tmp_path / "a.bmp", picture())
    vips(picture()).jpegsave(str(tmp_path / "a.jpg"), interlace=True)
    with pytest.raises(ImageError, match="interlaced"):
        picture_size(tmp_path / "a.jpg")
    vips(picture()).tiffsave(str(tmp_path / "a.tif"), tile=True, tile_width=256, tile_height=256)
    with pytest.raises(ImageError, match="tiles of 65536 px"):
        picture_size(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_the_scale_is_read_from_the_metadata(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    vips(picture()).copy(xres=1000 / 0.96, yres=1000 / 0.96).write_to_file(str(path))
    assert micrometres_per_pixel(tile_of(path)) == pytest.approx(0.96, rel=1e-3)


@pytest.mark.parametrize("dots_per_inch", [72, 96, 300, 600, 1200])
def test_the_resolution_of_printers_is_no_scale(tmp_path: Path, dots_per_inch: int) -> None:
    path = tmp_path / "a.tif"
    vips(picture()).copy(xres=dots_per_inch / 25.4, yres=dots_per_inch / 25.4).tiffsave(str(path))
    assert micrometres_per_pixel(tile_of(path)) is None


def test_a_scale_that_differs_across_and_down_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    vips(picture()).copy(xres=1000.0, yres=900.0).tiffsave(str(path))
    assert micrometres_per_pixel(tile_of(path)) is None


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp"])
def test_no_metadata_no_scale(tmp_path: Path, name: str) -> None:
    assert micrometres_per_pixel(put(tmp_path / name, picture())) is None


PEAK = """
import resource, sys
from pathlib import Path
from sonar_watch.ichthyolith.reading import picture_size, strips
from sonar_watch.ichthyolith.records import Tile
import cv2, pyvips
path = Path(sys.argv[1])
width, height = picture_size(path)
tile = Tile(path=path, image=path.name, x_px=0, y_px=0, width_px=width, height_px=height)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for top, strip in strips(tile, int(sys.argv[2]), 0):
    rows = top + len(strip)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak_mb(path: Path, height: int) -> tuple[int, float]:
    """Return the rows that a fresh process read in strips, and by how much it grew, MB."""
    told = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(height)],
        check=True,
        capture_output=True,
        text=True,
    )
    rows, kilobytes = told.stdout.split()
    return int(rows), int(kilobytes) / 1024


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_memory_is_bounded_by_a_strip(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    black = pyvips.Image.black(10_000, 6_000, bands=3).copy(interpretation="srgb")
    black.write_to_file(str(path))
    rows, grown = peak_mb(path, 128)  # a strip has 4 MB, the picture 172 MB
    assert rows == 6_000
    assert grown < 140


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_of_a_slide_as_wide_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    black = pyvips.Image.black(35_000, 8_000, bands=3).copy(interpretation="srgb")
    black.write_to_file(str(path))
    rows, grown = peak_mb(path, 1_280)  # a strip has 128 MB, the picture 801 MB
    assert rows == 8_000
    assert grown < 650


def test_real_tiles_are_read_as_opencv_does() -> None:
    slides, _ = read_tree(real_data("slides", "Site_U1370"))
    for tile in (tile for slide in slides for tile in slide.tiles):
        image = read_tile(tile)
        assert image.shape == (1200, 1200, 3)
        np.testing.assert_array_equal(image, cv2.imread(str(tile.path)))
        assert micrometres_per_pixel(tile) is None  # the maker's own note alone might tell
