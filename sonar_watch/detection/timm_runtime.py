"""Classifiers of pictures: timm's networks from safetensors, run by OpenVINO or by torch.

What ships is the state of the network in half precision, with what comes before and after it
inside: it takes RGB of 0 to 1 and gives calibrated probabilities, on every runtime alike.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.detection.offline import import_openvino
from sonar_watch.detection.runtime import Runtime
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import ConfigurationError, InferenceError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

CUDA_BATCH = 64
"""Crops per run on a GPU: they are small."""


def build_network(architecture: str, classes: int, dropout: float = 0.0) -> Any:
    """Return an untrained classifier that takes RGB of 0 to 1 and gives probabilities.

    Parameters
    ----------
    architecture : str
        As timm calls it, such as "tf_efficientnetv2_b0".
    classes : int
    dropout : float
        Share of the last features left out at random in training, 0 to 1.

    Returns
    -------
    torch.nn.Module
        `network` is timm's part, `logits(images)` what it says before calibration, and calling
        it gives (n, classes) probabilities.

    Raises
    ------
    ConfigurationError
        timm knows no such network.
    InferenceError
        torch or timm is not installed.
    """
    _, timm = _libraries()
    import torch

    if not timm.is_model(architecture):
        near = timm.list_models(f"*{architecture[:6]}*")[:5]
        raise ConfigurationError(
            f"architecture: expected a network of timm, received {architecture!r}; "
            f"similar are {', '.join(near) or 'none'}"
        )
    network = timm.create_model(
        architecture, pretrained=False, num_classes=classes, drop_rate=dropout
    )

    class Classifier(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            for name in ("mean", "std"):
                value = torch.tensor(network.default_cfg[name]).view(1, 3, 1, 1)
                self.register_buffer(name, value)
            self.register_buffer("temperature", torch.ones(()))

        def logits(self, images: Any) -> Any:
            return self.network((images - self.mean) / self.std)

        def forward(self, images: Any) -> Any:
            return torch.softmax(self.logits(images) / self.temperature, dim=1)

    return Classifier().eval()


def _libraries() -> tuple[Any, Any]:
    try:
        import timm
        import torch
    except ImportError as error:
        raise InferenceError(
            f"{error.name}: not installed; expected `pip install 'sonar-watch[detect]'`"
        ) from error
    return torch, timm


def half_state(network: Any) -> Mapping[str, Any]:
    """Return the state that ships: matrices in half precision, what is short as it is.

    Variances of a batch norm would leave the range of half precision.
    """
    return {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for name, value in network.state_dict().items()
    }


def load_network(entry: WeightsEntry) -> Any:
    """Return the classifier of an entry on the CPU, in single precision, ready to run.

    Raises
    ------
    WeightsError
        The file is missing, not the one of the manifest, or of another network.
    InferenceError
        torch or timm is not installed.
    """
    file = entry.file("safetensors")
    content = file.read()
    network = build_network(entry.architecture, len(entry.classes))
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        raise WeightsError(
            f"{file.path}: expected the state of {entry.architecture} with "
            f"{len(entry.classes)} classes: {error}"
        ) from error
    return network.float().eval()


def to_openvino(network: Any, size: tuple[int, int]) -> tuple[bytes, bytes]:
    """Return a classifier as OpenVINO reads it: the graph and its weights, in half precision.

    Parameters
    ----------
    network : torch.nn.Module
    size : tuple of int
        Height and width of its input.
    """
    torch, _ = _libraries()
    openvino = import_openvino()
    example = torch.zeros(1, 3, *size)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated; OpenVINO has nothing better yet
        traced = torch.jit.trace(network, example, strict=False, check_trace=False)
        model = openvino.convert_model(traced, input=[1, 3, *size], example_input=example)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        openvino.save_model(model, path, compress_to_fp16=True)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def open_classifier(entry: WeightsEntry, device: str, threads: int | None = None) -> Runtime:
    """Return what runs a classifier: torch on CUDA, OpenVINO on the CPU.

    Parameters
    ----------
    entry : WeightsEntry
    device : str
        "cpu", or such as "cuda:0".
    threads : int or None
        CPU threads; None takes one per core.

    Raises
    ------
    WeightsError
        It is no classifier, or its files are missing or not those of the manifest.
    InferenceError
        What runs it is not installed, or cannot.
    """
    if entry.head != "classifier":
        raise WeightsError(f"{entry.name}: expected a classifier, its head is {entry.head!r}")
    if device.startswith("cuda"):
        from sonar_watch.detection.torch_runtime import TorchRuntime

        return TorchRuntime(entry, device, threads, CUDA_BATCH, lambda: load_network(entry))
    from sonar_watch.detection.openvino_runtime import OpenVinoRuntime

    if "openvino" in entry.files:
        return OpenVinoRuntime(entry, threads)
    content = to_openvino(load_network(entry), entry.input_size)
    return OpenVinoRuntime(entry, threads, (entry.file("safetensors").path, content))
