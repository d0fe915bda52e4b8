"""Builders of small seeded pings and navigation, and the oracle that reads them too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonar_watch.formats.datagrams import LineContext, Mounting
from sonar_watch.formats.rawfile import RawFile
from sonar_watch.records import (
    NavigationSample,
    SoundSpeedProfile,
    SourceRef,
    WaterColumnPing,
)

START = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)


@pytest.fixture(scope="session")
def make_ping() -> Callable[..., WaterColumnPing]:
    """Return a builder of seeded pings: (counter, beams, samples, sectors, swath, sounder)."""
    return _make_ping


@pytest.fixture(scope="session")
def make_navigation() -> Callable[..., NavigationSample]:
    """Return a builder of positions and attitude, ten seconds at 10 Hz around the start."""
    return _make_navigation


@pytest.fixture(scope="session")
def mounting() -> Mounting:
    return Mounting(
        lever_forward_m=12.5, lever_starboard_m=-1.25, depth_m=6.75, beam_width_deg=1.5
    )


@pytest.fixture(scope="session")
def profile() -> SoundSpeedProfile:
    return SoundSpeedProfile(
        depth_m=np.array([0.0, 50.0, 400.0, 1000.0]),
        speed_m_s=np.array([1510.0, 1500.0, 1480.0, 1485.0]),
    )


@pytest.fixture(scope="session")
def start_utc() -> datetime:
    return START


@pytest.fixture(scope="session")
def read_all() -> Callable[..., list[Any]]:
    """Return a reader of a whole file."""
    return _read_all


@pytest.fixture(scope="session")
def oracle() -> Any:
    """Return the compiled part of themachinethatgoesping, or skip without it."""
    package = "themachinethatgoesping.echosounders_nanopy"
    return pytest.importorskip(package, reason=f"no oracle: {package} is not installed")


@pytest.fixture(scope="session")
def assert_same_ping() -> Callable[[Any, WaterColumnPing], None]:
    """Return a comparison of an oracle's ping with ours: samples bit by bit."""
    return _assert_same_ping


def _make_ping(
    counter: int = 7,
    *,
    beams: int = 24,
    samples: int = 90,
    sectors: int = 3,
    swath: int = 0,
    sounder: str = "em304-119",
    seed: int = 0,
) -> WaterColumnPing:
    random = np.random.default_rng([seed, counter, swath])
    counts = random.integers(0, samples + 1, beams).astype(np.int32)
    counts[: min(beams, 2)] = (0, samples)[: min(beams, 2)]
    values = np.full((beams, int(counts.max(initial=0))), -128, np.int8)
    for row, count in zip(values, counts, strict=True):
        row[:count] = random.integers(-128, 128, count)
    detected = np.round(random.uniform(1, samples, beams), 2).astype(np.float32)
    return WaterColumnPing(
        time_utc=START + timedelta(milliseconds=500 * counter + 3 * swath),
        ping_counter=counter,
        swath=swath,
        sounder=sounder,
        beam_angle_deg=np.linspace(-65.0, 65.0, beams).round(2).astype(np.float32),
        samples_half_db=values,
        first_sample=random.integers(0, 9, beams).astype(np.int32),
        sample_count=counts,
        detected_sample=np.where(random.random(beams) < 0.2, np.nan, detected).astype(np.float32),
        sector=np.sort(random.integers(0, sectors, beams)).astype(np.int32),
        sector_frequency_hz=np.linspace(26e3, 34e3, sectors).round(-1).astype(np.float32),
        sector_tilt_deg=np.linspace(-1.0, 1.0, sectors).round(2).astype(np.float32),
        sample_rate_hz=2314.75,
        sound_speed_m_s=1502.5,
        tvg_range_factor=30.0,
        tvg_offset_db=-20.0,
        source=SourceRef(source="test", file="test"),
    )


def _make_navigation(sensor: str = "skm", rows: int = 100) -> NavigationSample:
    time_s = START.timestamp() + np.arange(rows) / 10.0 + 0.01
    steps = np.arange(rows)
    return NavigationSample(
        sensor=sensor,
        time_s=time_s,
        latitude=45.0 + steps * 1e-5,
        longitude=-130.0 + steps * 1e-5,
        heading_deg=(355.0 + steps * 0.25) % 360.0,
        course_deg=(1.0 + steps) % 360.0,
        speed_m_s=np.full(rows, 2.5),
        roll_deg=np.full(rows, -1.25),
        pitch_deg=np.full(rows, 0.5),
        heave_m=np.full(rows, 0.25),
        position_sigma_m=1.5,
    )


def _read_all(path: Path, **options: Any) -> list[Any]:
    raw = RawFile(path, source="test", context=LineContext(), **options)
    items: list[Any] = []
    while found := raw.read():
        items += found
    items += raw.finish()
    assert raw.offset == path.stat().st_size
    raw.close()
    return items


def _assert_same_ping(theirs: Any, ours: WaterColumnPing) -> None:
    water = theirs.watercolumn
    samples = np.asarray(water.get_raw_amplitudes())
    assert samples.dtype == np.int8
    counts = np.asarray(water.get_number_of_samples_per_beam())
    assert np.array_equal(counts, ours.sample_count)
    for row, (first, count) in enumerate(zip(ours.first_sample, ours.sample_count, strict=True)):
        run = samples[row, first : first + count]  # theirs begin at range zero
        assert np.array_equal(run, ours.samples_half_db[row, :count]), row
    assert abs(theirs.get_timestamp() - ours.time_utc.timestamp()) < 2e-6
    angles = np.asarray(water.get_beam_crosstrack_angles())
    assert np.abs(angles + ours.beam_angle_deg).max() < 1e-4  # theirs count + to port
    assert np.array_equal(np.asarray(water.get_tx_sector_per_beam()), ours.sector)
    assert np.array_equal(np.asarray(water.get_first_sample_offset_per_beam()), ours.first_sample)
    assert water.get_sample_interval() * ours.sample_rate_hz == pytest.approx(1, abs=1e-6)
    assert water.get_sound_speed_at_transducer() == pytest.approx(ours.sound_speed_m_s, abs=1e-3)
    assert water.get_tvg_offset() == ours.tvg_offset_db
    assert water.get_tvg_factor_applied() == ours.tvg_range_factor
    bottom = np.asarray(water.get_bottom_range_samples(), float)
    assert np.array_equal(bottom, np.floor(np.nan_to_num(ours.detected_sample)))
