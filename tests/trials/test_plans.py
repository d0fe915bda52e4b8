"""Which cruises are sailed."""

from __future__ import annotations

import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.trials.plans import BUSY_FISH, FIRST_SEED, Plan, cruise_plans, night_plans

SURVEYS = [plan.survey() for plan in cruise_plans(12, Plan())]


def test_cruises_differ_in_everything() -> None:
    assert len({survey.seed for survey in SURVEYS}) == 12
    assert SURVEYS[0].seed == FIRST_SEED
    depths = [survey.scene.seabed.depth_m for survey in SURVEYS]
    assert min(depths) < 150
    assert max(depths) > 800
    assert len({survey.sounder.name for survey in SURVEYS}) > 3
    assert {survey.lines[0].heading_deg for survey in SURVEYS} == {0.0, 180.0}


def test_the_ship_comes_upon_every_plume_and_leaves_it_behind() -> None:
    for survey in SURVEYS:
        (line,) = survey.lines
        northward = 1 if line.heading_deg == 0.0 else -1
        first = northward * line.north_m
        for plume in survey.scene.plumes:
            assert first < northward * plume.north_m < first + line.length_m - 250.0


def test_a_plan_is_the_same_each_time() -> None:
    assert Plan(seed=5).survey() == Plan(seed=5).survey()
    assert Plan(seed=5).survey() != Plan(seed=6).survey()


def test_what_is_given_is_taken() -> None:
    survey = Plan(seed=5, depth_m=321.0, family="em304-dual", swaths=40, contrast_db=11.0).survey()
    assert survey.scene.seabed.depth_m == 321.0
    assert (survey.sounder.model, survey.sounder.dual_swath) == (304, True)
    assert {plume.contrast_db for plume in survey.scene.plumes} == {11.0}


def test_a_night_has_no_plume_and_much_else() -> None:
    plans = night_plans(2.5, Plan(seed=100))
    assert [(plan.name, plan.hours) for plan in plans] == [
        ("night-100", 1.0), ("night-101", 1.0), ("night-102", 0.5),
    ]
    survey = plans[2].survey()
    assert survey.scene.plumes == ()
    assert len(survey.scene.schools) > 10
    assert survey.scene.noise.fish_count >= BUSY_FISH
    assert 200 <= survey.scene.seabed.depth_m <= 2000
    (line,) = survey.lines
    assert (line.end_utc - line.start_utc).total_seconds() > 1800


def test_a_shallow_night_has_wrecks_and_walls() -> None:
    shallow, deep = (Plan(kind="night", seed=9, depth_m=depth, hours=1.5).survey().scene
                     for depth in (50.0, 1500.0))
    assert len(shallow.wrecks) >= 2
    assert len(shallow.walls) >= 1
    assert (deep.wrecks, deep.walls) == ((), ())
    assert deep.dolphins


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"kind": "day"}, "kind: expected"), ({"swaths": 0}, "one swath or more"),
        ({"hours": 0.0}, "hours above 0"), ({"depth_m": 5.0}, "depth: expected 10"),
        ({"family": "em9"}, "family: expected one of"),
    ],
)
def test_plans_that_cannot_be_sailed(fields: dict, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Plan(**fields)
