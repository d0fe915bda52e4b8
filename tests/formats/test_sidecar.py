"""Sidecars: what is written reads back, what is wrong is named."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonar_watch import images
from sonar_watch.errors import FormatError, GeometryError
from sonar_watch.formats.sidecar import read_frame, read_sidecar, sidecar_of, write_sidecar
from sonar_watch.records import (
    FrameGeometry,
    NavigationFix,
    SourceRef,
    WaterColumnFrame,
    identify,
    iso_utc,
)

NOON = datetime(2026, 1, 2, 12, 0, 0, 123_456, tzinfo=UTC)
MINIMAL = {"time_utc": "2026-01-02T12:00:00Z", "across_track_m": [-100, 120.5], "depth_m": [0, 90]}
FIX = NavigationFix(
    time_utc=NOON, latitude=-22.0018483167, longitude=179.9999, heading_deg=359.87,
    heading_source="course", roll_deg=0.1, pitch_deg=-1.7, heave_m=0.25, speed_m_s=4.1,
    position_sigma_m=1.25, heading_sigma_deg=10.0, source="spo+skm", age_s=0.3,
)
SEABED = np.array([np.nan, 812.3457, 0.1, 900.0], np.float32)
GEOMETRY = FrameGeometry(
    left_m=-1000.25, right_m=1100.5, top_m=2.0, bottom_m=950.125, width_px=4, height_px=3,
    transducer_depth_m=6.3, lever_forward_m=-3.2, lever_starboard_m=0.7, beam_width_deg=0.5,
    tilt_deg=-0.5500000119209290, tilt_spread_deg=0.123456789,
    refraction="layered", minimum_slant_range_m=801.5, seabed_depth_m=SEABED,
)


def a_frame(
    geometry: FrameGeometry = GEOMETRY, fix: NavigationFix | None = FIX
) -> WaterColumnFrame:
    return WaterColumnFrame(
        frame_id=identify("em710-210", 17, 1, iso_utc(NOON)),
        time_utc=NOON,
        sounder="em710-210",
        image=np.zeros((geometry.height_px, geometry.width_px), np.uint8),
        geometry=geometry,
        navigation=fix,
        source=SourceRef(source="raw", file="0001.kmall", offset=9, ping_counter=17, swath=1),
    )


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def same_geometry(one: FrameGeometry, other: FrameGeometry) -> bool:
    for field in fields(FrameGeometry):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "seabed_depth_m" and a is not None:
            assert b.dtype == np.float32
            assert np.array_equal(a, b, equal_nan=True)
        elif a != b:
            return False
    return True


@pytest.mark.parametrize("fix", [FIX, None])
@pytest.mark.parametrize("geometry", [
    GEOMETRY,
    replace(GEOMETRY, seabed_depth_m=None, minimum_slant_range_m=None, refraction="given"),
])
def test_a_written_frame_reads_back_the_same(tmp_path, geometry, fix):
    pytest.importorskip("cv2")
    frame, path = a_frame(geometry, fix), tmp_path / "0007.png"
    images.write_png(path, frame.image)
    write_sidecar(sidecar_of(path), frame)
    read = read_frame(path, source="folder")
    assert (read.frame_id, read.time_utc, read.sounder) == (frame.frame_id, NOON, "em710-210")
    assert same_geometry(read.geometry, geometry)
    assert read.navigation == fix
    assert read.source == SourceRef(source="folder", file="0007.png", ping_counter=17, swath=1)
    assert names_in(tmp_path) == ["0007.json", "0007.png"]


def test_the_file_is_what_the_contract_says(tmp_path):
    path = tmp_path / "a.json"
    write_sidecar(path, a_frame())
    body = json.loads(path.read_text())
    assert body["time_utc"] == "2026-01-02T12:00:00.123456Z"
    assert body["across_track_m"] == [-1000.25, 1100.5]
    assert body["depth_m"] == [2.0, 950.125]
    assert (body["latitude"], body["longitude"], body["heading_deg"]) == (
        FIX.latitude, FIX.longitude, FIX.heading_deg)
    assert (body["ping_counter"], body["swath"], body["sounder"]) == (17, 1, "em710-210")
    assert body["seabed_depth_m"] == [None, 812.3457, 0.1, 900.0]
    assert body["source_file"] == "0001.kmall"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(
    edges=st.tuples(*[st.floats(-1e4, 1e4)] * 2).filter(lambda e: e[1] - e[0] >= 1e-3),
    heading=st.floats(0, 360, exclude_max=True),
    seabed=st.lists(st.floats(0, 1e4, width=32), min_size=4, max_size=4),
)
def test_no_digit_is_lost(tmp_path, edges, heading, seabed):
    geometry = replace(GEOMETRY, left_m=edges[0], right_m=edges[1],
                       seabed_depth_m=np.array(seabed, np.float32))
    write_sidecar(tmp_path / "a.json", a_frame(geometry, replace(FIX, heading_deg=heading)))
    said = read_sidecar(tmp_path / "a.json")
    assert same_geometry(said.geometry(4, 3), geometry)
    assert said.navigation().heading_deg == heading


def written(folder, **changes):
    path = folder / "bad.json"
    path.write_text(json.dumps({**MINIMAL, **changes}))
    return path


def test_the_smallest_sidecar(tmp_path):
    said = read_sidecar(written(tmp_path, somebody_elses={"field": [1]}))
    assert said.time_utc == datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert said.navigation() is None
    geometry = said.geometry(10, 20)
    assert (geometry.right_m, geometry.tilt_deg, geometry.tilt_spread_deg) == (120.5, 0.0, 0.0)


@pytest.mark.parametrize("text", ["2026-01-02T12:00:00", "2026-01-02T14:00:00+02:00"])
def test_times_become_utc(tmp_path, text):
    time = read_sidecar(written(tmp_path, time_utc=text)).time_utc
    assert iso_utc(time) == "2026-01-02T12:00:00.000000Z"
    assert time.utcoffset().total_seconds() == 0


@pytest.mark.parametrize(("changes", "said"), [
    ({"time_utc": "yesterday"}, "time_utc"),
    ({"time_utc": 1767355200}, "time_utc"),
    ({"time_utc": "0001-01-01T00:00:00+10:00"}, "time_utc"),
    ({"across_track_m": [5, 5]}, "across_track_m: expected left < right"),
    ({"across_track_m": [-5]}, "across_track_m"),
    ({"across_track_m": ["-5", "5"]}, r"across_track_m\.0.*-5"),
    ({"across_track_m": [-5, float("inf")]}, r"across_track_m"),
    ({"depth_m": [90, 0]}, "depth_m: expected top < bottom"),
    ({"depth_m": None}, "depth_m"),
    ({"latitude": float("nan"), "longitude": 1.0}, "latitude"),
    ({"latitude": 91.0, "longitude": 1.0}, "latitude: expected -90..90"),
    ({"latitude": 1.0, "longitude": 181.0}, "longitude: expected -180..180"),
    ({"latitude": 1.0}, "expected both or none"),
    ({"heading_deg": True}, "heading_deg"),
    ({"ping_counter": 1.5}, "ping_counter"),
    ({"refraction": "maybe"}, "refraction"),
    ({"seabed_depth_m": [1, "x"]}, r"seabed_depth_m"),
])
def test_wrong_fields_are_named(tmp_path, changes, said):
    with pytest.raises(FormatError, match=f"bad.json.*{said}"):
        read_sidecar(written(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"a": 1}', "\x00", "[" * 5000])
def test_what_is_no_sidecar_is_refused(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"bad\.json"):
        read_sidecar(path)


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({key: MINIMAL[key] for key in ("time_utc", "depth_m")}))
    with pytest.raises(FormatError, match="across_track_m: Field required"):
        read_sidecar(path)


def test_a_picture_without_sidecar_or_of_another_width_has_no_geometry(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "7.png"
    images.write_png(path, np.zeros((3, 5), np.uint8))
    with pytest.raises(GeometryError, match=r"7\.png.*7\.json"):
        read_frame(path)
    write_sidecar(sidecar_of(path), a_frame())
    with pytest.raises(GeometryError, match="seabed: expected 5 columns"):
        read_frame(path)
    sidecar_of(path).write_text(json.dumps({**MINIMAL, "tilt_deg": 80.0}))
    with pytest.raises(GeometryError, match="expected a tilt"):
        read_frame(path)


def test_a_sidecar_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="missing"):
        write_sidecar(tmp_path / "missing" / "a.json", a_frame())
    assert names_in(tmp_path) == []
