"""A runtime that lasts: with less memory in smaller batches, without its GPU on the CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.detector import GPU_NODES, DetectorOptions, open_runtime
from sonar_watch.detection.runtime import Runtime
from sonar_watch.detection.stuck import NoteLoss, StuckTimer
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import DeviceMemoryError, InferenceError

logger = logging.getLogger(__name__)

OpenRuntime = Callable[[WeightsEntry, DetectorOptions], Runtime]


@runtime_checkable
class Shrinking(Protocol):
    """A runtime whose batches can be made smaller."""

    batch: int

    def shrink(self) -> bool:
        """Free memory and halve the batch; False when it is one image already."""
        ...


class FallbackRuntime:
    """Runs the network where the options say, and where that fails on less.

    Out of memory, batches are halved down to one image, then the network goes to the CPU, and
    stays there until the next start. A GPU that cannot be used at the start, or has no memory for a
    whole batch then, is done without.
    Each step is logged and stays in `notice`. A device that is lost on the way is not survived
    here (`DeviceLostError`: only a new process helps), nor an inference that hangs
    (`StuckTimer`).

    Parameters
    ----------
    entry : WeightsEntry
    options : DetectorOptions
    note : callable
        Told why the process ends itself; see `StuckTimer`.
    open_with : callable
        Opens a runtime for a device.

    Attributes
    ----------
    notice : str or None
        What the network has to do without.

    Raises
    ------
    WeightsError, InferenceError
        As `open_runtime`, when the CPU does not run it either.
    """

    def __init__(
        self,
        entry: WeightsEntry,
        options: DetectorOptions,
        note: NoteLoss = lambda _: None,
        open_with: OpenRuntime = open_runtime,
    ) -> None:
        self._entry, self._options, self._open_with = entry, options, open_with
        self.notice: str | None = None
        self._runtime = self._open()
        self._timer = StuckTimer(options.stuck_after_s, note)

    @property
    def name(self) -> str:
        """What runs the network now."""
        return self._runtime.name

    def infer(self, inputs: Sequence[ByteImage]) -> list[npt.NDArray[Any]]:
        """Return the network's output for each input, in order; see `Runtime.infer`.

        Raises
        ------
        DeviceLostError
            The device is gone: end this process.
        InferenceError
            The network could not be run.
        """
        while True:
            try:
                with self._timer.timing(f"inference of {len(inputs)} images on {self.name}"):
                    return self._runtime.infer(inputs)
            except DeviceMemoryError as error:
                if not isinstance(self._runtime, Shrinking):
                    raise
                reason = str(error)
            # Not above: the error keeps alive what did not fit.
            self._make_room(reason)

    def close(self) -> None:
        """Let go of the network and its memory."""
        self._timer.close()
        self._runtime.close()

    def _open(self) -> Runtime:
        options = self._options
        try:
            runtime = self._open_with(self._entry, options)
        except InferenceError as error:
            if options.device == "cpu":
                raise
            reason = f"the GPU cannot be used ({error})"
            return self._open_on_cpu(reason)
        if options.device == "auto" and "torch" in self._entry.files and _has_idle_gpu(runtime):
            self._say("this machine has a GPU and CUDA does not run on it", runtime)
        return runtime

    def _make_room(self, reason: str) -> None:
        """Make the batch smaller, or leave the GPU."""
        runtime = self._runtime
        assert isinstance(runtime, Shrinking)
        if runtime.shrink():
            self.notice = (
                f"the GPU is short of memory: batches of {runtime.batch}, slower than usual; "
                "see what else uses it, then restart"
            )
            logger.critical("%s (%s)", self.notice, reason)
            return
        runtime.close()
        self._runtime = self._open_on_cpu(f"the GPU has no memory for one image ({reason})")

    def _open_on_cpu(self, why: str) -> Runtime:
        runtime = self._open_with(self._entry, replace(self._options, device="cpu"))
        self._say(why, runtime)
        return runtime

    def _say(self, why: str, runtime: Runtime) -> None:
        self.notice = f"{why}: the network runs on {runtime.name}, slower; mend it, then restart"
        logger.critical("%s", self.notice)


def _has_idle_gpu(runtime: Runtime) -> bool:
    """Return whether there are an NVIDIA GPU's device nodes and the runtime is not on it."""
    return "cpu" in runtime.name and any(Path(node).exists() for node in GPU_NODES)
