"""The detector end to end on a tiny network, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.detection import detector as module
from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.detector import Detector, DetectorOptions, has_cuda, open_detector
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import ConfigurationError, InferenceError, WeightsError


def options(entry: WeightsEntry, **changes: object) -> DetectorOptions:
    folder = next(iter(entry.files.values())).path.parent
    facts = {"weights": entry.name, "models_dir": folder, "device": "cpu", "threads": 1}
    return DetectorOptions(**(facts | changes))  # type: ignore[arg-type]


def grey(level: int, shape: tuple[int, ...] = (64, 64)) -> ByteImage:
    return np.full(shape, level, np.uint8)


@pytest.mark.parametrize("head", ["nms", "end2end"])
def test_known_boxes_come_back_in_pixels_of_the_image(build_model, head: str) -> None:
    detector = open_detector(options(build_model(head=head)))
    (found,) = detector.detect([grey(204)])
    assert found.xyxy.tolist()[0] == [16, 8, 24, 56]
    assert found.confidence.tolist() == pytest.approx([0.8, 0.4])
    assert [row.class_name for row in found] == ["signal", "noise"]
    assert detector.class_names == ("signal", "noise")
    assert detector.runtime.startswith("openvino 20")
    assert len(detector.weights_sha256) == 64
    detector.close()


def test_a_frame_alone_equals_the_frame_in_company(build_model) -> None:
    detector = open_detector(options(build_model(), confidence=0.01, threads=None))
    random = np.random.default_rng(3)
    images = [random.integers(0, 256, (40 + n, 64), np.uint8) for n in range(12)]
    together = detector.detect(images)
    assert together == [detector.detect([one])[0] for one in images]
    assert together == detector.detect(images)
    assert together[3:] == detector.detect(images[3:])
    assert len({one.confidence[0] for one in together}) == 12  # in order, none swapped


def test_colours_reach_the_network_as_rgb(build_model) -> None:
    detector = open_detector(options(build_model(), confidence=0.01))
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 255  # blue, first in BGR and last in RGB
    assert detector.detect([image])[0].confidence[0] == 1.0


def test_a_resizable_network_computes_no_bars_and_keeps_the_order(build_model) -> None:
    detector = open_detector(options(build_model(size=128, resizable=True), confidence=0.01))
    shapes = [(20, 64), (64, 64), (20, 60), (64, 20), (20, 64)]
    images = [grey(40 * n + 40, shape) for n, shape in enumerate(shapes)]
    together = detector.detect(images)
    assert together == [detector.detect([one])[0] for one in images]
    # in a square input 88 rows of 128 would be bars; here 24 of 64 are
    assert together[0].confidence[0] == pytest.approx((40 * 40 + 114 * 24) / 64 / 255, abs=0.01)


def test_no_images_no_results(build_model) -> None:
    assert open_detector(options(build_model())).detect([]) == []


def test_weights_that_were_changed_are_refused(build_model) -> None:
    entry = build_model()
    path = entry.file("openvino_weights").path
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match=r"tiny\.bin: expected sha256"):
        open_detector(options(entry))


def test_a_file_that_is_no_network_is_an_inference_error(build_model, tmp_path: Path) -> None:
    import hashlib

    from sonar_watch.detection.weights import WeightsFile, write_manifest

    entry = build_model()
    path = tmp_path / "broken.xml"
    path.write_bytes(b"<net/>")
    sha = hashlib.sha256(b"<net/>").hexdigest()
    files = {**entry.files, "openvino": WeightsFile(path=path, sha256=sha)}
    broken = WeightsEntry(name="broken", files=files, classes=("a",), input_size=(32, 32))
    write_manifest(tmp_path, {"broken": broken})
    with pytest.raises(InferenceError, match=r"broken\.xml"):
        open_detector(options(broken))


def test_missing_weights_say_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=str(tmp_path)):
        open_detector(DetectorOptions(weights="plume-n", models_dir=tmp_path))


def test_cuda_where_there_is_none_is_said(build_model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GPU_NODES", ())
    with pytest.raises(InferenceError, match="cuda:0: no CUDA device here; use auto or cpu"):
        open_detector(options(build_model(), device="cuda:0"))
    assert not has_cuda()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"confidence": 0.0}, "confidence: expected"), ({"iou": 1.5}, "iou: expected"),
     ({"device": "tpu"}, "device: expected auto, cpu or cuda:0"),
     ({"threads": 0}, "threads: expected 1")],
)
def test_options_beyond_their_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DetectorOptions(**changes)  # type: ignore[arg-type]


class Recorder:
    """A runtime that finds one box everywhere."""

    name = "recorder"

    def infer(self, inputs: Sequence[ByteImage]) -> list[np.ndarray]:
        return [np.array([[0, 0, 16, 16, 0.9, 0]], np.float32) for _ in inputs]

    def close(self) -> None:
        self.name = "closed"


def test_any_runtime_can_be_put_in(build_model) -> None:
    detector = Detector(options(build_model(head="end2end")), Recorder())
    assert detector.detect([grey(0)])[0].xyxy.tolist() == [[0, 0, 32, 32]]
    detector.close()
    assert detector.runtime == "closed"


def test_detection_on_a_cpu_needs_neither_torch_nor_a_network(build_model) -> None:
    """In a process of its own: torch unimported, no name looked up, no socket connected."""
    folder = str(build_model().file("openvino").path.parent)
    code = f"""
import socket, sys
def forbidden(*arguments, **keywords):
    raise AssertionError("network used")
socket.getaddrinfo = socket.socket.connect = forbidden
import numpy as np
from pathlib import Path
from sonar_watch.detection import detector
detector.GPU_NODES = ()
options = detector.DetectorOptions(weights="tiny", models_dir=Path({folder!r}))
found = detector.open_detector(options).detect([np.full((64, 64), 204, np.uint8)])
assert len(found[0]) == 2, found
loaded = {{"torch", "ultralytics"}} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_importing_the_core_is_cheap() -> None:
    code = """
import sys
import sonar_watch.detection.detector, sonar_watch.detection.torch_runtime
import sonar_watch.detection.openvino_runtime, sonar_watch.learning.training
import sonar_watch.learning.export, sonar_watch.learning.evaluation
loaded = {"torch", "ultralytics", "openvino", "cv2", "matplotlib"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
