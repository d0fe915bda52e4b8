"""Pictures that others made enter the watch as contrast; our own enter as they are."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sonar_watch.images import write_png
from sonar_watch.records import ByteImage
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.pictures import Picture, Unfinished, inspect, load
from sonar_watch.watercolumn.disturb import coloured, through_jpeg
from sonar_watch.watercolumn.pictures import PictureOptions


@pytest.fixture
def grey() -> ByteImage:
    """A triangle of speckle with a bright bar in it."""
    rng = np.random.default_rng(1)
    y, x = np.indices((200, 400))
    image = np.clip(rng.normal(64, 25, x.shape), 1, 255)
    image[80:180, 150:165] += 120
    return np.where(np.abs(x - 200) < y, np.minimum(image, 255), 0).astype(np.uint8)


def add_sidecar(path: Path, **said: object) -> None:
    body = {"time_utc": "2026-01-02T03:04:05Z", "across_track_m": [-200, 200],
            "depth_m": [0, 200], **said}
    path.with_suffix(".json").write_text(json.dumps(body), encoding="utf-8")


def opened(path: Path, calibration: Calibration | None = None) -> Picture:
    found = inspect(path, calibration)
    picture = found.fallback if isinstance(found, Unfinished) else found
    assert picture is not None
    return picture


def test_a_coloured_jpeg_with_a_sidecar_becomes_grey_contrast(
    tmp_path: Path, grey: ByteImage
) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), coloured(grey, "jet", (255, 255, 255)))
    add_sidecar(path)
    frame = load(opened(path), "images", None)
    assert (frame.encoding, frame.image.shape) == ("grey", grey.shape)
    assert np.median(frame.image[90:170, 152:163]) > 1.8 * np.median(frame.image[90:170, 200:300])
    assert frame.image[5, 5] == 0


def test_a_lone_picture_is_cut_and_read(tmp_path: Path, grey: ByteImage) -> None:
    page = np.full((260, 500, 3), 255, np.uint8)
    page[30:230, 50:450] = coloured(grey, "viridis", (255, 255, 255))
    path = tmp_path / "shot_20260102_030405.jpg"
    cv2.imwrite(str(path), through_jpeg(page, 70))
    calibration = Calibration(crop_px=(50, 30, 450, 230), across_track_m=(-200, 200),
                              depth_m=(0, 200))
    frame = load(opened(path, calibration), "images", calibration)
    assert frame.image.shape == grey.shape
    assert np.median(frame.image[90:170, 152:163]) > 1.8 * np.median(frame.image[90:170, 200:300])


def test_our_own_pictures_and_those_to_be_left_alone_pass_unchanged(
    tmp_path: Path, grey: ByteImage
) -> None:
    ours = tmp_path / "ours.png"
    write_png(ours, np.stack([grey // 2, grey, grey // 3], axis=-1))
    add_sidecar(ours, encoding="sonar_watch.layers/1")
    frame = load(opened(ours), "images", None)
    assert frame.encoding == "layers"
    assert np.array_equal(frame.image[..., 1], grey)
    theirs = tmp_path / "theirs.png"
    write_png(theirs, grey)
    add_sidecar(theirs)
    as_is = load(opened(theirs), "images", None, PictureOptions(palette="as_is"))
    assert np.array_equal(as_is.image, grey)
