"""Which settings a running watch takes over, and which need a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sonar_watch.settings.models import Settings

RELOADED = (
    "log_level",
    "detector.confidence",
    "detector.alerts_per_hour",
    "detector.iou",
    "vetoes",
    "position",
    "tracker",
)
"""What can change while it watches: what decides, never what is read, drawn or listened to."""

_OF_DETECTOR = ("confidence", "alerts_per_hour", "iou")
_WHOLE = ("vetoes", "position", "tracker", "log_level")
_ELSEWHERE = ("slides",)
"""Of other commands: a change is nothing to a running watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What a configuration that was read anew means for a running watch.

    Parameters
    ----------
    settings : Settings
        Those to go on with: the present ones with what can change taken over.
    changed, needs_restart : tuple of str
        Keys that differ, such as "detector.confidence": taken over, and not.
    """

    settings: Settings
    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


def reload_settings(present: Settings, wanted: Settings) -> Reload:
    """Return the present settings with what can change taken from `wanted`.

    Parameters
    ----------
    present, wanted : Settings
        As they were read: "auto" not replaced by what was chosen.
    """
    differ = [key for key in _differences(present, wanted)
              if key.partition(".")[0] not in _ELSEWHERE]  # fmt: skip
    detector = {name: getattr(wanted.detector, name) for name in _OF_DETECTOR}
    return Reload(
        settings=replace(
            present,
            detector=replace(present.detector, **detector),
            **{name: getattr(wanted, name) for name in _WHOLE},
        ),
        changed=tuple(key for key in differ if _is_reloaded(key)),
        needs_restart=tuple(key for key in differ if not _is_reloaded(key)),
    )


def _differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Yield the keys of two options dataclasses that differ; lists count as one key."""
    for item in dataclasses.fields(one):
        pair = getattr(one, item.name), getattr(other, item.name)
        key = f"{place}{item.name}"
        if all(dataclasses.is_dataclass(value) for value in pair):
            yield from _differences(*pair, place=f"{key}.")
        elif pair[0] != pair[1]:
            yield key


def _is_reloaded(key: str) -> bool:
    return any(key == known or key.startswith(f"{known}.") for known in RELOADED)
