"""The state of a watch in one line, for who looks in passing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonar_watch.monitoring.complaints import complaints
from sonar_watch.monitoring.words import in_words


def status_line(watch: Mapping[str, Any]) -> str:
    """Return what a person wants to know first, what is wrong before all else.

    Parameters
    ----------
    watch : mapping
        What the daemon tells of itself in each status message.

    >>> status_line({"frames": 9, "frames_per_min": 294.0, "open_events": 3, "backlog": 7,
    ...              "last_frame_age_s": 2.0, "lag_s": 10.0, "runtime": "openvino cpu"})
    'watching: 4.9 frames/s, 3 events open, newest frame 12 s old, 7 waiting, on openvino cpu'
    """
    wrong = complaints(watch)
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    line = "watching: " + ", ".join(_parts(watch))
    return f"WRONG: {wrong[0]}{more}; {line}" if wrong else line


def _parts(watch: Mapping[str, Any]) -> list[str]:
    events = watch.get("open_events", 0)
    age_s = watch.get("last_frame_age_s")
    newest = "no frame yet"
    if age_s is not None:
        newest = f"newest frame {in_words(max(0.0, age_s + watch.get('lag_s', 0.0)))} old"
    return [
        f"{watch.get('frames_per_min', 0.0) / 60:.1f} frames/s",
        f"{events} event{'' if events == 1 else 's'} open",
        newest,
        f"{watch.get('backlog', 0):.0f} waiting",
        f"on {watch.get('runtime', 'nothing')}",
    ]
