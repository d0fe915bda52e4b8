"""The settings of a replay: the watch's own decisions, other places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sonar_watch.settings.models import Settings
from sonar_watch.sources.folder import FolderOptions
from sonar_watch.sources.logs import NmeaLogOptions
from sonar_watch.sources.raw import RawOptions
from sonar_watch.sources.replay import ReplayOptions

_Placed = TypeVar("_Placed", FolderOptions, RawOptions, NmeaLogOptions)


def replay_settings(settings: Settings, out: Path) -> Settings:
    """Return the settings of a replay into `out`: same decisions, its own journal and ports."""
    alerts = replace(
        settings.alerts,
        publish=replay_endpoint(settings.alerts.publish),
        request=replay_endpoint(settings.alerts.request),
    )
    return replace(settings, data_dir=out, alerts=alerts)


def replay_endpoint(live: str) -> str:
    """Return where a replay publishes, so that listeners of the live watch stay with it.

    >>> replay_endpoint("tcp://127.0.0.1:6790"), replay_endpoint("ipc:///run/alerts")
    ('tcp://127.0.0.1:6792', 'ipc:///run/alerts.replay')
    """
    head, separator, port = live.rpartition(":")
    if live.startswith("tcp://") and port.isdigit() and 0 < int(port) <= 65_533:
        return f"{head}{separator}{int(port) + 2}"
    return f"{live}.replay" if live.startswith("ipc://") else live


def replay_options(settings: Settings, inputs: Sequence[Path]) -> ReplayOptions:
    """Return how recorded inputs are read: as the source whose folder they lie in.

    Inputs from elsewhere are read as the first source of their kind is, if there is one.
    """
    sources, default = settings.sources, ReplayOptions()
    return ReplayOptions(
        images=_nearest(sources.images, inputs, default.images),
        raw=_nearest(sources.raw, inputs, default.raw),
        logs=_nearest(sources.nmea_logs, inputs, default.logs),
    )


def _nearest(sources: Sequence[_Placed], inputs: Sequence[Path], default: _Placed) -> _Placed:
    places = [path.resolve() for path in inputs]
    for source in sources:
        if any(place.is_relative_to(source.path.resolve()) for place in places):
            return source
    return sources[0] if sources else default
