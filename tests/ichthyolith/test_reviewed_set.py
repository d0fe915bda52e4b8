"""From verdicts to what is trained on: pictures with boxes, and crops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import real_data
from review_builders import make_object, make_picture, make_tile

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.labels import read_labels as read_tiles
from sonar_watch.ichthyolith.particles import LEVEL, background, flattened
from sonar_watch.ichthyolith.records import CLASSES, Box, SlideObject, Tile
from sonar_watch.ichthyolith.review import (
    ReviewedOptions,
    reviewed_pictures,
    write_reviewed_crops,
    write_reviewed_set,
)
from sonar_watch.ichthyolith.review.painting import painted_over
from sonar_watch.images import read_image, write_png
from sonar_watch.learning.annotations import (
    label_path,
    read_dataset,
    read_labels,
    write_dataset,
    write_labels,
)
from sonar_watch.learning.crops import read_crops
from sonar_watch.learning.frozen import refuse_shared_surveys
from sonar_watch.learning.review import MixOptions, write_review_set

BOXES: list[Box] = [(20 + 70 * n, 40, 60 + 70 * n, 100) for n in range(5)]
IMAGE = "s/a/001/t.png"


def at(number: int, class_name: str, **said: Any) -> SlideObject:
    """The object in one of the boxes; reviewed when nothing else is said."""
    return make_object(
        number, **({"box": BOXES[number], "image": IMAGE, "class_name": class_name,
                    "reviewed": True} | said)
    )  # fmt: skip


@pytest.fixture
def tiles(tmp_path: Path) -> dict[str, Tile]:
    return {IMAGE: make_tile(tmp_path / "in", IMAGE, dict.fromkeys(BOXES, 30))}


def grey_of(image: np.ndarray, box: Box) -> float:
    left, top, right, bottom = map(int, box)
    return float(image[top:bottom, left:right].mean())


def test_what_was_judged_is_labelled_and_what_nobody_judged_painted_over(
    tiles: dict[str, Tile],
) -> None:
    objects = [
        at(0, "tooth"),
        at(1, "noise"),
        at(2, "tooth", reviewed=False),
        at(3, "noise", reviewed=False),
        at(4, "denticle", reviewed=False),
    ]
    (picture,) = reviewed_pictures(objects, tiles, unsure={objects[4].object_id})
    assert [(row.xyxy, row.class_name) for row in picture.truth] == [
        (BOXES[0], "tooth"), (BOXES[1], "noise"), (BOXES[3], "noise")]  # fmt: skip
    for number in (2, 4):
        assert grey_of(picture.image, BOXES[number]) == pytest.approx(LEVEL, abs=4)
    for number in (0, 1, 3):
        assert grey_of(picture.image, BOXES[number]) < 55
    assert picture.was_wrong
    assert picture.survey == "s-a-001"


def test_unsure_noise_is_painted_over_too_and_no_picture_without_a_verdict(
    tiles: dict[str, Tile],
) -> None:
    objects = [at(0, "noise", reviewed=False), at(1, "tooth", reviewed=False)]
    assert list(reviewed_pictures(objects, tiles)) == []
    objects.append(at(2, "denticle"))
    (picture,) = reviewed_pictures(objects, tiles, unsure={objects[0].object_id})
    assert [row.class_name for row in picture.truth] == ["denticle"]
    assert grey_of(picture.image, BOXES[0]) > 100
    assert not picture.was_wrong


def test_sets_without_noise_have_it_as_background(tiles: dict[str, Tile]) -> None:
    options = ReviewedOptions(class_names=("tooth",))
    (picture,) = reviewed_pictures([at(0, "noise"), at(1, "tooth")], tiles, options)
    assert picture.truth.class_names == ("tooth",)
    assert [row.xyxy for row in picture.truth] == [BOXES[1]]
    assert grey_of(picture.image, BOXES[0]) < 55


def test_an_object_on_two_tiles_is_labelled_on_both(tmp_path: Path) -> None:
    other = "s/a/001/u.png"
    tiles = {name: make_tile(tmp_path, name, {BOXES[0]: 30}) for name in (IMAGE, other)}
    one = make_object(1, boxes=[(IMAGE, BOXES[0]), (other, BOXES[3])], reviewed=True)
    pictures = list(reviewed_pictures([one], tiles))
    assert [[row.xyxy for row in each.truth] for each in pictures] == [[BOXES[0]], [BOXES[3]]]
    assert len({each.name for each in pictures}) == 2


def test_large_images_are_cut_into_windows_that_show_the_objects(tmp_path: Path) -> None:
    boxes: list[Box] = [
        (30, 30, 90, 80),
        (560, 420, 600, 480),
        (690, 20, 730, 60),
        (185, 40, 235, 80),
    ]
    tile = make_tile(tmp_path, "big.png", dict.fromkeys(boxes, 30), size=(500, 800))
    objects = [
        make_object(number, image="big.png", box=box, reviewed=number in (0, 1))
        for number, box in enumerate(boxes)
    ]
    options = ReviewedOptions(window_px=200, overlap_px=40)
    pictures = {each.name: each for each in reviewed_pictures(objects, {"big.png": tile}, options)}
    assert sorted(pictures) == ["big_0_0", "big_480_300"]
    first, second = pictures["big_0_0"], pictures["big_480_300"]
    assert first.image.shape == second.image.shape == (200, 200, 3)
    assert [row.xyxy for row in first.truth] == [boxes[0]]
    assert [row.xyxy for row in second.truth] == [(80, 120, 120, 180)]
    assert grey_of(first.image, (186, 42, 200, 78)) > 100  # the part of one nobody judged


def test_what_a_window_shows_too_little_of_is_painted_over(tmp_path: Path) -> None:
    boxes: list[Box] = [(100, 10, 140, 50), (190, 100, 230, 140)]
    tile = make_tile(tmp_path, "big.png", dict.fromkeys(boxes, 30), size=(200, 400))
    objects = [
        make_object(number, image="big.png", box=box, reviewed=True)
        for number, box in enumerate(boxes)
    ]
    options = ReviewedOptions(window_px=200, overlap_px=0)
    left, right = reviewed_pictures(objects, {"big.png": tile}, options)
    assert [row.xyxy for row in left.truth] == [boxes[0]]
    assert grey_of(left.image, (190, 100, 200, 140)) > 100
    assert [row.xyxy for row in right.truth] == [(0, 100, 30, 140)]


def test_a_broken_tile_is_left_out_and_said(
    tiles: dict[str, Tile], caplog: pytest.LogCaptureFixture
) -> None:
    path = tiles[IMAGE].path
    path.write_bytes(path.read_bytes()[:300])
    gone = make_object(9, image="gone.png", reviewed=True)
    assert list(reviewed_pictures([at(0, "tooth"), gone], tiles)) == []
    assert f"{IMAGE}: nothing is learned from it" in caplog.text
    assert "gone.png: no such tile" in caplog.text


def test_a_set_can_be_trained_on(tmp_path: Path, tiles: dict[str, Tile]) -> None:
    objects = [at(0, "tooth"), at(1, "noise"), at(2, "denticle")]
    written = write_reviewed_set(tmp_path / "set", reviewed_pictures(objects, tiles))
    assert (written.pictures, written.boxes) == (1, 3)
    dataset = read_dataset(written.data)
    refuse_shared_surveys(written.data)
    assert dataset.class_names == CLASSES
    assert dataset.surveys == {"train": ("s-a-001",)}
    (image,) = dataset.images["train"]
    assert dataset.images["val"] == (image,)
    truth = read_labels(label_path(image), 400, 300, CLASSES)
    assert truth.class_id.tolist() == [0, 3, 1]
    assert np.allclose(truth.xyxy, BOXES[:3], atol=0.01)
    before = read_image(tiles[IMAGE].path)
    assert np.array_equal(read_image(image), flattened(before, background(before)))


def test_refuses_nothing_other_classes_and_a_folder_in_use(
    tmp_path: Path, tiles: dict[str, Tile]
) -> None:
    with pytest.raises(ConfigurationError, match="no object was reviewed"):
        write_reviewed_set(tmp_path / "set", [])
    one = list(reviewed_pictures([at(0, "tooth")], tiles))
    few = list(reviewed_pictures([at(0, "tooth")], tiles, ReviewedOptions(class_names=("tooth",))))
    with pytest.raises(ConfigurationError, match="expected one set of classes"):
        write_reviewed_set(tmp_path / "set", one + few)
    with pytest.raises(ConfigurationError, match="holds a set already"):
        write_reviewed_set(tmp_path / "set", one)
    with pytest.raises(ConfigurationError, match="class_names: expected some of"):
        ReviewedOptions(class_names=("fish",))
    with pytest.raises(ConfigurationError, match="overlap_px"):
        ReviewedOptions(window_px=100, overlap_px=100)


def test_mixes_with_what_was_learned_before(tmp_path: Path, tiles: dict[str, Tile]) -> None:
    """The same pictures go into the mixture that plumes are learned from: one way for both."""
    base = tmp_path / "base"
    for number in range(4):
        image = base / "images" / "train" / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        write_png(image, make_picture({}))
        (nothing,) = reviewed_pictures([at(0, "tooth")], tiles)
        write_labels(label_path(image), nothing.truth, 400, 300)
    known = write_dataset(base, CLASSES, val="images/train", surveys={"train": ["elsewhere"]})
    pictures = reviewed_pictures([at(0, "tooth"), at(1, "noise")], tiles)
    mixed = write_review_set(
        tmp_path / "mixed", known, pictures, MixOptions(wrong_repeats=2, base_per_picture=1)
    )
    assert (mixed.right, mixed.wrong, mixed.base) == (0, 1, 2)
    assert len(read_dataset(mixed.data).images["train"]) == 4


def test_crops_can_be_trained_on(tmp_path: Path, tiles: dict[str, Tile]) -> None:
    objects = [
        at(0, "tooth"),
        at(1, "noise", slide="002"),
        at(2, "denticle"),
        at(3, "sawtoothed"),
        at(4, "tooth", reviewed=False),
    ]
    counts = write_reviewed_crops(tmp_path / "crops", objects, tiles)
    assert counts == {"tooth": 1, "denticle": 1, "sawtoothed": 1, "noise": 1}
    known = read_crops(tmp_path / "crops", CLASSES, val_share=0.0)
    assert {one.survey for one in known.train} == {"s-a-001", "s-a-002"}
    crop = read_image(known.train[0].path)
    assert crop.shape == (84, 84, 3)  # the longer side and a fifth more on each side
    assert grey_of(crop, (22 + 2, 12 + 2, 62 - 2, 72 - 2)) == 30
    with pytest.raises(ConfigurationError, match="no object was reviewed"):
        write_reviewed_crops(tmp_path / "none", [at(4, "tooth", reviewed=False)], tiles)


@pytest.mark.parametrize(
    "box", [(100, 100, 160, 150), (0, 0, 50, 40), (350, 260, 400, 300), (0, 50, 400, 90)]
)
def test_paints_the_ground_where_something_lay(box: Box) -> None:
    ground, with_it = make_picture({}), make_picture({box: 30})
    painted = painted_over(with_it, [box])
    assert np.abs(painted.astype(int) - ground).max() <= 8
    assert np.array_equal(painted_over(with_it, []), with_it)


def test_paints_nothing_over_what_is_kept() -> None:
    boxes: list[Box] = [(100, 100, 160, 150), (140, 120, 200, 170)]
    image = make_picture(dict.fromkeys(boxes, 30))
    painted = painted_over(image, [boxes[0]], [boxes[1]])
    assert grey_of(painted, boxes[1]) == 30
    assert grey_of(painted, (104, 104, 130, 116)) > 80
    assert grey_of(painted_over(image, [(0, 0, 400, 300)]), (0, 0, 400, 300)) > 100


def test_real_teeth_vanish_under_paint() -> None:
    """What remains is as bright as the slide and has no edges."""
    root = real_data("slides")
    for tile in read_tiles(root / "labels.json"):
        sure = [one for one in tile.objects if one.sure and not one.cut]
        if not sure or "1179C_24_05_75_002" not in tile.image:
            continue
        image = read_image(root / tile.image)
        painted = painted_over(image, [one.xyxy_px for one in sure])
        for one in sure:
            left, top, right, bottom = map(int, one.xyxy_px)
            after = painted[top:bottom, left:right].astype(float)
            assert edges_of(after) < 0.5 * edges_of(image[top:bottom, left:right].astype(float))
            assert abs(after.mean() - np.median(image)) < 25


def edges_of(part: np.ndarray) -> float:
    """Mean step from one pixel to the next but three: grain is smaller than that."""
    return float(np.abs(part[4:, 4:] - part[:-4, :-4]).mean())
