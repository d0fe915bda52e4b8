"""Training in miniature: it stays offline, resumes, and exports what OpenVINO runs alike."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.detector import Detector, DetectorOptions
from sonar_watch.detection.torch_runtime import TorchRuntime
from sonar_watch.detection.weights import read_manifest
from sonar_watch.errors import ConfigurationError, WeightsError
from sonar_watch.learning.annotations import write_dataset, write_labels
from sonar_watch.learning.export import ModelFacts, export_weights
from sonar_watch.learning.progress import TrainingProgress
from sonar_watch.learning.training import TrainingOptions, train

NAMES = ("signal", "noise")


def make_dataset(
    root: Path, images: int = 4, size: int = 64, *, layers: bool = False, **said: Any
) -> Path:
    """Write a set of bright bars; with `layers` each channel is its own picture of them."""
    import cv2

    random = np.random.default_rng(5)
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        for number in range(images):
            image = random.normal(80, 20, (size, size)).clip(0, 255).astype(np.uint8)
            x = int(random.integers(5, size - 15))
            image[10:50, x : x + 8] = 220
            truth = Detections.from_rows([[x, 10, x + 8, 50, 1, 0]], NAMES)
            if layers:
                image = np.stack([image // 2, image, random.permuted(image)], axis=-1)
            cv2.imwrite(str(root / "images" / split / f"{number}.png"), image)
            write_labels(root / "labels" / split / f"{number}.txt", truth, size, size)
    return write_dataset(root, NAMES, **said)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuse every look-up and connection, and remember those that were tried."""
    tried: list[object] = []

    def refuse(*arguments: object, **keywords: object) -> NoReturn:
        tried.append(arguments)
        raise OSError("no network aboard")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


class PowerGoneError(Exception):
    """Stands for the power going off."""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("model", "head"), [("yolov8n.yaml", "nms"), ("yolo26n.yaml", "end2end")])
def test_train_stop_resume_export_detect(
    tmp_path: Path, no_network: list[object], model: str, head: str
) -> None:
    options = TrainingOptions(
        data=make_dataset(tmp_path / "set"), out=tmp_path / "run", model=model, image_size=64,
        epochs=3, batch=2, threads=1, device="cpu", resume=True,
    )

    def stop_in_second_epoch(progress: TrainingProgress) -> None:
        if progress.epoch == 2:
            raise PowerGoneError

    with pytest.raises(PowerGoneError):
        train(options, stop_in_second_epoch)
    seen: list[TrainingProgress] = []
    checkpoint = train(options, seen.append)
    assert [(one.epoch, one.batch) for one in seen] == [(2, 1), (2, 2), (3, 1), (3, 2)]
    assert seen[-1].remaining_s == 0
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        train(options)
    models = tmp_path / "models"
    facts = ModelFacts(trained_on="a toy", scores={"f1": 0.1}, head=head)  # type: ignore[arg-type]
    entry = export_weights(checkpoint, "toy", models, facts)
    assert read_manifest(models) == {"toy": entry}
    assert (entry.classes, entry.input_size) == (NAMES, (64, 64))
    assert entry.architecture == model.removesuffix(".yaml")
    for file in entry.files.values():
        assert str(tmp_path).encode() not in file.read()  # no folder of this machine travels
    images = [np.random.default_rng(n).integers(0, 256, (48, 64), np.uint8) for n in range(3)]
    quick = DetectorOptions(weights="toy", models_dir=models, confidence=0.001, device="cpu")
    on_openvino = Detector(quick).detect(images)
    on_torch = Detector(quick, TorchRuntime(entry, "cpu", threads=1)).detect(images)
    for one, other in zip(on_openvino, on_torch, strict=True):
        assert len(one) == pytest.approx(len(other), abs=3)
        assert np.allclose(one.confidence[:3], other.confidence[:3], atol=0.02)
    assert no_network == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"epochs": 0}, "epochs: expected above 0"), ({"image_size": 100}, "multiple of 32"),
     ({"fraction": 1.5}, "fraction: expected"), ({"learning_rate": 0.0}, "learning_rate"),
     ({"time_limit_h": 0.0}, "time_limit_h: expected")],
)
def test_options_beyond_their_range_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TrainingOptions(data=tmp_path, out=tmp_path, **changes)  # type: ignore[arg-type]


def test_a_missing_dataset_is_said_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="data: expected a dataset's YAML file"):
        train(TrainingOptions(data=tmp_path / "none.yaml", out=tmp_path / "run"))


@pytest.mark.parametrize(
    ("said", "message"),
    [({"frozen": True}, "frozen: it is for tests"),
     ({"surveys": {"train": ["sim-1-000001"], "val": ["em710_karoline"]}}, "em710_karoline"),
     ({"surveys": {"train": ["a"], "val": ["a"]}}, "training and validation share a")],
)
def test_dishonest_sets_are_refused_before_anything_heavy_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], message: str
) -> None:
    (tmp_path / "frozen.yaml").write_text("surveys: [em710_karoline]\n", encoding="utf-8")
    monkeypatch.setenv("SONAR_WATCH_MODELS", str(tmp_path))
    data = make_dataset(tmp_path / "set", images=1, **said)
    with pytest.raises(ConfigurationError, match=message):
        train(TrainingOptions(data=data, out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_training_on_layers_starts_from_grey_weights_and_resumes_and_exports(
    tmp_path: Path,
) -> None:
    grey = train(TrainingOptions(
        data=make_dataset(tmp_path / "grey"), out=tmp_path / "a", image_size=64, epochs=1,
        batch=4, threads=1, device="cpu",
    ))
    options = TrainingOptions(
        data=make_dataset(tmp_path / "set", layers=True), out=tmp_path / "run", image_size=64,
        epochs=2, batch=2, threads=1, device="cpu", resume=True, start_from=grey,
        spread_grey=True, grey_share=0.3, cold_share=0.2,
    )

    def stop(progress: TrainingProgress) -> None:
        if progress.epoch == 2:
            raise PowerGoneError

    with pytest.raises(PowerGoneError):
        train(options, stop)
    checkpoint = train(options)
    assert not (checkpoint.parent / "start.pt").exists()
    entry = export_weights(checkpoint, "toy", tmp_path / "models")
    assert entry.architecture == "yolov8n"
    image = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    quick = DetectorOptions(weights="toy", models_dir=tmp_path / "models", confidence=0.001,
                            device="cpu")
    on_openvino = Detector(quick).detect([image])[0]
    on_torch = Detector(quick, TorchRuntime(entry, "cpu", threads=1)).detect([image])[0]
    assert np.allclose(on_openvino.confidence[:3], on_torch.confidence[:3], atol=0.02)
    with pytest.raises(ConfigurationError, match="expected weights of yolov8s"):
        train(replace(options, model="yolov8s.yaml", out=tmp_path / "other"))


@pytest.mark.slow
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"a\.pt: expected a detector's checkpoint"):
        export_weights(tmp_path / "a.pt", "a", tmp_path)
    with pytest.raises(WeightsError, match=r"b\.pt: expected a detector's checkpoint"):
        export_weights(tmp_path / "b.pt", "b", tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_checkpoint_cut_by_the_power_failing_does_not_stop_the_resuming(tmp_path: Path) -> None:
    options = TrainingOptions(
        data=make_dataset(tmp_path / "set", images=2), out=tmp_path / "run",
        model="yolov8n.yaml", image_size=32, epochs=2, batch=2, threads=1, device="cpu",
        resume=True,
    )

    def stop(progress: TrainingProgress) -> None:
        if progress.epoch == 2:
            raise PowerGoneError

    with pytest.raises(PowerGoneError):
        train(options, stop)
    last = tmp_path / "run" / "weights" / "last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    assert train(options) == last
    assert not list(last.parent.glob("resume*"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_one_class_is_learned_and_resumed_alone(tmp_path: Path) -> None:
    options = TrainingOptions(
        data=make_dataset(tmp_path / "set", images=2), out=tmp_path / "run", classes=("signal",),
        model="yolov8n.yaml", image_size=32, epochs=2, batch=2, threads=1, device="cpu",
        resume=True,
    )

    def stop(progress: TrainingProgress) -> None:
        if progress.epoch == 2:
            raise PowerGoneError

    with pytest.raises(PowerGoneError):
        train(options, stop)
    entry = export_weights(train(options), "one", tmp_path / "models")
    assert entry.classes == ("signal",)
