"""`Health`: all that a technician asks of a live watch, once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sonar_watch.detection.detector import GPU_NODES
from sonar_watch.errors import JournalError
from sonar_watch.health.folders import FolderLooks, FolderState, WatchedFolder
from sonar_watch.health.hearing import Hearing
from sonar_watch.health.machine import ClockWatch, process_numbers
from sonar_watch.health.rules import Vitals, find_warnings
from sonar_watch.monitoring import Monitor, Warnings, prometheus_text
from sonar_watch.monitoring.metrics_server import MetricsDoor
from sonar_watch.monitoring.windows import Growth
from sonar_watch.records import SourceItem, iso_utc
from sonar_watch.settings import Settings
from sonar_watch.sources.source import SourceState

DATA = "data_dir"
"""What the data folder is called among the folders."""

SELDOM_S = 5.0
"""From one look at the journal to the next."""

LOOK_EVERY_S = 10.0
"""From one look at the folders and disks to the next."""

CALM_S = 10.0
"""A warning has ended when its cause has been away for this long: one that flickers is one."""

QUARANTINED_TOLD = 5
_LONGEST_REASON = 200


class Journal(Protocol):
    """What is asked of the journal."""

    path: Path

    def counts(self) -> dict[str, int]: ...
    def quarantined_lately(self, limit: int) -> list[tuple[str, str]]: ...


class Health:
    """Listens, looks and warns; `status` is what the status message says beside the counters.

    Used by the watch's thread. Folders are looked at in another, for a share may hang; the
    metrics are served by a third, from the last status.

    Parameters
    ----------
    settings : Settings
    monitor : Monitor
    journal : Journal
    states : callable
        Returns how each source is.
    runtime : callable
        Returns what runs the detector.
    clock, ticks : callable
        Seconds since 1970-01-01 UTC; seconds that only grow.
    """

    def __init__(
        self,
        settings: Settings,
        monitor: Monitor,
        journal: Journal,
        states: Callable[[], Sequence[SourceState]],
        runtime: Callable[[], str],
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = settings.health
        self._monitor, self._journal, self._states = monitor, journal, states
        self._runtime, self._device, self._ticks = runtime, settings.detector.device, ticks
        self._has_gpu = any(Path(node).exists() for node in GPU_NODES)
        self.hearing = Hearing(clock, ticks)
        self.warnings = Warnings(ticks, CALM_S)
        self._clock_watch = ClockWatch(self.limits.clock_step_s, clock, ticks)
        self._backlog = Growth(self.limits.backlog_frames)
        self._kinds = dict(_kinds(settings))
        self._looks = FolderLooks(list(_folders(settings)), every_s=LOOK_EVERY_S, ticks=ticks)
        self._of_journal: dict[str, Any] = {}
        self._asked_s = -SELDOM_S
        self._last: dict[str, Any] = {}
        self._metrics = (
            MetricsDoor(self.limits.prometheus, lambda: prometheus_text(self._last), ticks)
            if self.limits.prometheus
            else None
        )
        self._looks.start()

    def hear(self, items: Iterable[SourceItem]) -> None:
        """Note what the sources gave."""
        self.hearing.hear(items)

    def status(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is known now, JSON-able, "warnings" among it; to be called each second.

        Ages are in seconds, sizes in bytes; what is not known is None.

        Parameters
        ----------
        more : mapping
            What the watch says of itself beside: it becomes part of what is returned.
        """
        self._clock_watch.look()
        if self._metrics is not None:
            self._metrics.try_open()
        self._ask_journal()
        numbers, states = self._monitor.snapshot(), list(self._states())
        self._backlog.add(self._ticks(), numbers["backlog"])
        looked, hearing = self._looks.states(), self.hearing
        vitals = self._vitals(numbers, states, looked)
        self.warnings.update(find_warnings(vitals, self.limits))
        self._last = {
            "told_utc": iso_utc(datetime.now(UTC)),
            **numbers,
            "backlog_age_s": max(0.0, numbers["lag_s"]) if numbers["backlog"] else 0.0,
            "ping_age_s": hearing.ping_age_s,
            "navigation_age_s": hearing.navigation_age_s,
            "speed_m_s": hearing.speed_m_s,
            "clock_offset_s": vitals.clock_offset_s,
            "nmea_clock_offset_s": vitals.nmea_offset_s,
            "clock_steps": self._clock_watch.steps,
            "device": self._device,
            **self._of_journal,
            **process_numbers(),
            "disks": [_disk(state) for state in looked if state.free_bytes is not None],
            "each_source": [self._told(state, looked) for state in states],
            "warnings": self.warnings.standing(),
            **more,
        }
        return self._last

    def close(self) -> None:
        """End the threads, free the port."""
        self._looks.close()
        if self._metrics is not None:
            self._metrics.close()

    def _vitals(
        self, numbers: dict[str, Any], states: Sequence[SourceState], looked: list[FolderState]
    ) -> Vitals:
        hearing, now_s = self.hearing, self._ticks()
        # A source that says what is wrong itself needs nobody else to say it.
        failing = {each.name for each in states if each.failing}
        offsets = [each.clock_offset_s for each in states if each.clock_offset_s is not None]
        return Vitals(
            ping_age_s=hearing.ping_age_s,
            navigation_age_s=hearing.navigation_age_s,
            sounder_navigation_age_s=hearing.sounder_navigation_age_s,
            uptime_s=numbers["uptime_s"],
            speed_m_s=hearing.speed_m_s,
            present=hearing.present,
            clock_offset_s=hearing.clock_offset_s,
            nmea_offset_s=max(offsets, key=abs, default=None),
            clock_step=self._clock_watch.last_step(),
            folders=[each for each in looked if not (each.error and each.folder in failing)],
            hanging=self._looks.hanging(),
            journal_bytes=self._of_journal.get("journal_bytes", 0),
            backlog=numbers["backlog"],
            backlog_growth=self._backlog.grown(now_s),
            device=self._device,
            runtime=self._runtime(),
            has_gpu=self._has_gpu,
            metrics_trouble=None if self._metrics is None else self._metrics.trouble,
            out_of_domain=tuple(sorted(numbers.get("out_of_domain", {}).items())),
        )

    def _ask_journal(self) -> None:
        """Ask the journal now and then; while it cannot be read, the last answer stays."""
        if self._ticks() - self._asked_s < SELDOM_S:
            return
        self._asked_s = self._ticks()
        try:
            counts = self._journal.counts()
            lately = self._journal.quarantined_lately(QUARANTINED_TOLD)
        except JournalError:  # told as "trouble" by whoever writes it
            return
        self._of_journal = {
            "quarantined_in_all": counts["quarantined"],
            "quarantined_lately": [
                {"file": file, "reason": reason[:_LONGEST_REASON]} for file, reason in lately
            ],
            "journal_bytes": journal_bytes(self._journal.path),
        }

    def _told(self, state: SourceState, looked: list[FolderState]) -> dict[str, Any]:
        """Return one source as the status tells it."""
        newest = self.hearing.newest.get(state.name)
        folder = next((each for each in looked if each.folder == state.name), None)
        return {
            "name": state.name,
            "kind": self._kinds.get(state.name, ""),
            "files": folder.files if folder else None,
            "newest": newest or (folder.newest if folder else ""),
            "newest_age_s": state.quiet_s,
            "failing": state.failing,
            **{key: number for key, number in state.counts.items() if key != "failing"},
        }


def journal_bytes(path: Path) -> int:
    """Return the size of a journal with what is not yet moved into the file itself."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    total = 0
    for part in parts:
        try:
            total += part.stat().st_size
        except OSError:
            continue
    return total


def _disk(state: FolderState) -> dict[str, Any]:
    return {
        "folder": state.folder, "free_bytes": state.free_bytes, "total_bytes": state.total_bytes
    }  # fmt: skip


def _folders(settings: Settings) -> Iterator[WatchedFolder]:
    """Yield the folders to look at: the data folder, and those of the sources."""
    yield WatchedFolder(name=DATA, path=settings.data_dir)
    for raw in settings.sources.raw:
        yield WatchedFolder(name=raw.name, path=raw.path, recursive=raw.recursive, raw=True)
    for images in settings.sources.images:
        yield WatchedFolder(
            name=images.name, path=images.path, recursive=images.recursive, raw=False
        )


def _kinds(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the name of each source and the key of the settings that it stands under."""
    sources = settings.sources
    for kind in sources.__dataclass_fields__:
        for each in getattr(sources, kind):
            yield each.name, kind
