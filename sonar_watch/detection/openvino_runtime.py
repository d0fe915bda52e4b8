"""Networks on the CPU through OpenVINO: fast to start, fast to run, the same numbers each time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

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
        network, values = entry.file("openvino").read(), entry.file("openvino_weights").read()
        try:
            openvino = import_openvino()
        except ImportError as error:
            raise InferenceError(
                "openvino: not installed; expected `pip install 'sonar-watch[detect]'`"
            ) from error
        try:
            self._compiled = _compile(openvino, entry, network, values, threads)
        except RuntimeError as error:
            raise InferenceError(f"{entry.file('openvino').path}: {error}") from error
        self.name = f"openvino {openvino.__version__.split('-')[0]} cpu"
        self._queue = openvino.AsyncInferQueue(self._compiled)

    def infer(self, inputs: Sequence[ByteImage]) -> list[npt.NDArray[Any]]:
        """Return the network's output for each input, in order; see `Runtime.infer`."""
        outputs: list[npt.NDArray[Any]] = [np.empty(0)] * len(inputs)

        def keep(request: Any, index: int) -> None:
            outputs[index] = request.get_output_tensor(0).data[0].copy()

        self._queue.set_callback(keep)
        try:
            for index, image in enumerate(inputs):
                self._queue.start_async({0: image[None]}, userdata=index)
            self._queue.wait_all()
        except RuntimeError as error:
            raise InferenceError(f"{self.name}: {error}") from error
        return outputs

    def close(self) -> None:
        """Let go of the network and its memory."""
        self._queue = self._compiled = None


def _compile(
    openvino: Any, entry: WeightsEntry, network: bytes, values: bytes, threads: int | None
) -> Any:
    """Return the compiled network; it takes uint8 BGR images and scales them itself."""
    core = openvino.Core()
    model = core.read_model(network, values)
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return core.compile_model(_with_byte_input(openvino, model, entry), "CPU", settings)


def _with_byte_input(openvino: Any, model: Any, entry: WeightsEntry) -> Any:
    """Return the model with what comes before the network: uint8 (1, h, w, c) to 0..1, RGB."""
    steps = openvino.preprocess.PrePostProcessor(model)
    image = steps.input(0)
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.tensor().set_shape([1, *entry.input_size, entry.channels])
    image.model().set_layout(openvino.Layout("NCHW"))
    image.preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    if entry.channels == 3:
        image.preprocess().reverse_channels()
    return steps.build()
