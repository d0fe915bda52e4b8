"""Counters and gauges of a running watch, and their Prometheus text.

Monitoring is one of the few places that may look at the wall clock: how old the last frame is
has no meaning in data time.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Container, Mapping
from typing import Any

PREFIX = "sonar_watch_"
_MOST_KINDS = 64

_COUNTERS = {
    "frames": "Swaths taken through the whole chain.",
    "detections": "Boxes found, vetoed ones included.",
    "alerts": "Alerts written to the journal.",
    "frames_second_only": "Swaths in which only the second detector saw a plume, not vetoed.",
}
_GAUGES = {
    "lag_s": "Seconds from the data time of the last frame to now.",
    "backlog": "Frames that wait to be worked on.",
    "uptime_s": "Seconds since the watch began.",
    "last_frame_age_s": "Seconds since the last frame was done.",
}

STALE_S = 120.0
"""A frame older than this, with others waiting, is a complaint."""


class Monitor:
    """What a watch has done and how far behind it is; any thread may ask or tell.

    Parameters
    ----------
    clock : callable
        Returns seconds since 1970-01-01 UTC.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started_s = clock()
        self._counters: dict[str, int] = dict.fromkeys(_COUNTERS, 0)
        self._gauges: dict[str, float] = {"lag_s": 0.0, "backlog": 0.0}
        self._quarantined: dict[str, int] = {}
        self._last_frame_s: float | None = None

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
        now_s = self._clock()
        with self._lock:
            self._counters["frames"] += 1
            self._counters["detections"] += detections
            self._gauges["lag_s"] = now_s - data_time_s
            self._last_frame_s = now_s

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
        and "last_frame_age_s" (None before the first frame).
        """
        now_s = self._clock()
        with self._lock:
            last_s = self._last_frame_s
            return {
                **self._counters,
                **self._gauges,
                "quarantined": dict(sorted(self._quarantined.items())),
                "uptime_s": now_s - self._started_s,
                "last_frame_age_s": None if last_s is None else now_s - last_s,
            }

    def prometheus(self) -> str:
        """Return the numbers in the Prometheus text format, version 0.0.4."""
        now = self.snapshot()
        with self._lock:
            counters = set(self._counters) & set(now)
        lines = _labelled("quarantined_total", "reason", now.pop("quarantined"))
        for name, value in sorted(now.items()):
            if name in counters:
                lines += _series(f"{name}_total", "counter", _COUNTERS.get(name, ""), value)
            elif value is not None:
                lines += _series(name, "gauge", _GAUGES.get(name, ""), value)
        return "\n".join(lines) + "\n"


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


def _series(name: str, kind: str, help_text: str, value: float) -> list[str]:
    lines = [f"# HELP {PREFIX}{name} {help_text}"] if help_text else []
    return [*lines, f"# TYPE {PREFIX}{name} {kind}", f"{PREFIX}{name} {_number(value)}"]


def _labelled(name: str, label: str, values: Mapping[str, int]) -> list[str]:
    lines = [f"# HELP {PREFIX}{name} Items set aside.", f"# TYPE {PREFIX}{name} counter"]
    return lines + [
        f'{PREFIX}{name}{{{label}="{_escaped(key)}"}} {value}' for key, value in values.items()
    ]


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def complaints(watch: Mapping[str, Any]) -> list[str]:
    """Return what a technician should look at, in words; [] when the watch is healthy.

    Parameters
    ----------
    watch : mapping
        What the daemon tells of itself in each status message. What was set aside is no
        complaint: it is counted beside it, and stays counted when mended.
    """
    found = []
    if watch.get("trouble"):
        found.append(f"nothing is published: {watch['trouble']}")
    if watch.get("notice"):
        found.append(str(watch["notice"]))
    failing = watch.get("sources", {}).get("failing", 0)
    if failing:
        found.append(f"{failing} of the sources cannot be read; the log says which and why")
    age_s = watch.get("last_frame_age_s")
    backlog = watch.get("backlog", 0)
    if age_s is not None and age_s > STALE_S and backlog > 0:
        found.append(f"no frame done for {age_s:.0f} s though {backlog:.0f} wait")
    if watch.get("alerts_unwritable"):
        found.append(f"{watch['alerts_unwritable']} alerts could not be written; see the log")
    return found
