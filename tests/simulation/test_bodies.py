"""Plumes, fish and hard things: what they look like, and that they stay what they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sonar_watch.opencv import opencv
from sonar_watch.records import Float32Array
from sonar_watch.simulation.bodies import draw_bodies
from sonar_watch.simulation.echo import open_swath
from sonar_watch.simulation.fish import Dolphins, Layer, School
from sonar_watch.simulation.noise import Noise
from sonar_watch.simulation.plumes import Plume
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import Sounder, sounder_for
from sonar_watch.simulation.structures import Wall, Wreck
from sonar_watch.simulation.swath import Swath, TrueBox
from sonar_watch.simulation.terrain import Seabed

DEPTH_M = 400.0
QUIET = Noise(ambient_db=-30.0, rise_db=0.0, fish_count=0)
FLAT = Scene(seabed=Seabed(depth_m=DEPTH_M), noise=QUIET)
STATE = ShipState(
    time_utc=datetime(2026, 1, 1, tzinfo=UTC),
    east_m=0.0,
    north_m=0.0,
    heading_deg=0.0,
    ping_counter=1,
)
PLUME = Plume(name="p", east_m=40.0, north_m=8.0, height_m=200.0, contrast_db=12.0, seed=3)


def sounder() -> Sounder:
    return sounder_for("em304", DEPTH_M)


def drawn(scene: Scene, state: ShipState = STATE) -> Swath:
    """Return a swath of clear water with the scene's bodies in it, and nothing else."""
    swath = open_swath(scene, sounder(), state, np.random.default_rng(state.ping_counter))
    draw_bodies(swath)
    return swath


def raised(scene: Scene, state: ShipState = STATE) -> Float32Array:
    """Return the power that the bodies add, relative to the ambient level."""
    swath = drawn(scene, state)
    return np.asarray(swath.power / swath.ambient - 1, np.float32)


def boxed(scene: Scene, state: ShipState = STATE) -> TrueBox:
    (box,) = drawn(scene, state).boxes
    return box


def with_plume(**changes: object) -> Scene:
    return replace(FLAT, plumes=(replace(PLUME, **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize("heading_deg", [0.0, 130.0])
def test_a_current_leans_a_plume_by_its_drift(heading_deg: float) -> None:
    """FACTS: 0.1 m/s against a rise of 0.25 m/s leans a column of 190 m by 76 m."""
    course = np.radians(heading_deg + 90)
    leaning = with_plume(
        east_m=0.0,
        north_m=0.0,
        height_m=190.0,
        taper=0.05,
        contrast_db=16.0,
        patchiness=0.0,
        lean_east=float(0.4 * np.sin(course)),
        lean_north=float(0.4 * np.cos(course)),
    )
    state = replace(STATE, heading_deg=heading_deg)
    swath = drawn(leaning, state)
    excess, across = swath.power / swath.ambient - 1, swath.grid.across_m
    up = DEPTH_M - swath.grid.depth_m
    at_foot, at_top = (up > 5) & (up < 20), (up > 170) & (up < 185)
    middle = [np.average(across[part], weights=excess[part]) for part in (at_foot, at_top)]
    assert middle[1] - middle[0] == pytest.approx(0.4 * (177 - 12), abs=6)


def test_shear_bends_a_plume() -> None:
    east, north = replace(PLUME, lean_east=0.2, shear_east=-0.4, shear_north=0.1).drift(
        np.array([0.0, 100.0, 200.0])
    )
    assert east.tolist() == pytest.approx([0.0, 10.0, 0.0])
    assert north.tolist() == pytest.approx([0.0, 2.5, 10.0])


def test_pings_at_one_time_show_the_same_pattern() -> None:
    same = raised(with_plume(), replace(STATE, ping_counter=2))
    assert np.array_equal(raised(with_plume()), same)
    other = raised(with_plume(seed=4))
    assert not np.allclose(same, other, rtol=0.2)


def test_the_pattern_rises_with_the_bubbles() -> None:
    """Twenty seconds at 0.25 m/s: what was bright stands 5 m higher."""
    plume = with_plume(radius_m=4.0, east_m=0.0, burst_m=15.0, dot_m=4.0, patchiness=1.0)
    later = replace(STATE, time_utc=STATE.time_utc + timedelta(seconds=20))
    beam = sounder().beams // 2
    before, after = (np.log1p(raised(plume, state)[beam]) for state in (STATE, later))
    size = sounder().metres_per_sample
    inside = slice(int(240 / size), int(380 / size))

    def likeness(metres: float) -> float:
        moved = np.roll(after, round(metres / size))
        return float(np.corrcoef(before[inside], moved[inside])[0, 1])

    assert likeness(5.0) > 0.8
    assert likeness(5.0) > likeness(0.0) + 0.1
    assert likeness(5.0) > likeness(-5.0) + 0.1


def test_a_plume_is_broken_but_as_strong_as_it_says() -> None:
    size, beam = sounder().metres_per_sample, sounder().beams // 2
    rows = slice(int(250 / size), int(380 / size))

    def core(patchiness: float) -> Float32Array:
        scenes = (
            with_plume(east_m=0.0, patchiness=patchiness, seed=seed, taper=0.01)
            for seed in range(60)
        )
        return np.stack([raised(scene)[beam, rows] for scene in scenes])

    even, broken = core(0.0), core(1.0)
    assert broken.mean() == pytest.approx(even.mean(), rel=0.3)
    assert np.log(broken).std() > np.log(even).std() + 0.8


@pytest.mark.parametrize("contrast_db", [8.0, 14.0])
def test_the_true_contrast_is_near_the_one_asked_for(contrast_db: float) -> None:
    found = [boxed(with_plume(contrast_db=contrast_db, seed=seed)).contrast_db for seed in range(6)]
    assert contrast_db - 3.5 < np.mean(found) < contrast_db + 1


def test_slanted_beams_dilute_a_plume() -> None:
    below, aside = (boxed(with_plume(radius_m=5.0, east_m=east)) for east in (0.0, 500.0))
    assert aside.contrast_db < below.contrast_db - 1.5
    assert np.ptp(aside.across_track_m) > 1.3 * np.ptp(below.across_track_m)


def test_a_plume_that_dissolves_is_seen_less_high() -> None:
    abrupt, dissolving = (boxed(with_plume(taper=taper)) for taper in (0.1, 2.0))
    assert abrupt.depth_m[0] == pytest.approx(200.0, abs=15)
    assert dissolving.depth_m[0] > abrupt.depth_m[0] + 20


def test_a_cone_is_wide_at_its_foot_and_a_flare_at_its_top() -> None:
    for widening, sign in ((-0.7, -1), (1.5, 1)):
        scene = with_plume(widening=widening, radius_m=25.0, patchiness=0.0, taper=0.05)
        swath = drawn(scene)
        excess, up = swath.power / swath.ambient - 1, DEPTH_M - swath.grid.depth_m
        widths = [
            np.sqrt(np.cov(swath.grid.across_m[part], aweights=excess[part]))
            for part in ((up > 5) & (up < 25), (up > 160) & (up < 180))
        ]
        assert sign * (widths[1] - widths[0]) > 5


def test_strands_stand_apart_towards_their_bearing() -> None:
    scene = with_plume(
        strands=2, spread_m=80.0, radius_m=6.0, patchiness=0.0, north_m=0.0, contrast_db=16.0
    )
    assert np.ptp(boxed(scene).across_track_m) > 80
    along = replace(scene, plumes=(replace(scene.plumes[0], strand_bearing_deg=0.0),))
    assert drawn(along).boxes == []
    (ahead,) = drawn(along, replace(STATE, north_m=-32.0 - 8.0)).boxes
    assert np.ptp(ahead.across_track_m) < 50


def test_a_plume_is_cut_by_the_edge_of_the_fan() -> None:
    edge_m = (DEPTH_M - 6) * np.tan(np.radians(sounder().half_fan_deg))
    box = boxed(with_plume(east_m=float(0.85 * edge_m), contrast_db=18.0))
    assert box.depth_m[0] > 230


def test_a_plume_behind_the_plateau_is_drowned() -> None:
    swath = open_swath(with_plume(east_m=300.0), sounder(), STATE, np.random.default_rng(1))
    beyond = swath.grid.range_m > DEPTH_M
    swath.power[:, beyond] += 150 * swath.ambient[:, beyond]
    draw_bodies(swath)
    (box,) = swath.boxes
    lowest = np.hypot(box.across_track_m[1], box.depth_m[1] - 6)
    assert lowest < 1.15 * DEPTH_M
    assert boxed(with_plume(east_m=300.0)).depth_m[1] > DEPTH_M - 10


def test_a_school_stands_on_the_seabed_wherever_that_is() -> None:
    slope = Seabed(depth_m=DEPTH_M, slope_east=0.2)
    school = School(east_m=150.0, north_m=0.0, depth_m=0.0, above_bottom_m=8.0)
    box = boxed(replace(FLAT, seabed=slope, schools=(school,)))
    assert box.class_name == "noise"
    assert box.depth_m[1] == pytest.approx(430, abs=8)


def test_a_streak_lies_along_its_bearing() -> None:
    streak = School(east_m=0.0, north_m=0.0, depth_m=200.0, elongation=5.0, radius_m=15.0)
    along, across = (
        boxed(replace(FLAT, schools=(replace(streak, bearing_deg=bearing),)))
        for bearing in (0.0, 90.0)
    )
    assert np.ptp(across.across_track_m) > 3 * np.ptp(along.across_track_m)


def test_a_school_keeps_its_clumps() -> None:
    scene = replace(FLAT, schools=(School(east_m=50.0, north_m=0.0, depth_m=150.0),))
    assert np.array_equal(raised(scene), raised(scene, replace(STATE, ping_counter=9)))
    moved = raised(scene, replace(STATE, north_m=1.0))
    assert np.corrcoef(raised(scene).ravel(), moved.ravel())[0, 1] > 0.8


def test_dolphins_are_single_strong_echoes_in_the_upper_water() -> None:
    group = Dolphins(east_m=40.0, north_m=0.0, count=60, radius_m=25.0, contrast_db=25.0, seed=1)
    swath = drawn(replace(FLAT, dolphins=(group,)))
    lit = swath.power > 3 * swath.ambient
    assert 20 < lit.sum() < 2000
    assert swath.grid.depth_m[lit].max() < 90
    assert [box.class_name for box in swath.boxes] == ["noise"]
    later = replace(STATE, time_utc=STATE.time_utc + timedelta(seconds=15))
    assert not np.array_equal(lit, drawn(replace(FLAT, dolphins=(group,)), later).power > 3)


def test_single_fish_stay_while_the_ship_is_over_them() -> None:
    scene = replace(FLAT, noise=replace(QUIET, fish_count=30, static_seed=5))
    here, near, far = (
        raised(scene, replace(STATE, north_m=north, ping_counter=number)) > 1
        for number, north in enumerate((0.0, 1.5, 120.0))
    )
    assert (here & near).sum() > 0.5 * here.sum()
    assert (here & far).sum() < 0.1 * here.sum()


def test_as_many_fish_are_heard_as_asked_for() -> None:
    cv2 = opencv()

    def count(fish: int) -> float:
        scene = replace(FLAT, noise=replace(QUIET, fish_count=fish))
        maps = (raised(scene, replace(STATE, north_m=60.0 * step)) > 5 for step in range(10))
        spots = [cv2.connectedComponents(lit.astype(np.uint8))[0] - 1 for lit in maps]
        return float(np.mean(spots))

    assert count(0) == 0
    assert 5 < count(10) < 25
    assert 2 < count(30) / count(10) < 4


def test_a_layer_wanders_and_has_patches_but_stands_still() -> None:
    even = Layer(depth_m=150.0, half_height_m=5.0, contrast_db=10.0, seed=2)
    wandering = replace(even, undulation_m=20.0, wavelength_m=150.0, patch_db=6.0, patch_m=60.0)
    for layer, spread in ((even, (0.0, 3.0)), (wandering, (6.0, 40.0))):
        scene = replace(FLAT, layers=(layer,))
        swath = drawn(scene)
        excess = swath.power / swath.ambient - 1
        middle = (excess * swath.grid.depth_m).sum(axis=1) / excess.sum(axis=1)
        assert spread[0] <= middle.std() < spread[1]
        assert np.array_equal(raised(scene), raised(scene, replace(STATE, ping_counter=5)))


def test_a_wreck_is_a_bright_block_with_a_shadow() -> None:
    wreck = Wreck(east_m=120.0, north_m=0.0, length_m=80.0, width_m=40.0, height_m=25.0)
    swath = open_swath(replace(FLAT, wrecks=(wreck,)), sounder(), STATE, np.random.default_rng(1))
    angle = float(np.degrees(np.arctan2(120, DEPTH_M)))
    behind = (
        int(np.searchsorted(sounder().beam_angle_deg, angle)),
        int((np.hypot(120, DEPTH_M) + 3) / sounder().metres_per_sample),
    )
    swath.power[behind] *= 1000
    draw_bodies(swath)
    (box,) = swath.boxes
    assert box.class_name == "noise"
    assert box.contrast_db > 20
    assert box.depth_m == pytest.approx((375, 399), abs=6)
    assert swath.power[behind] < 2 * swath.ambient[behind]


@pytest.mark.parametrize(("beams_m", "heard"), [(0.0, True), (6.0, False)])
def test_a_wreck_ends_where_it_ends(beams_m: float, heard: bool) -> None:
    """However long it is: the beam alone makes its end soft."""
    beam_m = float(np.radians(sounder().beam_width_deg)) * DEPTH_M / 2.355
    beyond = STATE.north_m + sounder().lever_forward_m + 80.0 + beams_m * beam_m
    wreck = Wreck(
        east_m=60.0, north_m=beyond, length_m=160.0, width_m=30.0, height_m=25.0, contrast_db=30.0
    )
    swath = open_swath(replace(FLAT, wrecks=(wreck,)), sounder(), STATE, np.random.default_rng(1))
    draw_bodies(swath)
    assert bool(swath.boxes) == heard


def test_a_wall_is_a_tall_thin_line_in_ping_after_ping() -> None:
    wall = Wall(east_m=200.0, north_m=0.0, height_m=250.0, length_m=300.0)
    scene = replace(FLAT, walls=(wall,))
    first, last = boxed(scene), boxed(scene, replace(STATE, north_m=100.0, ping_counter=40))
    assert np.ptp(first.depth_m) > 200
    assert np.ptp(first.across_track_m) < 25
    assert first.across_track_m == pytest.approx(last.across_track_m, abs=2)
    assert drawn(scene, replace(STATE, north_m=400.0)).boxes == []
