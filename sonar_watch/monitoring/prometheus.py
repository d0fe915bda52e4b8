"""What a status message says of the watch, in the Prometheus text format, version 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

PREFIX = "sonar_watch_"

COUNTERS = {
    "frames": "Swaths taken through the whole chain.",
    "detections": "Boxes found, vetoed ones included.",
    "alerts": "Alerts written to the journal.",
    "alerts_unwritable": "Alerts that could not be written.",
    "frames_second_only": "Swaths in which only the second detector saw a plume, not vetoed.",
    "frames_repeated": "Swaths that came again and were done already.",
    "frames_without_navigation": "Swaths that left without a position.",
    "rejected": "Clients turned away for their key or their size.",
    "throttled": "Requests put off because a client asked too often.",
    "evidence_failed": "Pictures of events that could not be written.",
}
GAUGES = {
    "lag_s": "Seconds from the data time of the last frame to now.",
    "backlog": "Frames that wait to be worked on.",
    "backlog_age_s": "Seconds from the data time of the oldest that waits to now.",
    "uptime_s": "Seconds since the watch began.",
    "last_frame_age_s": "Seconds since the last frame was done.",
    "frames_per_min": "Frames done per minute, over the last minutes.",
    "waiting_for_navigation": "Swaths that wait for their navigation.",
    "ping_age_s": "Seconds since the last ping or picture was heard.",
    "navigation_age_s": "Seconds since the last position was heard.",
    "speed_m_s": "Speed over ground last heard.",
    "clock_offset_s": "Least seconds from data time to this clock, over the last minutes.",
    "nmea_clock_offset_s": "Seconds from this clock to the date of a sentence.",
    "clock_steps": "Jumps of this computer's clock.",
    "open_events": "Plumes announced and not ended.",
    "journal_bytes": "Size of the journal with what is not moved into it yet.",
    "memory_bytes": "Memory of the process in RAM.",
    "file_handles_limit": "Open files and sockets the process may have.",
    "quarantined_in_all": "Items set aside that the journal knows.",
    "file_handles": "Open files and sockets of the process.",
    "threads": "Threads of the process.",
}
_OF_SOURCES = {
    "files": "Files in the folder of the source.",
    "backlog": "Files, frames or datagrams known and not given yet.",
    "dropped": "What came too fast and was lost, parts of datagrams included.",
    "broken": "What could not be used.",
    "newest_age_s": "Seconds since the last ping or sentence of the source.",
}
_QUANTILES = {"p50": "0.5", "p99": "0.99"}

_Samples = Iterable[tuple[Mapping[str, str], Any]]


def prometheus_text(watch: Mapping[str, Any], counters: Collection[str] = frozenset()) -> str:
    """Return the numbers of a status message's `watch`; what is not known is left out.

    Parameters
    ----------
    watch : mapping
    counters : collection of str
        Names that only rise, beside those of `COUNTERS`.
    """
    lines: list[str] = []
    for name, value in sorted(watch.items()):
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if name in COUNTERS or name in counters:
            lines += _series(f"{name}_total", "counter", COUNTERS.get(name, ""), [({}, value)])
        else:
            lines += _series(name, "gauge", GAUGES.get(name, ""), [({}, value)])
    for name, kind, help_text, samples in _labelled(watch):
        lines += _series(name, kind, help_text, samples)
    return "\n".join(lines) + "\n"


def _labelled(watch: Mapping[str, Any]) -> Iterator[tuple[str, str, str, _Samples]]:
    """Yield the series with labels: name, kind, meaning, samples."""
    quarantined = watch.get("quarantined") or {}
    yield ("quarantined_total", "counter", "Items set aside.",
           [({"reason": reason}, number) for reason, number in quarantined.items()])
    lags = watch.get("lag") or {}
    yield ("stage_lag_s", "gauge", "Wall seconds a frame spent in a stage, over the last minutes.",
           [({"stage": stage, "quantile": share}, values[key])
            for stage, values in lags.items() for key, share in _QUANTILES.items()])
    sources = watch.get("each_source") or ()
    for key, help_text in _OF_SOURCES.items():
        kind = "counter" if key in ("dropped", "broken") else "gauge"
        name = f"source_{key}" + ("_total" if kind == "counter" else "")
        yield name, kind, help_text, [({"source": each["name"]}, each.get(key)) for each in sources]
    yield ("source_failing", "gauge", "1 while the source, or part of it, cannot be read.",
           [({"source": each["name"]}, int(bool(each.get("failing")))) for each in sources])
    disks = watch.get("disks") or ()
    for key in ("free_bytes", "total_bytes"):
        yield (f"disk_{key}", "gauge", "Room on the disk of a folder.",
               [({"folder": disk["folder"]}, disk.get(key)) for disk in disks])
    yield ("warning", "gauge", "1 while the warning stands.",
           [({"name": each["name"]}, 1) for each in watch.get("warnings") or ()])
    if "told_utc" in watch:
        told_s = datetime.fromisoformat(watch["told_utc"]).timestamp()
        yield ("told_timestamp_seconds", "gauge", "When the watch said all this, since 1970.",
               [({}, told_s)])
    if "runtime" in watch:
        about = {key: str(watch.get(key)) for key in ("weights", "runtime")}
        yield "info", "gauge", "What looks for plumes.", [(about, 1)]


def _series(name: str, kind: str, help_text: str, samples: _Samples) -> list[str]:
    told = [
        f"{PREFIX}{name}{_labels(labels)} {_number(value)}"
        for labels, value in samples
        if value is not None
    ]
    if not told:
        return []
    lines = [f"# HELP {PREFIX}{name} {help_text}"] if help_text else []
    return [*lines, f"# TYPE {PREFIX}{name} {kind}", *told]


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
