"""The stages in order, from items to alerts that are stored and sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from sonar_watch.alerts.journal import FrameEntry
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import (
    DeviceLostError,
    JournalUnavailableError,
    SonarWatchError,
)
from sonar_watch.pipeline.ahead import WorkAhead
from sonar_watch.pipeline.hold import NavigationHold, Settled, Swath, SwathItem
from sonar_watch.pipeline.locating import locate
from sonar_watch.pipeline.pace import BatchPace
from sonar_watch.pipeline.results import frame_body, frame_head
from sonar_watch.pipeline.stages import Stages
from sonar_watch.pipeline.telling import number_changes
from sonar_watch.records import (
    Alert,
    EventChange,
    GeolocatedFrame,
    LineEnd,
    NavigationSample,
    Quarantined,
    SourceItem,
    WaterColumnFrame,
)

log = logging.getLogger(__name__)

MOST_UNPICTURED = 24
"""Swaths done before the pictures of their events are drawn: the album still has them."""


@dataclass(slots=True)
class _Batch:
    """What will be committed together."""

    frames: list[FrameEntry] = field(default_factory=list)
    changes: list[EventChange] = field(default_factory=list)
    checkpoints: dict[str, Any] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    memory: dict[str, bytes | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.frames or self.changes or self.checkpoints or self.quarantined)


@dataclass(slots=True)
class _Drawn:
    """A swath that left with its navigation."""

    frame: WaterColumnFrame
    note: str | None
    found: Detections | None
    opinion: Detections | None


class Pipeline:
    """Takes items, gives alerts; used by one thread."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._hold = NavigationHold(stages.track, stages.options.hold_swaths, stages.options.hold_s)
        self._waiting: set[str] = set()
        self._unpictured: list[Alert] = []
        self._pace = BatchPace(stages.options.batch_frames)
        self._ahead = WorkAhead(stages)

    @property
    def waiting(self) -> int:
        """Swaths that wait for their navigation."""
        return len(self._hold)

    @property
    def is_behind(self) -> bool:
        """Whether `take` has something to do though nothing is new."""
        return self._ahead.is_behind(self._hold.waiting())

    def retuned(self) -> None:
        """Note that from now on something else counts as found."""
        self._ahead.forget_found()

    def take(self, items: Iterable[SourceItem]) -> int:
        """Take what the sources found, do all that can be done; return the swaths done.

        Then a few of those that wait for navigation are drawn and searched (`is_behind` says
        whether there are more). Stops early when the heartbeat says so: what is left comes again
        after a restart.
        """
        done = pictured = 0
        looked = False
        leaving = self._hold.take(self._admitted(items))
        while group := tuple(islice(leaving, self._pace.size)):
            self._pace.begin()
            self._pace.end(worked := self._work(group))
            done += worked
            if not self._stages.heartbeat("sources"):
                self._picture()
                return done
            self._take_back()
            looked = True
            if done - pictured >= MOST_UNPICTURED:
                self._picture()
                pictured = done
        if not looked:
            self._take_back()
        self._picture()
        self._ahead.prepare(self._hold.waiting())
        return done

    def _take_back(self) -> None:
        self._commit(_Batch(changes=list(self._stages.rejected())))

    def _admitted(self, items: Iterable[SourceItem]) -> Iterator[SwathItem]:
        """Yield what is to be done; set aside what the sources could not use."""
        for item in items:
            if isinstance(item, Quarantined):
                self._set_aside(item)
            elif isinstance(item, NavigationSample | LineEnd) or self._is_new(item):
                yield item

    def _is_new(self, swath: Swath) -> bool:
        """Return whether a swath was not done before and does not wait already."""
        frame_id, begins_utc = swath.frame_id, self._stages.begins_utc
        if begins_utc is not None and swath.time_utc < begins_utc:
            self._stages.monitor.count("frames_before_journal")
            return False
        if frame_id in self._waiting or self._stages.ledger.is_done(frame_id):
            self._stages.monitor.count("frames_repeated")
            return False
        self._waiting.add(frame_id)
        self._stages.monitor.arrived(frame_id)
        return True

    def _set_aside(self, item: Quarantined) -> None:
        log.warning("quarantined %s: %s", item.source.file, item.reason)
        # Counted by kind: the name in front would make a kind of every file.
        named = item.reason.startswith(item.source.file)
        kind = item.reason.partition(": ")[2] if named else item.reason
        self._stages.monitor.quarantine(kind)
        self._enduring(lambda: self._stages.ledger.quarantine(item))

    def _work(self, group: Sequence[Settled | LineEnd]) -> int:
        """Do one batch: draw, detect, locate, track; store; send. Return the swaths done.

        Told to end, it leaves what is not drawn yet, and what was drawn is done to the end: the
        memory of the layers that is stored holds just the swaths that are stored.
        """
        batch = _Batch()
        drawn: list[_Drawn] = []
        for left in group:
            if not self._stages.heartbeat("raster"):
                break
            if isinstance(left, LineEnd):
                batch.checkpoints.update(_as_checkpoint(left.checkpoint))
            elif (one := self._guarded_frame(left, batch)) is not None:
                drawn.append(one)
        batch.memory.update(self._ahead.memory())
        self._stages.heartbeat("detection")
        unsearched = [one for one in drawn if one.found is None]
        found = self._guarded_detect([one.frame for one in unsearched], batch)
        for one, detections in zip(unsearched, found, strict=True):
            one.found = detections
        self._stages.heartbeat("association")
        for one in drawn:
            if one.found is not None:
                self._guarded_finish(one, one.found, batch)
        self._stages.heartbeat("commit")
        self._commit(batch)
        return len(batch.frames)

    def _guarded_frame(self, settled: Settled, batch: _Batch) -> _Drawn | None:
        if settled.fix is None:
            self._stages.monitor.count("frames_without_navigation")
        ready = self._ahead.take(settled.swath)
        batch.memory.update(ready.memory)
        if ready.frame is None:
            self._give_up(settled.swath, ready.error, batch)
            return None
        frame = replace(ready.frame, navigation=settled.fix)
        return _Drawn(frame, settled.note, ready.found, ready.opinion)

    def _guarded_detect(
        self, frames: list[WaterColumnFrame], batch: _Batch
    ) -> list[Detections | None]:
        """Detect in all frames at once; when that fails, one by one, to find the bad one."""
        try:
            return list(self._stages.detector.find(frames))
        except DeviceLostError:  # nothing runs in this process any more
            raise
        except Exception:
            log.exception("detection failed on a batch of %d; trying one by one", len(frames))
            return [self._detect_one(frame, batch) for frame in frames]

    def _detect_one(self, frame: WaterColumnFrame, batch: _Batch) -> Detections | None:
        """Detect in one frame; it is set aside only when the network still runs on another.

        A runtime that has died fails on every frame: setting them all aside would lose them for
        good. It ends the watch instead, with nothing of this batch stored.
        """
        try:
            return self._stages.detector.find([frame])[0]
        except Exception as error:  # noqa: BLE001 - as above
            blank = replace(frame, image=np.zeros_like(frame.image), absolute=None)
            self._stages.detector.find([blank])
            self._give_up(frame, error, batch)
            return None

    def _guarded_finish(self, drawn: _Drawn, found: Detections, batch: _Batch) -> None:
        frame = drawn.frame
        try:
            located = self._locate(drawn, found)
            batch.changes.extend(self._stages.tracker.update(located))
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(frame, error, batch)
            return
        batch.frames.append(
            FrameEntry(frame_id=frame.frame_id, time_utc=frame.time_utc, body=frame_body(located))
        )
        self._keep_evidence(frame, located)
        self._stages.monitor.frame_done(frame.time_utc.timestamp(), len(located.detections))
        if any(one.veto is None for one in located.second or ()):
            self._stages.monitor.count("frames_second_only")

    def _locate(self, drawn: _Drawn, found: Detections) -> GeolocatedFrame:
        stages = self._stages
        opinion = drawn.opinion
        if opinion is None:
            opinion = stages.detector.second(drawn.frame)
        how = stages.vetoes, stages.position, stages.domain, stages.detector.confidence
        return locate(drawn.frame, found, opinion, drawn.note, *how)

    def _keep_evidence(self, frame: WaterColumnFrame, located: GeolocatedFrame) -> None:
        self._stages.preview(located)
        if self._stages.album is not None:
            self._stages.album.remember(frame, located.detections)

    def _give_up(self, swath: Swath, error: Exception | None, batch: _Batch) -> None:
        """Set one swath aside for good: counted, logged with its id, journalled as done."""
        expected = isinstance(error, SonarWatchError)
        log.warning("frame %s quarantined: %s", swath.frame_id, error, exc_info=not expected)
        reason = f"{type(error).__name__}: {error}"
        batch.quarantined.append(Quarantined(source=swath.source, reason=reason))
        body = {**frame_head(swath), "detections": [], "error": reason}
        batch.frames.append(FrameEntry(frame_id=swath.frame_id, time_utc=swath.time_utc, body=body))

    def _commit(self, batch: _Batch) -> None:
        """Store, then send: an alert that is not stored is not sent."""
        if not batch:
            return
        stages = self._stages
        alerts = self._number(batch.changes)
        state = stages.tracker.state() if batch.frames else None
        self._enduring(
            lambda: stages.ledger.commit(
                batch.frames, alerts, state, batch.checkpoints, batch.memory
            )
        )
        done = [entry.frame_id for entry in batch.frames]
        self._waiting.difference_update(done)
        stages.monitor.stored(done)
        for item in batch.quarantined:
            self._set_aside(item)
        stages.publish(alerts)
        stages.monitor.count("alerts", len(alerts))
        self._unpictured += alerts

    def _enduring(self, write: Callable[[], None]) -> None:
        """Write to the journal; when it cannot be had for now, wait and try again if told to."""
        failed = False
        while True:
            try:
                write()
            except JournalUnavailableError as error:
                failed = True
                if not self._stages.endure(error):
                    raise
            else:
                if failed:
                    self._stages.endure(None)
                return

    def _number(self, changes: Sequence[EventChange]) -> list[Alert]:
        def make(sequence: int, change: EventChange) -> Alert:
            return Alert(
                sequence=sequence,
                tense=self._stages.tense,
                kind=change.kind,
                time_utc=change.time_utc,
                event=change.event,
                provenance=self._stages.provenance,
            )

        alerts, unwritable = number_changes(changes, self._stages.ledger, make)
        if unwritable:
            self._stages.monitor.count("alerts_unwritable", unwritable)
        return alerts

    def _picture(self) -> None:
        """Evidence follows the alerts of a burst: drawing it must not hold the next one back."""
        album = self._stages.album
        alerts, self._unpictured = self._unpictured, []
        if album is None:
            return
        try:
            album.update(self._stages.tracker.best_frames())
        except (OSError, SonarWatchError) as error:
            self._stages.monitor.count("evidence_failed")
            log.warning("could not write an evidence picture: %s", error)
        for alert in alerts:
            if alert.kind in ("end", "retract"):
                album.forget(alert.event.event_id)


def _as_checkpoint(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    return {checkpoint["key"]: checkpoint["value"]} if checkpoint else {}
