"""What training must never see is recognised wherever it lies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.learning.annotations import read_dataset, write_dataset
from sonar_watch.learning.frozen import (
    FrozenSurveys,
    expect_recorded,
    known_frozen,
    read_frozen,
    refuse_frozen,
    refuse_shared_surveys,
    surveys_of,
)
from sonar_watch.trials.plans import FIRST_SEED

KEPT = FrozenSurveys(
    patterns=("em710_karoline", "frozen-*"), seeds=((900, 999),), trial_seeds=((700, 709),)
)


def make_set(root: Path, surveys: dict[str, list[str]] | None = None, **said: Any) -> Path:
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
    return write_dataset(root, ("signal",), surveys=surveys, **said)


def tell(root: Path, split: str, *lines: dict[str, object]) -> Path:
    """Write the truth of a split."""
    path = root / "truth" / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("survey", "kept"),
    [("em710_karoline", True), ("em710_karoline-inj-3", True), ("em710_karoline2", False),
     ("em710_heincke", False), ("frozen-000001", True), ("sim-900-000001", True),
     ("sim-899-000999", False), ("inj-950-000001", True), ("sim-1-000950", False), ("", False),
     ("sim-700-000001", True), ("EM710_Karoline-inj-3", True)],
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
    tell(tmp_path / "c", "train", {"survey": "em710_karoline"})
    with pytest.raises(ConfigurationError, match="em710_karoline"):
        refuse_frozen(told, KEPT)


def test_every_survey_of_a_sheet_counts(tmp_path: Path) -> None:
    data = make_set(tmp_path)
    tell(tmp_path, "train", {"survey": "sim-1-1", "surveys": ["sim-1-1", "sim-950-2"]})
    assert surveys_of(data) == {"sim-1-1", "sim-950-2"}
    with pytest.raises(ConfigurationError, match="sim-950-2"):
        refuse_frozen(data, KEPT)


def test_pictures_of_a_frozen_set_are_found_in_folders_and_behind_links(tmp_path: Path) -> None:
    make_set(tmp_path / "test", frozen=True)
    picture = tmp_path / "test" / "images" / "val" / "deep" / "a.png"
    picture.parent.mkdir()
    picture.write_bytes(b"")
    wide = write_dataset(tmp_path, ("signal",), train="test/images", val="test/images")
    linked = make_set(tmp_path / "linked")
    link = tmp_path / "linked" / "images" / "train" / "some" / "b.png"
    link.parent.mkdir()
    link.symlink_to(picture)
    inside = write_dataset(tmp_path / "test" / "images", ("signal",), train="val/deep", val="val")
    for data in (wide, linked, inside):
        with pytest.raises(ConfigurationError, match=r"test/dataset\.yaml: frozen"):
            refuse_frozen(data, FrozenSurveys())


@pytest.mark.parametrize("where", ["file", "truth"])
def test_splits_that_share_a_survey_are_refused(tmp_path: Path, where: str) -> None:
    names = {"train": ["a", "b"], "val": ["b" if where == "file" else "c"]}
    data = make_set(tmp_path, names)
    if where == "truth":
        refuse_shared_surveys(data)
        tell(tmp_path, "val", {"survey": "c", "surveys": ["c", "b"]})
    with pytest.raises(ConfigurationError, match="training and validation share b"):
        refuse_shared_surveys(data)


def test_a_set_that_names_no_survey_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_shared_surveys(make_set(tmp_path))
    assert "names no surveys" in caplog.text


def test_a_recorded_truth_may_not_change(tmp_path: Path) -> None:
    data = make_set(tmp_path, {"val": ["frozen-1-000001"]}, frozen=True)
    truth = tell(tmp_path, "val", {"survey": "frozen-1-000001", "boxes": []})
    right = hashlib.sha256(truth.read_bytes()).hexdigest()
    expect_recorded(data, "val", FrozenSurveys(truth_sha256={"frozen-1-*": right}))
    expect_recorded(data, "val", FrozenSurveys(truth_sha256={"frozen-2-*": "0"}))
    with pytest.raises(ConfigurationError, match="expected the truth that"):
        expect_recorded(data, "val", FrozenSurveys(truth_sha256={"frozen-1-*": "0"}))


def test_the_cruises_of_trials_are_kept_from_training_and_from_sets() -> None:
    kept = known_frozen()
    assert kept.reserves(FIRST_SEED)
    assert not kept.has_seed(FIRST_SEED)
    assert kept.has_seed(900_000_001)


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
