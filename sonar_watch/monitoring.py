"""Counters and gauges of a running watch, and their Prometheus text.

Monitoring is one of the few places that may look at the wall clock: how old the last frame is
has no meaning in data time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

PREFIX = "sonar_watch_"

_COUNTERS = {
    "frames": "Swaths taken through the whole chain.",
    "detections": "Boxes found, vetoed ones included.",
    "alerts": "Alerts written to the journal.",
}
_GAUGES = {
    "lag_s": "Seconds from the data time of the last frame to now.",
    "backlog": "Frames that wait to be worked on.",
}


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
        self._gauges: dict[str, float] = dict.fromkeys(_GAUGES, 0.0)
        self._quarantined: dict[str, int] = {}
        self._last_frame_s: float | None = None

    def count(self, name: str, more: int = 1) -> None:
        """Add to a counter; one that is new begins at 0.

        Raises
        ------
        ValueError
            `more` is below 0: counters only rise.
        """
        if more < 0:
            raise ValueError(f"{name}: expected 0 or more to add to a counter, received {more}")
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + more

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        with self._lock:
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

        Only the words before the first ":" or number are kept as the reason, so that offsets and
        names do not make a series each.
        """
        kind = reason_kind(reason)
        with self._lock:
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
            counters = sorted(self._counters)
        gauges = sorted(set(now) - set(counters) - {"quarantined"})
        lines = [line for name in counters for line in _series(f"{name}_total", "counter",
                                                               _COUNTERS.get(name, ""), now[name])]
        lines += _labelled("quarantined_total", "reason", now["quarantined"])
        lines += [line for name in gauges if now[name] is not None
                  for line in _series(name, "gauge", _GAUGES.get(name, ""), now[name])]
        return "\n".join(lines) + "\n"


def reason_kind(reason: str) -> str:
    """Return the part of a reason that many have in common.

    >>> reason_kind("bad checksum: expected 17, received 18")
    'bad checksum'
    >>> reason_kind("0007_x.kmall at byte 1200: record ends early")
    'record ends early'
    """
    after = reason.split(": ", 1)[1] if " at byte " in reason.split(": ", 1)[0] and (
        ": " in reason
    ) else reason
    kind = after.split(":", 1)[0].strip()
    words = []
    for word in kind.split():
        if any(letter.isdigit() for letter in word):
            break
        words.append(word)
    return " ".join(words) or "other"


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
