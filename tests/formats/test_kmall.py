"""KMALL: what is written comes back; what is broken is refused in one way only."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.errors import FormatError
from sonar_watch.formats.datagrams import Datagram, LineContext
from sonar_watch.formats.kmall import (
    KmallDecoder,
    PartitionJoiner,
    encode_che,
    encode_iip,
    encode_iop,
    encode_mwc,
    encode_skm,
    encode_spo,
    encode_svp,
    split_datagram,
)
from sonar_watch.formats.kmall_header import BODY, KmallFraming, parse_header
from sonar_watch.formats.kmall_setup import decode_text
from sonar_watch.records import NavigationSample, Quarantined, WaterColumnPing

COMMON_SIZE, PARTITION_SIZE = 12, 4


def decoder(**options):
    return KmallDecoder(source="test", file="line.kmwcd", context=LineContext(), **options)


def pieces_of(data):
    """Cut bytes into their datagrams."""
    framing, offset, found = KmallFraming(), 0, []
    while offset < len(data):
        kind, size = framing.measure(data[offset : offset + 64])
        found.append(Datagram(kind=kind, data=data[offset : offset + size], offset=offset))
        offset += size
    return found


def decode(data, reader=None):
    """Return what whole datagrams one after another give."""
    reader = reader or decoder()
    return [item for piece in pieces_of(data) for item in reader.decode(piece)]


def assert_equal_pings(ours, original):
    for name in ("beam_angle_deg", "samples_half_db", "first_sample", "sample_count", "sector",
                 "sector_frequency_hz", "sector_tilt_deg"):
        assert np.array_equal(getattr(ours, name), getattr(original, name)), name
    for name in ("time_utc", "ping_counter", "swath", "sample_rate_hz", "tvg_range_factor",
                 "tvg_offset_db"):
        assert getattr(ours, name) == getattr(original, name), name
    assert ours.sound_speed_m_s == pytest.approx(original.sound_speed_m_s)


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("swath", [0, 1])
def test_water_column_comes_back(make_ping, version, swath):
    ping = make_ping(41, swath=swath)
    (found,) = decode(encode_mwc(ping, version=version))
    assert_equal_pings(found, ping)
    expected = ping.detected_sample if version else np.floor(ping.detected_sample)
    assert np.array_equal(found.detected_sample, expected, equal_nan=True)
    assert found.sounder == "em304"
    assert found.source.ping_counter == 41
    assert found.source.swath == swath


@settings(max_examples=30, deadline=None)
@given(beams=st.integers(0, 40), samples=st.integers(1, 70), sectors=st.integers(1, 8),
       version=st.integers(0, 2), seed=st.integers(0, 1000))
def test_any_fan_comes_back(make_ping, beams, samples, sectors, version, seed):
    ping = make_ping(beams=beams, samples=samples, sectors=sectors, seed=seed)
    (found,) = decode(encode_mwc(ping, version=version))
    assert_equal_pings(found, ping)


@pytest.mark.parametrize(("flag", "width"), [(1, 1), (2, 2)])
def test_phase_behind_the_samples_is_stepped_over(make_ping, flag, width):
    ping = make_ping()
    data = encode_mwc(ping)
    receiver = BODY + PARTITION_SIZE + COMMON_SIZE + 12 + 16 * ping.sector_tilt_deg.size
    body, position = bytearray(data[BODY : receiver + 16]), receiver + 16
    body[receiver - BODY + 5] = flag
    for count in ping.sample_count.tolist():
        body += data[position : position + 16 + count] + b"\x55" * (count * width)
        position += 16 + count
    size = BODY + len(body) + 4
    with_phase = struct.pack("<I", size) + data[4:BODY] + bytes(body) + struct.pack("<I", size)
    (found,) = decode(with_phase)
    assert_equal_pings(found, ping)


def test_dual_swath_and_receive_fans_are_told_apart(make_ping):
    both = decode(encode_mwc(make_ping(5)) + encode_mwc(make_ping(5, swath=1)))
    assert [ping.swath for ping in both] == [0, 1]
    assert len({ping.frame_id for ping in both}) == 2
    assert len({ping.runtime for ping in both}) == 2
    data = bytearray(encode_mwc(make_ping(5)))
    data[BODY + PARTITION_SIZE + 4 : BODY + PARTITION_SIZE + 6] = bytes([2, 1])
    (second_fan,) = decode(bytes(data))
    assert second_fan.swath == 1


def test_installation_profile_and_heave_reach_the_ping(make_ping, mounting, profile, start_utc):
    ping = make_ping(9)
    setup = encode_iip(start_utc, mounting, sounder="em304") + encode_svp(
        start_utc, profile, sounder="em304"
    )
    heave = encode_che(ping.time_utc, 9, 0.5, sounder="em304")
    with_heave, = decode(setup + heave + encode_mwc(ping, heave_m=-3.0))
    without, = decode(setup + encode_mwc(ping, heave_m=-3.0))
    assert with_heave.transducer_depth_m == pytest.approx(mounting.depth_m + 0.5)
    assert without.transducer_depth_m == pytest.approx(mounting.depth_m - 3.0)
    assert with_heave.lever_forward_m == mounting.lever_forward_m
    assert with_heave.lever_starboard_m == mounting.lever_starboard_m
    assert with_heave.beam_width_deg == mounting.beam_width_deg
    assert np.allclose(with_heave.profile.depth_m, profile.depth_m)
    assert np.allclose(with_heave.profile.speed_m_s, profile.speed_m_s)


def test_a_twin_fills_only_what_a_file_does_not_say(make_ping, mounting, start_utc):
    context = LineContext(mounting=replace(mounting, depth_m=99.0))
    reader = KmallDecoder(source="test", file="a", context=context)
    (before,) = decode(encode_mwc(make_ping()), reader)
    (after,) = decode(
        encode_iip(start_utc, mounting, sounder="em304") + encode_mwc(make_ping()), reader
    )
    assert before.transducer_depth_m == 99.0
    assert after.transducer_depth_m == mounting.depth_m


def test_positions_come_back(make_navigation):
    sample = make_navigation("spo", rows=3)
    found = decode(encode_spo(sample, sounder="em304"))
    assert [item.sensor for item in found] == ["spo"] * 3
    for name in ("latitude", "longitude", "speed_m_s", "course_deg"):
        values = [getattr(item, name)[0] for item in found]
        assert np.allclose(values, getattr(sample, name), rtol=0, atol=1e-6), name
    assert np.allclose([item.time_s[0] for item in found], sample.time_s, rtol=0, atol=1e-6)
    assert found[0].position_sigma_m == 1.5
    assert found[0].heading_deg is None


@pytest.mark.parametrize(("latitude", "longitude"), [(200.0, 200.0), (0.0, 0.0)])
def test_unavailable_positions_are_left_out(make_navigation, latitude, longitude):
    data = bytearray(encode_spo(make_navigation("spo", rows=1), sounder="em304"))
    struct.pack_into("<dd", data, BODY + 8 + 12, latitude, longitude)
    assert decode(bytes(data)) == []


@pytest.mark.parametrize(("latitude", "longitude"), [
    (float("nan"), 5.0), (5.0, float("inf")), (-95.0, 5.0), (5.0, 180.1),
])
def test_positions_that_cannot_be_are_refused(make_navigation, latitude, longitude):
    data = bytearray(encode_spo(make_navigation("spo", rows=1), sounder="em304"))
    struct.pack_into("<dd", data, BODY + 8 + 12, latitude, longitude)
    with pytest.raises(FormatError, match=r"#SPO: expected a latitude .* received"):
        decode(bytes(data))


def test_a_position_flagged_invalid_is_left_out(make_navigation):
    data = bytearray(encode_spo(make_navigation("spo", rows=1), sounder="em304"))
    struct.pack_into("<dd", data, BODY + 8 + 12, float("nan"), float("nan"))
    data[BODY + 4] |= 1 << 4
    assert decode(bytes(data)) == []


def test_attitude_comes_back_without_position(make_navigation):
    sample = make_navigation(rows=200)
    found = decode(encode_skm(sample, sounder="em304"))
    assert [item.time_s.size for item in found] == [148, 52]
    assert all(item.latitude is None for item in found)
    for name in ("time_s", "heading_deg", "roll_deg", "pitch_deg", "heave_m"):
        joined = np.concatenate([getattr(item, name) for item in found])
        assert np.allclose(joined, getattr(sample, name), rtol=0, atol=1e-4), name


def test_attitude_at_100_hz_is_thinned_to_10(make_navigation):
    sample = make_navigation(rows=100)
    fast = replace(sample, time_s=sample.time_s[0] + np.arange(100) / 100.0)
    (found,) = decode(encode_skm(fast, sounder="em304"))
    assert 10 <= found.time_s.size <= 11
    assert np.all(np.diff(found.time_s) > 0.09)


def test_attitude_flagged_invalid_is_left_out(make_navigation):
    data = bytearray(encode_skm(make_navigation(rows=3), sounder="em304"))
    first_status = BODY + 12 + 16
    struct.pack_into("<I", data, first_status, 1 << 1)  # roll and pitch of the first row
    (found,) = decode(bytes(data))
    assert found.time_s.size == 2
    for row in range(3):
        struct.pack_into("<I", data, first_status + row * 132, 1 << 2)  # heading of all
    (found,) = decode(bytes(data))
    assert found.heading_deg is None
    assert found.roll_deg.size == 3
    for row in range(3):
        struct.pack_into("<I", data, first_status + row * 132, 0b1110)
    assert decode(bytes(data)) == []


@pytest.mark.parametrize(("field", "offset", "value"), [
    ("heading", 48, float("inf")), ("roll", 40, float("nan")), ("latitude", 20, float("nan")),
])
def test_attitude_that_is_not_finite_is_told_and_the_rest_is_kept(
    make_navigation, field, offset, value
):
    data = bytearray(encode_skm(make_navigation(rows=3), sounder="em304"))
    data[BODY + 10] |= 1 << 0  # with positions
    layout = "<d" if field == "latitude" else "<f"
    struct.pack_into(layout, data, BODY + 12 + 132 + offset, value)
    found, told = decode(bytes(data))
    assert found.time_s.size == (3 if field == "latitude" else 2)
    assert told.reason == (
        f"line.kmwcd at byte 0: #SKM: expected finite numbers, not so: {field} of 1 of 3 rows")
    assert told.source.offset == 0
    bit = 1 << {"latitude": 0, "roll": 1, "heading": 2}[field]
    struct.pack_into("<I", data, BODY + 12 + 132 + 16, bit)
    (found,) = decode(bytes(data))


def test_runtime_text_comes_back(start_utc):
    data = encode_iop(start_utc, "Depth mode: Deep\n", sounder="em304")
    assert decode_text(data) == "Depth mode: Deep\n"
    assert parse_header(data).sounder == "em304"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["as sent", "reversed", "doubled"])
def test_parts_are_joined(make_ping, version, order):
    ping = make_ping(beams=60)
    parts = split_datagram(encode_mwc(ping, version=version), 600)
    assert len(parts) > 3
    assert max(map(len, parts)) <= 600
    sent = {"as sent": parts, "reversed": parts[::-1], "doubled": parts[:1] + parts}[order]
    (found,) = decode(b"".join(sent))
    assert_equal_pings(found, ping)
    assert found.source.offset == 0


def test_parts_of_two_swaths_may_be_mixed(make_ping):
    pings = [make_ping(3, beams=60), make_ping(3, beams=60, swath=1)]
    parts = [split_datagram(encode_mwc(ping), 700) for ping in pings]
    mixed = b"".join(b"".join(pair) for pair in zip(*parts, strict=False))
    rest = b"".join(b"".join(own[min(map(len, parts)) :]) for own in parts)
    assert [ping.swath for ping in decode(mixed + rest)] == [0, 1]


def test_missing_parts_are_told_once(make_ping):
    reader = decoder()
    parts = split_datagram(encode_mwc(make_ping(beams=60)), 600)
    assert decode(b"".join(parts[:-1]), reader) == []
    (lost,) = reader.flush()
    assert isinstance(lost, Quarantined)
    assert "parts are missing" in lost.reason
    assert reader.flush() == []


def test_a_joiner_holds_few_swaths(make_ping):
    joiner = PartitionJoiner(held=2)
    given_up = []
    for counter in range(4):
        first = split_datagram(encode_mwc(make_ping(counter, beams=60)), 600)[0]
        whole, lost = joiner.add(Datagram(kind="#MWC", data=first, offset=counter))
        assert whole is None
        given_up += [each.first.offset for each in lost]
    assert given_up == [0, 1]


def test_done_swaths_are_skipped_from_their_head(make_ping):
    ping = make_ping(12, sounder="em304", swath=1)
    reader = decoder(is_done=lambda frame_id: frame_id == ping.frame_id)
    assert not reader.wants(encode_mwc(ping)[:64])
    assert reader.wants(encode_mwc(make_ping(13))[:64])
    assert not reader.wants(b"\x40\0\0\0#MRZ" + bytes(56))
    assert not decoder(water_column=False).wants(encode_mwc(ping)[:64])


@pytest.mark.parametrize("wrong", [{"version": 3}, {"version": -1}])
def test_unknown_versions_are_not_written(make_ping, wrong):
    with pytest.raises(FormatError, match="version"):
        encode_mwc(make_ping(), **wrong)


def test_a_sample_without_position_cannot_be_a_position():
    with pytest.raises(FormatError, match="latitude"):
        encode_spo(NavigationSample(sensor="x", time_s=np.array([1.0])), sounder="em304")


@pytest.fixture(scope="module")
def small_datagrams(make_ping, make_navigation, mounting, profile, start_utc):
    ping = make_ping(beams=9, samples=20)
    return [
        encode_mwc(ping), encode_mwc(ping, version=0), *split_datagram(encode_mwc(ping), 160),
        encode_spo(make_navigation("spo", rows=1), sounder="em304"),
        encode_skm(make_navigation(rows=3), sounder="em304"),
        encode_svp(start_utc, profile, sounder="em304"),
        encode_iip(start_utc, mounting, sounder="em304"),
        encode_che(start_utc, 1, 0.5, sounder="em304"),
    ]


def decode_or_refuse(data):
    """Decode one damaged datagram; nothing but FormatError may come of it."""
    try:
        items = decoder().decode(Datagram(kind=data[4:8].decode("latin1"), data=data, offset=0))
    except FormatError:
        return
    assert all(isinstance(item, WaterColumnPing | NavigationSample | Quarantined)
               for item in items)


@settings(max_examples=60, deadline=None)
@given(choice=st.integers(0, 8), keep=st.floats(0, 1), shorter_size=st.booleans())
def test_cut_datagrams_are_refused(small_datagrams, choice, keep, shorter_size):
    whole = small_datagrams[choice]
    data = whole[: 8 + int(keep * (len(whole) - 8))]
    decode_or_refuse(struct.pack("<I", len(data)) + data[4:] if shorter_size else data)


@settings(max_examples=300, deadline=None)
@given(choice=st.integers(0, 8), place=st.floats(0, 1, exclude_max=True),
       value=st.integers(1, 255), times=st.integers(1, 4))
def test_flipped_bits_are_refused_or_harmless(small_datagrams, choice, place, value, times):
    data = bytearray(small_datagrams[choice])
    for step in range(times):
        data[8 + int(place * (len(data) - 8) + step * 7) % (len(data) - 8)] ^= value
    decode_or_refuse(bytes(data))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
def test_impossible_rates_and_speeds_are_refused(make_ping, value):
    ping = make_ping()
    receiver = BODY + PARTITION_SIZE + COMMON_SIZE + 12 + 16 * ping.sector_tilt_deg.size
    for offset in (8, 12):
        data = bytearray(encode_mwc(ping))
        struct.pack_into("<f", data, receiver + offset, value)
        with pytest.raises(FormatError, match=r"sample rate|speed"):
            decode(bytes(data))
