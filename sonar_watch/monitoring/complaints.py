"""What is wrong with a watch, in words, from what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

STALE_S = 120.0
"""A frame older than this, with others waiting, is a complaint."""

HANGING_S = 15.0
"""A watch that has told nothing for this long, though asked each second, hangs."""


def complaints(watch: Mapping[str, Any], answered_utc: str | None = None) -> list[str]:
    """Return what a technician should look at, in words; [] when the watch is healthy.

    Parameters
    ----------
    watch : mapping
        What the daemon tells of itself in each status message. What was set aside is no
        complaint: it is counted beside it, and stays counted when mended.
    answered_utc : str or None
        When whoever publishes it sent the message: another thread, which goes on when the
        watch hangs.
    """
    found = _hanging(watch, answered_utc)
    if watch.get("trouble"):
        found.append(f"nothing is published: {watch['trouble']}")
    if watch.get("notice"):
        found.append(str(watch["notice"]))
    found += _failing(watch)
    age_s = watch.get("last_frame_age_s")
    backlog = watch.get("backlog", 0)
    if age_s is not None and age_s > STALE_S and backlog > 0:
        found.append(f"no frame done for {age_s:.0f} s though {backlog:.0f} wait; see the log")
    if watch.get("alerts_unwritable"):
        found.append(f"{watch['alerts_unwritable']} alerts could not be written; see the log")
    return [*found, *(str(warning.get("text")) for warning in watch.get("warnings", ()))]


def _hanging(watch: Mapping[str, Any], answered_utc: str | None) -> list[str]:
    if answered_utc is None or "told_utc" not in watch:
        return []
    told, answered = (datetime.fromisoformat(text) for text in (watch["told_utc"], answered_utc))
    silent_s = (answered - told).total_seconds()
    if silent_s <= HANGING_S:
        return []
    return [f"the watch has not moved for {silent_s:.0f} s and what it tells is as old: look at "
            "its log, or restart it"]  # fmt: skip


def _failing(watch: Mapping[str, Any]) -> list[str]:
    told = [source for source in watch.get("each_source", ()) if source.get("failing")]
    if told:
        return [f"source {source['name']} fails: {source['failing']}" for source in told]
    failing = watch.get("sources", {}).get("failing", 0)
    if failing:
        return [f"{failing} of the sources cannot be read; the log says which and why"]
    return []
