"""The navigation track: interpolation, ranks, what is refused, and when a fix is final."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import real_data

from sonar_watch.errors import ConfigurationError, NavigationError
from sonar_watch.formats import nmea
from sonar_watch.geolocation import navigation
from sonar_watch.geolocation.geodesy import east_north_m
from sonar_watch.geolocation.navigation import NavigationOptions, NavigationTrack
from sonar_watch.records import NavigationSample

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_sample(sensor: str, seconds, **values) -> NavigationSample:
    times = START.timestamp() + np.atleast_1d(np.asarray(seconds, float))
    sigma = values.pop("position_sigma_m", None)
    arrays = {name: np.broadcast_to(np.asarray(value, float), times.shape).copy()
              for name, value in values.items()}
    return NavigationSample(sensor=sensor, time_s=times, position_sigma_m=sigma, **arrays)


def a_track(*samples: NavigationSample, **options) -> NavigationTrack:
    track = NavigationTrack(NavigationOptions(**options))
    for sample in samples:
        track.add(sample)
    return track


def outcome(track: NavigationTrack, seconds: float):
    try:
        return track.fix(at(seconds))
    except NavigationError as error:
        return str(error)


POSITIONS = a_sample("spo", [0, 1, 2], latitude=[10.0, 10.5, 11.0], longitude=[20.0, 20.0, 20.0],
                     speed_m_s=3.0, course_deg=0.0)
HEADINGS = a_sample("skm", [0, 1, 2], heading_deg=[350.0, 0.0, 10.0], roll_deg=[0.0, 1.0, 2.0])


def test_position_heading_motion_and_speed_are_interpolated():
    fix = a_track(POSITIONS, HEADINGS).fix(at(0.25))
    assert fix.latitude == pytest.approx(10.125)
    assert fix.longitude == pytest.approx(20.0)
    assert fix.heading_deg == pytest.approx(352.5)
    assert (fix.roll_deg, fix.pitch_deg) == (pytest.approx(0.25), None)
    assert fix.speed_m_s == pytest.approx(3.0)
    assert (fix.source, fix.heading_source) == ("spo+skm", "heading")
    assert fix.age_s == pytest.approx(0.25)


@pytest.mark.parametrize(("before", "after", "weight", "expected"), [
    (359.0, 1.0, 0.5, 0.0),
    (1.0, 359.0, 0.5, 0.0),
    (359.0, 1.0, 0.25, 359.5),
    (10.0, 350.0, 0.75, 355.0),
    (90.0, 100.0, 0.1, 91.0),
])
def test_headings_go_the_short_way(before, after, weight, expected):
    headings = a_sample("skm", [0, 1], heading_deg=[before, after])
    found = a_track(POSITIONS, headings).fix(at(weight)).heading_deg
    assert (found - expected + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)
    assert 0 <= found < 360


@pytest.mark.parametrize(("west", "east", "expected"), [
    (179.9, -179.9, 180.0), (-179.9, 179.9, 180.0), (359.9, 0.1, 0.0), (179.9, 180.1, 180.0),
])
def test_the_date_line_is_crossed_the_short_way(west, east, expected):
    positions = a_sample("spo", [0, 1], latitude=[5.0, 5.0], longitude=[west, east])
    fix = a_track(positions, HEADINGS).fix(at(0.5))
    assert abs(fix.longitude) <= 180
    assert east_north_m(5.0, expected, 5.0, fix.longitude)[0] == pytest.approx(0, abs=0.01)


@given(start=st.floats(0, 359.99), turn=st.floats(-179, 179), weight=st.floats(0, 1))
def test_interpolated_headings_lie_between(start, turn, weight):
    headings = a_sample("skm", [0, 1], heading_deg=[start, (start + turn) % 360])
    found = a_track(POSITIONS, headings).fix(at(weight)).heading_deg
    turned = (found - start + 180) % 360 - 180
    # datetime has microseconds, a second since 1970 in float64 a quarter of one.
    assert turned == pytest.approx(turn * weight, abs=1e-3)


def test_the_first_in_rank_that_brackets_is_taken():
    own = a_sample("spo", [0, 1, 20, 21], latitude=1.0, longitude=1.0)
    feed = a_sample("nmea:GPGGA", np.arange(22), latitude=2.0, longitude=2.0)
    other = a_sample("nmea:INGGA", np.arange(22), latitude=3.0, longitude=3.0)
    compass = a_sample("nmea:HEHDT", np.arange(22), heading_deg=90.0)
    track = a_track(own, feed, other, compass)
    assert track.fix(at(0.5)).latitude == 1.0
    assert track.fix(at(10.5)).latitude == 2.0
    chosen = a_track(own, feed, other, compass, sensors=("nmea:INGGA", "spo"))
    assert chosen.fix(at(0.5)).latitude == 3.0
    assert chosen.fix(at(0.5)).source == "nmea:INGGA+nmea:HEHDT"


def test_the_sigma_of_the_instrument_is_taken_and_else_the_option():
    said = a_sample("spo", [0, 1], latitude=1.0, longitude=1.0, position_sigma_m=0.7)
    assert a_track(said, HEADINGS).fix(at(0.5)).position_sigma_m == 0.7
    assert a_track(POSITIONS, HEADINGS, position_sigma_m=9.0).fix(at(0.5)).position_sigma_m == 9.0


def test_a_held_position_is_carried_along_and_less_sure():
    fix = a_track(POSITIONS, HEADINGS).fix(at(5))
    east_m, north_m = east_north_m(11.0, 20.0, fix.latitude, fix.longitude)
    assert (east_m, north_m) == (pytest.approx(0, abs=1e-6), pytest.approx(9.0, abs=1e-4))
    assert fix.age_s == pytest.approx(3.0)
    assert fix.position_sigma_m == pytest.approx(np.hypot(5.0, 4.5))
    assert fix.heading_sigma_deg == pytest.approx(np.hypot(0.5, 1.5))
    assert (fix.speed_m_s, fix.roll_deg) == (None, None)


def test_before_the_first_position_it_is_carried_back():
    early = a_sample("skm", [-2, 0], heading_deg=0.0)
    fix = a_track(POSITIONS, early).fix(at(-1))
    north_m = east_north_m(10.0, 20.0, fix.latitude, fix.longitude)[1]
    assert north_m == pytest.approx(-3.0, abs=1e-4)


def test_a_stale_position_is_never_passed_off_as_good():
    headings = a_sample("skm", np.arange(60), heading_deg=1.0)
    track = a_track(POSITIONS, headings)
    with pytest.raises(NavigationError, match=r"no position within 5\.0 s; .* 8\.0 s before"):
        track.fix(at(10))


def test_the_reasons_are_said():
    track = a_track(POSITIONS)
    slow = a_sample("nmea:GPVTG", [0, 1], course_deg=1.0, speed_m_s=0.2)
    with pytest.raises(NavigationError, match=r"no position within 5\.0 s; none before it"):
        a_track(HEADINGS).fix(at(1))
    still = a_sample("spo", [0, 1], latitude=1.0, longitude=1.0)
    with pytest.raises(NavigationError, match=r"no heading.*none before it; at 0\.20 m/s"):
        a_track(still, slow).fix(at(0.5))
    assert track.fix(at(1)).heading_source == "course"
    with pytest.raises(NavigationError, match="no position"):
        NavigationTrack().fix(at(0))


def test_course_stands_in_for_heading_with_a_large_sigma():
    fix = a_track(POSITIONS).fix(at(0.5))
    assert (fix.heading_source, fix.heading_deg, fix.heading_sigma_deg) == ("course", 0.0, 10.0)


def test_positions_that_are_none_are_refused():
    for latitude in (np.nan, np.inf, 200.0):
        with pytest.raises(NavigationError):
            a_sample("spo", [0], latitude=[latitude], longitude=[1.0])
    nowhere = a_sample("skm", [0, 1, 2], latitude=0.0, longitude=0.0, heading_deg=5.0)
    track = a_track(nowhere)
    with pytest.raises(NavigationError, match=r"no position within 5\.0 s; none before it"):
        track.fix(at(1))
    track.add(POSITIONS)
    assert track.fix(at(1)).heading_deg == 5.0


def test_one_sample_of_a_broken_clock_does_no_harm():
    broken = a_sample("spo", [9e8], latitude=1.0, longitude=1.0)
    track = a_track(POSITIONS, HEADINGS, broken, broken)
    assert not track.covers(at(10))
    assert track.fix(at(1)).latitude == 10.5


def test_the_next_line_after_a_long_pause_is_believed_when_confirmed():
    track = a_track(POSITIONS, HEADINGS)
    for second in (5000.0, 5001.0):
        track.add(a_sample("spo", second, latitude=second / 100, longitude=1.0))
        track.add(a_sample("skm", [second + 0.1, second + 0.9], heading_deg=3.0))
    assert track.fix(at(5000.5)).latitude == pytest.approx(50.005)


def test_old_navigation_is_forgotten_and_silent_instruments_with_it():
    track = a_track(memory_s=100.0, wait_s=10.0)
    track.add(a_sample("spo", [0, 1], latitude=1.0, longitude=1.0))
    for second in range(0, 6000, 2):
        times = second + np.arange(20) / 10
        track.add(a_sample("skm", times, heading_deg=1.0, latitude=2.0, longitude=2.0))
        track.covers(at(second))
    sizes = [len(series) for group in track._channels.values() for series in group]
    assert max(sizes) < 10_000
    with pytest.raises(NavigationError):
        track.fix(at(0.5))
    # The silent "spo" ranks higher and is not waited for any more.
    assert track.covers(at(5990))
    track.forget_before(at(1e6))
    assert not any(track._channels.values())


def test_a_backlog_of_swaths_finds_navigation_that_is_hours_ahead():
    track = a_track(memory_s=1800.0)
    for second in range(7200):
        track.add(a_sample("nmea:GPGGA", second, latitude=second / 1000, longitude=1.0))
        track.add(a_sample("nmea:HEHDT", second, heading_deg=3.0))
    for second in range(7000):
        assert track.covers(at(second + 0.5))
        assert track.fix(at(second + 0.5)).latitude == pytest.approx((second + 0.5) / 1000)
    for second in range(7200, 17_200):
        track.add(a_sample("nmea:GPGGA", second, latitude=1.0, longitude=1.0))
    with pytest.raises(NavigationError):
        track.fix(at(100.5))


def test_a_swath_of_a_broken_clock_does_not_make_it_forget():
    track = a_track(POSITIONS, HEADINGS, memory_s=100.0, wait_s=10.0)
    assert not track.covers(at(9e8))
    with pytest.raises(NavigationError):
        track.fix(at(9e8))
    for second in range(0, 9000, 3):
        track.add(a_sample("nmea:HEHDT", second, heading_deg=1.0))
    assert track.fix(at(0.5)).latitude == pytest.approx(10.25)


def test_without_swaths_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(navigation, "_MOST_ROWS", 20_000)
    track = a_track(memory_s=100.0, wait_s=10.0)
    for second in range(0, 6000, 2):
        track.add(a_sample("skm", second + np.arange(20) / 10, heading_deg=1.0, roll_deg=0.0))
    assert sum(len(series) for group in track._channels.values() for series in group) < 22_000
    assert track.covers(at(5900))


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(7)), twice=st.lists(st.integers(0, 6), max_size=4))
def test_the_first_samples_after_a_pause_are_kept_in_any_order(order, twice):
    """The header piece of one twin comes before, and again with, the rest of the other."""
    after = [
        *(a_sample("spo", second, latitude=second / 100, longitude=1.0)
          for second in (5000.0, 5001.0, 5002.0)),
        *(a_sample("skm", [second, second + 0.5], heading_deg=3.0)
          for second in (5000.0, 5001.0, 5002.0)),
        a_sample("nmea:GPVTG", 5000.2, course_deg=1.0, speed_m_s=2.0),
    ]
    plain = a_track(POSITIONS, HEADINGS, *after)
    other = a_track(POSITIONS, HEADINGS, *(after[at_] for at_ in [*order[:3], *twice, *order]))
    for seconds in (4999.0, 5000.0, 5000.5, 5001.7, 5002.4):
        assert outcome(plain, seconds) == outcome(other, seconds)
    assert plain.fix(at(5000.5)).latitude == pytest.approx(50.005)


def test_a_block_heard_twice_does_not_confirm_itself():
    broken = a_sample("skm", 9e8 + np.arange(10) / 10, heading_deg=1.0)
    assert not a_track(POSITIONS, HEADINGS, broken, broken, broken).covers(at(10))


def test_many_broken_clocks_are_not_all_kept():
    track = a_track(POSITIONS, HEADINGS)
    for number in range(1000):
        track.add(a_sample("spo", 1e6 + 1e3 * number, latitude=1.0, longitude=1.0))
    assert len(track._pending) < 100
    assert not track.covers(at(10))


@pytest.mark.parametrize("options", [
    {"max_age_s": 0.0}, {"max_gap_s": -1.0}, {"wait_s": 3.0}, {"memory_s": 20.0},
    {"settle_s": -1.0}, {"course_sigma_deg": float("nan")}, {"min_course_speed_m_s": -1.0},
])
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        NavigationOptions(**options)


def test_covers_waits_for_both_sides_of_position_and_heading():
    track = a_track(a_sample("spo", [0, 1], latitude=1.0, longitude=1.0))
    assert not track.covers(at(0.5))
    track.add(a_sample("skm", [0.1], heading_deg=1.0))
    assert not track.covers(at(0.5))
    track.add(a_sample("skm", [0.6], heading_deg=1.0))
    assert not track.covers(at(0.5)), "an instrument not heard before may still speak"
    track.add(a_sample("skm", [1.5], heading_deg=1.0))
    assert track.covers(at(0.5))
    assert not track.covers(at(1.2))


def test_covers_waits_for_a_better_instrument_and_then_gives_up():
    track = a_track(a_sample("spo", [0, 1], latitude=1.0, longitude=1.0), wait_s=20.0)
    feed = [a_sample("nmea:X", [t], latitude=2.0, longitude=2.0, heading_deg=1.0)
            for t in range(30)]
    for sample in feed[:21]:
        track.add(sample)
        assert not track.covers(at(1.5))
    track.add(feed[22])
    assert track.covers(at(1.5))
    assert track.fix(at(1.5)).latitude == 2.0


def test_an_instrument_that_has_died_is_waited_for_once_and_not_by_each_swath():
    """The best position of a ship dies, the next best goes on."""
    track = a_track(a_sample("spo", [0, 1], latitude=1.0, longitude=1.0), wait_s=20.0)
    waited = {}
    for second in range(2, 60):
        track.add(a_sample("nmea:X", [second], latitude=2.0, longitude=2.0, heading_deg=1.0))
        for ping in range(2, second + 1):
            if ping not in waited and track.covers(at(ping)):
                waited[ping] = second - ping
    assert waited[3] == 21 - 3
    assert max(wait for ping, wait in waited.items() if ping >= 21) == 1
    before = track.fix(at(40))
    track.add(a_sample("spo", [59.5, 60], latitude=1.0, longitude=1.0))
    assert track.fix(at(40)) == before


def test_covers_gives_up_on_a_heading_that_nobody_gives():
    track = a_track(wait_s=20.0)
    for second in range(25):
        assert not track.covers(at(2.5))
        if second == 23:
            break
        track.add(a_sample("spo", [second], latitude=1.0, longitude=1.0))
    assert track.covers(at(2.0))


def test_swaths_before_the_first_navigation_do_not_wait_for_ever():
    track = a_track()
    for second in range(1, 9):
        track.add(a_sample("spo", [second], latitude=1.0, longitude=1.0))
        track.add(a_sample("skm", [second], heading_deg=1.0))
    assert track.covers(at(0.5))
    assert track.fix(at(0.5)).age_s == pytest.approx(0.5)


SENSORS = {
    "spo": ("latitude", "longitude", "course_deg", "speed_m_s"),
    "skm": ("latitude", "longitude", "heading_deg", "roll_deg"),
    "nmea:INGGA": ("latitude", "longitude"),
    "nmea:HEHDT": ("heading_deg",),
    "nmea:GPVTG": ("course_deg", "speed_m_s"),
}


@st.composite
def voyages(draw):
    """Return samples of several instruments with gaps, each instrument in order of time."""
    numbers = random.Random(draw(st.integers(0, 2**32)))
    streams = {}
    for sensor in draw(st.sets(st.sampled_from(sorted(SENSORS)), min_size=1)):
        times = sorted({numbers.randrange(0, 40) + numbers.randrange(4) / 4 for _ in range(25)})
        cut = numbers.randrange(40)
        streams[sensor] = [
            a_sample(sensor, [time], **{
                name: numbers.uniform(0, 5) if name == "speed_m_s" else numbers.uniform(0, 80)
                for name in SENSORS[sensor]
            })
            for time in times if not cut < time < cut + 12
        ]
    return streams


@settings(max_examples=40, deadline=None)
@given(streams=voyages(), seed=st.integers(0, 2**32))
def test_arrival_order_and_duplicates_do_not_matter(streams, seed):
    samples = list(itertools.chain.from_iterable(streams.values()))
    shuffled = samples + samples[::3]
    random.Random(seed).shuffle(shuffled)
    plain, other = a_track(*samples), a_track(*shuffled)
    for seconds in np.arange(-6, 48, 1.3):
        assert outcome(plain, seconds) == outcome(other, seconds)


@settings(max_examples=60, deadline=None)
@given(streams=voyages(), lags=st.lists(st.floats(0, 0.9), min_size=5, max_size=5))
def test_a_covered_fix_never_changes(streams, lags):
    """Each instrument lags by its own time: the fix, once covered, is that of all samples."""
    lag = dict(zip(sorted(SENSORS), lags, strict=True))
    arriving = sorted(
        ((sample.time_s[0] + lag[sensor], sensor, sample)
         for sensor, stream in streams.items() for sample in stream),
        key=lambda each: each[:2],
    )
    whole = a_track(*(sample for *_, sample in arriving), wait_s=12.0)
    track = a_track(wait_s=12.0)
    waiting = list(np.arange(0, 40, 0.7))
    for _, _, sample in arriving:
        track.add(sample)
        for seconds in [each for each in waiting if track.covers(at(each))]:
            waiting.remove(seconds)
            assert outcome(track, seconds) == outcome(whole, seconds)


def test_samples_in_blocks_equal_samples_one_by_one():
    times = np.arange(50) / 10
    headings = np.linspace(340, 400, 50) % 360
    block = a_track(POSITIONS, a_sample("skm", times, heading_deg=headings))
    single = a_track(POSITIONS, *(a_sample("skm", t, heading_deg=h)
                                  for t, h in zip(times, headings, strict=True)))
    late = a_track(POSITIONS, a_sample("skm", times[::2], heading_deg=headings[::2]),
                   a_sample("skm", times[1::2], heading_deg=headings[1::2]))
    for seconds in np.arange(0, 5, 0.17):
        assert outcome(block, seconds) == outcome(single, seconds) == outcome(late, seconds)


def test_a_real_ship_is_followed():
    track = NavigationTrack()
    for name in ("s330", "gyr1"):
        path = real_data("nmea", f"NBP1406_{name}-2014-08-01")
        for line in path.read_text().splitlines():
            if (sample := nmea.parse_log_line(line)) is not None:
                track.add(sample)
    midnight = datetime(2014, 8, 1, tzinfo=UTC)
    fixes = [track.fix(midnight + timedelta(seconds=s)) for s in np.arange(5, 240, 0.5)]
    assert {fix.source for fix in fixes} == {"nmea:INGGA+nmea:HEHDT"}
    steps = [east_north_m(a.latitude, a.longitude, b.latitude, b.longitude)
             for a, b in itertools.pairwise(fixes)]
    speeds = np.hypot(*np.transpose(steps)) / 0.5
    said = np.array([fix.speed_m_s for fix in fixes[1:]])
    assert np.abs(speeds - said).max() < 1.0
    assert np.abs(np.median(speeds - said)) < 0.05
