"""Weights are found in the stated order and never opened unchecked."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    MODELS_VARIABLE,
    WeightsEntry,
    WeightsFile,
    find_weights,
    model_folders,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import ConfigurationError, WeightsError

SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def make_entry(folder: Path, name: str = "plume-n", **changes: object) -> WeightsEntry:
    facts: dict[str, object] = {
        "name": name,
        "files": {"torch": WeightsFile(path=folder / f"{name}.pt", sha256=SHA_OF_ABC)},
        "classes": ("signal", "noise"),
        "input_size": (640, 512),
        "head": "end2end",
        "architecture": "yolo26n",
        "trained_on": "a sea of speckle",
        "licence": "AGPL-3.0-or-later",
        "scores": {"f1": 0.5},
    }
    return WeightsEntry(**(facts | changes))  # type: ignore[arg-type]


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    entries = {name: make_entry(tmp_path, name) for name in ("b", "a")}
    write_manifest(tmp_path, entries)
    assert read_manifest(tmp_path) == entries
    assert not list(tmp_path.glob("*.tmp"))


def test_bytes_are_checked_before_they_are_given(tmp_path: Path) -> None:
    file = make_entry(tmp_path).file("torch")
    with pytest.raises(WeightsError, match=r"plume-n\.pt: cannot be read"):
        file.read()
    file.path.write_bytes(b"abc")
    assert file.read() == b"abc"
    file.path.write_bytes(b"abcd")
    with pytest.raises(WeightsError, match=f"expected sha256 {SHA_OF_ABC}, received 88d4266f"):
        file.read()
    with pytest.raises(WeightsError, match="put back the file"):
        make_entry(tmp_path).check()


def test_the_torch_hash_names_the_model(tmp_path: Path) -> None:
    assert make_entry(tmp_path).sha256 == SHA_OF_ABC
    with pytest.raises(WeightsError, match="expected a file for 'openvino'"):
        make_entry(tmp_path).file("openvino")


def test_of_a_graph_and_its_numbers_the_numbers_name_the_model(tmp_path: Path) -> None:
    """Weights trained further have the same graph: what they found must not count as known."""
    graph, numbers = (WeightsFile(path=tmp_path / name, sha256=name) for name in ("xml", "bin"))
    files = {"openvino": graph, "openvino_weights": numbers}
    assert make_entry(tmp_path, files=files).sha256 == "bin"


def test_folders_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONAR_WATCH_MODELS", str(tmp_path / "env"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    folders = model_folders()
    below = tmp_path / "user" / "sonar_watch" / "models"
    assert folders[0] == tmp_path / "env"
    assert folders[1] == below
    assert [one.parents[1].name for one in folders[2:4]] == ["one", "two"]
    assert folders[4].name == "models"
    below.mkdir(parents=True)
    write_manifest(below, {"mine": make_entry(below, "mine")})
    assert find_weights("mine").file("torch").path == below / "mine.pt"
    (tmp_path / "env").mkdir()
    write_manifest(tmp_path / "env", {"mine": make_entry(tmp_path / "env", "mine")})
    assert find_weights("mine").file("torch").path.parent == tmp_path / "env"


def test_a_given_folder_is_the_only_one(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"other": make_entry(tmp_path, "other")})
    with pytest.raises(WeightsError, match=rf"'plume-n': named by no .* in {tmp_path}; .*other"):
        find_weights("plume-n", tmp_path)


def test_a_wrong_name_is_a_wrong_setting_and_a_folder_that_is_away_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="known there: plume") as away:
        find_weights("mine")
    assert not isinstance(away.value, ConfigurationError)
    write_manifest(tmp_path, {"other": make_entry(tmp_path, "other")})
    with pytest.raises(ConfigurationError, match="known there: other"):
        find_weights("mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {}", "schema: sonar_watch.models/1"),
        ("a: [", "expected a manifest"),
        ("schema: sonar_watch.models/1\nmodels: {x: {}}", "model 'x': KeyError 'input_size'"),
        ("schema: sonar_watch.models/1\nmodels: {x: 3}", "model 'x': TypeError"),
    ],
)
def test_a_broken_manifest_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(WeightsError, match=message):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "anchor"}, "head: expected one of"),
        ({"channels": 2}, "channels: expected 1 or 3"),
        ({"files": {}}, "files: expected some of"),
    ],
)
def test_a_model_no_runtime_could_use_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_manifest(tmp_path, {"x": make_entry(tmp_path, "x", **changes)})
    with pytest.raises(WeightsError, match=message):
        read_manifest(tmp_path)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"x": make_entry(tmp_path, "x")})
    manifest = tmp_path / MANIFEST_NAME
    manifest.write_text(manifest.read_text().replace("name: x.pt", "name: ../x.pt"))
    with pytest.raises(WeightsError, match="expected a plain file name"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected a manifest of models"):
        read_manifest(tmp_path)
