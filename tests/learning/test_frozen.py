"""What training must never see is recognised wherever it lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.learning.annotations import read_dataset, write_dataset
from sonar_watch.learning.frozen import FrozenSurveys, known_frozen, read_frozen, refuse_frozen

KEPT = FrozenSurveys(patterns=("em710_karoline", "frozen-*"), seeds=((900, 999),))


def make_set(root: Path, surveys: dict[str, list[str]] | None = None, **said: bool) -> Path:
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
    return write_dataset(root, ("signal",), surveys=surveys, **said)


@pytest.mark.parametrize(
    ("survey", "kept"),
    [("em710_karoline", True), ("em710_karoline-inj-3", True), ("em710_karoline2", False),
     ("em710_heincke", False), ("frozen-000001", True), ("sim-900-000001", True),
     ("sim-899-000999", False), ("inj-950-000001", True), ("sim-1-000950", False), ("", False)],
)
def test_a_survey_is_kept_by_its_name_or_its_seed(survey: str, kept: bool) -> None:
    assert (survey in KEPT) is kept


def test_a_set_says_what_it_is_of(tmp_path: Path) -> None:
    data = make_set(tmp_path, {"train": ["b", "a", "a"], "val": []}, frozen=True)
    dataset = read_dataset(data)
    assert (dataset.frozen, dataset.surveys) == (True, {"train": ("a", "b"), "val": ()})
    assert read_dataset(make_set(tmp_path / "plain")).frozen is False


def test_a_set_is_refused_by_its_word_its_surveys_or_its_truth(tmp_path: Path) -> None:
    refuse_frozen(make_set(tmp_path / "good", {"train": ["sim-1-000001"]}), KEPT)
    with pytest.raises(ConfigurationError, match="frozen: it is for tests"):
        refuse_frozen(make_set(tmp_path / "a", frozen=True), KEPT)
    with pytest.raises(ConfigurationError, match=r"kept for tests \(sim-910-000002\)"):
        refuse_frozen(make_set(tmp_path / "b", {"val": ["sim-910-000002"]}), KEPT)
    told = make_set(tmp_path / "c")
    truth = tmp_path / "c" / "truth" / "train.jsonl"
    truth.parent.mkdir()
    truth.write_text(json.dumps({"survey": "em710_karoline"}) + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="em710_karoline"):
        refuse_frozen(told, KEPT)


def test_pictures_borrowed_from_a_frozen_set_are_refused(tmp_path: Path) -> None:
    make_set(tmp_path / "test", frozen=True)
    borrowed = write_dataset(
        tmp_path, ("signal",), train=str(tmp_path / "test" / "images" / "train"),
        val=str(tmp_path / "test" / "images" / "val"),
    )
    with pytest.raises(ConfigurationError, match="frozen: it is for tests"):
        refuse_frozen(borrowed, FrozenSurveys())


def test_the_lists_of_all_model_folders_count_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frozen.yaml").write_text(
        "surveys: [harbour]\nsimulated_seeds: [[5, 7]]\n", encoding="utf-8"
    )
    monkeypatch.setenv("SONAR_WATCH_MODELS", str(tmp_path))
    kept = known_frozen()
    assert "harbour" in kept
    assert "sim-6-000000" in kept


@pytest.mark.parametrize("text", ["surveys: 5", "simulated_seeds: [[1]]", "- a", "a: ["])
def test_a_broken_list_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "frozen.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="expected surveys kept for tests"):
        read_frozen(tmp_path / "frozen.yaml")
