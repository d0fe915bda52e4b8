"""Two sounders of one model side by side: each has its own plumes, and no plume is orphaned."""

from __future__ import annotations

import json
from dataclasses import replace

from passes import Plume, follow, make_pass, straight

from sonar_watch.association.tracker import PlumeTracker, TrackerOptions
from sonar_watch.records import EventChange, GeolocatedFrame

MODEL = "em2040"
LINE = straight(length_m=450.0)  # it ends with the plume in sight
AWAY = straight(length_m=3000.0, start=(0.0, 300.0), at_s=1000.0)


def frames_of(unit: str, seed: int = 1) -> list[GeolocatedFrame]:
    made = make_pass(LINE, [Plume(east_m=40.0, north_m=-200.0)], sounder=MODEL, seed=seed)
    return [replace(frame, unit=unit) for frame in made]


def away(unit: str) -> list[GeolocatedFrame]:
    return [replace(frame, unit=unit) for frame in make_pass(AWAY, [], sounder=MODEL)]


def kinds(changes: list[EventChange]) -> list[str]:
    return [change.kind for change in changes if change.kind != "update"]


def test_each_of_two_is_followed_as_if_it_were_alone() -> None:
    one, two = frames_of("40-1"), frames_of("41-1", seed=2)
    mixed: dict[str, list[EventChange]] = {"40-1": [], "41-1": []}
    tracker = PlumeTracker(TrackerOptions())
    for pair in zip(one, two, strict=True):
        for frame in pair:
            mixed[frame.unit] += tracker.update(frame)
    for frames in (one, two):
        alone = follow(PlumeTracker(TrackerOptions()), frames)
        assert [change.event.swath_count for change in mixed[frames[0].unit]] == [
            change.event.swath_count for change in alone
        ]
        assert kinds(alone)[0] == "new"
    assert tracker.open_events() == 2


def test_a_state_of_an_older_release_goes_on() -> None:
    """Its streams are named by the model alone; the event is ended, once, by who saw it."""
    frames = frames_of("")
    old = PlumeTracker(TrackerOptions())
    begun = follow(old, frames)
    assert kinds(begun) == ["new"]
    state = json.loads(json.dumps(old.state()))
    assert list(state["streams"]) == [MODEL]
    new = PlumeTracker.restore(TrackerOptions(), state)
    assert follow(new, away("40-1")) == follow(old, away(""))
    assert new.open_events() == 0
    assert list(new.state()["streams"]) == [f"{MODEL}-40-1"]


def test_who_says_who_it_is_only_now_and_then_stays_the_same() -> None:
    """An #IIP is heard late, or a file has lost its beginning."""
    frames, tracker = frames_of(""), PlumeTracker(TrackerOptions())
    units = ["40"] * 54 + ["40-1"] * 3 + ["40"] * 3 + ["40-1"] * 3
    told = [replace(frame, unit=unit) for unit, frame in zip(units, frames, strict=False)]
    changes = follow(tracker, told)
    assert changes == follow(PlumeTracker(TrackerOptions()), frames[: len(told)])
    assert kinds(changes) == ["new"]
    assert len(tracker.state()["streams"]) == 1


def test_where_two_may_be_meant_neither_is() -> None:
    tracker = PlumeTracker(TrackerOptions())
    for unit in ("40-1", "40-2", "40"):
        follow(tracker, frames_of(unit)[:3])
    assert list(tracker.state()["streams"]) == [f"{MODEL}-40-1", f"{MODEL}-40-2", f"{MODEL}-40"]
