"""One plume, one event: passes, turns, hovering, strands, gaps in navigation and in pings."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from passes import (
    KNOT,
    ORIGIN,
    START,
    Plume,
    Ship,
    follow,
    hover,
    make_detection,
    make_fix,
    make_frame,
    make_pass,
    straight,
)

from sonar_watch.association.plane import east_north_m, inverse, position_at, quadratic
from sonar_watch.association.sightings import foot_of, sighting_of
from sonar_watch.association.track import begin_track
from sonar_watch.association.tracker import PlumeTracker, TrackerOptions

LONE = [Plume(east_m=200, north_m=0)]


def run(ships, plumes=LONE, options=None, **settings):
    return follow(PlumeTracker(options or TrackerOptions()), make_pass(ships, plumes, **settings))


def kinds(changes):
    return [change.kind for change in changes]


def events(changes):
    """Return the last word on each event."""
    return list({change.event.event_id: change.event for change in changes}.values())


def apart_m(event, plume, origin=ORIGIN):
    east, north = east_north_m(*origin, event.latitude, event.longitude)
    return math.hypot(east - plume.east_m, north - plume.north_m)


def test_one_plume_is_one_event():
    changes = run(straight())
    assert kinds(changes)[0] == "new"
    assert kinds(changes)[-1] == "end"
    (event,) = events(changes)
    assert event.state == "ended"
    assert apart_m(event, LONE[0]) < 10
    assert 5 <= event.swath_count <= event.swaths_possible <= 20
    assert event.position_note is None


def test_what_the_network_was_not_trained_for_is_said_with_the_event():
    frames = [replace(each, out_of_domain="depth 9 m") for each in make_pass(straight(), LONE)]
    half = len(frames) // 2
    frames[half:] = make_pass(straight(), LONE)[half:]
    changes = follow(PlumeTracker(TrackerOptions()), frames)
    assert changes[0].event.out_of_domain == "depth 9 m"
    assert changes[-1].event.out_of_domain is None
    assert [replace(each.event, out_of_domain=None) for each in changes] == [
        each.event for each in run(straight())
    ]


@pytest.mark.parametrize("heading_deg", [0, 45, 90, 180, 217, 359.9])
def test_every_heading_finds_the_same_place(heading_deg):
    bow = math.radians(heading_deg)
    start = (-600 * math.sin(bow) - 200 * math.cos(bow), -600 * math.cos(bow) + 200 * math.sin(bow))
    plume = Plume(east_m=0, north_m=0)
    (event,) = events(run(straight(heading_deg=heading_deg, start=start), [plume]))
    assert apart_m(event, plume) < 12


@pytest.mark.parametrize("origin", [(10.0, 179.9999), (-78.0, -180.0), (0.0, 0.0), (60.0, 5.0)])
def test_position_holds_anywhere(origin):
    (event,) = events(run(straight(), LONE, origin=origin))
    assert apart_m(event, LONE[0], origin) < 10
    assert -180 <= event.longitude < 180


@pytest.mark.parametrize(("strands", "half_width_m"), [(2, 20), (2, 25), (3, 13)])
def test_strands_are_one_event(strands, half_width_m):
    plume = Plume(east_m=200, north_m=0, strands=strands, half_width_m=half_width_m)
    for seed in range(10):
        found = events(run(straight(), [plume], seed=seed))
        assert len(found) == 1
        assert apart_m(found[0], plume) < 15
        assert found[0].width_m > 30


@pytest.mark.parametrize("step_m", [50.0, 65.0, 80.0])
def test_deep_plumes_are_told_though_swaths_lie_far_apart(step_m):
    """At 3500 m a ping takes 16 s and a beam is 60 m wide: four swaths show a plume."""
    cycle_s = 16.0
    deep = [Plume(east_m=600, north_m=20, half_length_m=2 * step_m, half_width_m=40)]
    ships = straight(length_m=4000, knots=step_m / cycle_s / KNOT, cycle_s=cycle_s,
                     start=(0, -2000))
    told = [run(ships, deep, noise_m=20, seed=seed, half_fan_m=6000, hit=1.0)
            for seed in range(20)]
    assert sum("new" in kinds(changes) for changes in told) >= 16


def test_a_jump_of_the_position_widens_nothing():
    tracker = PlumeTracker(TrackerOptions())
    frames = make_pass(straight(length_m=100), [])
    jumped = replace(frames[5], navigation=make_fix(
        frames[5].time_utc, position_at(*ORIGIN, (100.0, -560.0))))
    for frame in (*frames[:5], jumped, *frames[6:]):
        tracker.update(frame)
        (stream,) = tracker._streams.values()
        assert tracker.options.at_pace(stream.step_m) == tracker.options


@pytest.mark.parametrize("second", [(300, 0), (200, 100), (270, 75)])
def test_plumes_100_m_apart_are_two_events_at_two_sites(second):
    plumes = [*LONE, Plume(east_m=second[0], north_m=second[1])]
    for seed in range(8):
        found = events(run(straight(), plumes, seed=seed))
        assert len(found) == 2
        assert len({event.site_id for event in found}) == 2


def test_hovering_an_hour_is_one_event():
    tracker = PlumeTracker(TrackerOptions())
    frames = make_pass(hover(seconds=3600), [Plume(east_m=60, north_m=-40)], hit=0.5)
    changes = follow(tracker, frames)
    assert kinds(changes).count("new") == 1
    assert "end" not in kinds(changes)
    assert tracker.open_events() == 1
    assert len(str(tracker.state())) < 20_000


def test_two_swaths_a_ping_both_count():
    once = events(run(straight(), hit=1.0))[0]
    twice = events(run(straight(), hit=1.0, swaths=2))[0]
    assert twice.swath_count == 2 * once.swath_count


def test_turn_over_a_plume_is_one_event():
    radius, ships = 150.0, []
    for i in range(120):
        angle = math.radians(-90 + i * 3)
        ships.append(Ship(east_m=radius * math.sin(angle), north_m=radius * math.cos(angle) - 100,
                          heading_deg=(i * 3) % 360, seconds=i * 2.8))
    found = events(run(ships, [Plume(east_m=0, north_m=-100)]))
    assert len(found) == 1


def test_second_line_is_a_second_event_at_the_same_site():
    plume = Plume(east_m=300, north_m=0)
    there = straight()
    back = straight(start=(600, 600), heading_deg=180, at_s=there[-1].seconds + 300)
    found = events(run(there + back, [plume]))
    assert len(found) == 2
    assert len({event.site_id for event in found}) == 1


def test_lone_false_detections_confirm_nothing():
    assert run(straight(length_m=10_000), [], false_rate=0.02) == []


def test_faint_plumes_are_found_and_say_how_often_they_were_seen():
    found = [event for seed in range(20) for event in events(run(straight(), hit=0.6, seed=seed))]
    assert 16 <= len(found) <= 20
    assert all(event.swath_count < event.swaths_possible for event in found)


def test_events_stay_open_when_pings_stop():
    tracker = PlumeTracker(TrackerOptions())
    frames = [f for f in make_pass(straight(), LONE) if f.time_utc < START + timedelta(seconds=235)]
    assert "end" not in kinds(follow(tracker, frames))
    assert tracker.open_events() == 1
    far = make_frame(9999, START + timedelta(days=1), make_fix(START, (33.0, 140.0)))
    assert kinds(tracker.update(far)) == ["end"]


def test_end_comes_when_the_ship_has_left_it_behind():
    options = TrackerOptions(end_after_m=120.0)
    end = run(straight(), options=options)[-1]
    left_s = (end.time_utc - end.event.last_seen_utc).total_seconds()
    assert 120 / 2.6 <= left_s <= 120 / 2.6 + 6


def test_gone_plume_ends_while_the_ship_circles_over_it():
    ships = straight() + [
        Ship(east_m=30 * math.sin(i / 4), north_m=30 * math.cos(i / 4), heading_deg=i * 14 % 360,
             seconds=2000 + i * 5)
        for i in range(60)
    ]
    tracker = PlumeTracker(TrackerOptions(end_after_m=5000.0))
    frames = make_pass(ships, [Plume(east_m=20, north_m=0)])
    seen = [f if f.time_utc < START + timedelta(seconds=1500) else replace(f, detections=())
            for f in frames]
    assert kinds(follow(tracker, seen))[-1] == "end"


def test_updates_are_rare_and_only_after_a_move():
    options = TrackerOptions(update_interval_s=30.0)
    changes = run(straight(knots=1.0, length_m=500, start=(0, -250)),
                  [Plume(east_m=200, north_m=0, half_length_m=80)], options=options)
    told = [change.time_utc for change in changes if change.kind in ("new", "update")]
    assert len(told) > 1
    assert all((b - a).total_seconds() >= 30 for a, b in pairwise(told))


def test_vetoed_detections_beside_an_event_are_counted_by_reason():
    frames = []
    for frame in make_pass(straight(), LONE, hit=1.0):
        arc = [replace(d, veto="sector edge") for d in frame.detections]
        elsewhere = position_at(*ORIGIN, (-700.0, 0.0))
        far = make_detection(frame.frame_id, frame.time_utc, elsewhere, across_m=-700, veto="spoke")
        frames.append(replace(frame, detections=(*frame.detections, *arc, far)))
    (event,) = events(follow(PlumeTracker(TrackerOptions()), frames))
    assert [reason for reason, _ in event.vetoed] == ["sector edge"]
    assert event.vetoed[0][1] >= event.swath_count - 1


def opined(frames, seconded, confidence=None):
    """The frames with each detection's opinion (of its index), and confidence when given."""
    changed = []
    for index, frame in enumerate(frames):
        detections = tuple(
            replace(d, seconded=seconded(index), confidence=confidence or d.confidence)
            for d in frame.detections
        )
        changed.append(replace(frame, detections=detections))
    return changed


def test_an_event_tells_the_share_of_its_swaths_that_were_seconded():
    frames = make_pass(straight(), LONE, hit=1.0)
    (event,) = events(follow(PlumeTracker(TrackerOptions()), opined(frames, lambda i: i % 4 != 0)))
    assert event.agreement == pytest.approx(0.75, abs=0.13)
    (never_asked,) = events(follow(PlumeTracker(TrackerOptions()), frames))
    assert never_asked.agreement is None


@pytest.mark.parametrize(("seconded", "confidence", "told"), [
    (False, 0.5, 0), (False, 0.7, 1), (True, 0.5, 1), (None, 0.5, 1),
])  # fmt: skip
def test_what_nobody_seconds_must_be_sure_of_itself(seconded, confidence, told):
    frames = opined(make_pass(straight(), LONE, hit=1.0), lambda _: seconded, confidence)
    assert len(events(follow(PlumeTracker(TrackerOptions()), frames))) == told
    trusting = TrackerOptions(lone_confidence=0.0)
    assert len(events(follow(PlumeTracker(trusting), frames))) == 1


def test_a_candidate_is_announced_when_it_is_seconded_at_last():
    frames = opined(make_pass(straight(), LONE, hit=1.0), lambda _: False, 0.5)
    seen = [index for index, frame in enumerate(frames) if frame.detections]
    frames = opined(frames, lambda index: index == seen[4])
    changes = follow(PlumeTracker(TrackerOptions()), frames)
    assert changes[0].time_utc == frames[seen[4]].time_utc
    assert changes[0].event.agreement == pytest.approx(1 / 5)


def test_joined_tracks_keep_the_opinion_that_one_of_them_had():
    frames = opined(make_pass(straight(), LONE, hit=1.0), lambda _: False)
    seen = [frame for frame in frames if frame.detections]
    options = TrackerOptions()

    def track(seconded):
        foot = foot_of(replace(seen[0].detections[0], seconded=seconded), seen[0], options)
        return begin_track(seen[0], sighting_of([foot]), options)

    whole, part = track(False), track(True)
    whole.absorb(part)
    assert whole.agreement == 1.0


def test_noise_and_vetoed_detections_make_no_event():
    frames = make_pass(straight(), LONE)
    noise = [replace(f, detections=tuple(replace(d, class_name="noise") for d in f.detections))
             for f in frames]
    vetoed = [replace(f, detections=tuple(replace(d, veto="spoke") for d in f.detections))
              for f in frames]
    assert follow(PlumeTracker(TrackerOptions()), noise) == []
    assert follow(PlumeTracker(TrackerOptions()), vetoed) == []


def test_without_navigation_the_event_says_why_it_has_no_position():
    changes = run(straight(), navigated=False)
    assert kinds(changes)[0] == "new"
    (event,) = events(changes)
    assert (event.latitude, event.longitude, event.covariance_m2) == (None, None, None)
    assert event.position_note == "no navigation within 5 s"
    assert event.site_id == ""
    assert kinds(changes)[-1] == "end"


def without_position(frame):
    bare = tuple(
        replace(d, latitude=None, longitude=None, covariance_m2=None, position_note="gap")
        for d in frame.detections
    )
    return replace(frame, navigation=None, detections=bare)


def test_gap_in_navigation_does_not_split_an_event():
    frames = make_pass(straight(), LONE, hit=1.0)
    middle = [i for i, f in enumerate(frames) if f.detections][4:7]
    frames = [without_position(f) if i in middle else f for i, f in enumerate(frames)]
    (event,) = events(follow(PlumeTracker(TrackerOptions()), frames))
    assert event.position_note is None
    assert apart_m(event, LONE[0]) < 18


def test_event_gains_its_place_when_navigation_comes_back():
    ships = hover(seconds=180)
    frames = make_pass(ships, [Plume(east_m=60, north_m=-40)], hit=1.0)
    frames = [without_position(f) if i < 20 else f for i, f in enumerate(frames)]
    changes = follow(PlumeTracker(TrackerOptions()), frames)
    assert kinds(changes)[:2] == ["new", "update"]
    assert changes[0].event.latitude is None
    assert changes[1].event.latitude is not None
    assert changes[1].event.site_id
    assert len(events(changes)) == 1


def test_lever_arm_does_not_matter():
    (event,) = events(run(straight(), LONE, ahead_m=60.0, hit=1.0))
    assert event.swath_count >= 7
    assert apart_m(event, LONE[0]) < 12


@pytest.mark.parametrize("wrong", [
    {"latitude": math.nan},
    {"confidence": math.nan},
    {"confidence": -1.0},
    {"foot_depth_m": math.inf},
    {"across_track_m": (math.nan, 0.0)},
    {"covariance_m2": (math.nan, 0.0, 1.0)},
    {"covariance_m2": (1.0, 5.0, 1.0)},
    {"covariance_m2": (0.0, 0.0, 0.0)},
    {"covariance_m2": None},
])
def test_numbers_that_are_none_never_crash(wrong):
    frames = [replace(f, detections=tuple(replace(d, **wrong) for d in f.detections))
              for f in make_pass(straight(), LONE)]
    for change in follow(PlumeTracker(TrackerOptions()), frames):
        event = change.event
        assert all(math.isfinite(v) for v in (event.foot_depth_m, event.peak_confidence))
        assert event.latitude is None or math.isfinite(event.latitude)


def test_covariance_is_honest():
    """Errors in units of their covariance: 2 is exact, below is careful, far above is a lie."""
    early, late, plume = [], [], LONE[0]
    for seed in range(40):
        bias = (4.0 * math.sin(seed), 4.0 * math.cos(7 * seed))
        for change in run(straight(), LONE, seed=seed, bias_m=bias):
            event = change.event
            east, north = east_north_m(*ORIGIN, event.latitude, event.longitude)
            off = (east - plume.east_m, north - plume.north_m)
            errors = early if change.kind == "new" else late
            errors.append(quadratic(inverse(event.covariance_m2), off))
    assert 0.3 < sum(early) / len(early) < 3
    assert 0.3 < sum(late) / len(late) < 3


def test_shared_errors_do_not_average_out():
    tracker = PlumeTracker(TrackerOptions(systematic_fraction=0.0, lean_slope=0.0))
    follow(tracker, make_pass(hover(seconds=3600), [Plume(east_m=60, north_m=-40)]))
    place = position_at(*ORIGIN, (5000.0, 0.0))
    left = make_frame(99999, START + timedelta(hours=1), make_fix(START, place))
    (change,) = tracker.update(left)
    ee, _, nn = change.event.covariance_m2
    assert min(ee, nn) >= 3.0**2  # the fix's own sigma


def test_ids_are_of_what_was_measured():
    first, again = run(straight()), run(straight())
    assert first == again
    assert {c.event.event_id for c in first}.isdisjoint(
        c.event.event_id for c in run(straight(), sounder="em124-1")
    )


def test_sounders_are_followed_apart_but_share_sites():
    a = make_pass(straight(), LONE)
    b = make_pass(straight(), LONE, sounder="em2042", seed=5)
    both = [frame for pair in zip(a, b, strict=True) for frame in pair]
    found = events(follow(PlumeTracker(TrackerOptions()), both))
    assert {event.sounder for event in found} == {"em710-210", "em2042"}
    assert len({event.site_id for event in found}) == 1


def test_swaths_out_of_order_are_taken():
    frames = make_pass(straight(), LONE, hit=1.0)
    swapped = [f for pair in zip(frames[1::2], frames[::2], strict=False) for f in pair]
    changes = follow(PlumeTracker(TrackerOptions()), swapped)
    assert len(events(changes)) == 1
    times = [change.time_utc for change in changes]
    assert times == sorted(times)


def test_tens_of_plumes_and_thousands_of_sites_cost_little():
    tracker = PlumeTracker(TrackerOptions())
    for i in range(3000):
        tracker.sites.assign(f"old {i}", 32.0 + i * 0.001, 139.0, (100.0, 0.0, 100.0))
    plumes = [Plume(east_m=(i - 15) * 75, north_m=-(i - 15) * 75) for i in range(30)]
    frames = make_pass(hover(seconds=600), plumes, hit=0.1, half_fan_m=2000)
    started = time.process_time()
    follow(tracker, frames)
    each_s = (time.process_time() - started) / len(frames)
    assert tracker.open_events() >= 10
    assert each_s < 0.004  # about 0.5 ms on an idle core


@pytest.mark.parametrize("days", [400, -400])
def test_one_wrong_clock_does_not_blind_the_watch(days):
    """A flipped bit in one time stamp: KMALL has no checksum."""
    frames = list(make_pass(straight(), LONE))
    wrong = replace(frames[0], frame_id="wrong", time_utc=START + timedelta(days=days))
    tracker = PlumeTracker(TrackerOptions())
    changes = follow(tracker, [frames[0], wrong, *frames[1:]])
    assert kinds(changes)[0] == "new"
    assert len(events(changes)) == 1
