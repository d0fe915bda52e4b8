"""Simulated backgrounds against real ones: the same statistics, measured in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.formats.rawfile import LineContext, RawFile
from sonar_watch.records import WaterColumnPing
from sonar_watch.simulation.calibration import PingStatistics, measure
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.noise import Noise, random_noise
from sonar_watch.simulation.scene import Scene, Seabed, random_seabed
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import random_sounder, sounder_for

Figures = dict[str, np.ndarray]
OPEN_WATER = ("em710_heincke.wcd", "em710_karoline.wcd", "em2040_simonstevin.wcd")
WATER_COLUMNS = (
    *OPEN_WATER,
    "em2040_tampa.kmwcd",
    "em2042_os01_a.kmwcd",
    "em2042_os01_b.kmwcd",
    "em2042_os01_c.kmwcd",
    "em2042_os01_d.kmwcd",
    "em2042_os03_a.kmwcd",
    "em2042_os03_b.kmwcd",
)


def state(counter: int) -> ShipState:
    return ShipState(
        time_utc=datetime(2026, 1, 1, tzinfo=UTC),
        east_m=0.0,
        north_m=0.0,
        heading_deg=0.0,
        ping_counter=counter,
    )


def simulated_ping(seed: int) -> WaterColumnPing:
    rng = np.random.default_rng(seed)
    depth = float(np.exp(rng.uniform(np.log(30), np.log(4000))))
    scene = Scene(seabed=random_seabed(rng, depth), noise=random_noise(rng))
    return hear(scene, random_sounder(rng, depth), state(seed), seed)[0]


def columns(rows: Iterable[PingStatistics]) -> Figures:
    bodies = [asdict(row) for row in rows]
    return {name: np.array([body[name] for body in bodies], float) for name in bodies[0]}


@pytest.fixture(scope="module")
def simulated() -> Figures:
    return columns(measure(simulated_ping(seed)) for seed in range(80))


@pytest.fixture(scope="module")
def real() -> Figures:
    """One row for each configuration of each file: the medians over its pings."""
    rows: list[dict[str, float]] = []
    for name in WATER_COLUMNS:
        raw = RawFile(real_data("kongsberg", name), source="real", context=LineContext())
        items = raw.read(max_pings=100) + raw.finish()
        raw.close()
        pings = [item for item in items if isinstance(item, WaterColumnPing)]
        for word in sorted({ping.runtime for ping in pings}):
            figures = columns(measure(ping) for ping in pings if ping.runtime == word)
            row = {key: float(np.nanmedian(v)) for key, v in figures.items()}
            rows.append({**row, "open_water": name in OPEN_WATER})
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.mark.filterwarnings("ignore:All-NaN:RuntimeWarning")  # a file without sectors has no step
@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("speckle_db", 1.0),
        ("grain_db", 1.0),
        ("rise_db", 7.0),
        ("bottom_db", 10.0),
        ("plateau_below_bottom_db", 6.0),
        ("plateau_step_db", 6.0),
        ("sector_step_db", 4.0),
        ("floor_share", 0.1),
        ("past_bottom", 0.12),
        ("lost_share", 0.06),
        ("beam_correlation", 0.2),
    ],
)
def test_real_backgrounds_lie_among_the_simulated_ones(
    name: str, apart: float, simulated: Figures, real: Figures
) -> None:
    """All of the open water and most of the harbours in range; the medians near each other.

    The harbours are 4-9 m deep, between quay walls: further in than the simulator goes.
    """
    drawn, known = simulated[name], np.isfinite(real[name])
    drawn, heard = drawn[np.isfinite(drawn)], real[name][known]
    inside = (heard >= drawn.min()) & (heard <= drawn.max())
    assert inside[real["open_water"][known] > 0].all(), f"{heard}, {np.sort(drawn)}"
    assert inside.mean() >= 0.8, f"{np.sort(heard)} in {drawn.min():.2f}..{drawn.max():.2f}"
    assert abs(np.median(drawn) - np.median(heard)) < apart


def test_what_is_drawn_is_what_is_measured() -> None:
    noise = Noise(
        ambient_db=-20.0,
        rise_db=0.0,
        decade_db=20.0,
        bottom_db=65.0,
        bottom_fall_db=6.0,
        plateau_below_bottom_db=38.0,
        nadir_stripe_db=0.0,
        ring_count=0,
        stripe_count=0,
        spoke_chance=0.0,
        lost_bottom=0.0,
        fish_count=0,
    )
    sounder = replace(
        sounder_for("em710", 150.0), sector_offset_db=(4.0, 0.0, 4.0), sector_isolation_db=10.0
    )
    ping, _ = hear(Scene(seabed=Seabed(depth_m=150.0), noise=noise), sounder, state(1), seed=1)
    figures = measure(ping)
    assert figures.speckle_db == pytest.approx(5.5, abs=0.4)
    # 20 dB a decade from 0.25 to 0.9 of the depth.
    assert figures.rise_db == pytest.approx(20 * np.log10(0.9 / 0.25), abs=1.0)
    assert figures.bottom_db == pytest.approx(65, abs=5)
    assert figures.plateau_below_bottom_db == pytest.approx(38, abs=5)
    assert figures.plateau_step_db == pytest.approx(10, abs=3)
    assert figures.sector_step_db == pytest.approx(4, abs=0.7)
    assert figures.past_bottom == pytest.approx(0.12, abs=0.02)
    assert figures.beam_correlation > 0.5


def test_random_sounders_are_of_their_depth_and_differ() -> None:
    rng = np.random.default_rng(1)
    shallow = {random_sounder(rng, 40.0).model for _ in range(40)}
    deep = [random_sounder(rng, 3500.0) for _ in range(40)]
    assert shallow <= {710, 712, 2040}
    assert {sounder.model for sounder in deep} == {122, 124, 302, 304}
    assert {len(sounder.sector_frequency_hz) for sounder in deep} > {2, 4, 8}
    assert {sounder.dual_swath for sounder in deep} == {True, False}
    assert len(set(deep)) == len(deep)
