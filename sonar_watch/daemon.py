"""The composition root: settings -> stages -> one loop; readiness, watchdog.

`Watch` is the same for the live daemon and for a replay: only its sources, its tense and
whether it publishes differ.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.publisher import Publisher
from sonar_watch.association.tracker import PlumeTracker
from sonar_watch.errors import (
    ConfigurationError,
    DeviceLostError,
    JournalError,
    JournalUnavailableError,
    SonarWatchError,
)
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.health import Health
from sonar_watch.monitoring import Monitor
from sonar_watch.monitoring.line import status_line
from sonar_watch.pipeline.chain import Pipeline
from sonar_watch.pipeline.evidence import EvidenceAlbum
from sonar_watch.pipeline.finder import as_opened, open_finder
from sonar_watch.pipeline.losses import Losses
from sonar_watch.pipeline.retractions import Retractions
from sonar_watch.pipeline.stages import Stages
from sonar_watch.pipeline.warming import warm
from sonar_watch.provenance import provenance_of
from sonar_watch.records import Alert, GeolocatedFrame, Tense, iso_utc
from sonar_watch.service import READING, Heart, notify
from sonar_watch.settings import Reload, Settings, reload_settings
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.replay import ReplayPace
from sonar_watch.sources.source import Source
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
        self.heart = Heart()
        self.refused: str | None = None
        """Why settings that were read anew were refused; the watch goes on with the old ones."""
        self._last_status_s = 0.0
        self._trouble: str | None = None
        self._last_frame_utc: str | None = None
        _make_folder(settings.data_dir)
        # Who cannot start lets go of all it holds, in this process too: of the journal's lock.
        with ExitStack() as undo:
            self._open(settings, tense, publish, inputs, undo)
            merged = Merger(make_sources(self.journal, self._wake), live=tense == "live")
            undo.callback(merged.close)
            self._source: Source = merged if math.isinf(speed) else ReplayPace(merged, speed)
            self._stages_now = self._stages(self.settings, tense)
            self._pipeline = Pipeline(self._stages_now)
            self.health: Health | None = None
            if tense == "live":
                self.health = Health(
                    settings, self.monitor, self.journal, merged.states, lambda: self._weights()[1]
                )
            undo.pop_all()

    def _open(
        self,
        settings: Settings,
        tense: Tense,
        publish: bool,
        inputs: Sequence[Path],
        undo: ExitStack,
    ) -> None:
        """Open the journal, the network and the sockets; `undo` closes them again."""
        path = settings.data_dir / JOURNAL_NAME
        self.journal = Journal(path, tense=tense, replace_damaged=tense == "live")
        undo.callback(self.journal.close)
        self._losses = Losses(self.journal)
        self.detector = open_finder(settings.detector, self._losses)
        undo.callback(self.detector.close)
        self._asked = settings
        settings = replace(settings, detector=as_opened(settings.detector, self.detector))
        self.settings = settings
        self._provenance = provenance_of(settings, self.detector)
        if tense == "replay":
            self._expect_same_run(inputs)

        def turned() -> None:
            self.heart.beat("publisher")

        self.publisher = None
        if publish:
            hear = self.journal.hear_damage
            self.publisher = Publisher(settings.alerts, path, on_turn=turned, on_damage=hear)
            undo.callback(self.publisher.close)

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
            domain=self.detector.domain,
            options=settings.pipeline,
            monitor=self.monitor,
            album=album if settings.pipeline.evidence else None,
            preview=self._preview,
            heartbeat=self._beat,
            endure=self._endure if tense == "live" else lambda _: False,
            rejected=Retractions(self.journal).due if tense == "live" else lambda: (),
            begins_utc=self.journal.begins_utc,
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
            raise ConfigurationError(
                f"{self.settings.data_dir}: holds a replay with other {other}; choose another "
                "--out, or --fresh to replace it"
            )

    def run(
        self,
        on_progress: Callable[[int], None] = lambda _: None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Work until stopped, or until every source is exhausted.

        Parameters
        ----------
        on_progress : callable
            Called with the number of swaths done in each step.
        between : callable
            Called between two steps.

        Raises
        ------
        JournalError
            The journal refused a commit: nothing unstored was sent.
        InferenceError
            The network does not run.
        """
        try:
            self._start()
            while not self._stopped:
                busy = self._turn(on_progress)
                if not busy and self._source.exhausted:
                    break
                between()
                if not busy:
                    self._wake.wait(IDLE_WAIT_S)
                    self._wake.clear()
        except DeviceLostError as error:
            self._losses.note(str(error))
            raise
        finally:
            self.close()

    def _start(self) -> None:
        """Bind the sockets, run the network once; the first look at the sources ends the start."""
        if self.publisher is not None:
            self.publisher.start()
        self.heart.mark("detection")
        warm(self.detector, self.settings.raster.max_side_px)
        log.info("watching: weights %s on %s", *self._weights())

    def _turn(self, on_progress: Callable[[int], None]) -> bool:
        """Poll once, work once; return whether there was anything to do."""
        self._beat(READING)
        items = self._source.poll()
        if self.health is not None:
            self.health.hear(items)
        done = self._pipeline.take(items)
        if done:
            on_progress(done)
        if not self.heart.is_ready and self._has_looked():
            self._last_status_s = 0.0
            self._tell_status()  # who asks from now on hears of a watch that is ready
            self.heart.ready(self.line())
            log.info("ready: every source was looked through")
        return bool(items or done or self._pipeline.is_behind)

    def _has_looked(self) -> bool:
        """Return whether every source has looked through what there is, or cannot."""
        return not self._source.counts().get("scanning")

    def reload(self, wanted: Settings) -> Reload:
        """Take over what can change while watching; alerts name the new settings from now on.

        Called between two steps, by the thread that runs the loop.

        Raises
        ------
        SonarWatchError
            A stage refuses its options: nothing is changed.
        """
        change = reload_settings(self._asked, wanted)
        new = change.settings
        stages = self._stages_now
        tracker = PlumeTracker.restore(new.tracker, stages.tracker.state())
        self.detector.retune(new.detector)  # the last that may refuse
        self._pipeline.retuned()
        self._asked = new
        self.settings = replace(new, detector=as_opened(new.detector, self.detector))
        self._provenance = replace(self._provenance, config=self.settings.fingerprint)
        stages.vetoes, stages.position, stages.tracker = new.vetoes, new.position, tracker
        stages.provenance = self._provenance
        return change

    def stop(self, *_: object) -> None:
        """Ask the loop to end after the batch in hand; safe from signals and threads.

        A plain flag: a signal handler that takes an event's lock hangs when the interrupted
        thread holds it. The loop looks every `IDLE_WAIT_S`.
        """
        self._stopped = True

    def close(self) -> None:
        """End threads, close sockets and files."""
        notify("STOPPING=1\nSTATUS=stopping: what is in hand is stored")
        self._source.close()
        if self.health is not None:
            self.health.close()
        if self.publisher is not None:
            self.publisher.close()
        self.detector.close()
        self.journal.close()

    def _publish(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            event = alert.event
            log.info(
                "alert %d %s: event %s, site %s, at %s, %s, %d of %d swaths, best frame %s",
                alert.sequence, alert.kind, event.event_id, event.site_id,
                event.latitude, event.longitude, event.swath_count, event.swaths_possible,
                event.best_frame_id,
            )  # fmt: skip
        if self.publisher is not None:
            self.publisher.publish(alerts)

    def _preview(self, located: GeolocatedFrame) -> None:
        self._last_frame_utc = iso_utc(located.time_utc)
        self.monitor.judge(located.sounder, located.out_of_domain)

    def _tell_status(self) -> bool:
        """Once a second: counters to the publisher, a line to systemd.

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
        self.heart.say(self.line)
        return not self._stopped

    def _beat(self, stage: str) -> bool:
        """Mark that the loop moves; return whether to go on."""
        self.heart.mark(stage)
        self.monitor.begins(stage)
        return self._tell_status()

    def line(self) -> str:
        """Return the state of the watch in one line."""
        return status_line(self.status())

    def status(self) -> dict[str, Any]:
        """Return what the technician asks: is it working, on what, how far behind."""
        weights, runtime = self._weights()
        told = {
            "weights": weights,
            "runtime": runtime,
            "waiting_for_navigation": self._pipeline.waiting,
            "open_events": self._stages_now.tracker.open_events(),
            "sources": self._source.counts(),
            "trouble": self._trouble,
            "notice": "; ".join(filter(None, self._notices())) or None,
            "last_frame_utc": self._last_frame_utc,
        }
        if self.health is not None:
            return self.health.status(told)
        return {**self.monitor.snapshot(), **told}

    def _notices(self) -> tuple[str | None, ...]:
        return self.journal.notice, self.detector.notice, self.refused

    def _endure(self, error: JournalUnavailableError | None) -> bool:
        """Wait out a full or locked disk: nothing is sent meanwhile, and status says why."""
        if error is None:
            log.warning("the journal can be written again")
            self._trouble = None
            self.heart.say(self.line, at_once=True)
            return True
        if self._trouble is None:
            log.critical("nothing is published until this is mended: %s", error)
        self._trouble = str(error)
        self.heart.say(self.line, at_once=True)
        until = time.monotonic() + RETRY_S
        while time.monotonic() < until and self._beat("storage"):
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
