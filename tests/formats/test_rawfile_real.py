"""Real files: counts, navigation, and that positions and depths are those of the sounder."""

import struct
import time
from collections import Counter

import numpy as np
import pytest
from pyproj import Geod
from realdata import real_data

from sonar_watch.formats.rawfile import LineContext, RawFile, twin_of
from sonar_watch.records import NavigationSample, Quarantined, WaterColumnPing

NEWER = ("em2042_os01_a", "em2042_os01_b", "em2042_os01_c", "em2042_os01_d", "em2042_os03_a",
         "em2042_os03_b", "em2040_tampa")
OLDER = ("em710_heincke", "em710_karoline", "em2040_simonstevin")
SOUNDING = np.dtype({  # of #MRZ, version 3
    "names": ["detection", "beam", "latitude", "longitude", "z", "y", "x"],
    "formats": ["u1", "<u2", "<f4", "<f4", "<f4", "<f4", "<f4"],
    "offsets": [3, 36, 88, 92, 96, 100, 104],
    "itemsize": 120,
})


def water_column(stem):
    return real_data("kongsberg", stem + (".kmwcd" if stem in NEWER else ".wcd"))


def pings_of(items):
    return [item for item in items if isinstance(item, WaterColumnPing)]


def positions_of(items):
    """Return time, latitude and longitude of all positions, in order of time."""
    fixes = sorted({
        (float(item.time_s[0]), float(item.latitude[0]), float(item.longitude[0]))
        for item in items
        if isinstance(item, NavigationSample) and item.latitude is not None
    })
    return np.array(fixes).T


def multibeam(data):
    """Yield ping counter, time, ship (latitude, longitude, transmitter depth, water line below
    the reference point) and soundings of each #MRZ."""
    offset = 0
    while offset < len(data):
        size, kind, *_, seconds, nanoseconds = struct.unpack_from("<I4sBBHII", data, offset)
        if kind == b"#MRZ":
            common, counter = struct.unpack_from("<HH", data, offset + 24)
            info = offset + 24 + common
            length, = struct.unpack_from("<H", data, info)
            sectors, sector_size = struct.unpack_from("<HH", data, info + 92)
            depth_m, water_line_m = struct.unpack_from("<ff", data, info + 104)
            place = struct.unpack_from("<dd", data, info + 124)
            rx = info + length + sectors * sector_size
            fields = struct.unpack_from("<HHHHffffHHHH", data, rx)
            start = rx + fields[0] + fields[10] * fields[11]  # behind the extra detections
            rows = np.frombuffer(data, SOUNDING, count=fields[2], offset=start)
            ship = (*place, depth_m, water_line_m)
            yield counter, seconds + nanoseconds * 1e-9, ship, rows
        offset += size


def bottom_of(ping, beams):
    """Return across-track and depth of the detections of `beams`, along straight rays."""
    range_m = ping.metres_per_sample * ping.detected_sample[beams]
    angle = np.radians(ping.beam_angle_deg[beams])
    across_m = ping.lever_starboard_m + range_m * np.sin(angle)
    return across_m, ping.transducer_depth_m + range_m * np.cos(angle)


@pytest.mark.parametrize("stem", NEWER + OLDER)
def test_pairs_are_read_quickly_and_without_complaint(stem, read_all):
    path = water_column(stem)
    started = time.process_time()
    items = read_all(path) + read_all(twin_of(path), water_column=False)
    assert time.process_time() - started < 2.0
    assert not [item for item in items if isinstance(item, Quarantined)]
    sensors = Counter(item.sensor for item in items if isinstance(item, NavigationSample))
    expected = {"spo", "skm"} if stem in NEWER else {"em-position", "em-attitude"}
    assert set(sensors) == expected
    first = pings_of(items)[0]
    times, latitudes, _ = positions_of(items)
    assert abs(times[0] - first.time_utc.timestamp()) < 5
    assert np.ptp(latitudes) < 0.01


@pytest.mark.parametrize("stem", ["em710_heincke", "em710_karoline"])
def test_both_swaths_of_a_transmission_are_kept(stem, read_all):
    pings = pings_of(read_all(water_column(stem)))
    pairs = list(zip(pings[::2], pings[1::2], strict=False))
    assert len(pairs) == 5
    for first, second in pairs:
        assert (second.time_utc - first.time_utc).total_seconds() < 0.005
        assert first.runtime != second.runtime
    assert len({ping.frame_id for ping in pings}) == len(pings)
    assert len({ping.runtime for ping in pings}) == 2


def test_real_sounders_are_named(read_all):
    assert pings_of(read_all(water_column("em710_heincke")))[0].sounder == "em710-210"
    assert pings_of(read_all(water_column("em2042_os01_a")))[0].sounder == "em2042"


def test_attitude_without_position_gives_no_position(read_all):
    """The motion sensor off Tampa Bay writes latitude and longitude 0."""
    items = read_all(real_data("kongsberg", "em2040_tampa.kmall"))
    (attitude,) = [item for item in items if item.sensor == "skm"]
    assert attitude.latitude is None
    assert np.all(np.abs(attitude.roll_deg) < 10)
    assert 5 <= attitude.time_s.size <= 12


@pytest.mark.parametrize("stem", NEWER)
def test_positions_and_depths_are_those_of_mrz(stem, read_all):
    path = water_column(stem)
    items = read_all(path) + read_all(twin_of(path))
    pings = {ping.ping_counter: ping for ping in pings_of(items)}
    times, latitudes, longitudes = positions_of(items)
    compared = 0
    for counter, time_s, ship, rows in multibeam(twin_of(path).read_bytes()):
        if counter not in pings:
            continue
        ping, compared = pings[counter], compared + 1
        assert ping.transducer_depth_m == pytest.approx(ship[2], abs=0.001)
        inside = times[0] <= time_s <= times[-1]
        place = np.interp(time_s, times, longitudes), np.interp(time_s, times, latitudes)
        _, _, apart_m = Geod(ellps="WGS84").inv(ship[1], ship[0], *place)
        assert apart_m < (0.06 if inside else 0.2)
        used = rows[(rows["detection"] == 0) & (rows["beam"] < ping.beam_angle_deg.size)]
        used = used[np.isfinite(ping.detected_sample[used["beam"]])]
        across_m, depth_m = bottom_of(ping, used["beam"])
        # straight rays: off Tampa Bay the sound speed at the head is 3 % above the profile's
        assert np.median(np.abs(across_m - used["y"])) < 0.15
        assert np.median(np.abs(depth_m - (used["z"] - ship[3]))) < (
            0.15 if stem == "em2040_tampa" else 0.05
        )
    assert compared >= 2


def soundings(data):
    """Yield ping counter, transmitter depth and (z, y, x) of the valid soundings of each 'X'."""
    row = np.dtype({"names": ["z", "y", "x", "detection"], "formats": ["<f4"] * 3 + ["u1"],
                    "offsets": [0, 4, 8, 16], "itemsize": 20})
    offset = 0
    while offset < len(data):
        length, _, kind, _, _, _, counter, _ = struct.unpack_from("<IBBHIIHH", data, offset)
        if kind == ord("X"):
            _, _, depth_m, count, _, _ = struct.unpack_from("<HHfHHf", data, offset + 20)
            rows = np.frombuffer(data, row, count=count, offset=offset + 40)
            yield counter, depth_m, rows[rows["detection"] & 0x80 == 0]
        offset += length + 4


@pytest.mark.parametrize("stem", OLDER)
def test_depths_and_levers_are_those_of_x_soundings(stem, read_all):
    path = water_column(stem)
    pings = {ping.ping_counter: ping for ping in pings_of(read_all(path))}
    compared = 0
    for counter, depth_m, rows in soundings(twin_of(path).read_bytes()):
        ping, compared = pings[counter], compared + 1
        assert ping.transducer_depth_m == pytest.approx(depth_m, abs=0.12)
        beams = np.flatnonzero(np.isfinite(ping.detected_sample))
        across_m, bottom_m = bottom_of(ping, beams)
        below = np.abs(across_m) < 15
        order = np.argsort(rows["y"])
        expected = np.interp(across_m[below], rows["y"][order], rows["z"][order]) + depth_m
        assert np.median(np.abs(bottom_m[below] - expected)) < 0.005 * np.median(bottom_m)
        inner = rows[np.abs(rows["y"]) < 15]  # their x also holds tilt times depth
        assert abs(np.median(inner["x"]) - ping.lever_forward_m) < 0.05 * np.median(bottom_m)
    assert compared >= 9


def test_a_real_file_that_grows_gives_the_same(tmp_path, read_all):
    data = water_column("em710_heincke").read_bytes()
    path = tmp_path / "line.wcd"
    path.write_bytes(data)
    whole = [ping.frame_id for ping in pings_of(read_all(path))]
    grown = []
    growing = tmp_path / "grown.wcd_frag"
    with growing.open("wb", buffering=0) as writer:
        raw = RawFile(growing, source="test", context=LineContext())
        for start in range(0, len(data), 30_011):
            writer.write(data[start : start + 30_011])
            grown += [ping.frame_id for ping in pings_of(raw.read())]
        assert raw.finish() == []
        raw.close()
    assert grown == whole
