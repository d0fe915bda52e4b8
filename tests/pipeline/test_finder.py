"""Who looks for plumes, with weights, without any, and with the wrong ones."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.detection.weights import WeightsEntry, WeightsFile, write_manifest
from sonar_watch.errors import GeometryError, WeightsError
from sonar_watch.geolocation.georeference import PositionOptions, georeference
from sonar_watch.pipeline.finder import ClassicalFinder, as_opened, open_finder
from sonar_watch.pipeline.locating import locate
from sonar_watch.pipeline.results import frame_body
from sonar_watch.records import FrameGeometry, SourceRef, WaterColumnFrame
from sonar_watch.watercolumn.classical import overlooked
from sonar_watch.watercolumn.rivals import TAKEN_FOR_A_BODY
from sonar_watch.watercolumn.vetoes import VetoOptions

CLASSES = ("signal", "noise")


def a_frame() -> WaterColumnFrame:
    """Faint speckle over a seabed, and a plume 20 px wide in it."""
    image = np.random.default_rng(1).integers(50, 90, (200, 400)).astype(np.uint8)
    image[100:180, 240:260] = 150
    image[180:] = 255
    geometry = FrameGeometry(
        left_m=-200, right_m=200, top_m=0, bottom_m=200, width_px=400, height_px=200,
        seabed_depth_m=np.full(400, 180, np.float32),
    )
    return WaterColumnFrame(
        frame_id="f", time_utc=datetime(2026, 1, 1, tzinfo=UTC), sounder="s", image=image,
        geometry=geometry, source=SourceRef(source="made", file="made"), encoding="grey",
    )


def test_without_any_weights_the_classical_detector_watches_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = DetectorOptions(models_dir=tmp_path)
    with caplog.at_level(logging.CRITICAL):
        finder = open_finder(options)
    assert isinstance(finder, ClassicalFinder)
    assert (finder.weights, finder.weights_sha256, finder.runtime) == ("classical",) * 3
    assert finder.notice is not None
    assert "no weights were found" in finder.notice
    assert finder.notice in caplog.text
    assert as_opened(options, finder) == DetectorOptions(
        models_dir=tmp_path, weights="classical", confidence=0.8
    )


def test_the_classical_detector_can_be_asked_for(tmp_path: Path) -> None:
    finder = open_finder(DetectorOptions(weights="classical", confidence=0.3, models_dir=tmp_path))
    frame = a_frame()
    (found,) = finder.find([frame])
    assert finder.notice is None
    assert [row.class_name for row in found] == ["signal"]
    assert found.xyxy[0] == pytest.approx((240, 100, 260, 180), abs=6)
    assert finder.second(frame) is None
    finder.close()


def test_damaged_weights_and_wrong_names_are_no_reason_to_go_on_without(tmp_path: Path) -> None:
    torn = WeightsEntry(
        name="plume-n",
        files={"torch": WeightsFile(path=tmp_path / "plume-n.pt", sha256="0" * 64)},
        classes=CLASSES,
        input_size=(32, 32),
    )
    write_manifest(tmp_path, {"plume-n": torn})
    with pytest.raises(WeightsError):
        open_finder(DetectorOptions(weights="plume-n", models_dir=tmp_path, device="cpu"))
    with pytest.raises(WeightsError, match="known there: plume-n"):
        open_finder(DetectorOptions(weights="plum-n", models_dir=tmp_path))


def test_a_network_that_knows_no_plumes_is_refused(tmp_path: Path) -> None:
    theirs = WeightsEntry(
        name="theirs", files={"onnx": WeightsFile(path=tmp_path / "a.onnx", sha256="0" * 64)},
        classes=("fluid",), input_size=(32, 32), head="yolov5",
    )
    write_manifest(tmp_path, {"theirs": theirs})
    with pytest.raises(WeightsError, match=r"has \['fluid'\]: no alert would ever come"):
        open_finder(DetectorOptions(weights="theirs", models_dir=tmp_path))
    write_manifest(tmp_path, {"theirs": replace(theirs, class_map={"fluid": "signal"})})
    with pytest.raises(WeightsError, match=r"a\.onnx"):  # there is no such file, but it would do
        open_finder(DetectorOptions(weights="theirs", models_dir=tmp_path, device="cpu"))


def test_the_second_opinion_looks_where_nothing_was_found() -> None:
    frame = a_frame()
    opinion = ClassicalFinder(0.2)._classical.find(frame)
    options = VetoOptions(stripes=False), PositionOptions()
    nothing = Detections.empty(CLASSES)
    located = locate(frame, nothing, opinion, "why", *options)
    assert located.detections == ()
    assert located.second is not None
    assert [(one.veto, one.position_note) for one in located.second] == [(None, "why")]
    (told,) = frame_body(located)["second"]
    assert told["across_track_m"] == pytest.approx([40, 60], abs=6)
    assert not {"class", "seconded"} & set(told)
    assert frame_body(locate(frame, nothing, None, None, *options))["second"] is None


@pytest.mark.parametrize("kind", [0, 1])
def test_what_was_found_as_something_else_is_not_overlooked(kind: int) -> None:
    frame = a_frame()
    opinion = ClassicalFinder(0.2)._classical.find(frame)
    found = Detections.from_rows([[238, 95, 262, 180, 0.9, kind]], CLASSES)
    located = locate(frame, found, opinion, None, VetoOptions(stripes=False), PositionOptions())
    assert located.second == ()
    unsure = Detections.from_rows([[238, 95, 262, 180, 0.4, 0]], CLASSES)
    assert len(overlooked(Detections.empty(CLASSES), unsure)) == 0


@pytest.mark.parametrize("image", [
    np.zeros((200, 400), np.uint8), np.zeros((200, 400, 3), np.uint8),
    np.full((200, 400), 255, np.uint8), np.eye(200, 400, dtype=np.uint8) * 200,
])  # fmt: skip
@pytest.mark.parametrize("bottom", [None, np.nan, -50.0, 180.0, 1e4])
def test_no_picture_is_lost_over_a_second_opinion(image: np.ndarray, bottom: float | None) -> None:
    frame = a_frame()
    line = None if bottom is None else np.full(400, bottom, np.float32)
    odd = replace(frame, image=image, geometry=replace(frame.geometry, seabed_depth_m=line))
    opinion = ClassicalFinder(0.2)._classical.find(odd)
    located = locate(
        odd, Detections.empty(CLASSES), opinion, None, VetoOptions(), PositionOptions()
    )
    assert frame_body(located)["detections"] == []


@pytest.mark.parametrize(("rival", "veto"), [(0.13, TAKEN_FOR_A_BODY), (0.11, None)])
def test_a_plume_that_may_as_well_be_a_body_is_turned_down(rival: float, veto: str | None) -> None:
    """The body itself is less sure than what is told of: it only speaks against the plume."""
    found = Detections.from_rows(
        [[238, 95, 262, 180, 0.4, 0], [237, 94, 262, 181, rival, 1]], CLASSES
    )
    options = VetoOptions(stripes=False), PositionOptions()
    located = locate(a_frame(), found, None, None, *options, least=0.4)
    assert [(one.class_name, one.veto) for one in located.detections] == [("signal", veto)]
    body = found.select([False, True])
    told = locate(a_frame(), body, None, None, *options, least=0.1)
    assert [(one.class_name, one.veto) for one in told.detections] == [("noise", None)]


def test_each_detection_says_whether_it_was_seconded() -> None:
    frame = a_frame()
    found = Detections.from_rows(
        [[238, 95, 262, 180, 0.9, 0], [100, 100, 130, 180, 0.8, 0]], CLASSES
    )
    opinion = ClassicalFinder(0.2)._classical.find(frame)
    options = VetoOptions(stripes=False), PositionOptions()
    located = locate(frame, found, opinion, "why", *options)
    assert [one.seconded for one in located.detections] == [True, False]
    assert [row["seconded"] for row in frame_body(located)["detections"]] == [True, False]
    alone = locate(frame, found, None, None, *options)
    assert [one.seconded for one in alone.detections] == [None, None]
    with pytest.raises(GeometryError, match="expected 2 opinions, received 1"):
        georeference(frame, found, seconded=[True])
