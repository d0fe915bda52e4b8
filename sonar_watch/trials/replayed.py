"""The events of a replay beside the truth of the simulated cruise that was replayed.

Where the truth of each swath is known (`truth_boxes.jsonl` of the cruise, `detections.jsonl` of
the replay) events are told apart as those of trials are, and recall is of passes. Where it is
not, an event is about the nearest foot, and recall is of plumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sonar_watch.errors import FormatError
from sonar_watch.records import (
    Alert,
    EventChange,
    GeolocatedDetection,
    GeolocatedFrame,
    SourceRef,
)
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.trials.events import (
    last_states,
    read_alerts,
    read_lines,
    read_truth,
    score_events,
)
from sonar_watch.trials.passes import passes_over
from sonar_watch.trials.recording import hours_of
from sonar_watch.trials.simulated import SeenSwath
from sonar_watch.trials.summary import FEWEST_SWATHS, first_waits, per_hour, share_of, spread_of
from sonar_watch.trials.telling import CLOSE_M, CLOSE_OF_DEPTH, Told, score_told


def score_replay(cruise: Path, replay: Path) -> dict[str, Any]:
    """Return the figures of a replay's events beside a cruise's truth, JSON-able.

    Keys: `matching` ("swaths" or "feet"), `hours`, `events` (each beside the truth), `recall`
    (of passes strong on `FEWEST_SWATHS` swaths and more, or of plumes), `missed`,
    `false_alerts`, `false_per_hour`, `error_m` (median, 95 %), `inside_ellipse`,
    `time_to_alert_s`.

    Parameters
    ----------
    cruise : Path
        The folder that `simulate` wrote.
    replay : Path
        The folder that `replay` wrote.

    Raises
    ------
    FormatError
        The truth, or what was found, is broken or missing.
    WireError
        A line of `alerts.jsonl` is not an alert.
    """
    truth, alerts = read_truth(cruise), read_alerts(replay / "alerts.jsonl")
    seen, found = read_seen(cruise), read_found(replay)
    if seen is None or found is None:
        return _by_feet(truth, alerts)
    return _by_swaths(truth, alerts, seen, found)


def read_seen(cruise: Path) -> list[SeenSwath] | None:
    """Return what was truly in each swath of a cruise, None where that is not told.

    Raises
    ------
    FormatError
        A broken line, or no `truth.json`.
    """
    path = cruise / "truth_boxes.jsonl"
    if not path.exists():
        return None
    lines = read_truth(cruise)["lines"]
    return _parsed(path, lambda body: _seen(body, lines))


def read_found(replay: Path) -> list[GeolocatedFrame] | None:
    """Return what a replay found in each swath, without positions; None where that is not told.

    Raises
    ------
    FormatError
        A broken line.
    """
    path = replay / "detections.jsonl"
    return _parsed(path, _frame) if path.exists() else None


def _by_swaths(
    truth: Mapping[str, Any],
    alerts: Sequence[Alert],
    seen: Sequence[SeenSwath],
    frames: Sequence[GeolocatedFrame],
) -> dict[str, Any]:
    plumes = truth["plumes"]
    deepest_m = max((plume["depth_m"] for plume in plumes), default=0.0)
    passes = passes_over(plumes, seen)
    changes = [EventChange(kind=one.kind, time_utc=one.time_utc, event=one.event)
               for one in alerts]
    told = score_told(
        plumes, passes, seen, frames, changes,
        close_m=max(CLOSE_M, CLOSE_OF_DEPTH * deepest_m),
    )
    asked = {(one.plume, one.line) for one in passes if one.strong_swaths >= FEWEST_SWATHS}
    missed = asked - {(one.plume, one.line) for one in told}
    return {
        "matching": "swaths",
        **_figures(told, hours_of(seen)),
        "recall": share_of(len(asked) - len(missed), len(asked)),
        "missed": [{"plume": plume, "line": line} for plume, line in sorted(missed)],
        "time_to_alert_s": spread_of(first_waits(("", one) for one in told)),
    }


def _by_feet(truth: Mapping[str, Any], alerts: Sequence[Alert]) -> dict[str, Any]:
    kept = [one for one in last_states(alerts) if one.state != "retracted"]
    score = score_events(truth, kept)
    plumes = len(truth["plumes"])
    spans = [_time(line["end_utc"]) - _time(line["start_utc"]) for line in truth["lines"]]
    hours = sum(span.total_seconds() for span in spans) / 3600
    return {
        "matching": "feet",
        **_figures(score.events, hours),
        "recall": share_of(plumes - len(score.missed), plumes),
        "missed": [{"plume": name} for name in score.missed],
        "time_to_alert_s": spread_of(()),
    }


def _figures(events: Sequence[Any], hours: float) -> dict[str, Any]:
    """Return what both ways of telling have in common."""
    false = sum(one.plume is None for one in events)
    inside = [_inside(one) for one in events if _inside(one) is not None]
    return {
        "hours": round(hours, 3),
        "events": [asdict(one) for one in events],
        "false_alerts": false,
        "false_per_hour": per_hour(false, hours),
        "error_m": spread_of(one.error_m for one in events),
        "inside_ellipse": share_of(sum(map(bool, inside)), len(inside)),
    }


def _inside(event: Any) -> bool | None:
    inside: bool | None = event.inside if isinstance(event, Told) else event.inside_ellipse
    return inside


def _parsed(path: Path, parse: Any) -> list[Any]:
    """Return every line of a file, parsed; complain of the first that is none."""
    done: list[Any] = []
    try:
        for body in read_lines(path):
            done.append(parse(body))
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"line {len(done) + 1}: expected a swath: {error!r}", file=str(path)
        ) from error
    return done


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seen(body: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> SeenSwath:
    when = _time(body["time_utc"])
    name = next((str(line["name"]) for line in lines
                 if _time(line["start_utc"]) <= when <= _time(line["end_utc"])), "")
    boxes = tuple(
        TrueBox(
            class_name=box["class"], name=box["name"], contrast_db=float(box["contrast_db"]),
            across_track_m=_pair(box["across_track_m"]), depth_m=_pair(box["depth_m"]),
        )
        for box in body["boxes"]
    )
    return SeenSwath(frame_id=body["frame_id"], line=name, time_utc=when, boxes=boxes)


def _frame(body: Mapping[str, Any]) -> GeolocatedFrame:
    """Return as much of a frame as tells which box an event was seen best in."""
    when = _time(body["time_utc"])
    return GeolocatedFrame(
        frame_id=body["frame_id"], time_utc=when, sounder="", navigation=None,
        source=SourceRef(source="", file=str(body["source"]["file"])),
        coverage_across_m=_pair(body["coverage_across_m"]),
        detections=tuple(
            GeolocatedDetection(
                frame_id=body["frame_id"], time_utc=when, class_name=box["class"],
                confidence=float(box["confidence"]), across_track_m=_pair(box["across_track_m"]),
                depth_m=_pair(box["depth_m"]), foot_depth_m=float(box["depth_m"][1]),
                height_m=float(box["depth_m"][1] - box["depth_m"][0]), veto=box["veto"],
            )
            for box in body["detections"]
        ),
    )


def _pair(values: Sequence[float]) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)
