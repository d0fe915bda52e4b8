"""The map of a watch."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.exporters.mapframe import MapPlane, degrees_minutes, nice_length
from sonar_watch.exporters.trackmap import TrackPoint, draw_track_map, ellipse_95
from sonar_watch.records import PlumeEvent, SourceRef

TIME = datetime(2026, 1, 1, tzinfo=UTC)
BAND, PLUME = (0xD8, 0xE8, 0xF0), (0xC8, 0x40, 0x1F)


def make_event(latitude=32.1, longitude=139.9, **more):
    values = {
        "event_id": "e1", "state": "open", "sounder": "em", "first_seen_utc": TIME,
        "last_seen_utc": TIME, "latitude": latitude, "longitude": longitude,
        "covariance_m2": (400.0, 100.0, 900.0) if latitude is not None else None,
        "foot_depth_m": 800.0, "top_depth_m": 600.0, "height_m": 200.0, "width_m": 40.0,
        "swath_count": 5, "swaths_possible": 7, "peak_confidence": 0.9, "median_confidence": 0.7,
        "site_id": "s1", "best_frame_id": "f", "best_source": SourceRef(source="s", file="f"),
    }
    return PlumeEvent(**{**values, **more})


def make_line(origin=(32.1, 139.9), count=60):
    return [
        TrackPoint(latitude=origin[0] + i * 0.0002, longitude=(origin[1] + 180) % 360 - 180,
                   heading_deg=0.0, coverage_across_m=(-600.0, 600.0))
        for i in range(count)
    ]


def read_rgb(path):
    cv2 = pytest.importorskip("cv2")
    return cv2.imread(str(path))[:, :, ::-1]


def pixels_of(image, colour):
    return int(np.all(np.abs(image.astype(int) - colour) <= 2, axis=2).sum())


def test_map_shows_coverage_and_events(tmp_path):
    path = tmp_path / "out" / "map.png"
    events = [make_event(), make_event(None, None, event_id="e2", position_note="no navigation")]
    draw_track_map(path, make_line(), events, {"A": (32.101, 139.9004)}, title="Line 7")
    image = read_rgb(path)
    assert image.shape == (900, 1200, 3)
    assert pixels_of(image, BAND) > 100_000
    assert pixels_of(image, PLUME) > 100
    assert [p.name for p in path.parent.iterdir()] == ["map.png"]


@pytest.mark.parametrize("track", [
    [], make_line(count=1), make_line((32.1, 179.9999)), make_line((-89.9, 0.0)),
    make_line()[:30] + make_line((32.3, 139.95))[:30],
])
def test_odd_tracks_are_drawn(tmp_path, track):
    place = (track[0].latitude, track[0].longitude) if track else (32.1, 139.9)
    draw_track_map(tmp_path / "map.png", track, [make_event(*place)])
    assert read_rgb(tmp_path / "map.png").shape == (900, 1200, 3)


def test_unknown_coverage_is_no_coverage(tmp_path):
    track = [TrackPoint(latitude=32.1 + i * 0.001, longitude=139.9, heading_deg=0.0,
                        coverage_across_m=(math.nan, math.nan)) for i in range(5)]
    draw_track_map(tmp_path / "map.png", track, [])
    assert pixels_of(read_rgb(tmp_path / "map.png"), BAND) < 5_000


def test_a_map_needs_a_place(tmp_path):
    with pytest.raises(ValueError, match="at least one position"):
        draw_track_map(tmp_path / "map.png", [], [make_event(None, None)])


def test_ellipse_follows_the_larger_error():
    major, minor, angle = ellipse_95((25.0, 0.0, 100.0))
    assert (major, minor) == pytest.approx((48.95, 24.48), abs=0.01)
    assert abs(angle) == pytest.approx(90.0)
    assert ellipse_95((100.0, 90.0, 100.0))[2] == pytest.approx(45.0)


def test_plane_goes_across_the_date_line():
    plane = MapPlane.around([(10.0, 179.9), (10.0, -179.9)])
    assert abs(plane.longitude) == pytest.approx(180.0)
    assert plane.point(10.0, -179.9)[0] == pytest.approx(-plane.point(10.0, 179.9)[0])


@pytest.mark.parametrize(("degrees", "digits", "text"), [
    (32.1, 1, "32°06.0'N"), (-0.5, 0, "0°30'S"), (32.99999, 1, "33°00.0'N"),
    (5.0075, 2, "5°00.45'N"),
])
def test_coordinates_are_written_as_on_a_chart(degrees, digits, text):
    assert degrees_minutes(degrees, "NS", digits) == text


@pytest.mark.parametrize(("longest", "length"), [(730, 500), (1000, 1000), (0.3, 0.2)])
def test_scale_bar_has_a_round_length(longest, length):
    assert nice_length(longest) == pytest.approx(length)
