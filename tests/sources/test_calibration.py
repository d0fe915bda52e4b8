"""Pictures that come alone: metres and time."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.errors import ConfigurationError, GeometryError, NavigationError
from sonar_watch.records import WaterColumnFrame
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.pictures import Picture, Unfinished, inspect, load

EDGES = {"across_track_m": (-50.0, 50.0), "depth_m": (0.0, 80.0)}
SCALE = {"metres_per_pixel": 0.5, "apex_px": (100.0, 10.0)}


def test_edges_tie_the_picture_to_metres() -> None:
    geometry = Calibration(**EDGES).geometry(200, 160)  # type: ignore[arg-type]
    assert geometry.across_track_m(0) == -50
    assert geometry.depth_m(160) == 80


def test_scale_and_apex_tie_the_picture_to_metres() -> None:
    calibration = Calibration(**SCALE, apex_depth_m=6.0, crop_px=(20, 10, 180, 110))  # type: ignore[arg-type]
    geometry = calibration.geometry(300, 200)
    assert (geometry.width_px, geometry.height_px) == (160, 100)
    assert geometry.to_pixels(0.0, 6.0) == (80, 0)
    assert geometry.pixel_across_m == geometry.pixel_depth_m == 0.5
    assert geometry.transducer_depth_m == 6.0


@pytest.mark.parametrize("way", [EDGES, SCALE])
def test_the_transducer_lies_a_lever_arm_from_the_ship(way: dict[str, object]) -> None:
    calibration = Calibration(
        **way, lever_forward_m=12.5, lever_starboard_m=-3.0, beam_width_deg=0.5)  # type: ignore[arg-type]
    geometry = calibration.geometry(200, 160)
    assert (geometry.lever_forward_m, geometry.lever_starboard_m) == (12.5, -3.0)
    assert geometry.beam_width_deg == 0.5
    plain = Calibration(**way).geometry(200, 160)  # type: ignore[arg-type]
    assert (plain.lever_forward_m, plain.lever_starboard_m, plain.beam_width_deg) == (0, 0, 1)


def test_a_picture_smaller_than_the_part_to_keep_is_refused() -> None:
    calibration = Calibration(**EDGES, crop_px=(0, 0, 300, 100))  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="at least 300 x 100"):
        calibration.geometry(200, 160)


@pytest.mark.parametrize(
    ("pattern", "name", "said"),
    [("%Y%m%d_%H%M%S", "em_20260304_050607_a.png", "2026-03-04T05:06:07"),
     ("%Y%m%d_%H%M%S", "0001_20260304_050607.png", "2026-03-04T05:06:07"),
     ("%Y-%m-%dT%H.%M.%S.%f", "x2026-03-04T05.06.07.25.png", "2026-03-04T05:06:07.25"),
     ("%Y-%j-%H%M", "p2026-063-0506.png", "2026-03-04T05:06:00")],
)
def test_the_name_says_the_time(pattern: str, name: str, said: str) -> None:
    calibration = Calibration(**EDGES, time_pattern=pattern, time_offset_s=1.0)  # type: ignore[arg-type]
    expected = datetime.fromisoformat(said).replace(tzinfo=UTC) + timedelta(seconds=1)
    assert calibration.time_of(Path(name)) == expected


@pytest.mark.parametrize("name", ["ping_7.png", "20261304_050607.png"])
def test_a_name_without_time_is_refused(name: str) -> None:
    with pytest.raises(NavigationError, match=Path(name).stem):
        Calibration(**EDGES).time_of(Path(name))  # type: ignore[arg-type]


def test_the_file_says_the_time(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    os.utime(path, (1e9, 1e9))
    calibration = Calibration(**EDGES, time_from="file")  # type: ignore[arg-type]
    assert calibration.time_of(path).timestamp() == 1e9


@pytest.mark.parametrize(
    "wrong",
    [{}, EDGES | SCALE, {"across_track_m": (0.0, 1.0)},
     {"across_track_m": (1.0, -1.0), "depth_m": (0.0, 1.0)},
     SCALE | {"metres_per_pixel": -1.0}, EDGES | {"crop_px": (5, 5, 5, 9)},
     EDGES | {"lever_forward_m": float("nan")}, EDGES | {"beam_width_deg": 0.0},
     EDGES | {"time_pattern": "%Y%Q"}, EDGES | {"time_pattern": "constant"}],
)
def test_calibrations_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        Calibration(**wrong)  # type: ignore[arg-type]


def test_a_lone_picture_is_cut_and_placed(tmp_path: Path) -> None:
    from sonar_watch import images

    path = tmp_path / "s_20260304_050607.png"
    image = np.zeros((20, 30), np.uint8)
    image[5:15, 10:25] = 200
    images.write_png(path, image)
    calibration = Calibration(**EDGES, crop_px=(10, 5, 25, 15))  # type: ignore[arg-type]
    found = inspect(path, calibration)
    assert isinstance(found, Unfinished)
    assert isinstance(found.fallback, Picture)
    frame = load(found.fallback, "screen", calibration)
    assert isinstance(frame, WaterColumnFrame)
    assert frame.image.shape[:2] == (10, 15)
    assert np.all(frame.image == 200)
    with pytest.raises(ValueError, match="calibration"):
        load(found.fallback, "screen", None)


def test_a_lone_picture_without_time_says_so(tmp_path: Path) -> None:
    from sonar_watch import images

    path = tmp_path / "x.png"
    images.write_png(path, np.zeros((4, 4), np.uint8))
    found = inspect(path, Calibration(**EDGES))  # type: ignore[arg-type]
    assert isinstance(found, Unfinished)
    assert "expected a time like" in found.reason
    plain = inspect(path, None)
    assert isinstance(plain, Unfinished)
    assert plain.reason == (
        "x.png: image without geometry: expected x.json beside it "
        "or a calibration in the settings, found neither"
    )
