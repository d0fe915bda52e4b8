"""Random scenes: what they hold, in what shares, and that all of it can be heard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.simulation.cruise import random_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.simulation.random_scene import random_scene
from sonar_watch.simulation.scene import Scene
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import FAMILIES, sounder_for


def scenes(count: int, depth_m: float = 700.0) -> list[Scene]:
    return [random_scene(np.random.default_rng(seed), depth_m) for seed in range(count)]


def look_alikes(scene: Scene) -> int:
    return sum(map(len, (scene.schools, scene.dolphins, scene.wrecks, scene.walls)))


def test_a_scene_follows_from_its_seed() -> None:
    first, again = (random_scene(np.random.default_rng(3), 500.0) for _ in range(2))
    assert first == again


def test_scenes_are_empty_hold_plumes_or_look_alikes() -> None:
    drawn = scenes(600)
    with_plumes = np.array([bool(scene.plumes) for scene in drawn])
    empty = np.array([not scene.plumes and not look_alikes(scene) for scene in drawn])
    both = np.array([bool(scene.plumes and look_alikes(scene)) for scene in drawn])
    assert with_plumes.mean() == pytest.approx(0.55, abs=0.06)
    assert empty.mean() == pytest.approx(0.25, abs=0.06)
    assert 0.2 < both.mean() < 0.35


def test_plumes_are_of_published_sizes() -> None:
    plumes = [plume for scene in scenes(300, 1500.0) for plume in scene.plumes]
    heights = np.array([plume.height_m for plume in plumes])
    leans = np.hypot(*np.array([(plume.lean_east, plume.lean_north) for plume in plumes]).T)
    contrasts = np.array([plume.contrast_db for plume in plumes])
    assert heights.min() >= 60
    assert heights.max() <= 1000
    assert 0.1 < np.median(leans) < 0.4
    assert contrasts.min() >= 4
    assert contrasts.max() <= 24
    assert len({plume.seed for plume in plumes}) == len(plumes)


def test_plumes_fit_into_shallow_water() -> None:
    for scene in scenes(200, 30.0):
        for plume in scene.plumes:
            assert plume.height_m <= 0.95 * 30
            assert plume.radius_m < 8


def test_bodies_lie_beside_the_way() -> None:
    scene_of = [
        random_scene(np.random.default_rng(seed), 500.0, heading_deg=60.0, along_m=3000.0)
        for seed in range(100)
    ]
    places = np.array(
        [(plume.east_m, plume.north_m) for scene in scene_of for plume in scene.plumes]
    )
    course = np.radians(60.0)
    along = places @ [np.sin(course), np.cos(course)]
    aside = places @ [np.cos(course), -np.sin(course)]
    assert np.abs(along).max() <= 1500
    assert along.std() > 700
    assert np.abs(aside).max() <= 950


@pytest.mark.parametrize("depth_m", [30.0, 4000.0])
@pytest.mark.parametrize("family", ["em124", "em710", "em2040"])
def test_every_scene_can_be_heard(family: str, depth_m: float) -> None:
    assert family in FAMILIES
    sounder = sounder_for(family, depth_m)
    state = ShipState(
        time_utc=datetime(2026, 1, 1, tzinfo=UTC),
        east_m=0.0,
        north_m=0.0,
        heading_deg=77.0,
        ping_counter=1,
    )
    for seed in range(5):
        scene = random_scene(np.random.default_rng(seed), depth_m, heading_deg=77.0)
        ping, boxes = hear(scene, sounder, state, seed)
        assert ping.samples_half_db.max() > -100
        for box in boxes:
            assert box.across_track_m[0] < box.across_track_m[1]
            assert 0 < box.depth_m[0] < box.depth_m[1]
            assert np.isfinite(box.contrast_db)


def test_surveys_get_look_alikes_and_stay_as_they_are_without() -> None:
    plain = [random_survey(seed, depth_m=50.0) for seed in range(40)]
    alike = [random_survey(seed, depth_m=50.0, look_alikes=True) for seed in range(40)]
    for names in ("dolphins", "wrecks", "walls"):
        assert not any(getattr(survey.scene, names) for survey in plain)
        assert 0 < sum(bool(getattr(survey.scene, names)) for survey in alike) < 20
    bare = [replace(one, scene=replace(one.scene, dolphins=(), wrecks=(), walls=()))
            for one in alike]
    assert bare == plain
