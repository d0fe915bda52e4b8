"""The detector without a network: what it finds, what it leaves, and what counts as agreement."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.records import FrameGeometry, SourceRef, WaterColumnFrame
from sonar_watch.watercolumn.cells import cell_px, cells_of, coarse
from sonar_watch.watercolumn.classical import (
    CLASSES,
    ClassicalDetector,
    ClassicalOptions,
    seconded,
)
from sonar_watch.watercolumn.encoding import to_bytes

SIZE = (500, 1000)
SEABED_PX = 450


def contrast_db(seed: int, speckle_db: float = 3.0):
    """Speckled water over a bright seabed, in a fan of 65 degrees."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, speckle_db, SIZE).astype(np.float32)
    level[SEABED_PX:] = 24.0
    return level


def frame_of(*layers_db, seabed: bool = True) -> WaterColumnFrame:
    """A frame of one layer (contrast), or of two (contrast, change); one metre a pixel."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    outside = np.abs(x - SIZE[1] / 2) > y * np.tan(np.radians(65))
    geometry = FrameGeometry(
        left_m=-SIZE[1] / 2, right_m=SIZE[1] / 2, top_m=0.0, bottom_m=SIZE[0], width_px=SIZE[1],
        height_px=SIZE[0], minimum_slant_range_m=SEABED_PX,
        seabed_depth_m=np.full(SIZE[1], SEABED_PX, np.float32) if seabed else None,
    )
    names = ("contrast", "change")[: len(layers_db)]
    shown = [to_bytes(layer.copy(), name) for layer, name in zip(layers_db, names, strict=True)]
    image = shown[0] if len(shown) == 1 else np.dstack([shown[0], *shown])
    image[outside] = 0
    return WaterColumnFrame(
        frame_id="f", time_utc=datetime(2026, 1, 1, tzinfo=UTC), sounder="s", image=image,
        geometry=geometry, source=SourceRef(source="made", file="made"),
        encoding="layers" if len(shown) > 1 else "grey",
    )


def with_column(level_db, across_px, top_px, gain_db=8.0, width_px=24, foot_px=SEABED_PX):
    level = level_db.copy()
    left = SIZE[1] // 2 + across_px - width_px // 2
    level[top_px:foot_px, left : left + width_px] += gain_db
    return level


def signals(found: Detections):
    return [row for row in found if row.class_name == "signal" and row.confidence >= 0.4]


@pytest.mark.parametrize("across_px", [-300, -120, 0, 240])
@pytest.mark.parametrize("layered", [True, False])
@pytest.mark.parametrize("seabed", [True, False])
def test_a_plume_is_found_where_it_stands(across_px, layered, seabed):
    now = with_column(contrast_db(1), across_px, 280)
    before = with_column(contrast_db(2, 1.5), across_px, 280)
    frame = frame_of(now, before, seabed=seabed) if layered else frame_of(now, seabed=seabed)
    (found,) = signals(ClassicalDetector().find(frame))
    middle = SIZE[1] / 2 + across_px
    assert found.xyxy == pytest.approx((middle - 12, 280, middle + 12, SEABED_PX), abs=16)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_in_speckle(seed):
    layers = contrast_db(seed), contrast_db(seed + 100, 1.5)
    assert signals(ClassicalDetector().find(frame_of(*layers))) == []
    assert signals(ClassicalDetector().find(frame_of(layers[0]))) == []


def test_what_hangs_in_the_water_is_no_plume():
    fish = with_column(contrast_db(3), 60, 150, gain_db=14.0, width_px=40, foot_px=200)
    found = ClassicalDetector().find(frame_of(fish))
    assert [row.class_name for row in found if row.confidence >= 0.4] == ["noise"]


def test_what_fills_its_range_row_is_background():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    ring = np.abs(np.hypot(x - SIZE[1] / 2, y) - 380) < 12
    assert signals(ClassicalDetector().find(frame_of(contrast_db(4) + 10.0 * ring))) == []


def test_the_same_frame_gives_the_same_boxes_best_first():
    level = with_column(with_column(contrast_db(5), -200, 250), 150, 330, gain_db=6.0)
    first, again = (ClassicalDetector().find(frame_of(level)) for _ in range(2))
    assert first == again
    assert list(first.confidence) == sorted(first.confidence, reverse=True)


def test_boxes_stay_in_the_picture_and_above_the_threshold():
    level = with_column(contrast_db(6), 0, 0, gain_db=10.0, foot_px=SIZE[0])
    found = ClassicalDetector(ClassicalOptions(confidence=0.2)).find(frame_of(level))
    assert len(found)
    assert found.xyxy.min() >= 0
    assert np.all(found.xyxy[:, [0, 2]] <= SIZE[1])
    assert np.all(found.xyxy[:, [1, 3]] <= SIZE[0])
    assert found.confidence.min() >= 0.2


def test_a_picture_without_water_has_nothing():
    frame = frame_of(contrast_db(7))
    assert len(ClassicalDetector().find(replace(frame, image=np.zeros(SIZE, np.uint8)))) == 0


def test_a_coloured_picture_is_looked_at_as_grey():
    frame = frame_of(with_column(contrast_db(1), 240, 280))
    coloured = replace(frame, image=np.dstack([frame.image] * 3), encoding="picture")
    assert ClassicalDetector().find(coloured) == ClassicalDetector().find(frame)


def test_cells_average_what_has_data():
    frame = frame_of(contrast_db(8))
    image = frame.image.copy()
    image[:] = 0
    image[0:4, 0:2], image[4:8, 0:1] = 200, 200
    small = coarse(replace(frame, image=image), 4)
    assert small[:3, 0] == pytest.approx((200, 0, 0), abs=1)
    assert cell_px(frame.geometry, 256) == 4
    cells = cells_of(frame.geometry, 4)
    assert cells.range_m.shape == small.shape == (125, 250)
    assert cells.range_m[124, 0] == pytest.approx(np.hypot(498, 498), rel=1e-4)
    assert cells.angle_deg[124, 0] == pytest.approx(-45.0, abs=0.01)


@pytest.mark.parametrize(("other", "agrees"), [
    ((100, 100, 140, 300), True),
    ((110, 200, 130, 300), True),
    ((90, 60, 150, 320), True),
    ((135, 100, 175, 300), False),
    ((300, 100, 340, 300), False),
])  # fmt: skip
def test_half_of_the_smaller_box_is_agreement(other, agrees):
    box = np.array([[100, 100, 140, 300]], np.float32)
    opinion = Detections.from_rows([[*other, 0.3, 0]], CLASSES)
    assert seconded(box, ["signal"], opinion) == [agrees]
    assert seconded(box, ["noise"], opinion) == [False]
    assert seconded(box, ["signal"], Detections.empty(CLASSES)) == [False]
    assert seconded(np.empty((0, 4), np.float32), [], opinion) == []


@pytest.mark.parametrize("wrong", [
    {"cells": 8}, {"sigmas": 1.0}, {"least_db": -1.0}, {"confidence": 0.0},
])  # fmt: skip
def test_options_say_what_was_expected(wrong):
    with pytest.raises(ConfigurationError, match="expected"):
        ClassicalOptions(**wrong)
