"""The gallery shows each kind of outcome, in its own section, and says how many there were."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.errors import ImageError
from sonar_watch.learning.gallery import draw_gallery
from sonar_watch.learning.matching import Matching, judge
from sonar_watch.learning.truth import PictureTruth, TrueObject

NAMES = ("signal", "noise")
GREEN, ORANGE = (80, 220, 80), (0, 150, 255)
TITLE, ROW, WIDTH = 30, 248, 1200


def picture(folder: Path, number: int) -> Path:
    path = folder / f"{number}.png"
    cv2.imwrite(str(path), np.full((200, 400, 3), 20 + number, np.uint8))
    return path


def draw(
    folder: Path, boxes: list[tuple[float | None, float | None]], confidence: float = 0.5
) -> ByteImage:
    """Return the gallery of pictures with a plume of some contrast, and one found there."""
    folder.mkdir(exist_ok=True)
    place = (100.0, 50.0, 140.0, 150.0)
    truth = [
        PictureTruth(
            image=picture(folder, number), survey=f"line-{number % 3}", kind="simulated",
            objects=() if contrast is None
            else (TrueObject(class_name="signal", xyxy=place, contrast_db=contrast),),
        )
        for number, (contrast, _) in enumerate(boxes)
    ]
    rows = [np.array([] if sure is None else [[*place, sure, 0]], float).reshape(-1, 6)
            for _, sure in boxes]
    found = [Detections.from_rows(row, NAMES) for row in rows]
    judgement = judge(found, truth, NAMES, Matching(iou=0.3))
    path = draw_gallery(found, truth, judgement, confidence, folder / "gallery.png")
    sheet = cv2.imread(str(path))
    assert sheet is not None
    return np.asarray(sheet, np.uint8)


def tiles_with(part: ByteImage, colour: tuple[int, int, int]) -> int:
    """Return in how many of a row's tiles a colour is drawn."""
    return sum(bool((tile == colour).all(axis=2).any()) for tile in np.split(part, 4, axis=1))


def test_hits_misses_and_false_alarms_stand_apart(tmp_path: Path) -> None:
    sheet = draw(tmp_path, [(9.0, 0.9), (12.0, 0.8), (15.0, 0.1), (None, 0.7), (6.0, None)])
    assert sheet.shape == (3 * (TITLE + ROW), WIDTH, 3)
    hits, misses, false = (part[TITLE:] for part in np.split(sheet, 3))
    assert (tiles_with(hits, ORANGE), tiles_with(hits, GREEN)) == (2, 0)  # one box on the other
    assert (tiles_with(misses, ORANGE), tiles_with(misses, GREEN)) == (0, 1)
    assert (tiles_with(false, ORANGE), tiles_with(false, GREEN)) == (1, 0)


def test_nothing_to_show_is_said(tmp_path: Path) -> None:
    assert draw(tmp_path, [(None, None)]).shape == (3 * TITLE, WIDTH, 3)


def test_two_rows_of_four_are_the_most(tmp_path: Path) -> None:
    sheet = draw(tmp_path, [(8.0 + number, None) for number in range(30)])
    assert sheet.shape[0] == 3 * TITLE + 2 * ROW


def test_plumes_of_unknown_contrast_are_all_shown(tmp_path: Path) -> None:
    assert draw(tmp_path, [(float("nan"), 0.9)]).shape[0] == 3 * TITLE + ROW


def test_a_lost_picture_is_named(tmp_path: Path) -> None:
    truth = [PictureTruth(image=tmp_path / "gone.png", objects=(
        TrueObject(class_name="signal", xyxy=(0, 0, 9, 9), contrast_db=9.0),))]
    found = [Detections.from_rows(np.zeros((0, 6)), NAMES)]
    judgement = judge(found, truth, NAMES, Matching())
    with pytest.raises(ImageError, match=r"gone\.png"):
        draw_gallery(found, truth, judgement, 0.5, tmp_path / "gallery.png")
