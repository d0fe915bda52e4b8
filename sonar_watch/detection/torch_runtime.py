"""Networks on an NVIDIA GPU through torch."""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.offline import import_ultralytics
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import DeviceLostError, DeviceMemoryError, InferenceError

logger = logging.getLogger(__name__)

_MEMORY = ("out of memory", "alloc_failed")
_LOST = ("cuda error", "cuda driver error", "execution_failed", "device-side assert", "nvml error")
"""What torch, cuDNN and cuBLAS say, in small letters, when memory or the device is gone."""

BATCH = 8
"""Images per run, always: a shorter rest is filled with blanks, because kernels are chosen by
the shape of the batch and a result must not depend on how many images waited."""


class TorchRuntime:
    """One network in torch, on CUDA (or on the CPU, for comparison).

    Parameters
    ----------
    entry : WeightsEntry
    device : str
        Such as "cuda:0" or "cpu".
    threads : int or None
        Torch threads on the CPU; set after the first run, which resets them.
    batch : int
        Images per run.
    load : callable or None
        Returns the network, on the CPU and ready to run; None takes that of the `.pt`.

    Raises
    ------
    WeightsError
        The `.pt` is missing or not the one of the manifest.
    DeviceMemoryError
        One batch does not fit into the memory of the device.
    InferenceError
        torch or ultralytics is missing, or the network cannot be loaded there.
    """

    def __init__(
        self,
        entry: WeightsEntry,
        device: str,
        threads: int | None = None,
        batch: int = BATCH,
        load: Callable[[], Any] | None = None,
    ) -> None:
        content = b"" if load else entry.file("torch").read()
        try:
            if load is None:
                import_ultralytics()
            import torch
        except ImportError as error:
            raise InferenceError(
                f"{error.name}: not installed; expected `pip install 'sonar-watch[detect]'`"
            ) from error
        self._torch, self._device, self._entry, self.batch = torch, device, entry, batch
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            network = load() if load else _load(torch, content, entry)
            self._network = network.to(device)
            self.infer([np.zeros((*entry.input_size, entry.channels), np.uint8)])  # warm up
        except InferenceError:
            raise
        except (RuntimeError, LookupError, AttributeError, pickle.UnpicklingError) as error:
            raise InferenceError(f"weights {entry.name} on {device}: {error}") from error
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = f"torch {torch.__version__.split('+')[0]} {device}"

    def infer(self, inputs: Sequence[ByteImage]) -> list[npt.NDArray[Any]]:
        """Return the network's output for each input, in order; see `Runtime.infer`."""
        outputs: list[npt.NDArray[Any]] = [np.empty(0)] * len(inputs)
        for shape in {one.shape: None for one in inputs}:
            alike = [index for index, one in enumerate(inputs) if one.shape == shape]
            for start in range(0, len(alike), self.batch):
                chosen = alike[start : start + self.batch]
                for index, output in zip(chosen, self._run([inputs[i] for i in chosen]),
                                         strict=True):
                    outputs[index] = output
        return outputs

    def _run(self, inputs: Sequence[ByteImage]) -> list[npt.NDArray[Any]]:
        """Return the outputs of one batch, filled up to its full size."""
        stack = np.zeros((self.batch, *inputs[0].shape), np.uint8)
        stack[: len(inputs)] = inputs
        try:
            with self._torch.inference_mode():
                images = self._torch.from_numpy(stack).to(self._device).permute(0, 3, 1, 2)
                output = self._network(images.flip(1).contiguous().float() / 255.0)
                return list(output[: len(inputs)].cpu().numpy())
        except RuntimeError as error:
            raise self._explained(error) from error

    def _explained(self, error: RuntimeError) -> InferenceError:
        """Return what it means for who goes on: less memory, no device, or just this input."""
        told, said = f"torch on {self._device}: {error}", str(error).lower()
        if isinstance(error, self._torch.OutOfMemoryError) or any(one in said for one in _MEMORY):
            return DeviceMemoryError(told)
        # After an error of CUDA every call of this process fails.
        if self._device.startswith("cuda") and any(one in said for one in _LOST):
            return DeviceLostError(told)
        return InferenceError(told)

    def shrink(self) -> bool:
        """Free memory and halve the batch; False when it is one image already."""
        self._free()
        if self.batch == 1:
            return False
        self.batch //= 2
        return True

    def close(self) -> None:
        """Let go of the network and its memory; of a lost device, too."""
        self._network = None
        self._free()

    def _free(self) -> None:
        if self._device.startswith("cuda"):
            try:
                self._torch.cuda.empty_cache()
            except RuntimeError as error:
                logger.warning("torch on %s: memory cannot be freed: %s", self._device, error)


def _load(torch: Any, content: bytes, entry: WeightsEntry) -> Any:
    """Return the network of checked bytes, one head, ready to run."""
    checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
    return ready_to_run(checkpoint["model"].float(), entry.head == "end2end")


def ready_to_run(model: Any, end2end: bool) -> Any:
    """Return a detection network of ultralytics with one head, folded batch norms, plain output.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    end2end : bool
        Keep the end-to-end head instead of the one that needs thinning out.
    """
    detect = model.model[-1]
    detect.end2end = end2end
    network = model.eval().fuse(verbose=False)
    head = network.model[-1]
    head.export, head.format, head.dynamic = True, "openvino", True
    return network
