"""sonar-watch slides: counts from a folder of tiles, killed and started again, and reviewed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tinyslides import TILE_PX, Disc, add_detector, draw_slide

from sonar_watch.cli import main

DISCS = [Disc("tooth", 100, 100), Disc("denticle", 220, 200)]


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc models")
    add_detector(folder)
    return folder


@pytest.fixture
def config(tmp_path: Path, models_dir: Path) -> Path:
    path = tmp_path / "slides.yaml"
    section = {"weights": "discs", "stages": "one", "window_px": TILE_PX, "overlap_px": 64,
               "models_dir": str(models_dir), "device": "cpu", "threads": 1}  # fmt: skip
    path.write_text(yaml.safe_dump({"slides": section}))
    return path


def add_slide(tmp_path: Path, name: str, discs: list[Disc], site: str = "Site") -> Path:
    folder = tmp_path / "tiles" / site / name.partition("_")[0] / name
    return draw_slide(folder, discs, {(0, 0): (0, 0)}, name=name, seed=int(name[-3:]))[0]


def command(tmp_path: Path, config: Path, *words: str, out: str = "out") -> list[str]:
    return ["slides", str(tmp_path / "tiles"), "--out", str(tmp_path / out), "--config",
            str(config), "--um-per-px", "2", "--tables-only", *words]  # fmt: skip


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one JSON line on stdout."""
    (line,) = capsys.readouterr().out.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


def contents(out: Path) -> dict[str, bytes]:
    """Return the files that a run is to leave the same: its diary and its records apart."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.relative_to(out).parts[0] not in
        ("slides", "history.jsonl", ".lock")
    }  # fmt: skip


def test_slides_are_counted_and_counted_again_without_work(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        add_slide(tmp_path, f"A_{number:03}", DISCS)
    assert main(command(tmp_path, config)) == 0
    first = told(capsys)
    assert first["counts"] == {"denticle": 2, "tooth": 2}
    assert (first["slides"], first["tiles"], first["problems"]) == (2, 2, 0)
    assert first["ran"]["boxes"] == 2
    before = contents(tmp_path / "out")
    assert {"detections.csv", "census.csv", "tiles.csv", "problems.csv"} < {*before}
    assert main(command(tmp_path, config)) == 0
    assert told(capsys) == {**first, "ran": {}}
    assert contents(tmp_path / "out") == before


def test_a_broken_tile_is_told_and_strict_fails(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_slide(tmp_path, "A_001", DISCS)
    tile = add_slide(tmp_path, "A_002", DISCS)
    tile.write_bytes(tile.read_bytes()[:-40])
    assert main(command(tmp_path, config)) == 0
    assert told(capsys)["problems"] == 1
    assert "A_002_0_0.png" in (tmp_path / "out" / "problems.csv").read_text()
    assert main(command(tmp_path, config, "--strict")) == 1
    assert told(capsys)["counts"] == {"denticle": 1, "tooth": 1}


def test_a_person_s_verdicts_are_applied_and_learnt_from(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_slide(tmp_path, "A_001", DISCS)
    assert main(command(tmp_path, config, "--review")) == 0
    page = Path(told(capsys)["review"])
    assert page.is_file()
    assert len(list((page.parent / "crops").rglob("*.jpg"))) == 2
    from sonar_watch.ichthyolith.tables import read_detections

    objects = read_detections(tmp_path / "out" / "detections.csv")
    for name, said in (("ann", ("tooth", "noise")), ("bob", ("tooth", "tooth"))):
        rows = [
            {"object_id": one.object_id, "class": word, "seen_class": one.class_name, "slide": "s",
             "image": one.best.image, "xyxy_px": list(one.best.xyxy_px)}
            for one, word in zip(objects, said, strict=True)
        ]  # fmt: skip
        body = {"schema": "sonar_watch.slide_verdicts/1", "reviewer": name, "verdicts": rows}
        (tmp_path / name).mkdir()
        (tmp_path / name / "verdicts.json").write_text(json.dumps(body))
    files = [str(tmp_path / name / "verdicts.json") for name in ("ann", "bob")]
    lessons = str(tmp_path / "lessons")
    assert main(command(tmp_path, config, "--apply", files[0], "--labels", lessons)) == 0
    after = told(capsys)
    assert (after["counts"], after["rejected"], after["reviewed"]) == ({"tooth": 1}, 1, 2)
    assert after["ran"] == {}
    assert Path(after["labels"]["data"]).is_file()
    assert main(command(tmp_path, config)) == 0
    assert "the verdicts of verdicts.json were counted here before" in capsys.readouterr().err
    assert main(command(tmp_path, config, "--apply", *files)) == 0
    assert told(capsys)["counts"] == {"tooth": 2}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [*manifest["verdicts"]] == files  # both, though their names are the same
    assert main(command(tmp_path, config, "--apply", files[0])) == 0
    said = capsys.readouterr().err
    assert f"the verdicts of {files[1]} were counted here before" in said
    assert files[0] not in said


def test_plots_sheets_and_profiles_are_drawn_and_taken_away(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_slide(tmp_path, "A_001", DISCS)
    samples = tmp_path / "samples.csv"
    samples.write_text("sample,depth_m,dry_mass_g,ree_ppm\nA,12.5,0.5,900\n")
    words = [word for word in command(tmp_path, config) if word != "--tables-only"]
    assert main([*words, "--samples", str(samples), "--beside", "ree_ppm"]) == 0
    out = tmp_path / "out"
    drawn = {path.name for path in (out / "plots").iterdir()}
    assert drawn == {f"{name}.{end}" for name in ("counts", "sizes", "profile")
                     for end in ("png", "pdf")}  # fmt: skip
    assert {path.name for path in (out / "sheets").iterdir()} == {"tooth.png", "denticle.png"}
    assert "900" in (out / "profile.csv").read_text()
    assert main(command(tmp_path, config)) == 0
    assert not (out / "profile.csv").exists()
    assert "fontTools" not in capsys.readouterr().err


def test_sites_have_profiles_of_their_own_and_no_sample_in_common(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, site in (("A_001", "East"), ("B_001", "East"), ("C_001", "West")):
        add_slide(tmp_path, name, DISCS, site)
    samples = tmp_path / "samples.csv"
    samples.write_text("sample,depth_m,ree_ppm\nC,1,500\nA,3,900\nB,2,700\n")
    words = [word for word in command(tmp_path, config) if word != "--tables-only"]
    words += ["--samples", str(samples), "--beside", "ree_ppm"]
    assert main(words) == 0
    drawn = {path.stem for path in (tmp_path / "out" / "plots").iterdir()}
    assert drawn == {"counts", "sizes", "profile_East", "profile_West", "beside_East"}
    rows = (tmp_path / "out" / "profile.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["B", "A", "C"]
    add_slide(tmp_path, "A_001", DISCS, "West")
    capsys.readouterr()
    assert main(words) == 78
    assert "sample A is there at East and at West" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["slides", "/nowhere", "--out", "o"], "/nowhere: no such file or folder"),
        (["slides", ".", "--out", "o"], "lies within"),
        (["slides", "slides.yaml", "--out", "o", "--labels", "n"], "--labels: without effect"),
        (["slides", ".", "--out", "o", "--confidence", "0.001"], "confidence: expected auto"),
        (["slides", ".", "--out", "../o", "--beside", "ree"], "--beside: without effect without"),
        (["slides", ".", "--out", "../o", "--apply", "v.json"], "v.json: no such file"),
        (["bench", "slides"], "bench slides: expected DIR"),
        (["bench", "slides", ".", "--subscribers", "3"], "--subscribers: without effect"),
        (["bench", "--load", "1", "--turns", "7"], "--turns: without effect without slides"),
    ],
)
def test_wrong_words_are_refused_and_nothing_is_written(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], words: list[str], message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 78
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["slides.yaml"]


def test_settings_of_slides_are_checked_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiles").mkdir()
    path = tmp_path / "wrong.yaml"
    path.write_text("log_level: info\nslides:\n  stages: three\n")
    assert main(command(tmp_path, path)) == 78
    assert "line 3: slides.stages" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_any_time_it_ends_with_the_same_files(tmp_path: Path, config: Path) -> None:
    names = [f"{'AB'[number % 2]}_{number:03}" for number in range(30)]
    for name in names:
        add_slide(tmp_path, name, DISCS[: int(name[-3:]) % 3])
    program = [sys.executable, "-m", "sonar_watch", *command(tmp_path, config)]
    for done in (1, 15):
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 400
            while len(list((tmp_path / "out" / "slides").rglob("*.json"))) < done:
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < deadline
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    last = subprocess.run(program, capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(last.stdout)["ran"].get("boxes", 0) < len(names)
    whole = [sys.executable, "-m", "sonar_watch", *command(tmp_path, config, out="whole")]
    subprocess.run(whole, capture_output=True, timeout=600, check=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
