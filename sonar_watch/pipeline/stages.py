"""What the chain is made of: its options, and what each stage must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sonar_watch.alerts.journal import FrameEntry
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError, JournalUnavailableError
from sonar_watch.geolocation.georeference import PositionOptions
from sonar_watch.monitoring import Monitor
from sonar_watch.pipeline.domain import Domain
from sonar_watch.pipeline.evidence import EvidenceAlbum
from sonar_watch.pipeline.hold import Track
from sonar_watch.records import (
    Alert,
    EventChange,
    GeolocatedFrame,
    NavigationFix,
    Provenance,
    Quarantined,
    Tense,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.watercolumn.vetoes import VetoOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """How swaths are taken together.

    Parameters
    ----------
    batch_frames : int
        Swaths detected and stored in one transaction at most, 1 to 64.
    hold_swaths : int
        Swaths that may wait for their navigation; beyond it the oldest go on without.
    hold_s : float
        Seconds of data time that a swath waits for its navigation at most.
    evidence : bool
        Write an annotated picture of each event.
    """

    batch_frames: int = 8
    hold_swaths: int = 2000
    hold_s: float = 120.0
    evidence: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.batch_frames <= 64:
            raise ConfigurationError(f"batch_frames: expected 1 to 64, got {self.batch_frames}")
        if self.hold_swaths < 1 or not self.hold_s > 0:
            raise ConfigurationError(
                f"expected hold_swaths of 1 or more and hold_s above 0, "
                f"received {self.hold_swaths} and {self.hold_s}"
            )


class FrameMaker(Protocol):
    """Ping -> picture, with a memory of the pings before."""

    def frame(
        self, ping: WaterColumnPing, navigation: NavigationFix | None = None
    ) -> WaterColumnFrame: ...
    def memory(self) -> dict[str, bytes | None]: ...


class PlumeDetector(Protocol):
    """Pictures -> boxes, and a second opinion on one; see `finder`."""

    @property
    def confidence(self) -> float: ...
    def find(self, frames: Sequence[WaterColumnFrame]) -> list[Detections]: ...
    def second(self, frame: WaterColumnFrame) -> Detections | None: ...


class Tracker(Protocol):
    """Swaths -> events."""

    def update(self, frame: GeolocatedFrame) -> list[EventChange]: ...
    def state(self) -> dict[str, Any]: ...
    def best_frames(self) -> Mapping[str, str]: ...
    def open_events(self) -> int: ...


class Ledger(Protocol):
    """The journal, as the chain needs it."""

    @property
    def head_sequence(self) -> int: ...
    def is_done(self, frame_id: str) -> bool: ...
    def is_retracted(self, event_id: str) -> bool: ...
    def commit(
        self,
        frames: Sequence[FrameEntry],
        alerts: Sequence[Alert],
        state: Mapping[str, Any] | None,
        checkpoints: Mapping[str, Any],
        memory: Mapping[str, bytes | None],
    ) -> None: ...
    def quarantine(self, item: Quarantined) -> None: ...


@dataclass(slots=True, kw_only=True)
class Stages:
    """Everything the chain is made of; the daemon fills it in."""

    raster: FrameMaker
    detector: PlumeDetector
    track: Track
    tracker: Tracker
    ledger: Ledger
    publish: Callable[[Sequence[Alert]], None]
    provenance: Provenance
    tense: Tense
    domain: Domain = field(default_factory=dict)
    position: PositionOptions = field(default_factory=PositionOptions)
    vetoes: VetoOptions = field(default_factory=VetoOptions)
    options: PipelineOptions = field(default_factory=PipelineOptions)
    monitor: Monitor = field(default_factory=Monitor)
    album: EvidenceAlbum | None = None
    preview: Callable[[GeolocatedFrame], None] = lambda _: None
    heartbeat: Callable[[str], bool] = lambda _: True
    """Told which stage begins a piece of work; returns whether to go on."""
    endure: Callable[[JournalUnavailableError | None], bool] = lambda _: False
    """Given why the journal cannot be had: wait, return whether to try again; None = it can."""
    rejected: Callable[[], Sequence[EventChange]] = lambda: ()
    """Returns the events to be taken back, asked between two batches."""
    begins_utc: datetime | None = None
    """Swaths before it are passed over: they were done for a journal that is damaged now."""
