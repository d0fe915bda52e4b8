"""A classifier in miniature: it learns, goes on where it stopped, and says how sure it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.cli import main
from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.weights import read_manifest
from sonar_watch.errors import ConfigurationError, WeightsError
from sonar_watch.learning.calibration import (
    calibration_error,
    fit_temperature,
    log_loss,
    softmax,
)
from sonar_watch.learning.classifier_training import (
    ClassifierTrainingOptions,
    batches_ahead,
    train_classifier,
)
from sonar_watch.learning.crop_augmentation import CropJitter
from sonar_watch.learning.crop_batches import changed_batches, class_weights, plain_batches
from sonar_watch.learning.crops import Crop, CropSet, read_crops
from sonar_watch.learning.progress import TrainingProgress

NAMES = ("tooth", "denticle", "sawtoothed", "noise")
DARK = (60, 70, 80)


def draw(name: str, random: np.random.Generator, side: int = 40) -> ByteImage:
    """Return a crop: a triangle, a ring, a bar, or nothing but a speck."""
    import cv2

    image = random.normal(135, 5, (side, side, 3)).clip(0, 255).astype(np.uint8)
    x, y = (int(one) for one in random.integers(-3, 4, 2) + side // 2)
    if name == "tooth":
        corners = np.array([[x - 13, y + 14], [x + 13, y + 14], [x, y - 14]])
        cv2.fillPoly(image, [corners], DARK)
    elif name == "denticle":
        cv2.circle(image, (x, y), 12, DARK, 3)
    elif name == "sawtoothed":
        cv2.rectangle(image, (x - 15, y - 3), (x + 15, y + 3), DARK, -1)
    else:
        cv2.circle(image, (x, y), 2, DARK, -1)
    return image


def write_crops(root: Path, each: int = 10, splits: tuple[str, ...] = ("train", "val")) -> Path:
    import cv2

    random = np.random.default_rng(4)
    for split in splits:
        for name in NAMES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(each):
                cv2.imwrite(str(folder / f"{split}{number % 3}__{number}.png"), draw(name, random))
    return root


def make_options(root: Path, **changes: object) -> ClassifierTrainingOptions:
    options = ClassifierTrainingOptions(
        crops=root / "crops", out=root / "run", classes=NAMES, architecture="test_efficientnet",
        image_size=40, epochs=6, batch=10, learning_rate=0.01, dropout=0.1, workers=1, threads=1,
        device="cpu", jitter=CropJitter(noise=2.0, blur_px=1.0),
    )
    return replace(options, **changes)  # type: ignore[arg-type]


class PowerGoneError(Exception):
    """Stands for the power going off."""


def test_it_learns_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    from sonar_watch.learning.classifier_export import read_classifier

    write_crops(tmp_path / "crops")
    options = make_options(tmp_path)
    told: list[TrainingProgress] = []
    assert batches_ahead(options) == 6 * 4
    whole = read_classifier(train_classifier(options, told.append))
    assert [(one.epoch, one.batch) for one in told] == [
        (epoch, batch) for epoch in range(1, 7) for batch in range(1, 5)
    ]
    assert told[-1].remaining_s == 0
    assert told[-1].loss < told[0].loss
    assert whole["scores"]["held_out"] == 40
    assert whole["scores"]["right"] > 0.8
    assert float(whole["model"]["temperature"]) == pytest.approx(whole["scores"]["temperature"])

    def stop(progress: TrainingProgress) -> None:
        if (progress.epoch, progress.batch) == (4, 2):
            raise PowerGoneError

    again = replace(options, out=tmp_path / "again", resume=True)
    with pytest.raises(PowerGoneError):
        train_classifier(again, stop)
    assert batches_ahead(again) == 3 * 4
    resumed = read_classifier(train_classifier(again, told.append))
    assert told[24].epoch == 4
    assert resumed["scores"] == whole["scores"]
    assert all(bool((resumed["model"][name] == value).all())
               for name, value in whole["model"].items())
    rows = [(tmp_path / one / "epochs.jsonl").read_text() for one in ("run", "again")]
    assert rows[0] == rows[1]
    assert batches_ahead(again) == 0
    with pytest.raises(ConfigurationError, match="another run: image_size 40, expected 48"):
        train_classifier(replace(again, image_size=48))
    first = replace(again, out=tmp_path / "from", start=tmp_path / "again/classifier.pt", epochs=1,
                    learning_rate=1e-6, image_size=48)
    assert read_classifier(train_classifier(first))["scores"]["right"] > 0.7  # at once
    with pytest.raises(ConfigurationError, match="another run: classes"):
        train_classifier(replace(first, classes=NAMES[::-1], out=tmp_path / "other"))


def test_trained_exported_and_looked_through_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sonar_watch.ichthyolith.classifier import ClassifierOptions, CropClassifier

    write_crops(tmp_path / "crops")
    models = tmp_path / "models"
    line = (f"train-classifier {tmp_path}/crops --out {tmp_path}/run --name tiny --models {models} "
            "--architecture test_efficientnet --size 40 --epochs 6 --batch 10 --rate 0.01 "
            "--device cpu --threads 1 --workers 1 --note shapes")
    assert main(line.split()) == 0
    checkpoint, weights = (json.loads(row) for row in capsys.readouterr().out.splitlines())
    assert checkpoint["held_out"] == 40
    assert weights == {"weights": "tiny", "models": str(models)}
    entry = read_manifest(models)["tiny"]
    entry.check()
    assert entry.sha256 == entry.file("safetensors").sha256  # not that of the graph alone
    assert (entry.head, entry.classes, entry.trained_on) == ("classifier", NAMES, "shapes")
    assert entry.scores["held_out_crops"]["right"] == round(checkpoint["right"], 4)
    random = np.random.default_rng(77)
    crops = [draw(name, random) for name in NAMES for _ in range(5)]
    classifier = CropClassifier(
        ClassifierOptions(weights="tiny", models_dir=models, device="cpu", threads=1)
    )
    found = classifier.classify(crops).argmax(axis=1)
    classifier.close()
    assert np.mean(found == np.repeat(np.arange(4), 5)) > 0.7


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    from sonar_watch.learning.classifier_export import export_classifier

    with pytest.raises(WeightsError, match="expected a classifier's checkpoint"):
        export_classifier(tmp_path / "a.pt", "a", tmp_path)
    (tmp_path / "a.pt").write_bytes(b"no zip file")
    with pytest.raises(WeightsError, match="expected a classifier's checkpoint"):
        export_classifier(tmp_path / "a.pt", "a", tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"batch": 1}, "batch: expected 2"), ({"epochs": 0}, "epochs: expected above 0"),
     ({"dropout": 1.5}, "dropout: expected 0..1"), ({"classes": ("a", "a")}, "classes: expected")],
)
def test_options_beyond_their_range(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_options(tmp_path, **changes)


def test_jitter_beyond_its_range() -> None:
    with pytest.raises(ConfigurationError, match=r"zoom: expected 0\.\.1, received 2"):
        CropJitter(zoom=2)


def test_an_export_nobody_asked_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train-classifier", str(tmp_path), "--out", str(tmp_path / "o")]
    assert main([*words, "--note", "x"]) == 78
    assert "--note: without effect without --name" in capsys.readouterr().err
    assert main([words[0], str(tmp_path / "none"), *words[2:]]) == 78
    assert "no such file or folder" in capsys.readouterr().err


def test_a_set_that_says_what_is_held_out(tmp_path: Path) -> None:
    crops = read_crops(write_crops(tmp_path, each=4), NAMES)
    assert crops.counts(crops.train) == crops.counts(crops.val) == dict.fromkeys(NAMES, 4)
    assert {one.survey for one in crops.val} == {"val0", "val1", "val2"}


def test_surveys_are_held_out_whole_and_stay_so_when_more_come(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        for number in range(300):
            (tmp_path / name / f"slide{number % 60}__{number}.png").touch()
    crops = read_crops(tmp_path, NAMES, 0.2)
    held = {one.survey for one in crops.val}
    assert not held & {one.survey for one in crops.train}
    assert len(crops.train) + len(crops.val) == 1200
    assert 0.08 < len(crops.val) / 1200 < 0.35
    (tmp_path / "tooth" / "slide900__1.png").touch()
    again = read_crops(tmp_path, NAMES, 0.2)
    assert {one.survey for one in again.val} - {"slide900"} == held
    assert not read_crops(tmp_path, NAMES, 0.0).val
    without = read_crops(tmp_path, NAMES, 0.2, ("slide7", "slide900"))
    assert len(without.train) + len(without.val) == 1200 - 4 * 5
    with pytest.raises(ConfigurationError, match="expected crops of slide99 to leave out"):
        read_crops(tmp_path, NAMES, 0.2, ("slide99",))


def _lacking(root: Path) -> None:
    for path in (root / "train" / "tooth").iterdir():
        path.unlink()


def _foreign(root: Path) -> None:
    (root / "train" / "shark").mkdir()


def _shared(root: Path) -> None:
    (root / "val" / "tooth" / "train1__9.png").touch()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(_lacking, "crops of every class to train on, none of tooth"),
     (_foreign, "expected a folder for each of .* received shark"),
     (_shared, "train and val share train1")],
)
def test_sets_that_would_teach_the_wrong_thing(tmp_path: Path, spoil, message: str) -> None:
    spoil(write_crops(tmp_path, each=3))
    with pytest.raises(ConfigurationError, match=message):
        read_crops(tmp_path, NAMES)


def test_batches_depend_on_seed_and_epoch_alone(tmp_path: Path) -> None:
    crops = read_crops(write_crops(tmp_path, each=3), NAMES).train

    def load(epoch: int, workers: int, batch: int = 5) -> list[tuple[ByteImage, ByteImage]]:
        return [*changed_batches(crops, size_px=32, batch=batch, numbers=(1, epoch),
                                 jitter=CropJitter(), workers=workers)]

    first, again, other = load(0, 1), load(0, 3), load(1, 1)
    assert [images.shape for images, _ in first] == [(5, 32, 32, 3)] * 2  # of 12
    for (images, labels), (same, those) in zip(first, again, strict=True):
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(labels, those)
    assert not np.array_equal(first[0][0], other[0][0])
    assert sorted(load(0, 1, 20)[0][1]) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    plain = [*plain_batches(crops, 32, 5, 2)]
    assert [len(images) for images in plain] == [5, 5, 2]


def test_rare_classes_count_more() -> None:
    def crops(often: tuple[int, ...]) -> Iterator[Crop]:
        for number, count in enumerate(often):
            yield from [Crop(path=Path("a"), class_id=number, survey="a")] * count

    made = CropSet(class_names=("a", "b"), train=tuple(crops((90, 10))), val=())
    np.testing.assert_allclose(class_weights(made, 0.0), [1, 1])
    np.testing.assert_allclose(class_weights(made, 1.0), [0.5 / 0.9, 0.5 / 0.1])
    half = class_weights(made, 0.5)
    assert half[1] / half[0] == pytest.approx(3.0)
    assert half @ [0.9, 0.1] == pytest.approx(1.0)


def test_changes_follow_from_the_numbers_drawn_alone() -> None:
    image = draw("tooth", np.random.default_rng(1))
    jitter = CropJitter()
    changed = [jitter.change(image, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert changed[0].shape == image.shape
    assert changed[0].dtype == np.uint8
    np.testing.assert_array_equal(changed[0], changed[1])
    assert np.abs(changed[0].astype(int) - changed[2]).mean() > 1
    still = CropJitter(turn_deg=0, zoom=0, shift=0, brightness=0, contrast=0, tint=0,
                       blur_share=0, noise=0)
    turned = [np.rot90(flipped, times).tobytes() for times in range(4)
              for flipped in (image, image[:, ::-1])]
    seen = {still.change(image, np.random.default_rng(seed)).tobytes() for seed in range(60)}
    assert seen == set(turned)


def test_the_temperature_that_was_put_in_is_found() -> None:
    random = np.random.default_rng(8)
    logits = random.normal(0, 2, (4000, 4))
    labels = (softmax(logits).cumsum(axis=1) > random.random((4000, 1))).argmax(axis=1)
    for times in (0.4, 1.0, 3.0):
        assert fit_temperature(logits * times, labels) == pytest.approx(times, rel=0.1)
    sure = softmax(logits * 3)
    assert calibration_error(sure, labels) > 0.1 > 0.03 > calibration_error(
        softmax(logits * 3, 3.0), labels
    )
    assert log_loss(softmax(logits), labels) < log_loss(sure, labels)
    assert fit_temperature(np.zeros((0, 4)), np.zeros(0, np.intp)) == 1.0


def test_a_few_crops_told_right_make_nothing_certain() -> None:
    labels = np.arange(4).repeat(6)
    logits = 9.0 * np.eye(4)[labels]
    told = softmax(logits, fit_temperature(logits, labels)).max(axis=1)
    np.testing.assert_allclose(told, 1 - 1 / 26, atol=1e-6)
