"""Counters, gauges and lags of a running watch.

Monitoring is one of the few places that may look at the wall clock: how old the last frame is
has no meaning in data time.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Container, Iterable
from typing import Any

from sonar_watch.monitoring.prometheus import COUNTERS, prometheus_text
from sonar_watch.monitoring.windows import Rate, Recent

_OWN_COUNTERS = tuple(name for name in COUNTERS if name not in ("rejected", "throttled"))
_MOST_KINDS = 64
_MOST_FOLLOWED = 20_000
"""Frames on their way at most; more are not timed."""

STEPS = (
    ("waiting", "raster"),
    ("drawing", "detection"),
    ("detecting", "association"),
    ("locating", "commit"),
)
"""What a frame goes through before it is stored: each step, and the stage whose begin ends it."""

_LAGS = (*(step for step, _ in STEPS), "storing", "total", "data")


class Monitor:
    """What a watch has done and how far behind it is; any thread may ask or tell.

    Parameters
    ----------
    clock : callable
        Returns seconds since 1970-01-01 UTC.
    ticks : callable
        Returns seconds that only grow, whatever happens to the clock.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._ticks = clock, ticks
        self._lock = threading.Lock()
        self._started_s = ticks()
        self._counters: dict[str, int] = dict.fromkeys(_OWN_COUNTERS, 0)
        self._gauges: dict[str, float] = {"lag_s": 0.0, "backlog": 0.0}
        self._quarantined: dict[str, int] = {}
        self._last_frame_s: float | None = None
        self._rate = Rate(self._started_s)
        self._lags = {name: Recent() for name in _LAGS}
        self._strange: dict[str, str] = {}
        self._came: dict[str, float] = {}
        self._stage, self._begun = "", dict[str, float]()

    def count(self, name: str, more: int = 1) -> None:
        """Add to a counter; one that is new begins at 0.

        Raises
        ------
        ValueError
            `more` is below 0 (counters only rise), or the name is no name or that of a gauge.
        """
        if more < 0:
            raise ValueError(f"{name}: expected 0 or more to add to a counter, received {more}")
        with self._lock:
            _check_name(name, self._gauges, "gauge")
            self._counters[name] = self._counters.get(name, 0) + more

    def set(self, name: str, value: float) -> None:
        """Set a gauge.

        Raises
        ------
        ValueError
            The name is no name or that of a counter.
        """
        with self._lock:
            _check_name(name, self._counters, "counter")
            self._gauges[name] = float(value)

    def frame_done(self, data_time_s: float, detections: int = 0) -> None:
        """Count a frame, and take its data time (seconds since 1970) for lag and age."""
        now_s, ticks_s = self._clock(), self._ticks()
        with self._lock:
            self._counters["frames"] += 1
            self._counters["detections"] += detections
            self._gauges["lag_s"] = now_s - data_time_s
            self._last_frame_s = ticks_s
            self._rate.add(ticks_s)
            self._lags["data"].add(ticks_s, now_s - data_time_s)

    def arrived(self, frame_id: str) -> None:
        """Note that a frame came from its source: its way through the stages begins."""
        now_s = self._ticks()
        with self._lock:
            if len(self._came) < _MOST_FOLLOWED:
                self._came[frame_id] = now_s

    def begins(self, stage: str) -> None:
        """Note which stage begins a piece of work; a stage that goes on changes nothing."""
        with self._lock:
            if stage != self._stage:
                self._stage = stage
                self._begun[stage] = self._ticks()

    def stored(self, frame_ids: Iterable[str]) -> None:
        """Note that the frames of the batch in hand are stored: how long each step took them.

        Frames of a batch wait for one another: each is charged the time of all.
        """
        now_s = self._ticks()
        with self._lock:
            ends = [*(self._begun.get(stage) for _, stage in STEPS), now_s]
            for frame_id in frame_ids:
                came_s = self._came.pop(frame_id, None)
                if came_s is None:
                    continue
                self._lags["total"].add(now_s, now_s - came_s)
                for step, start_s, end_s in zip(_LAGS, [came_s, *ends], ends, strict=False):
                    if start_s is not None and end_s is not None:
                        self._lags[step].add(now_s, max(0.0, end_s - start_s))

    def judge(self, sounder: str, out_of_domain: str | None) -> None:
        """Note why the network was not trained for the last swath of a sounder; None = it was."""
        with self._lock:
            if out_of_domain is None:
                self._strange.pop(sounder, None)
            elif len(self._strange) < _MOST_KINDS or sounder in self._strange:
                self._strange[sounder] = out_of_domain

    def quarantine(self, reason: str) -> None:
        """Count something set aside.

        Counted by `reason_kind`, and beyond 64 kinds as "other": numbers and names in reasons
        must not make a series each.
        """
        kind = reason_kind(reason)
        with self._lock:
            if kind not in self._quarantined and len(self._quarantined) >= _MOST_KINDS:
                kind = "other"
            self._quarantined[kind] = self._quarantined.get(kind, 0) + 1

    def snapshot(self) -> dict[str, Any]:
        """Return all numbers at one instant, JSON-able.

        Keys: every counter and gauge by its name, "quarantined" (reason to number), "uptime_s",
        "out_of_domain" (sounder to reason),
        "last_frame_age_s" (None before the first frame), "frames_per_min" and "lag": for each
        step, "total" (arrival to journal) and "data" (data time to journal) the "p50" and "p99"
        of the seconds, of the last minutes.
        """
        now_s = self._ticks()
        with self._lock:
            last_s = self._last_frame_s
            lags = {name: recent.quantiles(now_s) for name, recent in self._lags.items()}
            return {
                **self._counters,
                **self._gauges,
                "quarantined": dict(sorted(self._quarantined.items())),
                "out_of_domain": dict(self._strange),
                "uptime_s": now_s - self._started_s,
                "last_frame_age_s": None if last_s is None else now_s - last_s,
                "frames_per_min": self._rate.per_minute(now_s),
                "lag": {name: seconds for name, seconds in lags.items() if seconds},
            }

    def prometheus(self) -> str:
        """Return the numbers in the Prometheus text format, version 0.0.4."""
        with self._lock:
            counters = frozenset(self._counters)
        return prometheus_text(self.snapshot(), counters)


def reason_kind(reason: str) -> str:
    """Return the part of a reason that many have in common.

    >>> reason_kind("bad checksum: expected 17, received 18")
    'bad checksum'
    >>> reason_kind("0007_x.kmall at byte 1200: record ends early")
    'record ends early'
    """
    where, _, what = reason.partition(": ")
    said = what if " at byte " in where else where
    words = said.partition(":")[0].split()
    plain = itertools.takewhile(lambda word: not any(map(str.isdigit, word)), words)
    return " ".join(plain) or "other"


def _check_name(name: str, taken: Container[str], kind: str) -> None:
    if not name.isidentifier() or not name.isascii() or name in taken:
        raise ValueError(f"expected a name that is not a {kind}'s, received {name!r}")
