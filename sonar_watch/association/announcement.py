"""What is said of a plume: the event as it is known, and whether it is worth saying again."""

from __future__ import annotations

import math
from datetime import datetime

from sonar_watch.association.options import TrackerOptions
from sonar_watch.association.plane import (
    Covariance,
    east_north_m,
    inverse,
    quadratic,
    streak,
    total,
)
from sonar_watch.association.track import STRIDE_M, Track
from sonar_watch.records import PlumeEvent

_TOP_QUANTILE = 0.1
_CONFIDENCE, _FOOT, _TOP, _WIDTH = range(4)  # columns of Track.measures


def covariance_m2(track: Track, options: TrackerOptions) -> Covariance | None:
    """Return the covariance of the best foot.

    While the ship has not passed the plume, how far it goes on ahead is not known.
    """
    if track.foot is None:
        return None
    known = track.foot.covariance_m2()
    if track.quiet >= 2 and track.left_m >= STRIDE_M:
        return known
    ahead = max(0.0, options.along_gate_m - 0.5 * track.length_m) / math.sqrt(3.0)
    return total(known, streak(ahead, track.bow))


def has_moved(track: Track) -> bool:
    """Return whether it lies beyond one sigma of where it was announced, or gained a place."""
    if track.here is None:
        return False
    if track.told_at is None or track.told_m2 is None:
        return True
    return quadratic(inverse(track.told_m2), east_north_m(*track.told_at, *track.here)) > 1.0


def announce(track: Track, now: datetime, options: TrackerOptions) -> PlumeEvent:
    """Return the event as it is to be announced now, and remember having done so."""
    event = event_of(track, options)
    track.told_utc, track.told_m2 = now, event.covariance_m2
    track.told_at = track.here
    track.dirty = False
    return event


def event_of(track: Track, options: TrackerOptions) -> PlumeEvent:
    """Return the plume as it is known: depths and width are medians over the swaths.

    The top is the 10 % quantile, so that one odd box does not raise it; the height goes
    from there to the foot.
    """
    place = track.here
    foot, top = track.measures.quantile(_FOOT, 0.5), track.measures.quantile(_TOP, _TOP_QUANTILE)
    return PlumeEvent(
        event_id=track.event_id,
        state=track.state,
        sounder=track.sounder,
        first_seen_utc=track.first_seen_utc,
        last_seen_utc=track.last_seen_utc,
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
        covariance_m2=covariance_m2(track, options),
        foot_depth_m=foot,
        top_depth_m=top,
        height_m=foot - top,
        width_m=track.measures.quantile(_WIDTH, 0.5),
        swath_count=track.seen,
        swaths_possible=track.possible,
        peak_confidence=track.peak_confidence,
        median_confidence=track.measures.quantile(_CONFIDENCE, 0.5),
        site_id=track.site_id,
        best_frame_id=track.best_frame_id,
        best_source=track.best_source,
        vetoed=tuple(sorted(track.vetoed.items())),
        position_note=None if place else track.note,
        agreement=track.agreement,
    )
