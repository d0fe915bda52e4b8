"""Which detector is tried on plain pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.errors import ConfigurationError
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import write_dataset, write_labels
from sonar_watch.learning.evaluation import collect
from sonar_watch.learning.truth import read_truth_set
from sonar_watch.records import ByteImage, WaterColumnFrame
from sonar_watch.simulation.cruise import random_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.trials import finders
from sonar_watch.trials.finders import as_grey, frame_of, open_picture_finder, working_confidence
from sonar_watch.watercolumn.disturb import coloured
from sonar_watch.watercolumn.pictures import normalise_frame
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions


def test_the_geometry_of_a_picture_is_read_off_it() -> None:
    """Beside the true one: apex and seabed within a few per cent of the picture."""
    survey = random_survey(11, depth_m=300.0, plumes=0)
    state = next(iter(survey.states(survey.lines[0])))
    true = Rasteriser().frame(hear(survey.scene, survey.sounder, state, survey.seed)[0])
    read = frame_of(true.image).geometry
    geometry = true.geometry
    apex_px, top_px = geometry.to_pixels(0.0, geometry.transducer_depth_m)
    assert -read.left_m == pytest.approx(apex_px, abs=0.03 * geometry.width_px)
    assert read.transducer_depth_m == pytest.approx(top_px, abs=0.05 * geometry.height_px)
    assert geometry.seabed_depth_m is not None
    assert read.seabed_depth_m is not None
    seabed_px = (geometry.seabed_depth_m - geometry.top_m) / geometry.pixel_depth_m
    known = np.isfinite(seabed_px) & np.isfinite(read.seabed_depth_m)
    assert known.mean() > 0.8
    off = np.abs(read.seabed_depth_m - seabed_px)[known] / geometry.height_px
    assert np.median(off) < 0.02


def test_grey_shows_the_contrast_alone() -> None:
    layers = np.dstack([np.full((2, 3), value, np.uint8) for value in (10, 20, 30)])
    assert np.array_equal(as_grey(layers), np.full((2, 3, 3), 20, np.uint8))
    assert np.array_equal(as_grey(layers[:, :, 0]), np.full((2, 3, 3), 10, np.uint8))


def test_the_detector_without_a_network_needs_no_weights() -> None:
    options = DetectorOptions(weights="classical", confidence=0.35)
    with open_picture_finder(options, "grey") as finder:
        assert (finder.name, finder.sha256, finder.confidence) == ("classical", "classical", 0.35)
        (found,) = finder.find([np.zeros((40, 60), np.uint8)])
        assert (len(found), found.class_names) == (0, ("signal", "noise"))


def test_a_threshold_below_what_is_kept_is_refused() -> None:
    options = DetectorOptions(weights="classical", confidence=0.03)
    with (
        pytest.raises(ConfigurationError, match=r"expected 0\.05 or more, received 0\.03"),
        open_picture_finder(options),
    ):
        pass


def test_the_working_threshold_is_the_one_a_watch_chooses() -> None:
    assert working_confidence(DetectorOptions(confidence=0.25)) == 0.25
    assert 0 < working_confidence(DetectorOptions(confidence="auto")) <= 1


class Looker:
    """A finder that keeps what it is shown and finds nothing."""

    weights = weights_sha256 = "looker"

    def __init__(self) -> None:
        self.frames: list[WaterColumnFrame] = []

    def find(self, frames: Sequence[WaterColumnFrame]) -> list[Detections]:
        self.frames += frames
        return [Detections.empty(("signal", "noise")) for _ in frames]

    def close(self) -> None: ...


def test_a_picture_in_colours_is_read_as_a_watch_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker, shown = Looker(), coloured_frame()
    monkeypatch.setattr(finders, "open_finder", lambda _: looker)
    for encoding in ("", "layers"):
        truth = read_truth_set(coloured_set(tmp_path / f"set{encoding}", shown, encoding))
        with open_picture_finder(DetectorOptions(), "grey", encoding=truth.encoding) as finder:
            collect(finder.find, truth)
    live = normalise_frame(shown)
    read, taken_for_ours = looker.frames
    assert (read.encoding, read.image.ndim) == (live.encoding, 2) == ("grey", 2)
    assert likeness(read.image, live.image) > 0.97
    assert likeness(taken_for_ours.image[:, :, 1], live.image) < 0.9


def likeness(one: ByteImage, other: ByteImage) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def coloured_frame() -> WaterColumnFrame:
    """Return a fan as somebody's program draws it: in jet."""
    survey = random_survey(3, depth_m=300.0, plumes=1, schools=0, length_m=60.0)
    state = next(iter(survey.states(survey.lines[0])))
    ping, _ = hear(survey.scene, survey.sounder, state, survey.seed)
    frame = Rasteriser(RasterOptions(encoding="grey")).frame(ping)
    return replace(frame, image=coloured(frame.image, "jet"), encoding="picture")


def coloured_set(root: Path, frame: WaterColumnFrame, encoding: str) -> Path:
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
    write_png(root / "images" / "val" / "1.png", frame.image)
    height, width = frame.image.shape[:2]
    truth = Detections.from_rows([(0, 0, 10, 10, 1, 0)], ("signal", "noise"))
    write_labels(root / "labels" / "val" / "1.txt", truth, width, height)
    return write_dataset(root, ("signal", "noise"), encoding=encoding)
