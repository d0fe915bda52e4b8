"""Trees of tiles: names decide, folders tell the site, nothing is passed over in silence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from realdata import real_data

from sonar_watch.ichthyolith.records import Slide
from sonar_watch.ichthyolith.tree import Problem, read_tree

SMALL = np.full((24, 32, 3), 135, np.uint8)
LARGE = np.full((150, 200, 3), 135, np.uint8)


def put(path: Path, picture: np.ndarray = SMALL) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix.lower(), picture)
    assert done
    path.write_bytes(data.tobytes())
    return path


def described(slides: list[Slide]) -> dict[str, list[tuple[int, int]]]:
    """Return the (y, x) of the tiles by the key of their slide."""
    return {slide.key: [(tile.y_px, tile.x_px) for tile in slide.tiles] for slide in slides}


def only_reason(problems: list[Problem], image: str) -> str:
    assert [problem.image for problem in problems] == [image]
    return problems[0].reason


def test_reads_site_sample_slide_and_puts_y_first(tmp_path: Path) -> None:
    for slide, y, x in (("001", 0, 960), ("001", 960, 0), ("001", 0, 0), ("002", 0, 9600)):
        put(tmp_path / "Site_1" / "1A_2_3" / f"1A_2_3_{slide}" / f"1A_2_3_{slide}_{y}_{x}.jpg")
    slides, problems = read_tree(tmp_path)
    assert problems == []
    assert described(slides) == {
        "Site_1/1A_2_3/001": [(0, 0), (0, 960), (960, 0)],
        "Site_1/1A_2_3/002": [(0, 9600)],
    }
    first = slides[0].tiles[0]
    assert first.image == "Site_1/1A_2_3/1A_2_3_001/1A_2_3_001_0_0.jpg"
    assert (first.width_px, first.height_px) == (32, 24)
    assert first.path.is_file()


@pytest.mark.parametrize("part", ["Site_1", "Site_1/1A_2", "Site_1/1A_2/1A_2_001"])
def test_part_of_a_tree_has_the_same_sites(tmp_path: Path, part: str) -> None:
    put(tmp_path / "Site_1" / "1A_2" / "1A_2_001" / "1A_2_001_0_0.png")
    assert described(read_tree(tmp_path / part)[0]) == {"Site_1/1A_2/001": [(0, 0)]}


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("flat/1A_2_001_960_0.jpg", "flat/1A_2/001"),
        ("flat/Site_1/1A_2_001_960_0.jpg", "Site_1/1A_2/001"),
        ("flat/Site_1/1A_2/1A_2_001_960_0.jpg", "Site_1/1A_2/001"),
        ("flat/Site_1/1A_2/001/1A_2_001_960_0.jpg", "Site_1/1A_2/001"),
        ("flat/1A_2_001/1A_2_001_960_0.jpg", "flat/1A_2/001"),
        ("flat/Site_1/1A_2/left/1A_2_B_960_0.jpg", "left/1A_2/B"),
    ],
)
def test_flatter_trees(tmp_path: Path, path: str, key: str) -> None:
    put(tmp_path / path)
    assert described(read_tree(tmp_path / "flat")[0]) == {key: [(960, 0)]}


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".jpeg", ".png", ".tif", ".TIFF", ".bmp"])
def test_reads_every_kind_of_picture(tmp_path: Path, suffix: str) -> None:
    put(tmp_path / f"1A_001_00960_0{suffix}")
    slides, problems = read_tree(tmp_path)
    assert problems == []
    assert described(slides) == {f"{tmp_path.name}/1A/001": [(960, 0)]}


def test_one_tile_given_by_itself(tmp_path: Path) -> None:
    tile = put(tmp_path / "Site_1" / "1A" / "1A_001" / "1A_001_0_960.png")
    slides, problems = read_tree(tile)
    assert (described(slides), problems) == ({"Site_1/1A/001": [(0, 960)]}, [])
    assert slides[0].tiles[0].image == "1A_001_0_960.png"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("tree/Site_1/1A_2/1A_2_001.tif", "Site_1/1A_2/001"),
        ("tree/Site_1/1A_2/1A_2_001/1A_2_001.tif", "Site_1/1A_2/001"),
        ("tree/Site_1/1A_2/first/whole.png", "Site_1/1A_2/first"),
        ("tree/Site_1/1A_2/1A_2_whole.png", "Site_1/1A_2/whole"),
        ("tree/1A_2/left.png", "tree/1A_2/left"),
        ("tree/mosaic.png", "tree/tree/mosaic"),
        ("tree/1149A_17_04_36_001.tif", "tree/1149A_17_04_36/001"),
        ("tree/Site_1/1179C_24_05_75/1179C_24_05_75_012.tif", "Site_1/1179C_24_05_75/012"),
    ],
)
def test_a_stitched_picture_is_a_slide_of_one_tile(tmp_path: Path, path: str, key: str) -> None:
    put(tmp_path / path, LARGE)
    slides, problems = read_tree(tmp_path / "tree")
    assert problems == []
    assert described(slides) == {key: [(0, 0)]}
    assert (slides[0].tiles[0].width_px, slides[0].tiles[0].height_px) == (200, 150)


def test_stitched_slides_of_a_sample_with_numbers_in_its_name_stay_apart(tmp_path: Path) -> None:
    """Taken for tiles at (36, 1) and (36, 2) their objects would be joined."""
    for number in ("001", "002"):
        put(tmp_path / f"1149A_17_04_36_{number}.png", LARGE)
    slides, problems = read_tree(tmp_path)
    assert problems == []
    assert [(one.sample, one.slide) for one in slides] == [
        ("1149A_17_04_36", "001"), ("1149A_17_04_36", "002"),
    ]


def test_hidden_files_and_notes_are_no_problems(tmp_path: Path) -> None:
    put(tmp_path / "1A_001_0_0.png")
    put(tmp_path / ".1A_001_0_960.png")
    put(tmp_path / ".trash" / "1A_001_0_960.png")
    for name in ("Thumbs.db", "README.md", "labels.json"):
        (tmp_path / name).write_text("words")
    slides, problems = read_tree(tmp_path)
    assert problems == []
    assert described(slides) == {f"{tmp_path.name}/1A/001": [(0, 0)]}


def test_a_picture_without_position_beside_tiles_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path / "1A_001_0_0.png")
    put(tmp_path / "1A_001_0_0 (1).png", LARGE)
    slides, problems = read_tree(tmp_path)
    assert len(slides) == 1
    assert "_<Y>_<X>" in only_reason(problems, "1A_001_0_0 (1).png")


def test_two_tiles_in_one_place_are_counted_once_and_told(tmp_path: Path) -> None:
    put(tmp_path / "1A_001_0_960.jpg")
    put(tmp_path / "1A_001_00_0960.png")
    slides, problems = read_tree(tmp_path)
    assert described(slides) == {f"{tmp_path.name}/1A/001": [(0, 960)]}
    assert "1A_001_00_0960.png" in only_reason(problems, "1A_001_0_960.jpg")


def test_a_slide_that_is_there_twice_is_counted_from_its_tiles(tmp_path: Path) -> None:
    put(tmp_path / "Site_1" / "1A" / "1A_001" / "1A_001_960_0.png")
    put(tmp_path / "Site_1" / "1A" / "1A_001.png", LARGE)
    slides, problems = read_tree(tmp_path)
    assert described(slides) == {"Site_1/1A/001": [(960, 0)]}
    assert "as tiles" in only_reason(problems, "Site_1/1A/1A_001.png")


def test_a_tile_in_the_folder_of_another_slide_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path / "1A" / "1A_002" / "1A_001_0_0.png")
    slides, problems = read_tree(tmp_path)
    assert slides == []
    assert "slide 001" in only_reason(problems, "1A/1A_002/1A_001_0_0.png")


def test_broken_and_foreign_pictures_are_problems_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "1A_001_0_0.png")
    whole = put(tmp_path / "1A_001_0_960.jpg", LARGE).read_bytes()
    (tmp_path / "1A_001_0_960.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "1A_001_0_1920.jpg").write_bytes(b"")
    (tmp_path / "1A_001_0_2880.jpg").write_bytes(b"no picture at all")
    (tmp_path / "1A_001_0_3840.webp").write_bytes(b"RIFF")
    slides, problems = read_tree(tmp_path)
    assert described(slides) == {f"{tmp_path.name}/1A/001": [(0, 0)]}
    reasons = {problem.image.rpartition("_")[2]: problem.reason for problem in problems}
    assert {
        name: word in reasons[name]
        for name, word in (
            ("960.jpg", "cut"),
            ("1920.jpg", "empty"),
            ("2880.jpg", "header"),
            ("3840.webp", ".webp"),
        )
    } == dict.fromkeys(reasons, True)


def test_a_crop_is_no_slide(tmp_path: Path) -> None:
    put(tmp_path / "exemplars" / "tooth" / "tooth_0001.png")
    slides, problems = read_tree(tmp_path)
    assert slides == []
    assert "32 x 24 px" in only_reason(problems, "exemplars/tooth/tooth_0001.png")


def test_a_header_that_claims_too_much_is_refused_unread(tmp_path: Path) -> None:
    bomb = bytearray(put(tmp_path / "1A_001.png", LARGE).read_bytes())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "1A_001.png").write_bytes(bomb)
    slides, problems = read_tree(tmp_path)
    assert slides == []
    assert "60000 x 60000 px" in only_reason(problems, "1A_001.png")


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "1A" / "1A_001" / "1A_001_0_0.png")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "Site_1").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "1A" / "again").symlink_to(tmp_path / "disk")
    slides, problems = read_tree(tree)
    assert [len(slide.tiles) for slide in slides] == [1]
    assert "link" in only_reason(problems, "Site_1/1A/again")


def test_nothing_there_is_an_error_and_an_empty_folder_is_none(tmp_path: Path) -> None:
    assert read_tree(tmp_path) == ([], [])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_tree(tmp_path / "nowhere")


def test_the_real_tree() -> None:
    root = real_data("slides")
    slides, problems = read_tree(root)
    assert {slide.key: len(slide.tiles) for slide in slides} == {
        "Site_1149/1149A_17_04_36/001": 4,
        "Site_1149/1149A_17_04_36/002": 4,
        "Site_1179/1179C_24_05_75/001": 3,
        "Site_1179/1179C_24_05_75/002": 6,
        "Site_1179/1179C_24_05_75/003": 8,
        "Site_U1370/U1370D_04_CC_10/005": 1,
        "Site_U1370/U1370D_07_02_148/001": 2,
        "Site_U1370/U1370D_07_02_148/002": 1,
    }
    assert all(problem.image.startswith("exemplars/") for problem in problems)
    assert len(problems) == 184
