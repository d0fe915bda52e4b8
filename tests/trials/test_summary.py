"""Figures of hand-made outcomes, counted by hand; outcomes kept and gone on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.provenance import code_hash
from sonar_watch.settings import Settings
from sonar_watch.trials import campaign
from sonar_watch.trials.cruises import Outcome, read_outcome, settings_word, write_outcome
from sonar_watch.trials.finders import weights_word
from sonar_watch.trials.passes import Pass
from sonar_watch.trials.plans import Plan
from sonar_watch.trials.summary import false_alert_table, summarise
from sonar_watch.trials.telling import Told


def passed(plume: str, strong: int) -> Pass:
    return Pass(plume=plume, line="l", latitude=32.0, longitude=140.0, strong_swaths=strong,
                visible_swaths=5, contrast_db=9.0, first_visible_utc="2026-06-01T20:00:00Z",
                range_m=500.0, footprint_m=10.0)


def told(plume: str | None, error_m: float = 5.0, inside: bool = True) -> Told:
    found = plume is not None
    return Told(
        event_id="e", plume=plume, line="l" if found else None,
        error_m=error_m if found else None, inside=inside if found else None,
        semi_major_m=20.0, first_error_m=2 * error_m if found else None,
        first_inside=False if found else None, new_utc="2026-06-01T20:00:30Z",
        waited_s=30.0 if found else None, swaths=4, confidence=0.5,
    )


def outcome(seed: int = 1, **fields: Any) -> Outcome:
    settings = Settings()
    return Outcome(**{
        "plan": Plan(seed=seed), "sounder": "em304", "depth_m": 500.0, "swaths": 100,
        "hours": 0.5, "cpu_ms": 50.0, "weights": weights_word(settings.detector),
        "config": settings_word(settings), "code": code_hash(),
        "encoding": "layers", "runtime": "test",
        "empty": 40,
        "empty_flagged": {"0.40": 2, "0.60": 0},
        "passes": (passed("a", 3), passed("b", 2), passed("c", 9)),
        "told": {
            "0.40": (told("a"), told("a", 15.0, inside=False), told("b"), told(None)),
            "0.60": (),
        }, **fields,
    })


def test_the_figures_that_count_at_sea() -> None:
    both = summarise([outcome(1), outcome(2, told={"0.40": (told("c", 25.0),), "0.60": ()})], 0.4)
    assert (both["cruises"], both["swaths"], both["hours"], both["events"]) == (2, 200, 1.0, 5)
    # Strong on 3 swaths and more: a and c, of two cruises each; a of one and c of the other
    assert (both["event_recall"]["hits"], both["event_recall"]["of"]) == (2, 4)
    assert (both["any_recall"]["hits"], both["any_recall"]["of"]) == (3, 6)
    assert (both["false_alerts"], both["duplicates"]) == (1, 1)
    assert both["false_per_hour"]["rate"] == 1.0
    assert both["false_per_hour"]["interval_95"] == pytest.approx([0.0253, 5.572], rel=1e-2)
    place = both["position"]
    assert place["error_m"] == {"median": 10.0, "p95": pytest.approx(23.5), "of": 4}
    assert place["error_of_depth"]["median"] == pytest.approx(0.02)
    assert (place["inside_ellipse"]["hits"], place["inside_ellipse"]["of"]) == (3, 4)
    assert place["first_inside_ellipse"]["hits"] == 0
    assert place["semi_major_over_footprint"]["median"] == 2.0
    assert both["time_to_alert_s"]["median"] == 30.0
    assert (both["empty_flagged"]["hits"], both["empty_flagged"]["of"]) == (4, 80)


def test_a_second_event_of_a_pass_keeps_nobody_waiting() -> None:
    late = replace(told("a"), event_id="f", waited_s=300.0)
    twice = outcome(told={"0.40": (late, told("a"), told("b")), "0.60": ()})
    waited = summarise([twice, replace(twice, plan=Plan(seed=2))], 0.4)["time_to_alert_s"]
    assert waited == {"median": 30.0, "p95": 30.0, "of": 4}


def test_positions_are_told_by_depth() -> None:
    deep = outcome(2, depth_m=2000.0, told={"0.40": (told("c", 25.0),), "0.60": ()})
    bands = summarise([outcome(1), deep], 0.4)["by_depth"]
    assert [band["depth_m"] for band in bands] == [[200.0, 1000.0], [1000.0, None]]
    assert [band["event_recall"]["hits"] for band in bands] == [1, 1]
    assert [band["position"]["error_m"]["of"] for band in bands] == [3, 1]
    assert bands[1]["position"]["error_m"]["median"] == 25.0


def test_nothing_told_is_no_figure() -> None:
    silent = summarise([outcome()], 0.6)
    assert silent["event_recall"]["share"] == 0.0
    assert silent["position"]["error_m"] == {"median": None, "p95": None, "of": 0}
    assert silent["position"]["inside_ellipse"]["share"] is None
    nothing = summarise([outcome(passes=(), hours=0.0)], 0.6)
    assert (nothing["event_recall"]["share"], nothing["false_per_hour"]["rate"]) == (None, None)


def test_the_table_of_the_manifest() -> None:
    assert false_alert_table([outcome(1), outcome(2)]) == [(0.4, 2.0), (0.6, 0.0)]


def test_an_outcome_is_kept_as_it_is(tmp_path: Path) -> None:
    path = write_outcome(tmp_path, outcome(7))
    assert path.name == "cruise-7.json"
    assert read_outcome(path) == outcome(7)
    path.write_text('{"plan": {}}', encoding="utf-8")
    with pytest.raises(FormatError, match=r"cruise-7\.json: expected the outcome of a trial"):
        read_outcome(path)


def test_a_cut_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sailed: list[int] = []
    cuts = [3]

    def sail(plan: Plan, settings: Settings, confidences: tuple[float, ...]) -> Outcome:
        sailed.append(plan.seed)
        if plan.seed in cuts:
            cuts.clear()
            raise InterruptedError
        return outcome(plan.seed)

    def run(settings: Settings, at: tuple[float, ...] = (0.4, 0.6)) -> list[int]:
        done = campaign.sail_all(plans, settings, out=tmp_path, confidences=at)
        return [one.plan.seed for one in done]

    monkeypatch.setattr(campaign, "sail_plan", sail)
    plans = [Plan(seed=seed) for seed in (1, 2, 3, 4)]
    with pytest.raises(InterruptedError):
        run(Settings())
    (tmp_path / "cruise-2.json").write_text("cut", encoding="utf-8")
    assert run(Settings()) == [1, 2, 3, 4]
    assert sailed == [1, 2, 3, 2, 3, 4]
    sailed.clear()
    assert run(Settings()) == [1, 2, 3, 4]
    assert run(replace(Settings(), detector=replace(Settings().detector, confidence=0.9)))
    assert run(replace(Settings(), detector=replace(Settings().detector, alerts_per_hour=3.0)))
    assert sailed == []
    old = replace(outcome(2), code="another version")
    write_outcome(tmp_path, old)
    assert campaign.sail_all(plans[:2], Settings(), out=tmp_path, confidences=(0.4,),
                             keep_old=True)[1] == old
    assert sailed == []
    run(Settings())
    assert sailed == [2]
    sailed.clear()
    with pytest.raises(ConfigurationError, match=r"confidence: expected 0\.05 or more"):
        run(Settings(), at=(0.03, 0.4))
    run(Settings(), at=(0.4, 0.5))
    run(replace(Settings(), detector=replace(Settings().detector, iou=0.9)))
    assert sailed == [1, 2, 3, 4] * 2
