"""Score a watch on a cruise whose truth is known: what was found, where, how soon."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonar_watch.alerts.message import decode_alert
from sonar_watch.errors import FormatError
from sonar_watch.records import Alert, PlumeEvent
from sonar_watch.trials.ground import inside_ellipse, nearest_foot

MATCH_RADIUS_M = 120.0
"""An event this far from a true foot is about that plume; the demo's plumes are 250 m apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventScore:
    """One event beside the truth.

    Parameters
    ----------
    plume : str or None
        Name of the true plume; None for a false alert.
    true_position, position : tuple of float (latitude, longitude), or None
    error_m : float or None
        Distance between the two on the ground.
    inside_ellipse : bool or None
        Whether the true foot lies in the stated 95 % ellipse.
    swaths : int
    latency_s : float or None
        From the swath being written to the `new` alert being received.
    event_id, site_id : str
    """

    plume: str | None
    true_position: tuple[float, float] | None
    position: tuple[float, float] | None
    error_m: float | None
    inside_ellipse: bool | None
    swaths: int
    latency_s: float | None
    event_id: str
    site_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialScore:
    """A whole cruise: scores of its events, and the plumes nobody told of."""

    events: tuple[EventScore, ...]
    missed: tuple[str, ...]

    @property
    def false_alerts(self) -> int:
        """Events that belong to no plume."""
        return sum(event.plume is None for event in self.events)


def read_truth(folder: Path) -> dict[str, Any]:
    """Return `truth.json` of a simulated cruise.

    Raises
    ------
    FormatError
        It is missing or not JSON.
    """
    path = folder / "truth.json"
    try:
        truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(
            f"expected the truth of a simulated cruise: {error}", file=str(path)
        ) from error
    return truth


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON-lines file; [] when there is none."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def score_events(
    truth: Mapping[str, Any],
    events: Iterable[PlumeEvent],
    latencies_s: Mapping[str, float] | None = None,
) -> TrialScore:
    """Return the scores of events (each in its last state) beside the truth.

    Parameters
    ----------
    truth : mapping
        As `read_truth` gives it.
    events : iterable of PlumeEvent
    latencies_s : mapping of event id to seconds, optional
    """
    known = latencies_s or {}
    scored = tuple(_score_event(truth["plumes"], event, known) for event in events)
    found = {event.plume for event in scored}
    missed = tuple(plume["name"] for plume in truth["plumes"] if plume["name"] not in found)
    return TrialScore(events=scored, missed=missed)


def _score_event(
    plumes: Sequence[Mapping[str, Any]], event: PlumeEvent, latencies_s: Mapping[str, float]
) -> EventScore:
    nearest, offset = nearest_foot(plumes, event, MATCH_RADIUS_M)
    known = event.latitude is not None and event.longitude is not None
    return EventScore(
        plume=nearest["name"] if nearest else None,
        true_position=(nearest["latitude"], nearest["longitude"]) if nearest else None,
        position=(event.latitude, event.longitude) if known else None,  # type: ignore[arg-type]
        error_m=math.hypot(*offset) if nearest else None,
        inside_ellipse=inside_ellipse(offset, event.covariance_m2) if nearest else None,
        swaths=event.swath_count,
        latency_s=latencies_s.get(event.event_id),
        event_id=event.event_id,
        site_id=event.site_id,
    )


def last_states(alerts: Iterable[Alert]) -> list[PlumeEvent]:
    """Return each event as its last alert tells it, in the order of the first ones."""
    return list({alert.event.event_id: alert.event for alert in alerts}.values())


def read_alerts(path: Path) -> list[Alert]:
    """Return the alerts of an `alerts.jsonl`.

    Raises
    ------
    WireError
        A line is not an alert.
    """
    return [decode_alert(line) for line in path.read_bytes().splitlines() if line]
