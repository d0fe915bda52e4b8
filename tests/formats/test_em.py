"""`.all` and `.wcd`: what is written comes back; what is broken is refused in one way only."""

import struct
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Datagram, LineContext
from sonar_watch.formats.em import (
    EmDecoder,
    encode_a,
    encode_i,
    encode_k,
    encode_p,
    encode_r,
    encode_u,
)
from sonar_watch.formats.em_header import (
    BODY,
    END,
    EmFraming,
    checksum,
    date_and_time,
    frame_datagram,
    parse_header,
    parse_time,
)
from sonar_watch.formats.em_setup import mounting_of
from sonar_watch.records import NavigationSample, Quarantined, WaterColumnPing

SOUNDER = "em710-210"


@pytest.fixture(scope="module")
def make_em_ping(make_ping):
    def make(*args, **options):
        ping = make_ping(*args, sounder=SOUNDER, **options)
        return replace(as_written(ping), detected_sample=np.round(ping.detected_sample))

    return make


def as_written(ping):
    """Return a ping with runs of even length, as sounders write them."""
    counts = ping.sample_count + ping.sample_count % 2
    samples = np.full((counts.size, int(counts.max(initial=0))), -128, np.int8)
    samples[:, : ping.samples_half_db.shape[1]] = ping.samples_half_db
    return replace(ping, sample_count=counts.astype(np.int32), samples_half_db=samples)


def decoder(**options):
    return EmDecoder(source="test", file="line.wcd", context=LineContext(), **options)


def pieces_of(data):
    """Cut bytes into their datagrams, and check each."""
    framing, offset, found = EmFraming(), 0, []
    while offset < len(data):
        kind, size = framing.measure(data[offset : offset + 64])
        framing.check(data[offset : offset + size])
        found.append(Datagram(kind=kind, data=data[offset : offset + size], offset=offset))
        offset += size
    return found


def decode(data, reader=None):
    """Return what whole datagrams one after another give."""
    reader = reader or decoder()
    return [item for piece in pieces_of(data) for item in reader.decode(piece)]


def assert_equal_pings(ours, original):
    for name in ("samples_half_db", "first_sample", "sample_count", "sector"):
        assert np.array_equal(getattr(ours, name), getattr(original, name)), name
    for name in ("beam_angle_deg", "sector_tilt_deg", "sector_frequency_hz"):
        assert np.allclose(getattr(ours, name), getattr(original, name), atol=1e-5), name
    for name in ("time_utc", "ping_counter", "sounder", "sample_rate_hz", "sound_speed_m_s",
                 "tvg_range_factor", "tvg_offset_db"):
        assert getattr(ours, name) == getattr(original, name), name
    assert np.array_equal(ours.detected_sample, original.detected_sample, equal_nan=True)


@pytest.mark.parametrize("largest", [64_000, 2100])
def test_water_column_comes_back(make_em_ping, largest):
    ping = make_em_ping(41)
    data = encode_k(ping, largest=largest)
    sizes = [len(piece.data) for piece in pieces_of(data)]
    assert max(sizes) <= largest
    assert (len(sizes) > 1) is (largest == 2100)
    (found,) = decode(data)
    assert_equal_pings(found, ping)
    assert found.source.offset == 0


@settings(max_examples=30, deadline=None)
@given(beams=st.integers(0, 40), samples=st.integers(1, 70), sectors=st.integers(1, 8),
       largest=st.integers(1900, 3000), seed=st.integers(0, 1000))
def test_any_fan_comes_back(make_em_ping, beams, samples, sectors, largest, seed):
    ping = make_em_ping(beams=beams, samples=samples, sectors=sectors, seed=seed)
    (found,) = decode(encode_k(ping, largest=largest))
    assert_equal_pings(found, ping)


def test_odd_runs_are_filled_up_with_the_floor(make_ping):
    ping = make_ping(samples=31, sounder=SOUNDER)
    assert np.any(ping.sample_count % 2)
    (found,) = decode(encode_k(ping))
    assert_equal_pings(found, replace(as_written(ping), detected_sample=found.detected_sample))


def test_datagrams_of_swaths_may_be_mixed_and_in_any_order(make_em_ping):
    both = [pieces_of(encode_k(make_em_ping(counter), largest=2100)) for counter in (5, 6)]
    assert min(map(len, both)) > 1
    mixed = [piece for parts in both for piece in reversed(parts)]
    mixed.sort(key=lambda piece: -piece.offset)
    reader = decoder()
    found = [item for piece in mixed for item in reader.decode(piece)]
    assert sorted(ping.ping_counter for ping in found) == [5, 6]
    assert reader.flush() == []


def test_missing_datagrams_are_told_once(make_em_ping):
    parts = pieces_of(encode_k(make_em_ping(5), largest=2100))
    reader = decoder()
    assert [item for part in parts[1:] for item in reader.decode(part)] == []
    (lost,) = reader.flush()
    assert isinstance(lost, Quarantined)
    assert f"{len(parts) - 1} of its {len(parts)}" in lost.reason


def test_few_unfinished_swaths_are_held(make_em_ping):
    reader = decoder()
    lost = []
    for counter in range(10):
        first = pieces_of(encode_k(make_em_ping(counter), largest=2100))[0]
        lost += reader.decode(first)
    assert [item.source.ping_counter for item in lost] == [0, 1]


def test_settings_reach_the_ping(make_em_ping, mounting, profile, start_utc):
    setup = (
        encode_i(start_utc, mounting, sounder=SOUNDER)
        + encode_r(start_utc, sounder=SOUNDER, mode=3, pulse_us=2000, beam_width_deg=1.5)
        + encode_u(start_utc, profile, sounder=SOUNDER)
    )
    (found,) = decode(setup + encode_k(make_em_ping(), heave_m=-0.5))
    assert found.transducer_depth_m == pytest.approx(mounting.depth_m - 0.5)
    assert found.lever_forward_m == mounting.lever_forward_m
    assert found.lever_starboard_m == mounting.lever_starboard_m
    assert found.beam_width_deg == mounting.beam_width_deg
    assert found.runtime.endswith("_m3p2000us")
    assert np.allclose(found.profile.depth_m, profile.depth_m)
    assert np.allclose(found.profile.speed_m_s, profile.speed_m_s)


def test_levers_count_from_the_antenna_in_use():
    text = {"WLZ": "1.18", "S1X": "17.71", "S1Y": "1.04", "S1Z": "4.96", "S2X": "16.99",
            "S2Y": "1.16", "P1X": "5.04", "P1Y": "6.79", "P2X": "1.0", "P2Y": "1.0"}
    first, second = mounting_of(text), mounting_of(text | {"APS": "1"})
    assert (first.lever_forward_m, first.lever_starboard_m) == pytest.approx((12.67, -5.63))
    assert (second.lever_forward_m, second.lever_starboard_m) == pytest.approx((16.71, 0.16))
    assert first.depth_m == pytest.approx(3.78)
    head = mounting_of(text | {"STC": "1"})
    assert head.lever_starboard_m == pytest.approx(1.04 - 6.79)


def test_positions_come_back(make_navigation):
    sample = make_navigation("em-position", rows=3)
    found = decode(encode_p(sample, sounder=SOUNDER))
    assert [item.sensor for item in found] == ["em-position"] * 3
    for name, step in (("latitude", 1e-7), ("longitude", 1e-7), ("speed_m_s", 0.01),
                       ("course_deg", 0.01), ("heading_deg", 0.01), ("time_s", 1e-3)):
        values = [getattr(item, name)[0] for item in found]
        assert np.allclose(values, getattr(sample, name), rtol=0, atol=step), name
    assert found[0].position_sigma_m == 1.5


def position(text=b"", *, lat=900_000_000, lon=100_000_000, system=0x81):
    body = struct.pack("<iiHHHHBB", lat, lon, 240, 0xFFFF, 0xFFFF, 0xFFFF, system, len(text))
    received = datetime(2026, 3, 4, 0, 0, 0, 400_000, tzinfo=UTC)
    return frame_datagram("P", received, body + text, sounder=SOUNDER, counter=1)


def test_unavailable_values_are_left_out():
    (found,) = decode(position())
    assert (found.speed_m_s, found.course_deg, found.heading_deg) == (None, None, None)
    assert decode(position(lat=0x7FFFFFFF, lon=0x7FFFFFFF)) == []
    assert decode(position(lat=0, lon=0)) == []


@pytest.mark.parametrize(("lat", "lon"), [(1_900_000_000, 5), (5, 1_900_000_000)])
def test_positions_on_no_globe_are_refused(lat, lon):
    with pytest.raises(FormatError, match=r"'P': expected a latitude .* received"):
        decode(position(lat=lat, lon=lon))
    assert decode(position(lat=lat, lon=lon, system=0x02)) == []


def test_positions_of_systems_not_in_use_are_left_out():
    assert decode(position(system=0x02)) == []


@pytest.mark.parametrize(("text", "delay_s"), [
    (b"INGGA,000000.10,4500.0,N,01000.0,E,2", 0.3),
    (b"INGGA,235959.90,4500.0,N,01000.0,E,2", 0.5),
    (b"INGGA,120000.00,4500.0,N,01000.0,E,2", 0.0),
    (b"no sentence", 0.0),
])
def test_time_of_the_sentence_is_used_where_the_sounder_used_it(text, delay_s):
    received = decode(position(text))[0].time_s[0]
    own = decode(position(text, system=0xC1))[0].time_s[0]
    assert received - own == pytest.approx(delay_s, abs=1e-6)


def test_attitude_comes_back(make_navigation):
    sample = make_navigation(rows=100)
    (found,) = decode(encode_a(sample, sounder=SOUNDER))
    assert found.sensor == "em-attitude"
    for name, step in (("heading_deg", 0.01), ("roll_deg", 0.01), ("pitch_deg", 0.01),
                       ("heave_m", 0.01), ("time_s", 1e-3)):
        assert np.allclose(getattr(found, name), getattr(sample, name), rtol=0, atol=step), name


def test_attitude_that_is_not_in_use_is_left_out(make_navigation):
    sample = replace(make_navigation(rows=5), heading_deg=None, heave_m=None)
    (found,) = decode(encode_a(sample, sounder=SOUNDER))
    assert (found.heading_deg, found.heave_m) == (None, None)
    assert np.all(found.roll_deg == -1.25)


def test_rows_with_a_status_of_invalid_data_are_left_out(make_navigation):
    piece = pieces_of(encode_a(make_navigation(rows=3), sounder=SOUNDER))[0]
    data = bytearray(piece.data)
    data[BODY + 2 + 12 + 2] = 0xA0
    (found,) = decoder().decode(replace(piece, data=bytes(data)))
    assert found.time_s.size == 2


def test_done_swaths_are_skipped_from_their_head(make_em_ping):
    ping = make_em_ping(12)
    reader = decoder(is_done=lambda frame_id: frame_id == ping.frame_id)
    assert not reader.wants(encode_k(ping)[:64])
    assert reader.wants(encode_k(make_em_ping(13))[:64])
    assert not decoder(water_column=False).wants(encode_k(ping)[:64])


@pytest.mark.parametrize("time_utc", [
    datetime(2026, 12, 31, 23, 59, 59, 999_400, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999_600, tzinfo=UTC),
    datetime(2028, 2, 29, tzinfo=UTC),
])
def test_times_come_back_to_the_millisecond(time_utc):
    assert abs((parse_time(*date_and_time(time_utc)) - time_utc).total_seconds()) <= 0.0005


@pytest.mark.parametrize(("date", "milliseconds"), [(20260230, 0), (0, 0), (20260101, 10**9)])
def test_days_that_are_none_are_refused(date, milliseconds):
    with pytest.raises(FormatError):
        parse_time(date, milliseconds)


def repaired(data):
    """Return a datagram with length and checksum that suit its bytes, so that both pass."""
    body = bytearray(data)
    struct.pack_into("<I", body, 0, len(body) - 4)
    body[-3:] = END.pack(3, checksum(bytes(body[5:-3])))
    return bytes(body)


@pytest.fixture(scope="module")
def small_datagrams(make_em_ping, make_navigation, mounting, profile, start_utc):
    pieces = (
        encode_k(make_em_ping(beams=9, samples=20)) + encode_k(make_em_ping(2), largest=2100)
        + encode_p(make_navigation(rows=1), sounder=SOUNDER)
        + encode_a(make_navigation(rows=4), sounder=SOUNDER)
        + encode_u(start_utc, profile, sounder=SOUNDER)
        + encode_i(start_utc, mounting, sounder=SOUNDER)
        + encode_r(start_utc, sounder=SOUNDER)
    )
    return [piece.data for piece in pieces_of(pieces)]


def decode_or_refuse(data):
    """Decode one damaged datagram; nothing but FormatError may come of it."""
    try:
        parse_header(data)
        items = decoder().decode(Datagram(kind=chr(data[5]), data=data, offset=0))
    except FormatError:
        return
    assert all(isinstance(item, WaterColumnPing | NavigationSample) for item in items)


@settings(max_examples=100, deadline=None)
@given(choice=st.integers(0, 6), keep=st.floats(0, 1))
def test_cut_datagrams_are_refused(small_datagrams, choice, keep):
    whole = small_datagrams[choice]
    decode_or_refuse(repaired(whole[: BODY + 3 + int(keep * (len(whole) - BODY - 3))]))


@settings(max_examples=300, deadline=None)
@given(choice=st.integers(0, 6), place=st.floats(0, 1, exclude_max=True),
       value=st.integers(1, 255), times=st.integers(1, 4))
def test_flipped_bits_are_refused_or_harmless(small_datagrams, choice, place, value, times):
    data = bytearray(small_datagrams[choice])
    for step in range(times):
        data[6 + int(place * (len(data) - 6) + step * 7) % (len(data) - 6)] ^= value
    decode_or_refuse(bytes(data))
    decode_or_refuse(repaired(data))


def test_a_wrong_checksum_is_refused(make_em_ping):
    data = bytearray(encode_k(make_em_ping()))
    data[BODY + 40] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        EmFraming().check(bytes(data))
