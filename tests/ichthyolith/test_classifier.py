"""The second look at a particle: the crop, the network, the verdict."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.detector import Detector, DetectorOptions
from sonar_watch.detection.letterbox import PADDING
from sonar_watch.detection.offline import import_openvino
from sonar_watch.detection.weights import WeightsEntry, WeightsFile, write_manifest
from sonar_watch.errors import (
    ConfigurationError,
    DeviceMemoryError,
    InferenceError,
    WeightsError,
)
from sonar_watch.ichthyolith.classifier import (
    ClassifierOptions,
    CropClassifier,
    crop_of,
    verdict,
)
from sonar_watch.ichthyolith.records import CLASSES


def write_entry(folder: Path, files: dict[str, bytes], **facts: object) -> WeightsEntry:
    """Write a classifier "crops" of those files and its manifest."""
    suffixes = {"openvino": "xml", "openvino_weights": "bin", "safetensors": "safetensors"}
    paths = {role: folder / f"crops.{suffixes[role]}" for role in files}
    for role, path in paths.items():
        path.write_bytes(files[role])
    told: dict[str, object] = {"classes": CLASSES, "input_size": (32, 32), "head": "classifier"}
    entry = WeightsEntry(
        name="crops",
        files={role: WeightsFile(path=path, sha256=hashlib.sha256(files[role]).hexdigest())
               for role, path in paths.items()},
        **(told | facts),  # type: ignore[arg-type]
    )
    write_manifest(folder, {"crops": entry})
    return entry


def colour_network(folder: Path) -> dict[str, bytes]:
    """Return a network that tells red, green and blue from grey: softmax of ten times the mean."""
    openvino = import_openvino()
    ops = openvino.opset13
    image = ops.parameter([1, 3, 32, 32], np.float32, name="images")
    mean = ops.reduce_mean(image, np.array([2, 3]))
    grey = ops.constant(np.full((1, 1), 0.55, np.float32))
    shares = ops.softmax(
        ops.multiply(ops.concat([mean, grey], 1), np.array([[10.0]], np.float32)), 1
    )
    openvino.save_model(openvino.Model([shares], [image], "colours"), folder / "made.xml")
    return {"openvino": (folder / "made.xml").read_bytes(),
            "openvino_weights": (folder / "made.bin").read_bytes()}


def crop(blue: int, green: int, red: int, side: int = 40) -> ByteImage:
    return np.full((side, side, 3), (blue, green, red), np.uint8)


def opened(folder: Path, **options: object) -> CropClassifier:
    return CropClassifier(ClassifierOptions(
        weights="crops", models_dir=folder, device="cpu", threads=1,
        **options,  # type: ignore[arg-type]
    ))


def test_each_crop_gets_its_class_whatever_else_is_asked(tmp_path: Path) -> None:
    write_entry(tmp_path, colour_network(tmp_path))
    classifier = opened(tmp_path)
    random = np.random.default_rng(1)
    crops = [crop(0, 0, 255), crop(0, 255, 0, 7), crop(255, 0, 0, 90), crop(90, 90, 90)]
    crops += [random.integers(0, 255, (30, 20, 3), np.uint8) for _ in range(70)]
    together = classifier.classify(crops)
    assert together.shape == (74, 4)
    assert together.dtype == np.float32
    assert [name for name, _ in classifier.verdicts(together[:4])] == [*CLASSES]
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    order = random.permutation(74)
    np.testing.assert_array_equal(classifier.classify([crops[one] for one in order]),
                                  together[order])
    alone = np.concatenate([classifier.classify([one]) for one in crops[:8]])
    np.testing.assert_array_equal(alone, together[:8])
    assert classifier.classify([]).shape == (0, 4)
    assert classifier.runtime.startswith("openvino")
    classifier.close()


def test_classes_are_known_by_name_not_by_place(tmp_path: Path) -> None:
    files = colour_network(tmp_path)
    write_entry(tmp_path, files, classes=("sawtoothed", "z", "denticle", "noise"),
                class_map={"z": "tooth"})
    classifier = opened(tmp_path)
    found = classifier.classify([crop(0, 0, 255), crop(0, 255, 0)])
    classifier.close()
    assert [CLASSES[place] for place in found.argmax(axis=1)] == ["sawtoothed", "tooth"]


@pytest.mark.parametrize(
    ("facts", "message"),
    [({"head": "nms"}, "crops: expected a classifier, its head is 'nms'"),
     ({"classes": ("tooth", "denticle", "shark", "noise")}, "expected classes of .* 'shark'"),
     ({"classes": ("tooth", "denticle", "sawtoothed")}, "noise among them")],
)
def test_other_networks_are_refused(
    tmp_path: Path, facts: dict[str, object], message: str
) -> None:
    write_entry(tmp_path, colour_network(tmp_path), **facts)
    with pytest.raises(WeightsError, match=message):
        opened(tmp_path)


class _Small:
    """Stands for torch on a GPU with memory for so many crops at a time."""

    name, batch = "small", 64

    def infer(self, inputs: list[ByteImage]) -> list[np.ndarray]:
        if self.batch > 4:
            raise DeviceMemoryError("out of memory")
        return [np.eye(4, dtype=np.float32)[0] for _ in inputs]

    def shrink(self) -> bool:
        self.batch //= 2
        return True

    def close(self) -> None:
        pass


def test_a_gpu_short_of_memory_takes_fewer_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = _Small()
    monkeypatch.setattr("sonar_watch.detection.detector.has_cuda", lambda: True)
    monkeypatch.setattr("sonar_watch.detection.timm_runtime.open_classifier",
                        lambda entry, device, threads: small if device == "cuda:0" else None)
    write_entry(tmp_path, {"safetensors": b""})
    classifier = CropClassifier(ClassifierOptions(weights="crops", models_dir=tmp_path))
    assert classifier.classify([crop(0, 0, 0)] * 9)[:, 0].tolist() == [1.0] * 9
    assert small.batch == 4
    classifier.close()


def test_a_classifier_is_no_detector(tmp_path: Path) -> None:
    write_entry(tmp_path, {"safetensors": b""})
    with pytest.raises(WeightsError, match="crops: expected a detector, they classify crops"):
        Detector(DetectorOptions(weights="crops", models_dir=tmp_path))


def test_weights_are_checked(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="named by no MANIFEST"):
        opened(tmp_path)
    write_entry(tmp_path, colour_network(tmp_path))
    (tmp_path / "crops.bin").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"crops\.bin: expected sha256"):
        opened(tmp_path)


class _Sick:
    name = "sick"

    def __init__(self, value: float, width: int = 4) -> None:
        self._output = np.full(width, value, np.float32)

    def infer(self, inputs: object) -> list[np.ndarray]:
        return [self._output for _ in inputs]  # type: ignore[attr-defined]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("runtime", [_Sick(np.nan), _Sick(0.3, 3)])
def test_a_sick_device_is_no_verdict(tmp_path: Path, runtime: _Sick) -> None:
    write_entry(tmp_path, colour_network(tmp_path))
    options = ClassifierOptions(weights="crops", models_dir=tmp_path)
    with pytest.raises(InferenceError, match="sick: expected 4 probabilities a crop"):
        CropClassifier(options, runtime).classify([crop(0, 0, 0)])


@pytest.mark.parametrize(
    ("words", "message"),
    [({"keep": 1.1}, "keep: expected 0..1"), ({"margin": -0.1}, "margin: expected 0..2"),
     ({"device": "gpu"}, "device: expected auto"), ({"threads": 0}, "threads: expected 1")],
)
def test_options_beyond_their_range(words: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ClassifierOptions(**words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shares", "keep", "expected"),
    [((0.6, 0.2, 0.1, 0.1), 0.5, "tooth"), ((0.2, 0.25, 0.05, 0.5), 0.5, "denticle"),
     ((0.2, 0.24, 0.05, 0.51), 0.5, "noise"), ((0.2, 0.1, 0.3, 0.4), 0.61, "noise"),
     ((0.2, 0.1, 0.3, 0.4), 0.6, "sawtoothed"), ((0.0, 0.0, 0.01, 0.99), 0.0, "sawtoothed")],
)
def test_what_passes_is_any_ichthyolith_together(
    shares: tuple[float, ...], keep: float, expected: str
) -> None:
    name, confidence = verdict(np.array(shares, np.float32), keep)
    assert name == expected
    assert confidence == pytest.approx(shares[CLASSES.index(name)])


@settings(max_examples=60, deadline=None)
@given(
    left=st.floats(-20, 90), top=st.floats(-20, 70), width=st.floats(1, 130),
    height=st.floats(1, 130), margin=st.floats(0, 1),
)
def test_a_crop_is_the_square_around_its_box(
    left: float, top: float, width: float, height: float, margin: float
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    box = (left, top, left + width, top + height)
    if box[2] <= 0 or box[3] <= 0:
        return
    cut = crop_of(image, box, margin)
    side = cut.shape[0]
    assert cut.shape == (side, side, 3)
    assert abs(side - max(width, height) * (1 + 2 * margin)) <= 0.5 + 1e-6
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - side / 2)
    padded = np.full((600, 600, 3), PADDING, np.uint8)
    padded[250:330, 250:350] = image
    wanted = [padded[250 + y + dy :, 250 + x + dx :][:side, :side]
              for dy in (-1, 0, 1) for dx in (-1, 0, 1)]  # halves may round either way
    assert any(np.array_equal(cut, one) for one in wanted)


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (30, 10, 20, 20), (100, 0, 120, 20),
                                 (-20, 0, 0, 20)])
def test_a_box_that_shows_nothing_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected a box within 100 x 80 px"):
        crop_of(np.zeros((80, 100, 3), np.uint8), box)  # type: ignore[arg-type]


def tiny_state(classes: int = 4, architecture: str = "test_efficientnet") -> bytes:
    """Return the file of an untrained network whose verdicts differ from crop to crop."""
    import torch
    from safetensors.torch import save

    from sonar_watch.detection.timm_runtime import build_network, half_state

    torch.manual_seed(3)
    network = build_network(architecture, classes)
    with torch.no_grad():
        network.temperature.fill_(0.01)
        network.train()
        network.logits(torch.rand(16, 3, 32, 32))  # fills the statistics of the batch norms
    return bytes(save(dict(half_state(network))))


def test_timm_runs_alike_in_openvino_and_torch(tmp_path: Path) -> None:
    from sonar_watch.detection.timm_runtime import load_network
    from sonar_watch.detection.torch_runtime import TorchRuntime

    entry = write_entry(
        tmp_path, {"safetensors": tiny_state()}, architecture="test_efficientnet"
    )
    random = np.random.default_rng(2)
    crops = [random.integers(0, 255, (32, 32, 3), np.uint8) for _ in range(5)]
    by_openvino = opened(tmp_path)
    by_torch = CropClassifier(
        by_openvino.options, TorchRuntime(entry, "cpu", 1, 3, lambda: load_network(entry))
    )
    one, other = by_openvino.classify(crops), by_torch.classify(crops)
    assert np.ptp(one, axis=0).max() > 0.1
    np.testing.assert_allclose(one, other, atol=0.01)
    np.testing.assert_array_equal(by_torch.classify(crops[3:]), other[3:])
    by_openvino.close()
    assert by_openvino.weights_sha256 == entry.file("safetensors").sha256


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    state = tiny_state(classes=3)
    write_entry(tmp_path, {"safetensors": state}, architecture="test_efficientnet")
    with pytest.raises(WeightsError, match="expected the state of test_efficientnet with 4"):
        opened(tmp_path)
    write_entry(tmp_path, {"safetensors": state[:100]}, architecture="test_efficientnet")
    with pytest.raises(WeightsError, match="expected the state of test_efficientnet"):
        opened(tmp_path)
    write_entry(tmp_path, {"safetensors": state}, architecture="test_efficientnot")
    with pytest.raises(ConfigurationError, match="similar are test_efficientnet"):
        opened(tmp_path)


def test_what_ships_is_below_15_megabytes() -> None:
    from sonar_watch.detection.timm_runtime import build_network, half_state

    state = half_state(build_network("tf_efficientnetv2_b0", 4))
    size = sum(value.numel() * value.element_size() for value in state.values())
    assert 11_000_000 < size < 13_000_000
    variances = [value for name, value in state.items() if name.endswith("running_var")]
    assert variances
    assert all(str(value.dtype) == "torch.float32" for value in variances)


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives(tmp_path: Path) -> None:
    write_entry(tmp_path, {"safetensors": tiny_state()}, architecture="test_efficientnet")
    random = np.random.default_rng(2)
    crops = [random.integers(0, 255, (32, 32, 3), np.uint8) for _ in range(70)]
    on_gpu = CropClassifier(
        ClassifierOptions(weights="crops", models_dir=tmp_path, device="cuda:0")
    )
    found = on_gpu.classify(crops)
    np.testing.assert_allclose(found, opened(tmp_path).classify(crops), atol=0.01)
    np.testing.assert_array_equal(on_gpu.classify(crops[:3]), found[:3])
    on_gpu.close()
