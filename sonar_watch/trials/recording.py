"""Sail a survey through the watch once; ask afterwards what other thresholds would have told.

The watch runs with a low threshold and every located swath is kept. Vetoes and positions do not
depend on the threshold, and a less confident box never suppresses a more confident one, so a
tracker that is fed the same swaths without the less confident boxes tells exactly what the
watch would have told at the higher threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sonar_watch.association.tracker import PlumeTracker, TrackerOptions
from sonar_watch.daemon import Watch
from sonar_watch.errors import ConfigurationError
from sonar_watch.records import EventChange, GeolocatedFrame
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import Survey
from sonar_watch.trials.simulated import SeenSwath, SimulatedSource

LOWEST_CONFIDENCE = 0.05
"""Of the boxes that are kept; thresholds below it cannot be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A survey as the watch saw it.

    Parameters
    ----------
    frames : tuple of GeolocatedFrame
        In the order of processing, with every box of at least `LOWEST_CONFIDENCE`.
    seen : tuple of SeenSwath
        The truth of every swath.
    status : mapping
        The watch's own last word: counters, weights, runtime.
    weights, config : str
        Hashes that name what was tried.
    """

    frames: tuple[GeolocatedFrame, ...]
    seen: tuple[SeenSwath, ...]
    status: dict[str, Any]
    weights: str
    config: str


class _RecordingWatch(Watch):
    """A watch that keeps what it located."""

    frames: list[GeolocatedFrame]

    def _preview(self, located: GeolocatedFrame) -> None:
        super()._preview(located)
        self.frames.append(located)


def record(
    survey: Survey, settings: Settings, on_progress: Callable[[int], None] = lambda _: None
) -> Recording:
    """Return a survey as a watch with these settings sees it.

    Parameters
    ----------
    survey : Survey
    settings : Settings
        The threshold of its detector and its folder do not matter.
    on_progress : callable
        Called with the number of swaths done in each step.

    Raises
    ------
    WeightsError
        As `Watch`.
    """
    source = SimulatedSource(survey)
    with TemporaryDirectory(prefix="sonar_watch_trial_") as folder:
        watch = _RecordingWatch(
            _trial_settings(settings, Path(folder)), lambda *_: [source],
            tense="test", publish=False,
        )
        watch.frames = []
        watch.run(on_progress)
    return Recording(
        frames=tuple(watch.frames),
        seen=tuple(source.seen),
        status=watch.status(),
        weights=watch.detector.weights_sha256,
        config=settings.fingerprint,
    )


def _trial_settings(settings: Settings, folder: Path) -> Settings:
    """Return the settings with a low threshold, a folder that goes away and no pictures."""
    return replace(
        settings,
        data_dir=folder,
        detector=replace(settings.detector, confidence=LOWEST_CONFIDENCE),
        pipeline=replace(settings.pipeline, evidence=False),
    )


def expect_kept(confidences: Iterable[float]) -> None:
    """Refuse thresholds about which a recording cannot be asked.

    Raises
    ------
    ConfigurationError
        One is below `LOWEST_CONFIDENCE`: less sure boxes are not kept.
    """
    lowest = min(confidences, default=1.0)
    if lowest < LOWEST_CONFIDENCE:
        raise ConfigurationError(
            f"confidence: expected {LOWEST_CONFIDENCE:g} or more, received {lowest:g}: less sure "
            "boxes are not kept for scoring"
        )


def changes_at(
    frames: Iterable[GeolocatedFrame], options: TrackerOptions, confidence: float
) -> list[EventChange]:
    """Return what the watch would have told at a threshold, in order."""
    tracker = PlumeTracker(options)
    changes: list[EventChange] = []
    for frame in frames:
        kept = tuple(one for one in frame.detections if one.confidence >= confidence)
        changes += tracker.update(replace(frame, detections=kept))
    return changes


def hours_of(seen: Sequence[SeenSwath]) -> float:
    """Return the data time that the swaths cover, without the turns between lines."""
    spans: dict[str, list[float]] = {}
    for swath in seen:
        spans.setdefault(swath.line, []).append(swath.time_utc.timestamp())
    return sum(max(times) - min(times) for times in spans.values()) / 3600.0
