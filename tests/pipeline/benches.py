"""A simulated line and a chain over it, for tests: only the network is told what to see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sonar_watch.alerts.journal import Journal
from sonar_watch.association.tracker import PlumeTracker, TrackerOptions
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import (
    InferenceError,
)
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.pipeline.chain import Pipeline
from sonar_watch.pipeline.evidence import EvidenceAlbum
from sonar_watch.pipeline.stages import PipelineOptions, Stages
from sonar_watch.records import (
    Alert,
    LineEnd,
    Provenance,
    SourceItem,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.labels import to_label
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

CLASSES = ("signal", "noise")
RASTER = RasterOptions(max_side_px=256)


class ToldDetector:
    """Knows the true boxes of each picture; fails on the pictures it is told to fail on."""

    confidence = 0.4

    def __init__(self) -> None:
        self.boxes: dict[bytes, Detections] = {}
        self.poison: set[bytes] = set()
        self.calls, self.dies_after = 0, sys.maxsize
        self.seconds, self.blind = 0, False

    def find(self, frames: Sequence[WaterColumnFrame]) -> list[Detections]:
        keys = [frame.image.tobytes() for frame in frames]
        self.calls += 1
        if self.poison & set(keys) or self.calls > self.dies_after:
            raise InferenceError("told to fail")
        known = {} if self.blind else self.boxes
        return [known.get(key, Detections.empty(CLASSES)) for key in keys]

    def second(self, frame: WaterColumnFrame) -> Detections | None:
        self.seconds += 1
        return self.boxes.get(frame.image.tobytes())


def sail_line() -> tuple[list[SourceItem], ToldDetector]:
    """A line past the first plume, its navigation, and a detector that knows the truth."""
    survey = demo_survey()
    short = replace(survey.lines[0], north_m=-600.0, length_m=420.0)
    survey = replace(survey, lines=(short,))
    detector, raster, items = ToldDetector(), Rasteriser(RASTER), []
    for second in range(int(short.length_m / short.speed_m_s) + 3):
        items += list(survey.navigation(short, second))
    for state in survey.states(short):
        ping, boxes = hear(survey.scene, survey.sounder, state, survey.seed)
        frame = raster.frame(ping)
        labels = [row for box in boxes if (row := to_label(box, frame.geometry))]
        rows = np.array([[*corners, 0.8, kind] for *corners, kind in labels]).reshape(-1, 6)
        detector.boxes[frame.image.tobytes()] = Detections.from_rows(rows, CLASSES)
        items.append(ping)
    return [*items, LineEnd(source="simulation")], detector


class Bench:
    """A pipeline over a journal in a folder."""

    def __init__(self, folder: Path, detector: ToldDetector, batch: int = 4) -> None:
        self.journal = Journal(folder / "journal.sqlite", tense="test")
        self.sent: list[Alert] = []
        options = TrackerOptions()
        state = self.journal.state()
        raster = Rasteriser(RASTER)
        raster.restore(self.journal.memory())
        self.stages = Stages(
            raster=raster,
            detector=detector,
            track=NavigationTrack(),
            tracker=PlumeTracker(options)
            if state is None
            else PlumeTracker.restore(options, state),
            ledger=self.journal,
            publish=self.sent.extend,
            provenance=Provenance(weights="w", config="c", code="x"),
            tense="test",
            options=PipelineOptions(batch_frames=batch),
            album=EvidenceAlbum(folder / "events"),
        )
        self.pipeline = Pipeline(self.stages)

    def run(self, items: Sequence[SourceItem]) -> None:
        self.pipeline.take(items)

    def stored(self) -> list[bytes]:
        return [body for _, _, body in self.journal.alerts_after(0, 1000)]


def pings_of(items: Sequence[SourceItem]) -> list[WaterColumnPing]:
    return [item for item in items if isinstance(item, WaterColumnPing)]
