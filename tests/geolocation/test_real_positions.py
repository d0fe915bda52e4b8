"""Our positions against those that the sounder's own computer wrote into real files."""

import itertools
import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.errors import NavigationError
from sonar_watch.formats.rawfile import LineContext, RawFile, twin_of
from sonar_watch.geolocation.geodesy import east_north_m, offset_position
from sonar_watch.geolocation.georeference import ahead_m, position_of, vessel_to_ground
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.records import FrameGeometry, NavigationSample, WaterColumnPing
from sonar_watch.watercolumn.canvas import canvas_of, frame_extents, frame_geometry
from sonar_watch.watercolumn.fan import fan_of

KMALL = ["em2040_tampa", "em2042_os01_a", "em2042_os01_b", "em2042_os01_c", "em2042_os01_d",
         "em2042_os03_a", "em2042_os03_b"]


class Mrz(NamedTuple):
    """The vessel at one ping, and the soundings: latitude, longitude, x forward, y starboard, z."""

    time_utc: datetime
    latitude: float
    longitude: float
    heading_deg: float
    soundings: np.ndarray


def read_mrz(data: bytes) -> list[Mrz]:
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from("<I4s", data, at)
        if kind == b"#MRZ":
            found.append(parse_mrz(data[at : at + size]))
        at += size
    return found


def parse_mrz(datagram: bytes) -> Mrz:
    seconds, nanoseconds = struct.unpack_from("<II", datagram, 12)
    info = 24 + struct.unpack_from("<H", datagram, 24)[0]
    sectors, sector_bytes, heading = struct.unpack_from("<HHf", datagram, info + 92)
    latitude, longitude = struct.unpack_from("<dd", datagram, info + 124)
    rx = info + struct.unpack_from("<H", datagram, info)[0] + sectors * sector_bytes
    rx_bytes, most, _, sounding_bytes = struct.unpack_from("<HHHH", datagram, rx)
    extra, classes, class_bytes = struct.unpack_from("<HHH", datagram, rx + 26)
    first = rx + rx_bytes + classes * class_bytes
    rows = [
        struct.unpack_from("<fffff", datagram, first + row * sounding_bytes + 88)
        for row in range(most + extra)
    ]
    deltas = np.array([(dlat, dlon, x, y, z) for dlat, dlon, z, y, x in rows])
    deltas[:, :2] += latitude, longitude
    time_utc = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds / 1000)
    return Mrz(time_utc, latitude, longitude, heading, deltas)


def read_line(stem: str):
    """Return the track of a line and its pings."""
    path = real_data("kongsberg", stem)
    track, pings, context = NavigationTrack(), [], LineContext()
    for file, water_column in ((path, False), (twin_of(path), True)):
        raw = RawFile(file, source="test", context=context, water_column=water_column)
        items = itertools.chain.from_iterable(iter(raw.read, []))
        for item in [*items, *raw.finish()]:
            if isinstance(item, NavigationSample):
                track.add(item)
            elif isinstance(item, WaterColumnPing):
                pings.append(item)
        raw.close()
    return track, pings


def errors_m(track: NavigationTrack, written: list[Mrz]):
    """Return distance, heading error and age for every ping that has a fix."""
    for ping in written:
        try:
            fix = track.fix(ping.time_utc)
        except NavigationError:
            continue
        distance_m = np.hypot(*east_north_m(ping.latitude, ping.longitude,
                                            fix.latitude, fix.longitude))
        turned = (fix.heading_deg - ping.heading_deg + 180) % 360 - 180
        yield distance_m, abs(turned), fix


@pytest.mark.parametrize("stem", KMALL)
def test_fixes_agree_with_the_sounders_own(stem):
    track, _ = read_line(f"{stem}.kmall")
    written = read_mrz(real_data("kongsberg", f"{stem}.kmall").read_bytes())
    found = list(errors_m(track, written))
    assert len(found) == len(written)
    for distance_m, turned_deg, fix in found:
        assert distance_m < 0.2, "held and carried before the first position of the file"
        assert turned_deg < 2 * fix.heading_sigma_deg
    assert np.median([distance_m for distance_m, *_ in found]) < 0.02


@pytest.mark.parametrize("stem", KMALL)
def test_soundings_are_reproduced_to_the_millimetre(stem):
    for ping in read_mrz(real_data("kongsberg", f"{stem}.kmall").read_bytes()):
        for latitude, longitude, x, y, _ in ping.soundings[::16]:
            offset = vessel_to_ground(x, y, ping.heading_deg)
            there = offset_position(ping.latitude, ping.longitude, *offset)
            assert np.hypot(*east_north_m(*there, latitude, longitude)) < 1e-3


def geometry_of(ping: WaterColumnPing) -> FrameGeometry:
    fan = fan_of(ping)
    return frame_geometry(ping, fan, canvas_of(*frame_extents(ping, fan), 256), None)


def soundings_with_pings(stem: str):
    """Yield geometry, fix and soundings of every ping of ours that wrote some."""
    track, pings = read_line(f"{stem}.kmall")
    for mrz in read_mrz(real_data("kongsberg", f"{stem}.kmall").read_bytes()):
        ping = min(pings, key=lambda each: abs(each.time_utc - mrz.time_utc))
        if abs(mrz.time_utc - ping.time_utc) < timedelta(milliseconds=1):
            yield geometry_of(ping), track.fix(ping.time_utc), mrz.soundings


@pytest.mark.parametrize("stem", KMALL)
def test_the_water_below_us_is_where_the_soundings_say(stem):
    """Nadir of our fan against the sounding straight below."""
    for geometry, fix, soundings in soundings_with_pings(stem):
        across_m = soundings[:, 3] - geometry.lever_starboard_m
        below = np.argmin(np.abs(across_m))
        below_m = soundings[below, 4] - geometry.transducer_depth_m
        there = position_of(across_m[below], below_m, geometry, fix)
        error_m = np.hypot(*east_north_m(*soundings[below, :2], *there))
        assert error_m < 0.25, "the mounting pitch of the transmitter is not known to us"


def test_soundings_of_a_pitching_boat_lie_ahead_as_far_as_we_say():
    """1.4 to 1.9 degrees bow up over 3.7 m, no tilt: each sounding of the fan to 2 cm."""
    for geometry, fix, soundings in soundings_with_pings("em2040_tampa"):
        assert fix.pitch_deg > 1
        forward_m, depth_m = soundings[:, 2] - geometry.lever_forward_m, soundings[:, 4]
        found = [ahead_m(z - geometry.transducer_depth_m, geometry, fix) for z in depth_m]
        assert np.median(forward_m) > 0.09
        assert np.max(np.abs(forward_m - found)) < 0.02


def read_xyz(data: bytes):
    """Yield time, and depth below the transducer, y starboard and x forward of X datagrams."""
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        if data[at + 5] == ord("X"):
            date, milliseconds = struct.unpack_from("<II", data, at + 8)
            (count,) = struct.unpack_from("<H", data, at + 28)
            rows = [struct.unpack_from("<fff", data, at + 40 + 20 * row) for row in range(count)]
            midnight = datetime(date // 10000, date // 100 % 100, date % 100, tzinfo=UTC)
            yield midnight + timedelta(milliseconds=milliseconds), np.array(rows)
        at += size + 4


@pytest.mark.parametrize(("stem", "unknown_deg"), [
    ("em710_heincke", 0.4), ("em710_karoline", 0.7), ("em2040_simonstevin", 1.0),
])
def test_deeper_soundings_lie_ahead_as_far_as_we_say(stem, unknown_deg):
    """Straight below and far beside, at 106, 206 and 22 m; the mountings are pitched by 0.21,
    0.4 and -0.815 degrees, which we do not know. Not stabilised (heincke), and stabilised."""
    track, pings = read_line(f"{stem}.all")
    moved = []
    for time_utc, rows in read_xyz(real_data("kongsberg", f"{stem}.all").read_bytes()):
        ping = next((each for each in pings if each.time_utc == time_utc), None)
        if ping is None or (fix := track.fix(time_utc)).pitch_deg is None:
            continue
        geometry, below_m = geometry_of(ping), np.median(rows[:, 0])
        for inner, outer in ((0.0, 0.2), (1.0, 1.5)):
            share = np.abs(rows[:, 1]) / below_m
            chosen = rows[(share >= inner) & (share <= outer)]
            forward_m = np.median(chosen[:, 2]) - geometry.lever_forward_m
            error_m = forward_m - ahead_m(float(np.median(chosen[:, 0])), geometry, fix)
            assert abs(error_m) < below_m * np.tan(np.radians(unknown_deg))
            moved.append((abs(error_m), abs(forward_m)))
    assert moved
    if stem == "em710_heincke":
        assert np.mean([error_m for error_m, _ in moved]) < 0.3 * np.mean([m for _, m in moved])


@pytest.mark.parametrize(("stem", "latitude", "longitude"), [
    ("em710_heincke", 78.527, 10.288),
    ("em710_karoline", 75.194, 26.795),
    ("em2040_simonstevin", 51.492, 2.786),
])
def test_the_older_format_is_where_it_was(stem, latitude, longitude):
    track, pings = read_line(f"{stem}.all")
    assert pings
    for ping in pings:
        fix = track.fix(ping.time_utc)
        assert np.hypot(*east_north_m(latitude, longitude, fix.latitude, fix.longitude)) < 120
        assert fix.heading_source == "heading"
        assert fix.age_s < 1.5
