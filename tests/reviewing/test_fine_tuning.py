"""From reviews to weights: frames drawn again, a training set, and a judge that can say no."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.cli import main
from sonar_watch.detection.detections import Detections
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.detection.weights import WeightsEntry, find_weights, read_manifest, write_manifest
from sonar_watch.errors import ConfigurationError
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import read_dataset, write_dataset, write_labels
from sonar_watch.learning.evaluation import OperatingPoint
from sonar_watch.learning.replacing import JudgeOptions, PlumeScores
from sonar_watch.records import WaterColumnFrame, iso_utc
from sonar_watch.reviewing import fine_tuning
from sonar_watch.reviewing.fine_tuning import FineTuneOptions, fine_tune
from sonar_watch.reviewing.redrawing import drawn, redraw
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.writing import sail

NAMES = ("signal", "noise")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw files of a few pings."""
    folder = tmp_path_factory.mktemp("cruise")
    survey = demo_survey()
    line = replace(survey.lines[0], length_m=20.0)
    for _ in sail(replace(survey, lines=(line,)), folder):
        pass
    return folder / "raw"


@pytest.fixture(scope="module")
def frames(raw: Path) -> list[WaterColumnFrame]:
    return list(drawn([raw], Settings()))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with the shipped default in it."""
    entry = find_weights(DetectorOptions().weights)
    folder = tmp_path / "models"
    folder.mkdir()
    for file in entry.files.values():
        shutil.copyfile(file.path, folder / file.path.name)
    write_manifest(folder, {entry.name: entry})
    return folder


def make_set(root: Path, pictures: int = 6, **said: Any) -> Path:
    """A set of grey noise with a bright bar in every second picture."""
    rng = np.random.default_rng(3)
    for number in range(pictures):
        image = rng.integers(40, 90, (96, 160), np.uint8)
        rows = [[60, 20, 72, 80, 1, 0]] if number % 2 else np.empty((0, 6))
        image[20:80, 60:72] = 230 if number % 2 else image[20:80, 60:72]
        for split in ("train", "val"):
            (root / "images" / split).mkdir(parents=True, exist_ok=True)
            write_png(root / "images" / split / f"{number}.png", image)
            labels = root / "labels" / split / f"{number}.txt"
            write_labels(labels, Detections.from_rows(rows, NAMES), 160, 96)
    return write_dataset(root, NAMES, **said)


@pytest.fixture
def watched(tmp_path: Path, frames: list[WaterColumnFrame]) -> Path:
    """A watch's data folder: a confirmed event on two frames, a rejected one on the third."""
    folder = tmp_path / "watch"
    folder.mkdir()
    times = [frame.time_utc for frame in frames]
    events = [
        sample_alert(1, first_seen_utc=times[0], last_seen_utc=times[1], event_id="true"),
        sample_alert(2, first_seen_utc=times[2], last_seen_utc=times[2], event_id="false"),
    ]
    box = {"class": "signal", "confidence": 0.8, "across_track_m": [-60.0, -20.0],
           "depth_m": [200.0, 400.0], "latitude": events[0].event.latitude,
           "longitude": events[0].event.longitude, "veto": None}
    entries = [
        FrameEntry(frame_id=frame.frame_id, time_utc=frame.time_utc, body={
            "frame_id": frame.frame_id, "time_utc": iso_utc(frame.time_utc),
            "source": {"file": frame.source.file}, "detections": [box]})
        for frame in frames
    ]
    with Journal(folder / "journal.sqlite") as journal:
        journal.commit(entries, events)
    reviews = [{"event_id": "true", "verdict": "confirmed"},
               {"event_id": "false", "verdict": "rejected"}]
    (folder / "reviews.jsonl").write_text("\n".join(map(json.dumps, reviews)), encoding="utf-8")
    return folder


@pytest.fixture
def options(tmp_path: Path, watched: Path, raw: Path) -> FineTuneOptions:
    return FineTuneOptions(
        data_dir=watched, inputs=(raw,), base=make_set(tmp_path / "base"),
        frozen=make_set(tmp_path / "frozen", 4, frozen=True), out=tmp_path / "out", epochs=1,
        threads=1, device="cpu", judge=JudgeOptions(least_plumes=2, least_empty=2),
    )


def settings_for(models: Path) -> Settings:
    detector = DetectorOptions(models_dir=models, device="cpu", threads=1)
    return replace(Settings(), detector=detector)


@pytest.fixture
def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that leaves the weights as they are, so that all around it can be tried fast."""
    def train(options: Any, _: Any = None) -> Path:
        return Path(options.start_from)

    def export(checkpoint: Path, name: str, folder: Path, facts: Any) -> WeightsEntry:
        old = read_manifest(checkpoint.parent)[name]
        folder.mkdir(parents=True)
        for file in old.files.values():
            shutil.copyfile(file.path, folder / file.path.name)
        write_manifest(folder, {name: replace(old, trained_on=facts.trained_on, domain={})})
        return read_manifest(folder)[name]

    monkeypatch.setattr(fine_tuning, "train", train)
    monkeypatch.setattr(fine_tuning, "export_weights", export)


def test_frames_are_drawn_again_as_they_were(raw: Path, frames: list[WaterColumnFrame]) -> None:
    third = frames[2]
    (again,) = redraw([raw], Settings(), [third.frame_id])
    assert np.array_equal(again.image, third.image)  # with the memory of the two before it


def test_what_is_not_in_the_inputs_is_said(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert list(redraw([raw], Settings(), ["elsewhere"])) == []
    assert "1 reviewed frames are not in the inputs" in caplog.text


def test_reviews_become_a_training_set(
    options: FineTuneOptions, models: Path, frames: list[WaterColumnFrame], unchanged: None
) -> None:
    outcome = fine_tune(settings_for(models), options)
    assert (outcome.reviewed.right, outcome.reviewed.wrong, outcome.reviewed.base) == (2, 1, 6)
    dataset = read_dataset(outcome.reviewed.data)
    names = [path.stem for path in dataset.images["train"]]
    assert sum(name.startswith(frames[2].frame_id) for name in names) == 3  # it fooled the network
    assert "0000_20260301_020000_simulated" in dataset.surveys["train"]
    labels = outcome.reviewed.data.parent / "labels" / "train"
    assert (labels / f"{frames[2].frame_id}_0.txt").read_text() == ""
    (line,) = (labels / f"{frames[0].frame_id}_0.txt").read_text().splitlines()
    kind, x, y, width, height = map(float, line.split())
    geometry = frames[0].geometry
    left, top = geometry.to_pixels(-60.0, 200.0)
    assert kind == 0
    assert (x - width / 2) * geometry.width_px == pytest.approx(left, abs=0.1)
    assert (y - height / 2) * geometry.height_px == pytest.approx(top, abs=0.1)


def test_weights_that_are_no_worse_take_the_place_of_the_old(
    options: FineTuneOptions, models: Path, unchanged: None
) -> None:
    settings = settings_for(models)
    before = replace(
        read_manifest(models)[settings.detector.weights], domain={"depth_m": ((30.0, 4000.0),)}
    )
    write_manifest(models, {before.name: before})
    outcome = fine_tune(settings, options)
    assert outcome.comparison.accepted
    after = read_manifest(models)[settings.detector.weights]
    after.check()
    assert "fine-tuned on 2 confirmed and 1 rejected frames" in after.trained_on
    assert after.domain == before.domain  # alerts go on saying `out_of_domain`
    assert after.file("openvino").path != before.file("openvino").path
    assert (models / "MANIFEST.yaml.old").exists()
    before.check()  # the old ones are still there


def test_the_table_of_the_old_weights_does_not_go_over(
    options: FineTuneOptions, models: Path, unchanged: None, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(models)
    name = settings.detector.weights
    measured = replace(
        read_manifest(models)[name], false_alerts_per_hour=((0.6, 0.02),), false_alert_hours=50.0
    )
    write_manifest(models, {name: measured})
    assert fine_tune(settings, options).installed is not None
    assert read_manifest(models)[name].false_alerts_per_hour == ()
    assert "false-alert table was measured with the old weights" in caplog.text
    assert "judged at confidence 0.6, the watch works at 0.4 until" in caplog.text


def worse(change: dict[str, float]) -> Callable[..., PlumeScores]:
    """Return a score that gets worse from the first call to the second."""
    good = OperatingPoint(confidence=0.4, precision=0.9, recall=0.9, f1=0.9, false_image_rate=0.0)
    old = PlumeScores(point=good, strong=200, strong_recall=0.95)
    recall = change.pop("strong_recall", old.strong_recall)
    points = iter([old, replace(old, point=replace(good, **change), strong_recall=recall)])
    return lambda *_: next(points)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"f1": 0.8999}, "F1 0.8999, was 0.9000"),
     ({"strong_recall": 0.9}, "recall of strong plumes 0.9000, was 0.9500"),
     ({"false_image_rate": 0.001}, "pictures without plumes flagged 0.0010, was 0.0000"),
     ({"empty_image_rate": 0.001}, "empty pictures flagged 0.0010, was 0.0000")],
)
def test_weights_that_are_worse_are_kept_out_and_the_command_fails(
    options: FineTuneOptions, models: Path, unchanged: None, change: dict[str, float],
    reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fine_tuning, "score_plumes", worse(change))
    large = make_set(options.out.parent / "large", 200, frozen=True)
    manifest = (models / "MANIFEST.yaml").read_bytes()
    config = models.parent / "config.yaml"
    config.write_text(f"detector: {{models_dir: {models}, device: cpu, threads: 1}}\n")
    status = main([
        "train", "--from-review", str(options.data_dir), "--inputs", str(options.inputs[0]),
        "--base", str(options.base), "--frozen", str(large), "--out", str(options.out),
        "--config", str(config),
    ])
    assert status == 1
    assert (models / "MANIFEST.yaml").read_bytes() == manifest
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["replaced"] is False
    assert reason in told["problems"][0]


def test_only_a_frozen_set_may_judge(options: FineTuneOptions, models: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected a frozen set"):
        fine_tune(settings_for(models), replace(options, frozen=options.base))


def test_a_few_pictures_may_not_judge(options: FineTuneOptions, models: Path) -> None:
    with pytest.raises(ConfigurationError, match="received 2 and 2: too few to decide"):
        fine_tune(settings_for(models), replace(options, judge=JudgeOptions()))


@pytest.mark.parametrize("survey", ["{stem}", "{stem}-inj-3"])
def test_a_survey_that_was_reviewed_may_not_judge(
    options: FineTuneOptions, models: Path, frames: list[WaterColumnFrame], survey: str
) -> None:
    name = survey.format(stem=Path(frames[0].source.file).stem)
    frozen = make_set(options.out.parent / "same", 4, frozen=True, surveys={"val": [name]})
    with pytest.raises(ConfigurationError, match="expected no survey that was reviewed"):
        fine_tune(settings_for(models), replace(options, frozen=frozen))
    assert not options.out.exists()


def test_a_survey_of_the_base_may_not_judge(options: FineTuneOptions, models: Path) -> None:
    names = {"train": ["sim-1-000001", "line7"], "val": ["line8"]}
    base = make_set(options.out.parent / "named", surveys=names)
    frozen, apart = (
        make_set(options.out.parent / name, 4, frozen=True, surveys={"val": [name]})
        for name in ("line7", "line8")
    )
    with pytest.raises(ConfigurationError, match=r"share line7: expected a frozen set"):
        fine_tune(settings_for(models), replace(options, base=base, frozen=frozen))
    with pytest.raises(ConfigurationError, match="too few to decide"):  # line8 is not learned from
        fine_tune(settings_for(models), replace(options, base=base, frozen=apart,
                                                judge=JudgeOptions()))


def test_a_folder_that_cannot_be_written_is_said_before_the_training(
    options: FineTuneOptions, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr("sonar_watch.learning.replacing.TemporaryFile", refuse)
    with pytest.raises(ConfigurationError, match="expected a folder that weights can be written"):
        fine_tune(settings_for(models), options)
    assert not options.out.exists()


def test_an_earlier_fine_tuning_is_not_mixed_in(options: FineTuneOptions, models: Path) -> None:
    (options.out / "set").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be resumed; expected a new folder"):
        fine_tune(settings_for(models), options)


def test_a_base_that_is_kept_for_tests_is_refused(options: FineTuneOptions, models: Path) -> None:
    with pytest.raises(ConfigurationError, match="frozen: it is for tests"):
        fine_tune(settings_for(models), replace(options, base=options.frozen))


def test_reviews_of_nothing_in_the_inputs_are_said(
    options: FineTuneOptions, models: Path
) -> None:
    (options.data_dir / "reviews.jsonl").write_text("")
    with pytest.raises(ConfigurationError, match="no reviewed frame"):
        fine_tune(settings_for(models), options)


def test_from_review_says_what_it_needs(tmp_path: Path) -> None:
    assert main(["train", "--from-review", str(tmp_path), "--out", str(tmp_path / "o")]) == 78
    assert main(["train", "--out", str(tmp_path / "o")]) == 78


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_weights_are_really_fine_tuned(options: FineTuneOptions, models: Path) -> None:
    settings = settings_for(models)
    before = read_manifest(models)[settings.detector.weights]
    outcome = fine_tune(settings, options)
    assert outcome.candidate.classes == before.classes
    assert outcome.candidate.sha256 != before.sha256
    now = read_manifest(models)[settings.detector.weights]
    assert (now.sha256 == outcome.candidate.sha256) is outcome.comparison.accepted
