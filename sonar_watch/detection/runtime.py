"""What a runtime is: something that runs one network on images that fit its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ConfigurationError


class Runtime(Protocol):
    """Runs one network. Must give the same numbers for an image whatever else is in the list."""

    @property
    def name(self) -> str:
        """What runs it, such as "openvino 2026.4.1 cpu"."""
        ...

    def infer(self, inputs: Sequence[ByteImage]) -> list[npt.NDArray[Any]]:
        """Return the network's output for each input, in order.

        Parameters
        ----------
        inputs : sequence of ndarray, shape (height, width, channels), uint8
            Letterboxed; BGR where there are three channels. Of several sizes when the network
            is resizable.

        Raises
        ------
        InferenceError
            The network could not be run.
        """
        ...

    def close(self) -> None:
        """Let go of the network and its memory."""
        ...


def check_device(device: str, threads: int | None) -> None:
    """Refuse what no network can be run on.

    Raises
    ------
    ConfigurationError
        A device that is neither CPU nor CUDA, or less than one thread.
    """
    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise ConfigurationError(f"device: expected auto, cpu or cuda:0, received {device!r}")
    if threads is not None and threads < 1:
        raise ConfigurationError(f"threads: expected 1 or more, received {threads}")
