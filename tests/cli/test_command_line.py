"""The program as a newcomer meets it: help, wrong words, wrong files; real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from realdata import real_data

from sonar_watch.cli import COMMANDS


def sonar_watch(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sonar_watch", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=cwd, check=False)


def frames_of(out: Path) -> list[dict[str, Any]]:
    """Return the objects of a result folder's detections.jsonl."""
    return [json.loads(line) for line in (out / "detections.jsonl").read_text().splitlines()]


def test_help_names_every_command() -> None:
    done = sonar_watch("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    done = sonar_watch(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: sonar-watch" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sonar_watch.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'ultralytics', 'openvino', 'cv2', 'matplotlib', 'pydantic', 'zmq'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [(), ("dance",), ("replay",), ("run", "--colour")])
def test_wrong_words_are_usage_errors(words: tuple[str, ...]) -> None:
    done = sonar_watch(*words)
    assert done.returncode == 2
    assert "usage: sonar-watch" in done.stderr


def test_a_wrong_configuration_exits_with_78(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text("traker: {}\n")
    done = sonar_watch("run", "--config", path)
    assert done.returncode == 78
    assert "line 1: unknown key traker" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_watch_over_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text("")
    done = sonar_watch("run", "--config", path)
    assert done.returncode == 78
    assert "nothing to watch" in done.stderr


def test_missing_input_and_missing_weights_are_said(tmp_path: Path) -> None:
    done = sonar_watch("replay", tmp_path / "nowhere.kmall", "--out", tmp_path / "out")
    assert done.returncode == 78
    assert "nowhere.kmall" in done.stderr
    path = tmp_path / "watch.yaml"
    path.write_text("detector:\n  weights: plume-giant\n")
    (tmp_path / "a.kmwcd").write_bytes(b"")
    done = sonar_watch("replay", tmp_path, "--out", tmp_path / "out", "--config", path)
    assert done.returncode == 78
    assert "plume-giant" in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_answers(tmp_path: Path) -> None:
    done = sonar_watch("status", f"ipc://{tmp_path}/nobody", "--timeout", "0.2")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_defaults_are_printed_and_good(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text(sonar_watch("check-config", "--print-default").stdout)
    done = sonar_watch("check-config", path)
    assert done.returncode == 0
    assert "good" in done.stdout


def test_doctor_says_what_it_found() -> None:
    done = sonar_watch("doctor", "--json")
    findings = {line["what"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {"python", "GPU", "weights", "data folder", "clock"} <= set(findings)
    assert findings["weights"]["state"] == "good", findings["weights"]


def test_a_reader_that_leaves_is_no_failure() -> None:
    command = f"{sys.executable} -m sonar_watch check-config --print-default | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


SWATHS = {
    "em710_heincke.wcd": 10,
    "em710_karoline.wcd": 11,
    "em2040_simonstevin.wcd": 11,
    "em2042_os01_a.kmwcd": 5,
    "em2042_os01_b.kmwcd": 5,
    "em2042_os01_c.kmwcd": 5,
    "em2042_os01_d.kmwcd": 4,
    "em2042_os03_a.kmwcd": 6,
    "em2042_os03_b.kmwcd": 6,
    "em2040_tampa.kmwcd": 6,
}
PLACES = {
    "em710_heincke.wcd": (78.527, 10.288),
    "em710_karoline.wcd": (75.194, 26.795),
    "em2040_simonstevin.wcd": (51.492, 2.786),
    "em2040_tampa.kmwcd": (27.583, -82.755),
}


def test_every_real_pair_is_replayed(tmp_path: Path) -> None:
    """All in one process, as a user would; a frame a swath, where the ship was."""
    files = [real_data("kongsberg", name) for name in SWATHS]
    done = sonar_watch("replay", *files, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    frames = frames_of(tmp_path)
    counts = {name: sum(frame["source"]["file"] == name for frame in frames) for name in SWATHS}
    assert counts == SWATHS
    assert [frame["time_utc"] for frame in frames] == sorted(frame["time_utc"] for frame in frames)
    for frame in frames:
        latitude, longitude = PLACES.get(frame["source"]["file"], (51.235, 2.93))
        assert frame["ship"] is not None, frame
        assert frame["ship"]["latitude"] == pytest.approx(latitude, abs=0.012)
        assert frame["ship"]["longitude"] == pytest.approx(longitude, abs=0.012)
    summary = json.loads(done.stdout)
    assert summary["frames"] == sum(SWATHS.values())
    assert summary["quarantined"] == {}


def test_a_cut_file_gives_what_is_whole_and_says_where(tmp_path: Path) -> None:
    whole = real_data("kongsberg", "em2042_os01_a.kmwcd").read_bytes()
    (tmp_path / "line.kmwcd").write_bytes(whole[: len(whole) * 2 // 3])
    done = sonar_watch("replay", tmp_path / "line.kmwcd", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert 0 < summary["frames"] < 5
    assert len(summary["quarantined"]) == 1
    assert "byte" in str(summary["quarantined"])


def test_rendered_pictures_replay_to_the_same_swaths(tmp_path: Path) -> None:
    raw = real_data("kongsberg", "em2040_simonstevin.wcd")
    done = sonar_watch("render", raw, "--out", tmp_path / "pictures", "--annotated")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 11
    for source, out in ((raw, "from_raw"), (tmp_path / "pictures", "from_pictures")):
        assert sonar_watch("replay", source, "--out", tmp_path / out).returncode == 0
    from_raw, from_pictures = (frames_of(tmp_path / out) for out in ("from_raw", "from_pictures"))
    assert len(from_raw) == 11
    for raw_frame, picture_frame in zip(from_raw, from_pictures, strict=True):
        del raw_frame["source"]["file"], picture_frame["source"]["file"]
    assert from_raw == from_pictures


def test_a_folder_holds_one_replay(tmp_path: Path) -> None:
    """Going on with the same one is fine; another is refused, or replaces it on request."""
    files = [real_data("kongsberg", name) for name in ("em2042_os01_b.kmwcd", "em2040_tampa.kmwcd")]
    out = ("--out", tmp_path / "out")
    assert sonar_watch("replay", files[0], *out).returncode == 0
    assert sonar_watch("replay", files[0], *out).returncode == 0
    other = sonar_watch("replay", files[1], *out)
    assert other.returncode == 78
    assert "other inputs" in other.stderr
    assert sonar_watch("replay", files[1], *out, "--fresh").returncode == 0
    assert {frame["source"]["file"] for frame in frames_of(tmp_path / "out")} == {files[1].name}


def test_nothing_found_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.kmwcd").write_bytes(b"no datagram at all" * 100)
    done = sonar_watch("replay", tmp_path / "a.kmwcd", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "no swath was found" in done.stderr
    assert json.loads(done.stdout)["quarantined"]["a.kmwcd"]


def test_importing_the_package_is_quick() -> None:
    code = "from time import *; t = process_time(); import sonar_watch; print(process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.5


def test_a_cruise_is_not_mixed_with_another(tmp_path: Path) -> None:
    words = ("simulate", "--out", tmp_path, "--length", "12", "--depth", "50", "--plumes", "0")
    assert sonar_watch(*words).returncode == 0
    again = sonar_watch(*words)
    assert again.returncode == 78
    assert "holds a simulated cruise" in again.stderr


def test_a_line_too_short_for_a_ping_is_refused(tmp_path: Path) -> None:
    done = sonar_watch("simulate", "--out", tmp_path, "--length", "1", "--depth", "4000")
    assert done.returncode == 78
    assert "before the first ping" in done.stderr


@pytest.mark.parametrize("command", ["render", "simulate", "export"])
def test_a_file_where_a_folder_should_be_is_said(command: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    (tmp_path / "in.kmwcd").write_bytes(b"")
    words = {"simulate": ["--length", "20"], "render": [tmp_path], "export": [tmp_path / "j"]}
    if command == "export":
        from sonar_watch.alerts.journal import Journal

        Journal(tmp_path / "j").close()
    done = sonar_watch(command, *words[command], "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "out" in done.stderr


@pytest.mark.parametrize(
    "words", [("listen", "--count", "0"), ("status", "--timeout", "-1"), ("listen", "tcp://host")]
)
def test_numbers_and_endpoints_that_make_no_sense_end_at_once(words: tuple[str, ...]) -> None:
    assert sonar_watch(*words).returncode in (2, 78)
