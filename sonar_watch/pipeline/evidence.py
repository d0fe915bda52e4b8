"""One annotated picture per event: its best frame, with boxes and scale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from sonar_watch.images import write_png
from sonar_watch.records import GeolocatedDetection, WaterColumnFrame
from sonar_watch.watercolumn.render import annotate


class EvidenceAlbum:
    """Keeps the last frames and writes `<event id>.png` when an event has a new best one.

    Parameters
    ----------
    folder : Path
        Made when the first picture is written.
    keep : int
        Frames remembered; an event is confirmed within a few swaths of its best frame.
    """

    def __init__(self, folder: Path, keep: int = 48) -> None:
        self._folder = folder
        self._keep = keep
        self._recent: OrderedDict[str, tuple[WaterColumnFrame, tuple[GeolocatedDetection, ...]]] = (
            OrderedDict()
        )
        self._written: dict[str, str] = {}

    def remember(
        self, frame: WaterColumnFrame, detections: tuple[GeolocatedDetection, ...]
    ) -> None:
        """Keep a frame for as long as an event may still choose it."""
        self._recent[frame.frame_id] = (frame, detections)
        while len(self._recent) > self._keep:
            self._recent.popitem(last=False)

    def update(self, best_frames: Mapping[str, str]) -> list[Path]:
        """Write the pictures of the events (id to frame id) whose best frame is new."""
        written = [self._write(event, frame) for event, frame in best_frames.items()]
        return [path for path in written if path is not None]

    def _write(self, event_id: str, frame_id: str) -> Path | None:
        known = self._recent.get(frame_id)
        if known is None or self._written.get(event_id) == frame_id:
            return None
        frame, detections = known
        # Boxes of what is not the plume would hide it: they are in detections.jsonl.
        shown = [
            detection
            for detection in detections
            if detection.veto is None and detection.class_name == "signal"
        ]
        path = self._folder / f"{event_id}.png"
        self._folder.mkdir(parents=True, exist_ok=True)
        write_png(path, annotate(frame, _boxes(frame, shown), [_label(item) for item in shown]))
        self._written[event_id] = frame_id
        return path

    def forget(self, event_id: str) -> None:
        """Drop what is remembered of an event that is over."""
        self._written.pop(event_id, None)


def _boxes(
    frame: WaterColumnFrame, detections: list[GeolocatedDetection]
) -> list[tuple[float, float, float, float]]:
    to_pixels = frame.geometry.to_pixels
    return [
        (
            *to_pixels(detection.across_track_m[0], detection.depth_m[0]),
            *to_pixels(detection.across_track_m[1], detection.depth_m[1]),
        )
        for detection in detections
    ]


def _label(detection: GeolocatedDetection) -> str:
    return f"{detection.class_name} {detection.confidence:.2f}"
