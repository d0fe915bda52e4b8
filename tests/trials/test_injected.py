"""Cruises over real water: which are sailed, and what a watch makes of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from realdata import real_data

from sonar_watch.errors import ConfigurationError
from sonar_watch.settings import Settings
from sonar_watch.trials.cruises import Outcome, read_outcome, sail_plan, write_outcome
from sonar_watch.trials.injected import injected_plans, summarise_kinds, survey_of
from sonar_watch.trials.plans import Plan

A, B = Path("folder/a.wcd"), Path("folder/b.kmwcd")


def test_cruises_are_shared_out_between_the_files_and_each_is_sailed_as_it_is() -> None:
    plans = injected_plans([A, B], 3, Plan(seed=10, depth_m=300.0, contrast_db=12.0))
    assert [plan.name for plan in plans] == [
        "injected-a-10", "injected-a-12", "injected-b-11",
        "deepened-a-10", "real-a-10", "deepened-b-10", "real-b-10",
    ]
    assert [plan.depth_m for plan in plans] == [300.0] * 4 + [None, 300.0, None]
    assert [plan.contrast_db for plan in plans] == [12.0] * 3 + [None] * 4


@pytest.mark.parametrize(
    ("files", "count", "complaint"),
    [
        ([], 3, "different names"), ([A, Path("other") / A.name], 3, "different names"),
        ([A, B], 1, "a cruise for each of 2 files"),
    ],
)
def test_cruises_that_cannot_be_shared_out(files: list[Path], count: int, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        injected_plans(files, count, Plan())


@pytest.mark.parametrize("fields", [{"kind": "injected"}, {"kind": "cruise", "file": "a.wcd"}])
def test_a_file_belongs_to_played_plans_alone(fields: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="expected a file for"):
        Plan(**fields)


def sailed(plan: Plan) -> Outcome:
    settings = Settings()
    detector = replace(settings.detector, weights="classical", threads=1, device="cpu")
    return sail_plan(plan, replace(settings, detector=detector), (0.3,))


def test_a_strong_plume_in_real_pings_is_passed_and_kept(tmp_path: Path) -> None:
    """Through the whole watch; whether the detector tells of it is for trials to say."""
    path = real_data("kongsberg", "em2040_simonstevin.wcd")
    template = Plan(seed=7_000_001, swaths=16, depth_m=400.0, contrast_db=20.0)
    outcomes = [sailed(plan) for plan in injected_plans([path], 1, template)]
    over, deepened, untouched = outcomes
    assert over.depth_m == pytest.approx(400.0, rel=0.01)
    assert over.passes
    assert max(one.contrast_db for one in over.passes) > 8.0
    assert (deepened.swaths, deepened.depth_m) == (over.swaths, over.depth_m)
    assert (deepened.empty, deepened.passes) == (deepened.swaths, ())
    assert (untouched.swaths, untouched.empty, untouched.passes) == (16, 16, ())
    assert untouched.hours * 3600 == pytest.approx(15 * 0.12, rel=0.02)
    assert [read_outcome(write_outcome(tmp_path, one)) for one in outcomes] == outcomes
    rows = summarise_kinds(outcomes, 0.3)
    assert [(row["kind"], row["survey"], row["cruises"]) for row in rows] == [
        ("injected", "all", 1), ("injected", "em2040_simonstevin", 1),
        ("deepened", "all", 1), ("deepened", "em2040_simonstevin", 1),
        ("real", "all", 1), ("real", "em2040_simonstevin", 1),
    ]
    assert {survey_of(one) for one in outcomes} == {"em2040_simonstevin"}
