"""What must hold whatever comes in; and a restart that nobody can see."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passes import ORIGIN, START, Plume, make_detection, make_fix, make_frame, make_pass, straight

from sonar_watch.association.plane import position_at
from sonar_watch.association.tracker import PlumeTracker, TrackerOptions
from sonar_watch.errors import ConfigurationError, FormatError

metres = st.floats(-150, 150)


@st.composite
def chaos(draw):
    """Frames of a ship that jumps about, with boxes, noise, vetoes and lost navigation."""
    frames, seconds = [], 0.0
    for number in range(draw(st.integers(1, 40))):
        seconds += draw(st.sampled_from([0.0, 0.003, 2.8, 2.8, 5.0, 40.0, -3.0, 4000.0]))
        time_utc = START + timedelta(seconds=seconds)
        at = position_at(*ORIGIN, (draw(metres), draw(metres)))
        fix = make_fix(time_utc, at, draw(st.floats(0, 359))) if draw(st.booleans()) else None
        found = [
            make_detection(
                f"f{number}", time_utc,
                position_at(*ORIGIN, (draw(metres) / 3, draw(metres) / 3)) if fix else None,
                across_m=draw(metres), confidence=draw(st.floats(0.05, 1.0)),
                class_name=draw(st.sampled_from(["signal", "signal", "signal", "noise"])),
                veto=draw(st.sampled_from([None, None, None, "spoke"])),
            )
            for _ in range(draw(st.integers(0, 3)))
        ]
        frames.append(make_frame(number, time_utc, fix, found,
                                 sounder=draw(st.sampled_from(["a", "a", "b"]))))
    return frames


def fed(tracker, frames):
    return [tracker.update(frame) for frame in frames]


@settings(max_examples=30, deadline=None)
@given(chaos())
def test_every_event_lives_once(frames):
    said = defaultdict(list)
    for changes in fed(PlumeTracker(TrackerOptions(confirm_swaths=2, of_swaths=4)), frames):
        for change in changes:
            said[change.event.event_id].append(change)
    for changes in said.values():
        kinds = [change.kind for change in changes]
        assert kinds[0] == "new"
        assert kinds.count("new") == 1
        assert "end" not in kinds[:-1]
        assert set(kinds) <= {"new", "update", "end"}
        check_counts([change.event for change in changes])
        check_intervals(changes)


def check_counts(events):
    for event in events:
        assert 1 <= event.swath_count <= event.swaths_possible
        assert event.first_seen_utc <= event.last_seen_utc
        assert event.top_depth_m <= event.foot_depth_m
    for before, after in pairwise(events):
        assert before.swath_count <= after.swath_count
        assert before.swaths_possible <= after.swaths_possible
        assert before.peak_confidence <= after.peak_confidence
        assert not before.site_id or before.site_id == after.site_id


def check_intervals(changes):
    told = [change.time_utc for change in changes if change.kind != "end"]
    for before, after in pairwise(told):
        assert (after - before).total_seconds() >= 30.0


@settings(max_examples=30, deadline=None)
@given(frames=chaos(), cut=st.floats(0, 1))
def test_a_restart_anywhere_changes_nothing(frames, cut):
    options = TrackerOptions(confirm_swaths=2, of_swaths=4)
    at = int(cut * len(frames))
    whole = PlumeTracker(options)
    expected = fed(whole, frames)
    first = PlumeTracker(options)
    before = fed(first, frames[:at])
    second = PlumeTracker.restore(options, json.loads(json.dumps(first.state(), allow_nan=False)))
    assert before + fed(second, frames[at:]) == expected
    assert json.dumps(second.state()) == json.dumps(whole.state())


def test_a_restart_after_every_swath_of_a_pass_changes_nothing():
    options = TrackerOptions()
    frames = make_pass(straight(), [Plume(east_m=200, north_m=0), Plume(east_m=-300, north_m=200)])
    expected = fed(PlumeTracker(options), frames)
    tracker, changes = PlumeTracker(options), []
    for frame in frames:
        changes.append(tracker.update(frame))
        tracker = PlumeTracker.restore(options, json.loads(json.dumps(tracker.state())))
    assert changes == expected
    assert sum(map(len, expected)) >= 4


def test_state_does_not_change_afterwards():
    tracker = PlumeTracker(TrackerOptions())
    frames = make_pass(straight(), [Plume(east_m=200, north_m=0)])
    half = len(frames) // 2
    fed(tracker, frames[:half])
    state = tracker.state()
    kept = json.dumps(state)
    fed(tracker, frames[half:])
    assert json.dumps(state) == kept


@pytest.mark.parametrize("state", [{}, {"version": 99}, {"version": 1}, {
    "version": 1, "sites": [], "streams": {"em": {"now": "yesterday", "tracks": []}}}])
def test_broken_state_is_refused(state):
    with pytest.raises(FormatError, match="tracker state"):
        PlumeTracker.restore(TrackerOptions(), state)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"confirm_swaths": 0}, "confirm_swaths"),
    ({"confirm_swaths": 7, "of_swaths": 6}, "can never be reached"),
    ({"swath_spacing_m": 60.0}, "span 120 m"),
    ({"swath_spacing_m": 45.0, "gate_m": 40.0}, "never join"),
    ({"confirm_swaths": 6, "reach_m": 40.0}, "reach_m"),
    ({"end_after_m": 15.0}, "given up end_after_m"),
    ({"of_swaths": 20}, "gone_after_m"),
    ({"gate_m": -1.0}, "gate_m"),
    ({"gate_sigmas": float("nan")}, "gate_sigmas"),
    ({"systematic_fraction": 1.5}, "systematic_fraction"),
    ({"update_interval_s": -1.0}, "update_interval_s"),
])
def test_settings_that_could_never_confirm_are_refused(wrong, said):
    with pytest.raises(ConfigurationError, match=said):
        TrackerOptions(**wrong)


def test_one_swath_may_be_enough():
    tracker = PlumeTracker(TrackerOptions(confirm_swaths=1, of_swaths=1))
    frames = make_pass(straight(), [Plume(east_m=200, north_m=0)])
    first = next(f for f in frames if f.detections)
    assert [change.kind for change in tracker.update(first)] == ["new"]
