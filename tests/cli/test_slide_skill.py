"""From labels to the manifest to the census: counts are corrected by what was measured."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from realdata import real_data
from tinyslides import DISC_PX, TILE_PX, Disc, add_classifier, add_detector, draw_slide

from sonar_watch.cli import main
from sonar_watch.detection.weights import read_manifest
from sonar_watch.errors import ConfigurationError, WeightsError
from sonar_watch.ichthyolith.labels import read_labels
from sonar_watch.ichthyolith.measured import RunFacts, skill_target
from sonar_watch.ichthyolith.tree import read_tree

DRAWN = {
    "A_001": [Disc("tooth", 80, 80), Disc("tooth", 200, 90), Disc("denticle", 120, 240)],
    "A_002": [Disc("denticle", 160, 160), Disc("tooth", 240, 60), Disc("fake", 60, 260)],
}
"""The fakes, and the tooth at (200, 90), are none; a tooth at (260, 260) of A_001 is not seen."""

Words = list[str]


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    add_detector(folder)
    add_detector(folder, "keener", gain=0.95)
    add_classifier(folder)
    add_classifier(folder, "looks again", sharpness=20.0)
    return folder


@pytest.fixture
def config(tmp_path: Path, models_dir: Path) -> Path:
    path = tmp_path / "slides.yaml"
    section = {"weights": "discs", "classifier": "looks", "stages": "one", "window_px": TILE_PX,
               "overlap_px": 64, "confidence": 0.3, "models_dir": str(models_dir), "device": "cpu",
               "threads": 1}  # fmt: skip
    path.write_text(yaml.safe_dump({"slides": section}))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two slides with what a person marked on them."""
    root, tiles = tmp_path / "tiles", []
    for name, discs in DRAWN.items():
        folder = root / "Site" / "A" / name
        (path,) = draw_slide(folder, discs, {(0, 0): (0, 0)}, name=name, seed=len(tiles))
        seen = [disc for disc in discs if disc.class_name != "fake" and disc.x_px != 200]
        if name == "A_001":
            seen.append(Disc("tooth", 260, 260))
        tiles.append({
            "image": path.relative_to(root).as_posix(), "site": "Site", "sample": "A",
            "slide": name if name == "A_001" else "002", "objects": [_label(disc) for disc in seen],
        })  # fmt: skip
    (root / "labels.json").write_text(json.dumps(tiles))
    return root


def _label(disc: Disc) -> dict[str, Any]:
    half = DISC_PX / 2
    box = [disc.x_px - half, disc.y_px - half, disc.x_px + half, disc.y_px + half]
    return {"box": box, "class": disc.class_name, "certainty": "sure", "cut": False}


def count(root: Path, out: Path, config: Path, *words: str) -> Path:
    """Run `sonar-watch slides` and return its detections.csv."""
    common = ["--config", str(config), "--um-per-px", "2", "--tables-only"]
    assert main(["slides", str(root), "--out", str(out), *common, *words]) == 0
    return out / "detections.csv"


def record(root: Path, config: Path, *words: str) -> int:
    return main(["evaluate", "--slides", str(root), "--config", str(config), "--record",
                 "--detections", *words])  # fmt: skip


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def corrected(out: Path) -> dict[str, str]:
    """Return the corrected counts of the sample."""
    with (out / "census.csv").open() as file:
        (row,) = (row for row in csv.DictReader(file) if row["level"] == "sample")
    return {name.removesuffix("_corrected"): value for name, value in row.items()
            if name.endswith("_corrected")}  # fmt: skip


def test_counts_are_corrected_by_what_was_recorded(
    root: Path, tmp_path: Path, config: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = count(root, tmp_path / "out", config)
    assert {*corrected(tmp_path / "out").values()} == {""}
    assert record(root, config, str(found)) == 0
    told = last_line(capsys)
    # Found: 3 teeth and a fake that looks like one, of which 2 are labelled, and both denticles.
    skill = {"tooth": [2, 2, 1], "denticle": [2, 0, 0], "ichthyolith": [4, 2, 1]}
    assert told == {"recorded": str(models_dir / "MANIFEST.yaml"), "weights": "discs",
                    "stages": "one", "skill": skill}  # fmt: skip
    kept = read_manifest(models_dir)["discs"].scores["slides"]["one"]
    assert (kept["skill"], kept["confidence"], kept["tiles"]) == (skill, 0.3, 2)
    count(root, tmp_path / "out", config)
    after = last_line(capsys)
    assert (after["ran"], after["counts"]) == ({}, {"denticle": 2, "tooth": 4})
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["skill"] == skill
    right = corrected(tmp_path / "out")
    assert float(right["tooth"]) == pytest.approx(4 * (2 / 4) / (2 / 3))
    assert float(right["denticle"]) == 2
    assert float(right["ichthyolith"]) == pytest.approx(6 * (4 / 6) / (4 / 5))
    assert right.get("sawtoothed", "") == ""


def test_the_real_labels_name_the_slides_of_the_real_tree() -> None:
    root = real_data("slides")
    keys = frozenset((slide.sample, slide.slide) for slide in read_tree(root)[0])
    run = RunFacts(path=root, weights=("a", "b"), classifier=None, confidence=0.3, options={},
                   reviewed=False, slides=keys)  # fmt: skip
    with pytest.raises(WeightsError, match="weights 'none': named by no"):  # nothing before that
        skill_target([run], read_labels(root), weights="none")
    with pytest.raises(ConfigurationError, match="several looked at Site_1149"):
        skill_target([run, run], read_labels(root), weights="none")


def test_two_stages_are_recorded_beside_one_and_hold_for_this_classifier(
    root: Path, tmp_path: Path, config: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(root, config, str(count(root, tmp_path / "one", config))) == 0
    found = count(root, tmp_path / "two", config, "--two-stage")
    assert record(root, config, str(found)) == 0
    kept = read_manifest(models_dir)["discs"].scores["slides"]
    assert [*kept] == ["one", "two"]
    assert kept["two"]["skill"]["tooth"] == [2, 1, 1]  # the classifier knows the fake
    assert (kept["two"]["classifier"], kept["two"]["accept"]) == ("looks", 0.5)
    count(root, tmp_path / "two", config, "--two-stage")
    assert corrected(tmp_path / "two")["tooth"]
    add_classifier(models_dir, sharpness=25.0)  # of the same name
    count(root, tmp_path / "two", config, "--two-stage")
    assert corrected(tmp_path / "two")["tooth"] == ""
    assert "not corrected" in capsys.readouterr().err
    assert record(root, config, str(tmp_path / "one" / "detections.csv")) == 0


def test_runs_of_several_trainings_stand_for_the_weights_named(
    root: Path, tmp_path: Path, config: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_detector(models_dir, "all", gain=0.92)
    folds = [
        str(count(root / "Site" / "A" / slide, tmp_path / slide, config, "--weights", name))
        for slide, name in (("A_001", "discs"), ("A_002", "keener"))
    ]
    assert record(root, config, ",".join(folds)) == 78
    assert "expected runs of one weights, received discs (" in capsys.readouterr().err
    assert record(root, config, ",".join(folds), "--weights", "all") == 0
    caught = capsys.readouterr()
    assert "is that of 2 others, which stand for them" in caught.err
    models = read_manifest(models_dir)
    assert models["all"].scores["slides"]["one"]["skill"]["tooth"] == [2, 2, 1]
    shas = {models[name].sha256[:12] for name in ("discs", "keener")}
    assert {*models["all"].scores["slides"]["one"]["measured_with"]} == shas
    assert models["discs"].scores == {}
    count(root, tmp_path / "out", config, "--weights", "all")
    assert corrected(tmp_path / "out")["tooth"]


@pytest.fixture
def runs(root: Path, tmp_path: Path, config: Path) -> dict[str, str]:
    """Runs that differ, by name."""
    part = root / "Site" / "A"
    made = {
        "good": count(root, tmp_path / "good", config),
        "first": count(part / "A_001", tmp_path / "first", config),
        "second": count(part / "A_002", tmp_path / "second", config, "--confidence", "0.4"),
        "two": count(part / "A_001", tmp_path / "two", config, "--two-stage"),
        "again": count(part / "A_002", tmp_path / "again", config, "--two-stage",
                       "--classifier", "looks again"),
    }  # fmt: skip
    return {name: str(path) for name, path in made.items()}


def test_what_cannot_be_recorded_is_refused(
    root: Path, tmp_path: Path, config: Path, models_dir: Path, runs: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone = tmp_path / "alone.csv"
    alone.write_bytes(Path(runs["good"]).read_bytes())
    body = json.loads((tmp_path / "first" / "manifest.json").read_text())
    (tmp_path / "first" / "manifest.json").write_text(
        json.dumps({**body, "verdicts": {"verdicts.json": "ab"}})
    )
    for words, message in (
        ([runs["good"], runs["two"]], "expected one run, or several pooled"),
        ([runs["good"], "--confidence", "0.5"], "--record: without effect with --confidence"),
        ([str(alone)], "expected manifest.json beside it"),
        ([runs["second"]], "none looked at Site/A/A_001"),
        ([runs["first"], "--only", "A_001"], "people's verdicts are in it"),
        ([f"{runs['two']},{runs['second']}"], "confidence 0.3 there, 0.4 here; stages two there"),
        ([f"{runs['two']},{runs['again']}"], "expected runs of one classifier, received looks ("),
        ([runs["good"], "--classifier", "looks"], "the runs had one stage"),
        ([runs["good"], "--weights", "none"], "weights 'none': named by no MANIFEST.yaml"),
    ):
        assert record(root, config, *words) == 78, words
        caught = capsys.readouterr()
        assert message in caught.err, words
        assert caught.out == ""
    add_detector(models_dir, gain=0.97)  # trained anew
    assert record(root, config, runs["good"]) == 78
    assert "weights of this name are others now" in capsys.readouterr().err
    add_detector(models_dir)
    assert not any(one.scores for one in read_manifest(models_dir).values())
    both = [f"{runs['two']},{runs['again']}", "--classifier", "looks"]
    assert record(root, config, *both) == 0
    assert main(["evaluate", "--slides", str(root), "--detections", runs["good"],
                 "--weights", "discs"]) == 78  # fmt: skip
    assert "--weights: without effect without --record" in capsys.readouterr().err
