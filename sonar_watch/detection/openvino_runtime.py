"""Networks on the CPU through OpenVINO: fast to start, fast to run, the same numbers each time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sonar_watch.detection import yolov5
from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.offline import import_openvino
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import InferenceError

logger = logging.getLogger(__name__)


class OpenVinoRuntime:
    """One network on the CPU.

    Every image is a request of its own, in single precision and never bfloat16: a result does
    not depend on what else waits, so that a replay gives what the live run gave.

    Parameters
    ----------
    entry : WeightsEntry
    threads : int or None
        CPU threads; None takes one per core.

    Raises
    ------
    WeightsError
        Files missing or not the ones of the manifest.
    InferenceError
        OpenVINO is not installed or does not understand the network.
    """

    def __init__(self, entry: WeightsEntry, threads: int | None = None) -> None:
        self._path, content = _content(entry)
        try:
            self._openvino = import_openvino()
        except ImportError as error:
            raise InferenceError(
                "openvino: not installed; expected `pip install 'sonar-watch[detect]'`"
            ) from error
        self._core = self._openvino.Core()
        self._entry, self._content, self._threads = entry, content, threads
        self._queues: dict[tuple[int, ...], Any] = {}
        self._queue((*entry.input_size, entry.channels))
        self.name = f"openvino {self._openvino.__version__.split('-')[0]} cpu"

    def _queue(self, shape: tuple[int, ...]) -> Any:
        """Return the queue of requests for inputs (height, width, channels) of that shape."""
        if shape not in self._queues:
            try:
                self._queues[shape] = self._openvino.AsyncInferQueue(self._compile(shape))
            except RuntimeError as error:
                raise InferenceError(
                    f"{self._path} for an input of {shape}: {error}"
                ) from error
        return self._queues[shape]

    def _compile(self, shape: tuple[int, ...]) -> Any:
        """Return the network compiled for one shape of input."""
        model = self._core.read_model(*self._content)
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "THROUGHPUT",
        }
        if self._threads is not None:
            settings["INFERENCE_NUM_THREADS"] = self._threads
        if self._entry.resizable:
            model.reshape([1, shape[2], shape[0], shape[1]])
        return self._core.compile_model(
            _with_byte_input(self._openvino, model, shape), "CPU", settings
        )

    def infer(self, inputs: Sequence[ByteImage]) -> list[npt.NDArray[Any]]:
        """Return the network's output for each input, in order; see `Runtime.infer`."""
        outputs: list[list[npt.NDArray[Any]]] = [[]] * len(inputs)
        wanted = None if self._entry.head == "yolov5" else 1

        def keep(request: Any, index: int) -> None:  # must not raise: it is called from C++
            count = wanted or len(request.model_outputs)
            outputs[index] = [
                request.get_output_tensor(place).data[0].copy() for place in range(count)
            ]

        try:
            for shape in {one.shape: None for one in inputs}:
                queue = self._queue(shape)
                queue.set_callback(keep)
                for index, image in enumerate(inputs):
                    if image.shape == shape:
                        queue.start_async({0: image[None]}, userdata=index)
                queue.wait_all()
        except RuntimeError as error:
            raise InferenceError(f"{self.name}: {error}") from error
        return [self._joined(*pair) for pair in zip(outputs, inputs, strict=True)]

    def _joined(self, outputs: list[npt.NDArray[Any]], image: ByteImage) -> npt.NDArray[Any]:
        """Return what decoding expects of all that the network put out for one image."""
        if self._entry.head != "yolov5":
            return outputs[0]
        size = (image.shape[0], image.shape[1])
        return yolov5.table(outputs, size, len(self._entry.classes), self._entry.anchors)

    def close(self) -> None:
        """Let go of the network and its memory."""
        self._queues.clear()


def _content(entry: WeightsEntry) -> tuple[Path, tuple[bytes, ...]]:
    """Return the file of the network and the checked bytes to read it from."""
    if "onnx" in entry.files and "openvino" not in entry.files:
        file = entry.file("onnx")
        return file.path, (file.read(),)
    file = entry.file("openvino")
    return file.path, (file.read(), entry.file("openvino_weights").read())


def _with_byte_input(openvino: Any, model: Any, shape: tuple[int, ...]) -> Any:
    """Return the model with what comes before the network: uint8 (1, h, w, c) to 0..1, RGB."""
    steps = openvino.preprocess.PrePostProcessor(model)
    image = steps.input(0)
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.tensor().set_shape([1, *shape])
    image.model().set_layout(openvino.Layout("NCHW"))
    image.preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    if shape[2] == 3:
        image.preprocess().reverse_channels()
    wanted = model.input(0).get_element_type()
    if wanted != openvino.Type.f32:  # ONNX exported in half precision
        image.preprocess().convert_element_type(wanted)
    return steps.build()
