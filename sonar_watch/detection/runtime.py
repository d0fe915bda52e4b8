"""What a runtime is: something that runs one network on images that fit its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage


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
