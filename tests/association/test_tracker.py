"""One plume, one event: passes, turns, hovering, strands, gaps and restarts."""

from __future__ import annotations

from passes import Plume, follow, hover, make_pass, straight

from sonar_watch.association.tracker import PlumeTracker, TrackerOptions


def kinds(changes):
    return [change.kind for change in changes]


def test_one_plume_is_one_event():
    frames = make_pass(straight(), [Plume(east_m=200, north_m=0)])
    changes = follow(PlumeTracker(TrackerOptions()), frames)
    assert kinds(changes)[0] == "new"
    assert kinds(changes)[-1] == "end"
    assert len({c.event.event_id for c in changes}) == 1


def test_hovering_an_hour_is_one_event():
    frames = make_pass(hover(seconds=3600), [Plume(east_m=50, north_m=20, half_length_m=60)])
    tracker = PlumeTracker(TrackerOptions())
    changes = follow(tracker, frames)
    assert len({c.event.event_id for c in changes}) == 1
    assert tracker.open_events() == 1
