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
from sonar_watch.geolocation.georeference import position_of, vessel_to_ground
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.records import FrameGeometry, NavigationSample, WaterColumnPing

KMALL = ["em2040_tampa", "em2042_os01_a", "em2042_os01_b", "em2042_os01_c", "em2042_os01_d",
         "em2042_os03_a", "em2042_os03_b"]


class Mrz(NamedTuple):
    """The vessel at one ping, and the soundings: latitude, longitude, x forward, y starboard."""

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
    deltas = np.array([(dlat, dlon, x, y) for dlat, dlon, _, y, x in rows])
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
        for latitude, longitude, x, y in ping.soundings[::16]:
            offset = vessel_to_ground(x, y, ping.heading_deg)
            there = offset_position(ping.latitude, ping.longitude, *offset)
            assert np.hypot(*east_north_m(*there, latitude, longitude)) < 1e-3


@pytest.mark.parametrize("stem", KMALL)
def test_the_water_below_us_is_where_the_soundings_say(stem):
    """Nadir of our fan against the sounding straight below, in the ping nearest in time."""
    track, pings = read_line(f"{stem}.kmall")
    written = read_mrz(real_data("kongsberg", f"{stem}.kmall").read_bytes())
    for ping in pings:
        near = min(written, key=lambda mrz: abs(mrz.time_utc - ping.time_utc))
        if abs(near.time_utc - ping.time_utc) > timedelta(milliseconds=1):
            continue
        geometry = FrameGeometry(
            left_m=-1, right_m=1, top_m=0, bottom_m=1, width_px=1, height_px=1,
            lever_forward_m=ping.lever_forward_m, lever_starboard_m=ping.lever_starboard_m,
        )
        across_m = near.soundings[:, 3] - ping.lever_starboard_m
        below = np.argmin(np.abs(across_m))
        there = position_of(across_m[below], geometry, track.fix(ping.time_utc))
        error_m = np.hypot(*east_north_m(*near.soundings[below, :2], *there))
        # Pitch and the transmitter's tilt move the real sounding along the track.
        assert error_m < 1.0


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
