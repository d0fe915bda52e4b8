"""The composition root: settings -> stages -> one loop; signals, readiness, watchdog.

`Watch` is the same for the live daemon and for a replay: only its sources, its tense and
whether it publishes differ.
"""

from __future__ import annotations

import hashlib
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import sonar_watch
from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.publisher import Publisher
from sonar_watch.association.tracker import PlumeTracker
from sonar_watch.errors import (
    ConfigurationError,
    JournalError,
    JournalUnavailableError,
    SonarWatchError,
)
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.monitoring import Monitor
from sonar_watch.pipeline.chain import Pipeline, Stages
from sonar_watch.pipeline.evidence import EvidenceAlbum
from sonar_watch.pipeline.finder import PlumeFinder, as_opened, open_finder
from sonar_watch.records import Alert, GeolocatedFrame, Provenance, Tense, iso_utc
from sonar_watch.service import notify
from sonar_watch.settings import Settings
from sonar_watch.sources.folder import ImageFolderSource
from sonar_watch.sources.logs import NmeaLogSource
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.raw import RawFolderSource
from sonar_watch.sources.replay import ReplayPace
from sonar_watch.sources.source import Source
from sonar_watch.sources.udp import NmeaFeedSource
from sonar_watch.watercolumn.raster import Rasteriser

log = logging.getLogger(__name__)

JOURNAL_NAME = "journal.sqlite"
EVENTS_FOLDER = "events"
RUN_KEY = "replay/run"
IDLE_WAIT_S = 0.25
"""How long the loop sleeps when nothing is new and nobody wakes it."""

RETRY_S = 5.0
"""From one try to write the journal to the next."""

SourceMaker = Callable[[Journal, threading.Event], Sequence[Source]]


def code_hash() -> str:
    """Return the sha256 of the package's own source: what decided, next to weights and config."""
    digest = hashlib.sha256(sonar_watch.__version__.encode())
    root = Path(sonar_watch.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def live_sources(settings: Settings) -> SourceMaker:
    """Return a maker of the sources the settings name."""

    def make(journal: Journal, wake: threading.Event) -> list[Source]:
        wanted = settings.sources
        made: list[Source] = [RawFolderSource(raw, journal, wake=wake) for raw in wanted.raw]
        made += [ImageFolderSource(images, journal, wake=wake) for images in wanted.images]
        made += [NmeaFeedSource(feed, wake=wake) for feed in wanted.nmea_udp]
        made += [NmeaLogSource(logs) for logs in wanted.nmea_logs]
        return made

    return make


class Watch:
    """One run over some sources, live or replayed.

    Parameters
    ----------
    settings : Settings
    make_sources : callable
        Given the journal and an event that wakes the loop.
    tense : {"live", "replay", "test"}
    publish : bool
        Open the ZeroMQ sockets.
    speed : float
        Of a replay: data seconds per second; infinite is as fast as possible.
    inputs : sequence of Path
        Of a replay: a folder that holds the replay of other inputs, or with other settings, is
        refused; the same one is gone on with.

    Raises
    ------
    WeightsError, JournalError, ConfigurationError
        What a watch cannot start without.
    """

    def __init__(
        self,
        settings: Settings,
        make_sources: SourceMaker,
        *,
        tense: Tense = "live",
        publish: bool = True,
        speed: float = math.inf,
        inputs: Sequence[Path] = (),
    ) -> None:
        self.monitor = Monitor()
        self._wake = threading.Event()
        self._stopped = False
        _make_folder(settings.data_dir)
        self.journal = Journal(settings.data_dir / JOURNAL_NAME, tense=tense)
        self.detector = open_finder(settings.detector)
        settings = replace(settings, detector=as_opened(settings.detector, self.detector))
        self.settings = settings
        self._provenance = provenance_of(settings, self.detector)
        if tense == "replay":
            self._expect_same_run(inputs)
        self.publisher = (
            Publisher(settings.alerts, settings.data_dir / JOURNAL_NAME) if publish else None
        )
        self._last_status_s = 0.0
        self._trouble: str | None = None
        self._last_frame_utc: str | None = None
        merged = Merger(make_sources(self.journal, self._wake), live=tense == "live")
        self._source: Source = merged if math.isinf(speed) else ReplayPace(merged, speed)
        self._pipeline = Pipeline(self._stages(settings, tense))

    def _stages(self, settings: Settings, tense: Tense) -> Stages:
        album = EvidenceAlbum(settings.data_dir / EVENTS_FOLDER)
        raster = Rasteriser(settings.raster, absolute=self.detector.wants_absolute)
        raster.restore(self.journal.memory())
        return Stages(
            raster=raster,
            detector=self.detector,
            track=NavigationTrack(settings.navigation),
            tracker=restore_tracker(settings, self.journal),
            ledger=self.journal,
            publish=self._publish,
            provenance=self._provenance,
            tense=tense,
            position=settings.position,
            vetoes=settings.vetoes,
            options=settings.pipeline,
            monitor=self.monitor,
            album=album if settings.pipeline.evidence else None,
            preview=self._preview,
            heartbeat=lambda _stage: self._tell_status(),
            endure=self._endure if tense == "live" else lambda _: False,
        )

    def _expect_same_run(self, inputs: Sequence[Path]) -> None:
        """Remember what is replayed; refuse a journal that holds something else."""
        this = {
            "inputs": sorted(str(path.resolve()) for path in inputs),
            "weights": self._provenance.weights,
            "config": self._provenance.config,
        }
        known = self.journal.checkpoint(RUN_KEY)
        if known is None:
            self.journal.commit([], [], None, {RUN_KEY: this})
        elif known != this:
            other = ", ".join(key for key in this if known.get(key) != this[key])
            self.journal.close()
            self.detector.close()
            raise ConfigurationError(
                f"{self.settings.data_dir}: holds a replay with other {other}; choose another "
                "--out, or --fresh to replace it"
            )

    def run(self, on_progress: Callable[[int], None] = lambda _: None) -> None:
        """Work until stopped, or until every source is exhausted.

        Parameters
        ----------
        on_progress : callable
            Called with the number of swaths done in each step.

        Raises
        ------
        JournalError
            The journal refused a commit: nothing unstored was sent.
        """
        if self.publisher is not None:
            self.publisher.start()
        notify("READY=1")
        log.info("watching: weights %s on %s", *self._weights())
        try:
            while not self._stopped:
                busy = self._turn(on_progress)
                if not busy and self._source.exhausted:
                    break
                if not busy:
                    self._wake.wait(IDLE_WAIT_S)
                    self._wake.clear()
        finally:
            self.close()

    def _turn(self, on_progress: Callable[[int], None]) -> bool:
        """Poll once, work once; return whether there was anything to do."""
        items = self._source.poll()
        done = self._pipeline.take(items)
        if done:
            on_progress(done)
        self._tell_status()
        return bool(items or done)

    def stop(self, *_: object) -> None:
        """Ask the loop to end after the batch in hand; safe from signals and threads.

        A plain flag: a signal handler that takes an event's lock hangs when the interrupted
        thread holds it. The loop looks every `IDLE_WAIT_S`.
        """
        self._stopped = True

    def close(self) -> None:
        """End threads, close sockets and files."""
        notify("STOPPING=1")
        self._source.close()
        if self.publisher is not None:
            self.publisher.close()
        self.detector.close()
        self.journal.close()

    def _publish(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            event = alert.event
            log.info(
                "alert %d %s: event %s at %s, %s, %d of %d swaths",
                alert.sequence,
                alert.kind,
                event.event_id[:8],
                event.latitude,
                event.longitude,
                event.swath_count,
                event.swaths_possible,
            )
        if self.publisher is not None:
            self.publisher.publish(alerts)

    def _preview(self, located: GeolocatedFrame) -> None:
        self._last_frame_utc = iso_utc(located.time_utc)

    def _tell_status(self) -> bool:
        """Once a second: counters to the publisher, a sign of life to systemd.

        Returns whether to go on.
        """
        now = time.monotonic()
        if now - self._last_status_s < 1.0:
            return not self._stopped
        self._last_status_s = now
        backlog = self._source.counts().get("backlog", 0) + self._pipeline.waiting
        self.monitor.set("backlog", backlog)
        if self.publisher is not None:
            if not self.publisher.alive:
                raise SonarWatchError("the publisher's thread has ended; restart to publish again")
            self.publisher.set_status(self.status())
        notify("WATCHDOG=1")
        return not self._stopped

    def status(self) -> dict[str, Any]:
        """Return what the technician asks: is it working, on what, how far behind."""
        weights, runtime = self._weights()
        return {
            **self.monitor.snapshot(),
            "weights": weights,
            "runtime": runtime,
            "waiting_for_navigation": self._pipeline.waiting,
            "sources": self._source.counts(),
            "trouble": self._trouble,
            "notice": self.detector.notice,
            "last_frame_utc": self._last_frame_utc,
        }

    def _endure(self, error: JournalUnavailableError | None) -> bool:
        """Wait out a full or locked disk: nothing is sent meanwhile, and status says why."""
        if error is None:
            log.warning("the journal can be written again")
            self._trouble = None
            notify("STATUS=watching")
            return True
        if self._trouble is None:
            log.critical("nothing is published until this is mended: %s", error)
        self._trouble = str(error)
        notify(f"STATUS={error}")
        until = time.monotonic() + RETRY_S
        while time.monotonic() < until and self._tell_status():
            self._wake.wait(IDLE_WAIT_S)
        return not self._stopped

    def _weights(self) -> tuple[str, str]:
        return self.detector.weights, self.detector.runtime


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"{path}: the data folder cannot be made: {error.strerror}; give this user the right, "
            "or name another"
        ) from error


def restore_tracker(settings: Settings, journal: Journal) -> PlumeTracker:
    """Return the tracker as the journal's last commit left it, or a new one."""
    state = journal.state()
    if state is None:
        return PlumeTracker(settings.tracker)
    return PlumeTracker.restore(settings.tracker, state)


def provenance_of(settings: Settings, detector: PlumeFinder) -> Provenance:
    """Return what every alert of this watch says of its making."""
    return Provenance(
        weights=detector.weights_sha256, config=settings.fingerprint, code=code_hash()
    )


def run_daemon(settings: Settings) -> None:
    """Watch live until SIGTERM or SIGINT."""
    watch = Watch(settings, live_sources(settings), tense="live", publish=True)

    def end(number: int, _frame: FrameType | None) -> None:
        log.info("received %s: stopping", signal.Signals(number).name)
        watch.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    watch.run()
