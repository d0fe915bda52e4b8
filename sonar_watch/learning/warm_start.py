"""Starting from weights that exist, in place of random ones."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from sonar_watch.errors import ConfigurationError, WeightsError
from sonar_watch.learning.augmentation import MIDDLE_LAYER

START_NAME = "start.pt"


def prepare_start(weights: Path, model: str | None, spread_grey: bool, out: Path) -> Path:
    """Write the checkpoint that training starts from and return its path, `out/weights/start.pt`.

    Parameters
    ----------
    weights : Path
        A `.pt` of ours or any detection checkpoint of ultralytics.
    model : str or None
        The architecture asked for; None takes that of the weights.
    spread_grey : bool
        The weights know grey pictures, three equal channels: let the first layer look at the
        middle channel alone, so that the network starts unchanged on layers whose middle one is
        what the grey pictures showed.
    out : Path
        The run's folder.

    Raises
    ------
    WeightsError
        The file is missing or is no detector's checkpoint.
    ConfigurationError
        The weights are of another architecture, or have no three-channel input to spread.
    """
    import torch

    content = read_checkpoint(weights)
    network = (content.get("ema") or content["model"]).float()
    _check_architecture(network, model, weights)
    if spread_grey:
        spread_first_layer(network)
    arguments = dict(content.get("train_args") or {})
    path = out / "weights" / START_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network, "ema": None, "train_args": arguments}, path)
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a detector's checkpoint as ultralytics keeps it.

    Raises
    ------
    WeightsError
        The file is missing or is no such checkpoint.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
        (content.get("ema") or content["model"]).yaml  # noqa: B018  # only such networks have one
    except (OSError, LookupError, AttributeError, RuntimeError, EOFError, TypeError,
            pickle.UnpicklingError) as error:
        raise WeightsError(f"{path}: expected a detector's checkpoint: {error}") from error
    return dict(content)


def architecture_of(network: Any) -> str:
    """Return the name of a network's architecture with its scale, such as "yolov8n"."""
    name = Path(str(network.yaml.get("yaml_file", ""))).stem
    scale = str(network.yaml.get("scale", ""))
    return name if not scale or name.endswith(scale) else name + scale


def _check_architecture(network: Any, model: str | None, weights: Path) -> None:
    wanted, received = Path(model or "").stem, architecture_of(network)
    if model is not None and wanted != received:
        raise ConfigurationError(
            f"{weights}: expected weights of {wanted} to start from, received {received}"
        )


def spread_first_layer(network: Any) -> None:
    """Move what the first layer makes of three equal channels to the middle one; in place.

    The network gives on [anything, x, anything] what it gave on [x, x, x].

    Raises
    ------
    ConfigurationError
        The first layer has no three channels.
    """
    import torch

    first = next((one for one in network.modules() if isinstance(one, torch.nn.Conv2d)), None)
    if first is None or first.weight.shape[1] != 3:
        raise ConfigurationError("spread_grey: expected a network with an input of 3 channels")
    with torch.no_grad():
        together = first.weight.sum(dim=1)
        first.weight.zero_()
        first.weight[:, MIDDLE_LAYER] = together
