"""Labelled sets: sheets of fans with labels that lie on what they name, split by survey."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.images import read_image
from sonar_watch.learning.annotations import label_path, read_dataset, read_labels
from sonar_watch.simulation.dataset import DatasetOptions, make_dataset, make_shard, shards_of
from sonar_watch.watercolumn.disturb import weather

OPTIONS = DatasetOptions(
    scenes=10,
    swaths_per_scene=8,
    warm_up=3,
    pictures_per_scene=3,
    validation_share=0.2,
    depth_m=(100.0, 1000.0),
    seed=5,
    max_side_px=512,
    sheet_px=320,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small set."""
    out = tmp_path_factory.mktemp("set")
    done: list[int] = []
    assert make_dataset(out, OPTIONS, done.append) == out / "dataset.yaml"
    assert sum(done) == OPTIONS.scenes
    return out


def truth(root: Path, split: str) -> list[dict[str, Any]]:
    text = (root / "truth" / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_labels_are_brighter_than_their_picture(made: Path) -> None:
    dataset = read_dataset(made / "dataset.yaml")
    assert dataset.class_names == ("signal", "noise")
    levels = []
    for path in dataset.images["train"]:
        image = read_image(path)
        assert image.shape == (320, 320, 3)
        contrast = image[..., 1]
        labels = read_labels(label_path(path), 320, 320, dataset.class_names)
        for x1, y1, x2, y2 in labels.xyxy.round().astype(int):
            inside = contrast[y1:y2, x1:x2]
            levels.append(inside[inside > 0].mean() / np.median(contrast[contrast > 0]))
    assert len(levels) > 5
    assert sum(level > 1.0 for level in levels) > 0.9 * len(levels)


def test_splits_share_no_survey_and_truth_names_every_picture(made: Path) -> None:
    dataset = read_dataset(made / "dataset.yaml")
    assert not set(dataset.surveys["train"]) & set(dataset.surveys["val"])
    assert len(dataset.surveys["val"]) == 2
    for split in ("train", "val"):
        named = [made / line["image"] for line in truth(made, split)]
        assert sorted(named) == list(dataset.images[split])
    assert {line["kind"] for line in truth(made, "val")} == {"simulated"}


def test_truth_holds_the_labels_and_the_faint_boxes_beside_them(made: Path) -> None:
    names = read_dataset(made / "dataset.yaml").class_names
    lines = truth(made, "val") + truth(made, "train")
    boxes = [box for line in lines for box in line["boxes"]]
    assert all(box["contrast_db"] >= 5.0 for box in boxes if not box["ignored"])
    for line in lines:
        path = made / line["image"]
        height, width = read_image(path).shape[:2]
        labels = read_labels(label_path(path), width, height, names)
        wanted = [box["xyxy"] for box in line["boxes"] if not box["ignored"]]
        np.testing.assert_allclose(labels.xyxy, np.reshape(wanted, (-1, 4)), atol=0.1)


def test_some_training_fans_are_grey_and_validation_fans_are_not(made: Path) -> None:
    def greyness(path: Path) -> float:
        image = read_image(path).astype(int)
        seen = image.any(axis=2)
        return float((np.ptp(image, axis=2) == 0)[seen].mean())

    dataset = read_dataset(made / "dataset.yaml")
    assert max(greyness(path) for path in dataset.images["val"]) < 0.2
    shares = [greyness(path) for path in dataset.images["train"]]
    assert 0.1 < np.mean(shares) < 0.6


def test_grey_pictures_pass_through_a_screenshot(tmp_path: Path) -> None:
    plain = replace(OPTIONS, scenes=2, validation_share=1.0, encoding="grey", disturbed_share=1.0)
    shown = {
        name: read_dataset(make_dataset(tmp_path / name, plain, disturb=disturb)).images["val"]
        for name, disturb in (("plain", None), ("weathered", weather))
    }
    alike = []
    for one, other in zip(shown["plain"], shown["weathered"], strict=True):
        before, after = read_image(one).astype(float), read_image(other).astype(float)
        assert before.shape == after.shape
        seen = (before > 0) & (after > 0)
        alike.append(np.corrcoef(before[seen], after[seen])[0, 1])
    assert len(alike) == 6
    assert 0.7 < np.mean(alike) < 0.9999
    assert truth(tmp_path / "plain", "val") == truth(tmp_path / "weathered", "val")


def test_a_cut_set_goes_on_and_workers_change_nothing(made: Path, tmp_path: Path) -> None:
    first, *_ = shards_of(OPTIONS)
    (tmp_path / "truth" / "parts").mkdir(parents=True)
    make_shard(tmp_path, OPTIONS, first)
    done: list[int] = []
    make_dataset(tmp_path, OPTIONS, done.append, workers=2)
    assert done[0] == len(first.scenes)
    for path in sorted(made.rglob("*.*")):
        if path.is_file() and path.name != "dataset.yaml":
            assert path.read_bytes() == (tmp_path / path.relative_to(made)).read_bytes(), path


def test_another_set_is_not_mixed_in(made: Path) -> None:
    with pytest.raises(ConfigurationError, match="other options"):
        make_dataset(made, replace(OPTIONS, seed=6))


def test_seeds_kept_for_tests_make_frozen_sets_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="kept for tests"):
        make_dataset(tmp_path, replace(OPTIONS, seed=900_000_001))
    with pytest.raises(ConfigurationError, match="kept for tests"):
        make_dataset(tmp_path, replace(OPTIONS, inject=(Path("em710_karoline.wcd"),)))
    with pytest.raises(ConfigurationError, match="kept for tests"):
        make_dataset(tmp_path, replace(OPTIONS, seed=7_000_001))  # a cruise of trials
    for seed in (OPTIONS.seed, 7_000_001):
        with pytest.raises(ConfigurationError, match="expected one kept for tests"):
            make_dataset(tmp_path, replace(OPTIONS, frozen=True, seed=seed))
    free = replace(OPTIONS, frozen=True, seed=900_000_001, inject=(Path("em710_heincke.wcd"),))
    with pytest.raises(ConfigurationError, match="em710_heincke: training may see it"):
        make_dataset(tmp_path, free)
    frozen = replace(OPTIONS, scenes=1, frozen=True, seed=900_000_001)
    dataset = read_dataset(make_dataset(tmp_path, frozen))
    assert dataset.frozen
    assert dataset.surveys["val"] == ("frozen-900000001-000000",)
    assert not dataset.images["train"]


@pytest.mark.parametrize(
    "wrong",
    [{"scenes": 0}, {"warm_up": 8}, {"pictures_per_scene": 6}, {"grey_share": 1.5},
     {"depth_m": (500.0, 50.0)},
     {"inject": (Path("a.all"),), "inject_validation": (Path("a.wcd"),)}],
)
def test_numbers_that_make_no_set_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(OPTIONS, **wrong)
