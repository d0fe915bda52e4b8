"""sonar-watch evaluate --injected, without sailing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sonar_watch.cli import main
from sonar_watch.settings import Settings
from sonar_watch.trials import campaign
from sonar_watch.trials.cruises import Outcome, key_of
from sonar_watch.trials.plans import Plan


def quiet(plans: Sequence[Plan], settings: Settings, **rest: Any) -> list[Outcome]:
    """Nothing told, whatever is sailed."""
    keys = [key_of(confidence) for confidence in rest["confidences"]]
    return [
        Outcome(
            plan=plan, sounder="em710", depth_m=210.0, swaths=plan.swaths, hours=0.5, cpu_ms=9.0,
            weights=settings.detector.weights, config="", code="", encoding="layers",
            runtime="test", empty=10, empty_flagged=dict.fromkeys(keys, 1), passes=(),
            told=dict.fromkeys(keys, ()),
        )
        for plan in plans
    ]


def test_kinds_and_files_have_rows_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "sail_all", quiet)
    monkeypatch.setenv("SONAR_WATCH_MODELS", str(tmp_path))
    (tmp_path / "frozen.yaml").write_text("surveys: [b]\n", "utf-8")
    files = [tmp_path / "a.wcd", tmp_path / "b.kmwcd"]
    for path in files:
        path.touch()
    words = ["--injected", *map(str, files), "--cruises", "3", "--swaths", "20",
             "--weights", "classical", "--confidence", "0.3", "--out", str(tmp_path)]
    assert main(["evaluate", *words]) == 0
    told = capsys.readouterr()
    rows = [json.loads(line) for line in told.out.splitlines()]
    at = [row for row in rows if row["confidence"] == 0.3]
    assert [(row["kind"], row["survey"], row["cruises"]) for row in at] == [
        ("injected", "all", 3), ("injected", "a", 2), ("injected", "b", 1),
        ("deepened", "all", 2), ("deepened", "a", 1), ("deepened", "b", 1),
        ("real", "all", 2), ("real", "a", 1), ("real", "b", 1),
    ]
    assert {row["working_confidence"] for row in rows} == {0.3}
    assert at[0]["empty_flagged"]["hits"] == 3
    assert "a.wcd: not kept from training by any frozen.yaml" in told.err
    assert "b.kmwcd" not in told.err
    assert json.loads((tmp_path / "summary.json").read_text("utf-8")) == rows


def test_the_classical_detector_sails_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "sail_all", quiet)
    (tmp_path / "a.wcd").touch()
    words = ["--injected", str(tmp_path / "a.wcd"), "--cruises", "1", "--confidence", "0.3"]
    assert main(["evaluate", *words, "--baseline"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    beside = [row for row in rows if row["weights"] == "classical"]
    assert [(row["kind"], row["survey"]) for row in beside] == [
        (kind, survey) for kind in ("injected", "deepened", "real") for survey in ("all", "a")
    ]
    assert {row["confidence"] for row in beside} == {beside[0]["working_confidence"]}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--injected", "a.wcd"], "expected one of DATA"),
        (["--injected", "a.wcd", "--nights", "1"], "--injected: without effect on nights"),
        (["--injected", "a.wcd", "--cruises", "1", "--family", "em304"], "--family: without"),
        (["--injected", "no-such.wcd", "--cruises", "1"], "no-such.wcd"),
    ],
)
def test_what_cannot_be_asked_for(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words]) == 78
    assert complaint in capsys.readouterr().err
