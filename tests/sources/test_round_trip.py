"""A ping drawn, written as picture and sidecar, and read back is the ping's own frame."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sources_builders import START, drain, swaths

from sonar_watch.formats.sidecar import sidecar_of, write_sidecar
from sonar_watch.images import write_png
from sonar_watch.records import (
    NavigationFix,
    SoundSpeedProfile,
    SourceRef,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

BEAMS, SAMPLES, DEPTH_M = 80, 500, 120.0
PROFILE = SoundSpeedProfile(
    depth_m=np.array([0.0, 40.0, 300.0]), speed_m_s=np.array([1520.0, 1500.0, 1485.0]))


def make_fan(number: int, *, refracted: bool) -> WaterColumnPing:
    """Return a flat seabed at 120 m under noise, by a sounder away from the reference point."""
    angle_deg = np.linspace(-62.0, 58.0, BEAMS).astype(np.float32)
    rate_hz, speed_m_s = 1500.0, 1500.0
    bottom = DEPTH_M / np.cos(np.radians(angle_deg)) * 2.0 * rate_hz / speed_m_s
    levels = np.random.default_rng(number).integers(-120, -90, (BEAMS, SAMPLES)).astype(np.int8)
    levels[np.arange(BEAMS), np.minimum(bottom, SAMPLES - 1).astype(int)] = -10
    return WaterColumnPing(
        time_utc=START + timedelta(seconds=number, microseconds=123_456), ping_counter=number,
        swath=number % 2, sounder="em710-210", beam_angle_deg=angle_deg, samples_half_db=levels,
        first_sample=np.zeros(BEAMS, np.int32), sample_count=np.full(BEAMS, SAMPLES, np.int32),
        detected_sample=bottom.astype(np.float32), sector=np.zeros(BEAMS, np.int32),
        sector_frequency_hz=np.array([70e3], np.float32),
        sector_tilt_deg=np.array([0.7], np.float32), sample_rate_hz=rate_hz,
        sound_speed_m_s=speed_m_s, transducer_depth_m=6.3, lever_forward_m=17.7,
        lever_starboard_m=-1.04, beam_width_deg=0.5, profile=PROFILE if refracted else None,
        source=SourceRef(
            source="raw", file="0001.wcd", offset=7, ping_counter=number, swath=number % 2),
    )


def fix_of(ping: WaterColumnPing) -> NavigationFix:
    return NavigationFix(
        time_utc=ping.time_utc, latitude=-65.123456789, longitude=179.987654321,
        heading_deg=359.987, roll_deg=-1.25, pitch_deg=0.5, heave_m=0.125, speed_m_s=4.1,
        position_sigma_m=1.5, heading_sigma_deg=0.2, source="skm", age_s=0.25,
    )


def assert_same_place(ours: WaterColumnFrame, original: WaterColumnFrame) -> None:
    """Each corner and the middle lie within one pixel; in fact, at the same place."""
    read, drawn = ours.geometry, original.geometry
    assert (read.width_px, read.height_px) == (drawn.width_px, drawn.height_px)
    for x, y in ((0, 0), (drawn.width_px, drawn.height_px), (drawn.width_px / 2, 10)):
        back = read.to_pixels(drawn.across_track_m(x), drawn.depth_m(y))
        assert back == pytest.approx((x, y), abs=1e-6)
    seabed_m, drawn_m = read.seabed_depth_m, drawn.seabed_depth_m
    assert seabed_m is not None
    assert drawn_m is not None
    assert np.array_equal(seabed_m, drawn_m, equal_nan=True)
    assert drawn.tilt_deg > 0.7
    rest = {"seabed_depth_m": None}
    assert replace(read, **rest) == replace(drawn, **rest)


@pytest.mark.parametrize("refracted", [False, True])
@pytest.mark.parametrize("navigated", [False, True])
def test_a_drawn_ping_reads_back_as_the_same_frame(
    tmp_path: Path, refracted: bool, navigated: bool
) -> None:
    rasteriser = Rasteriser(RasterOptions(max_side_px=256))
    drawn = []
    for number in range(3):
        ping = make_fan(number, refracted=refracted)
        drawn.append(rasteriser.frame(ping, fix_of(ping) if navigated else None))
        path = tmp_path / f"{number}.png"
        write_png(path, drawn[-1].image)
        write_sidecar(sidecar_of(path), drawn[-1])
    found = swaths(drain(ImageFolderSource(FolderOptions(path=tmp_path), live=False)))
    assert len(found) == 3
    for ours, original in zip(found, drawn, strict=True):
        assert isinstance(ours, WaterColumnFrame)
        assert ours.frame_id == original.frame_id
        assert (ours.time_utc, ours.sounder) == (original.time_utc, original.sounder)
        assert ours.source.ping_counter == original.source.ping_counter
        assert np.array_equal(ours.image, original.image)
        assert ours.navigation == original.navigation
        assert (ours.navigation is not None) is navigated
        assert_same_place(ours, original)
