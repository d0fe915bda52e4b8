"""Networks on the CPU through OpenVINO: fast to start, fast to run, the same numbers each time."""

from __future__ import annotations

import logging
from collections import OrderedDict
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

KEPT_SHAPES = 6
"""Shapes of input the network stays compiled for: each takes some 45 MB, and 0.3 s when new."""


class OpenVinoRuntime:
    """One network on the CPU.

    Every image is a request of its own, in single precision and never bfloat16: a result does
    not depend on what else waits, so that a replay gives what the live run gave.

    Parameters
    ----------
    entry : WeightsEntry
    threads : int or None
        CPU threads; None takes one per core.
    content : (path, bytes of each file) or None
        The network in OpenVINO's own form, made of other files of the entry; None reads them.

    Raises
    ------
    WeightsError
        Files missing or not the ones of the manifest.
    InferenceError
        OpenVINO is not installed or does not understand the network.
    """

    def __init__(
        self,
        entry: WeightsEntry,
        threads: int | None = None,
        content: tuple[Path, tuple[bytes, ...]] | None = None,
    ) -> None:
        self._path, content_bytes = content or _content(entry)
        try:
            self._openvino = import_openvino()
        except ImportError as error:
            raise InferenceError(
                "openvino: not installed; expected `pip install 'sonar-watch[detect]'`"
            ) from error
        self._core = self._openvino.Core()
        self._entry, self._content, self._threads = entry, content_bytes, threads
        self._requests: OrderedDict[tuple[int, ...], list[Any]] = OrderedDict()
        self._requests_for((*entry.input_size, entry.channels))
        self.name = f"openvino {self._openvino.__version__.split('-')[0]} cpu"

    def _requests_for(self, shape: tuple[int, ...]) -> list[Any]:
        """Return the requests for inputs (height, width, channels) of that shape.

        They are waited for one after the other: a queue with a callback was seen to hang on a
        busy machine.
        """
        if shape not in self._requests:
            while len(self._requests) >= KEPT_SHAPES:
                self._requests.popitem(last=False)
            try:
                network = self._compile(shape)
                count = int(network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
                self._requests[shape] = [network.create_infer_request() for _ in range(count)]
            except RuntimeError as error:
                raise InferenceError(
                    f"{self._path} for an input of {shape}: {error}"
                ) from error
        self._requests.move_to_end(shape)
        return self._requests[shape]

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
        try:
            for shape in {one.shape: None for one in inputs}:
                alike = [index for index, one in enumerate(inputs) if one.shape == shape]
                found = self._infer_alike(shape, [inputs[index] for index in alike])
                for index, output in zip(alike, found, strict=True):
                    outputs[index] = output
        except RuntimeError as error:
            self._requests.clear()  # some may be running still
            raise InferenceError(f"{self.name}: {error}") from error
        return [self._joined(*pair) for pair in zip(outputs, inputs, strict=True)]

    def _infer_alike(
        self, shape: tuple[int, ...], images: Sequence[ByteImage]
    ) -> list[list[npt.NDArray[Any]]]:
        """Return the outputs for images of one shape: as many at once as there are requests."""
        requests, outputs = self._requests_for(shape), []
        for start in range(0, len(images), len(requests)):
            some = images[start : start + len(requests)]
            for request, image in zip(requests, some, strict=False):
                request.start_async({0: image[None]})
            for request in requests[: len(some)]:
                request.wait()
                outputs.append(self._copied(request))
        return outputs

    def _copied(self, request: Any) -> list[npt.NDArray[Any]]:
        """Return what the network put out: all of it for heads that come in parts."""
        count = len(request.model_outputs) if self._entry.head == "yolov5" else 1
        return [request.get_output_tensor(place).data[0].copy() for place in range(count)]

    def _joined(self, outputs: list[npt.NDArray[Any]], image: ByteImage) -> npt.NDArray[Any]:
        """Return what decoding expects of all that the network put out for one image."""
        if self._entry.head != "yolov5":
            return outputs[0]
        size = (image.shape[0], image.shape[1])
        return yolov5.table(outputs, size, len(self._entry.classes), self._entry.anchors)

    def close(self) -> None:
        """Let go of the network and its memory."""
        self._requests.clear()


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
