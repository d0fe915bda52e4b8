"""A published network that was taught on recorded levels, through a whole watch."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx_builder import yolov5_onnx

from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.daemon import Watch
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.pipeline.finder import open_finder
from sonar_watch.records import LineEnd, SourceItem, WaterColumnPing
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.sources.source import Source
from sonar_watch.watercolumn.encoding import absolute_bytes
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

RASTER = RasterOptions(max_side_px=256)


def some_pings(count: int) -> list[WaterColumnPing]:
    survey = demo_survey()
    states = [state for state, _ in zip(survey.states(survey.lines[0]), range(count), strict=False)]
    return [hear(survey.scene, survey.sounder, state, survey.seed)[0] for state in states]


@pytest.fixture
def detector(tmp_path: Path) -> DetectorOptions:
    content = yolov5_onnx()
    entry = {
        "files": {"onnx": {"name": "wal.onnx", "sha256": hashlib.sha256(content).hexdigest()}},
        "classes": ["fluid"], "class_map": {"fluid": "signal"}, "input_size": [64, 64],
        "head": "yolov5", "encoding": "absolute",
    }  # fmt: skip
    (tmp_path / "wal.onnx").write_bytes(content)
    document = {"schema": "sonar_watch.models/1", "models": {"wal": entry}}
    (tmp_path / "MANIFEST.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return DetectorOptions(
        weights="wal", models_dir=tmp_path, confidence=0.4, threads=1, device="cpu"
    )


class Given:
    """A source that gives some items once."""

    name = "simulation"

    def __init__(self, items: Sequence[SourceItem]) -> None:
        self._items = list(items)

    @property
    def exhausted(self) -> bool:
        return not self._items

    def poll(self) -> list[SourceItem]:
        items, self._items = self._items, []
        return items

    def counts(self) -> dict[str, int]:
        return {"backlog": len(self._items)}

    def close(self) -> None:
        pass


def test_a_watch_draws_what_the_network_was_taught_on(
    detector: DetectorOptions, tmp_path: Path
) -> None:
    pings = some_pings(4)
    settings = Settings(data_dir=tmp_path / "watch", detector=detector, raster=RASTER)

    def sources(_: Journal, __: threading.Event) -> list[Source]:
        return [Given([*pings, LineEnd(source="simulation")])]

    Watch(settings, sources, tense="replay", publish=False).run()
    bodies = list(JournalReader(settings.data_dir / "journal.sqlite").frame_bodies())
    assert [body["frame_id"] for body in bodies] == [ping.frame_id for ping in pings]
    raster, finder = Rasteriser(RASTER, absolute=True), open_finder(detector)
    found = finder.find([raster.frame(ping) for ping in pings])
    finder.close()
    assert [[one["confidence"] for one in body["detections"]] for body in bodies] == [
        [pytest.approx(row.confidence, abs=1e-4) for row in boxes] for boxes in found
    ]
    assert all(body["detections"] for body in bodies)  # the seabed is bright
    assert {one["class"] for body in bodies for one in body["detections"]} == {"signal"}


def test_absolute_levels_are_drawn_beside_the_layers_and_change_nothing() -> None:
    (ping,) = some_pings(1)
    frame = Rasteriser(RASTER, absolute=True).frame(ping)
    plain = Rasteriser(RASTER).frame(ping)
    assert plain.absolute is None
    assert np.array_equal(plain.image, frame.image)
    assert frame.absolute is not None
    assert np.array_equal(frame.absolute > 0, frame.image[..., 1] > 0)
    louder = replace(ping, samples_half_db=np.minimum(ping.samples_half_db, 107) + np.int8(20))
    raised = Rasteriser(RASTER, absolute=True).frame(louder).absolute
    inside = (frame.absolute > 1) & (frame.absolute < 150)
    step = raised[inside].astype(int) - frame.absolute[inside]
    assert np.median(step) == pytest.approx(10 * 254 / 50, abs=1)  # 10 dB; contrast has none


def test_the_window_is_that_of_the_published_network() -> None:
    half_db = np.array([0, 8, 58, 108, 255], np.uint8)  # -64, -60, -35, -10, +63.5 dB
    assert absolute_bytes(half_db).tolist() == [1, 1, 128, 255, 255]


def test_frames_without_recorded_levels_are_said_once(
    detector: DetectorOptions, caplog: pytest.LogCaptureFixture
) -> None:
    frame = Rasteriser(RASTER).frame(some_pings(1)[0])
    finder = open_finder(detector)
    assert finder.wants_absolute
    with caplog.at_level(logging.WARNING):
        first, second = finder.find([frame, frame])
    assert first == second
    assert caplog.text.count("taught on recorded levels") == 1
    finder.close()
