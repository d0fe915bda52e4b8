"""A track as JSON-able values and back, exact: floats are written so that they read the same."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sonar_watch.association.estimate import FootEstimate, MeasureSample
from sonar_watch.association.track import Track
from sonar_watch.records import SourceRef, iso_utc, parse_utc

_TIMES = ("first_seen_utc", "last_seen_utc", "told_utc")
_PAIRS = ("mean", "here", "ship", "mark", "bow", "told_at", "told_m2")


def track_state(track: Track) -> dict[str, Any]:
    """Return everything as JSON-able values, exact."""
    row = {f.name: getattr(track, f.name) for f in fields(track)}
    for name in _TIMES:
        row[name] = None if row[name] is None else iso_utc(row[name])
    row["best_source"] = {
        f.name: getattr(track.best_source, f.name) for f in fields(track.best_source)
    }
    row["foot"] = None if track.foot is None else track.foot.state()
    row["measures"] = track.measures.state()
    row["points"], row["window"] = [list(p) for p in track.points], list(track.window)
    row["vetoed"] = dict(track.vetoed)
    return row


def restore_track(row: dict[str, Any]) -> Track:
    """Return the track `row` describes."""
    row = dict(row)
    for name in _TIMES:
        row[name] = None if row[name] is None else parse_utc(row[name])
    for name in _PAIRS:
        row[name] = None if row[name] is None else tuple(row[name])
    row["best_source"] = SourceRef(**row["best_source"])
    row["foot"] = None if row["foot"] is None else FootEstimate.restore(row["foot"])
    row["measures"] = MeasureSample.restore(row["measures"])
    row["points"], row["window"] = [(e, n) for e, n in row["points"]], list(row["window"])
    row["vetoed"] = dict(row["vetoed"])
    return Track(**row)
