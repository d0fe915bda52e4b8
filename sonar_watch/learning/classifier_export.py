"""From a training checkpoint of a classifier to weights that ship, checked on both runtimes."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.detection.timm_runtime import (
    build_network,
    half_state,
    load_network,
    open_classifier,
    to_openvino,
)
from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import InferenceError, WeightsError

logger = logging.getLogger(__name__)

AGREEMENT = 0.02
"""Largest difference of a probability that torch and OpenVINO may show."""


def read_classifier(path: Path) -> dict[str, Any]:
    """Return a checkpoint of `classifier_training`.

    Raises
    ------
    WeightsError
        It is missing, or is none.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"architecture", "classes", "image_size", "model"} - set(content)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError) as error:
        raise WeightsError(f"{path}: expected a classifier's checkpoint: {error}") from error
    if missing:
        raise WeightsError(f"{path}: expected a classifier's checkpoint, lacks {sorted(missing)}")
    return dict(content)


def export_classifier(
    checkpoint: Path,
    name: str,
    models_dir: Path,
    *,
    trained_on: str = "",
    licence: str = "AGPL-3.0-or-later",
    scores: Mapping[str, Any] | None = None,
) -> WeightsEntry:
    """Write `name.safetensors`, `name.xml`, `name.bin` and the manifest entry; return that.

    Parameters
    ----------
    checkpoint : Path
        What `train_classifier` returned.
    name : str
    models_dir : Path
        Folder of the manifest; made when missing.
    trained_on : str
        Data and recipe, in a sentence.
    licence : str
    scores : mapping or None
        None takes those on the crops held out.

    Raises
    ------
    WeightsError
        The checkpoint is missing or holds no classifier.
    InferenceError
        OpenVINO does not give what torch gives; or something is not installed.
    """
    content = read_classifier(checkpoint)
    size = int(content["image_size"])
    network = build_network(content["architecture"], len(content["classes"]))
    network.load_state_dict(content["model"])
    models_dir.mkdir(parents=True, exist_ok=True)
    held_out = content.get("scores") or {}
    files = {"safetensors": _write_state(network, content, models_dir / f"{name}.safetensors")}
    entry = WeightsEntry(
        name=name,
        files=files,
        classes=tuple(content["classes"]),
        input_size=(size, size),
        head="classifier",
        architecture=content["architecture"],
        trained_on=trained_on,
        licence=licence,
        scores=_told(held_out) if scores is None else scores,
    )
    return _with_openvino(entry, models_dir)


def _write_state(network: Any, content: Mapping[str, Any], path: Path) -> WeightsFile:
    from safetensors.torch import save

    told = {"architecture": content["architecture"], "classes": ",".join(content["classes"])}
    return _write(path, save(dict(half_state(network)), told))


def _write(path: Path, content: bytes) -> WeightsFile:
    with whole_file(path, durable=True) as file:
        file.write(content)
    return WeightsFile(path=path, sha256=hashlib.sha256(content).hexdigest())


def _with_openvino(entry: WeightsEntry, models_dir: Path) -> WeightsEntry:
    """Return the entry with the network as OpenVINO reads it, in the manifest once both agree."""
    network = load_network(entry)  # the numbers that ship
    graph, weights = to_openvino(network, entry.input_size)
    added = {
        "openvino": _write(models_dir / f"{entry.name}.xml", graph),
        "openvino_weights": _write(models_dir / f"{entry.name}.bin", weights),
    }
    whole = replace(entry, files={**entry.files, **added})
    _check_agreement(network, whole)
    present = read_manifest(models_dir) if (models_dir / MANIFEST_NAME).is_file() else {}
    write_manifest(models_dir, present | {entry.name: whole})
    return whole


def _check_agreement(network: Any, entry: WeightsEntry) -> None:
    """Refuse an export whose runtimes differ on seeded pictures of blots."""
    import torch

    images = _blots(entry.input_size)
    stack = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255.0
    with torch.inference_mode():
        expected = network(torch.from_numpy(np.ascontiguousarray(stack))).numpy()
    runtime = open_classifier(entry, "cpu")
    received = np.array(runtime.infer(images))
    runtime.close()
    apart = float(np.abs(expected - received).max())
    logger.info("%s: torch and OpenVINO differ by %.4f", entry.name, apart)
    if not apart <= AGREEMENT:
        raise InferenceError(
            f"{entry.name}: expected torch's probabilities within {AGREEMENT}, received a "
            f"difference of {apart:.4f}"
        )


def _blots(size: tuple[int, int]) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Return pictures of dark round blots of several sizes on grey."""
    random = np.random.default_rng(20260)
    rows, columns = np.mgrid[: size[0], : size[1]]
    images = []
    for share in (0.1, 0.25, 0.4):
        away = np.hypot(rows - size[0] / 2, columns - size[1] / 2) / (share * size[0])
        grey = 135.0 - 60.0 * np.exp(-(away**4)) + random.normal(0, 6, size)
        image = np.clip(grey[..., None] + np.array([0.0, 4.0, 8.0]), 0, 255).astype(np.uint8)
        images.append(np.ascontiguousarray(image))
    return images


def _told(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores on crops held out, rounded, as the manifest holds them."""
    return {"held_out_crops": _rounded(scores)} if scores.get("held_out") else {}


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value
