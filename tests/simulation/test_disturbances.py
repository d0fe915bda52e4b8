"""Disturbances: what is static stands still, what passes stays for a while, bubbles hide echoes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import WaterColumnPing
from sonar_watch.simulation.disturbances import draw_passing, draw_static
from sonar_watch.simulation.echo import hear, open_swath
from sonar_watch.simulation.noise import Noise
from sonar_watch.simulation.scene import Plume, Scene, Seabed
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import Sounder, sounder_for
from sonar_watch.simulation.speckle import speckle
from sonar_watch.simulation.swath import Swath

QUIET = Noise(
    nadir_stripe_db=0.0,
    ring_count=0,
    stripe_count=0,
    spoke_chance=0.0,
    fish_count=0,
    lost_bottom=0.0,
    rise_db=0.0,
)


def sounder() -> Sounder:
    return replace(sounder_for("em304", 400.0), beams=96)


def state(counter: int) -> ShipState:
    return ShipState(
        time_utc=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=2 * counter),
        east_m=0.0,
        north_m=0.0,
        heading_deg=0.0,
        ping_counter=counter,
    )


def swath(noise: Noise, counter: int = 0) -> Swath:
    scene = Scene(seabed=Seabed(depth_m=400.0), noise=noise)
    return open_swath(scene, sounder(), state(counter), np.random.default_rng(counter))


def heard(noise: Noise, counter: int = 0, *plumes: Plume) -> WaterColumnPing:
    scene = Scene(seabed=Seabed(depth_m=400.0), noise=noise, plumes=plumes)
    return hear(scene, sounder(), state(counter), seed=1)[0]


def test_static_disturbances_are_the_same_in_every_ping() -> None:
    noise = replace(QUIET, nadir_stripe_db=6.0, ring_count=3, stripe_count=3, static_seed=4)
    first, later = swath(noise, 1), swath(noise, 90)
    for each in (first, later):
        draw_static(each)
    assert first.power.max() > 1.5 * first.ambient.max()
    assert np.array_equal(first.power, later.power)


@pytest.mark.parametrize("kind", ["spoke_chance", "dash_chance"])
def test_interference_comes_in_bursts(kind: str) -> None:
    noise = replace(QUIET, **{kind: 0.5}, burst_pings=5, static_seed=8)  # type: ignore[arg-type]
    struck = []
    for counter in range(60):
        each = swath(noise, counter)
        draw_passing(each)
        struck.append(bool(np.any(each.power > 1.2 * each.ambient)))
    changes = sum(left != right for left, right in pairwise(struck))
    assert 10 < sum(struck) < 50
    assert changes < 14  # by chance alone it would be 30


def test_no_disturbance_is_added_where_none_is_wanted() -> None:
    each = swath(QUIET)
    draw_static(each)
    draw_passing(each)
    assert np.array_equal(each.power, each.ambient)


def test_bubbles_under_the_hull_hide_bottom_and_plumes() -> None:
    plume = Plume(name="p", east_m=60.0, north_m=-8.0, radius_m=18.0, contrast_db=16.0)
    washed = replace(QUIET, wash_chance=1.0, wash_db=60.0, static_seed=2)
    scene = Scene(seabed=Seabed(depth_m=400.0), noise=washed, plumes=(plume,))
    pings = [hear(scene, sounder(), state(counter), seed=1) for counter in range(12)]
    near_nadir = slice(40, 56)
    clear = np.median(heard(QUIET).samples_half_db[near_nadir].max(axis=1))
    peaks = [np.median(ping.samples_half_db[near_nadir].max(axis=1)) for ping, _ in pings]
    assert min(peaks) < clear - 2 * 10
    assert len(hear(replace(scene, noise=QUIET), sounder(), state(0), seed=1)[1]) == 1
    assert any(not boxes for _, boxes in pings)


def test_the_bottom_is_lost_in_runs_and_in_whole_pings() -> None:
    def lost(noise: Noise) -> list[float]:
        pings = (heard(noise, counter) for counter in range(8))
        return [float(np.mean(np.isnan(ping.detected_sample))) for ping in pings]

    assert max(lost(QUIET)) == 0.0
    runs = lost(replace(QUIET, lost_run_chance=1.0))
    assert min(runs) >= 4 / 96
    assert max(runs) < 0.5
    assert min(lost(replace(QUIET, lost_ping_chance=1.0))) > 0.8


def test_wrong_picks_are_far_from_the_seabed() -> None:
    right, wrong = heard(QUIET), heard(replace(QUIET, wrong_run_chance=1.0))
    astray = np.abs(wrong.detected_sample / right.detected_sample - 1)
    assert 3 <= np.sum(astray > 0.02) < 48


def test_each_swath_of_a_transmission_is_a_configuration_of_its_own() -> None:
    dual = replace(sounder(), dual_swath=True, second_shift_hz=2000.0)
    scene = Scene(noise=QUIET)
    fore, aft = (hear(scene, dual, replace(state(3), swath=index), seed=1)[0] for index in (0, 1))
    assert fore.runtime != aft.runtime
    assert fore.runtime == hear(scene, dual, state(9), seed=1)[0].runtime
    assert aft.sector_frequency_hz[0] - fore.sector_frequency_hz[0] == pytest.approx(2000)


@pytest.mark.parametrize(("steps", "neighbours"), [((1,), (0.25, 0.0)), ((1, 1, 2), (0.73, 0.33))])
def test_speckle_is_exponential_and_shared_by_neighbours(
    steps: tuple[int, ...], neighbours: tuple[float, float]
) -> None:
    power = speckle(np.random.default_rng(1), (240, 900), steps, (1,))
    assert power.mean() == pytest.approx(1.0, abs=0.02)
    assert np.std(10 * np.log10(power + 1e-9)) == pytest.approx(5.57, abs=0.15)
    for lag, expected in enumerate(neighbours, start=1):
        found = np.corrcoef(power[:-lag].ravel(), power[lag:].ravel())[0, 1]
        assert found == pytest.approx(expected, abs=0.04)


def test_sectors_without_a_frequency_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="sector_frequency_hz"):
        Sounder(sector_frequency_hz=(30_000.0,))
