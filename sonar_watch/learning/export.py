"""From a training checkpoint to weights that ship: a clean `.pt`, OpenVINO IR, a manifest entry."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.offline import import_openvino, import_ultralytics
from sonar_watch.detection.torch_runtime import ready_to_run
from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    Head,
    Shown,
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import InferenceError, WeightsError
from sonar_watch.learning.warm_start import architecture_of, read_checkpoint

logger = logging.getLogger(__name__)

AGREEMENT_SCORE = 0.02
"""Largest difference of any score that torch and OpenVINO may show on the golden image: both
hold half-precision weights, rounded before and after the batch norms are folded in."""
AGREEMENT_BOX_PX = 2.0
"""Largest difference of any box edge, input pixels, among boxes scored above 0.05."""

_KEPT_ARGUMENTS = ("imgsz", "epochs", "batch", "seed", "optimizer", "lr0", "lrf", "task")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the manifest says about a model beside its files.

    Parameters
    ----------
    trained_on : str
        Data and recipe, in a sentence.
    licence : str
    scores : mapping of str to float or str
        From `learning.evaluation`; say on what.
    head : {"nms", "end2end"}
        Which head is exported. A dual-head network (YOLO26) trained briefly is better with "nms":
        its end-to-end head learns from frozen features and lags behind.
    image_size : int or None
        Side of the input in pixels; None keeps that of the training.
    encoding : {"layers", "grey"}
        What it was trained on: pictures of three layers (grey ones mixed in), or grey alone.
    domain : mapping
        See `WeightsEntry.domain`; empty keeps what the manifest says of a model of that name.
    """

    trained_on: str = ""
    licence: str = "AGPL-3.0-or-later"
    scores: Mapping[str, Any] = field(default_factory=dict)
    head: Head = "nms"
    image_size: int | None = None
    encoding: Shown = "layers"
    domain: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)


def export_weights(
    checkpoint: Path, name: str, models_dir: Path, facts: ModelFacts | None = None
) -> WeightsEntry:
    """Write `name.pt`, `name.xml`, `name.bin` and the manifest entry, and return the entry.

    Parameters
    ----------
    checkpoint : Path
        What `learning.training.train` returned, or any ultralytics detection checkpoint.
    name : str
    models_dir : Path
        Folder of the manifest; made when missing.
    facts : ModelFacts or None

    Raises
    ------
    WeightsError
        The checkpoint is missing or holds no detection network.
    InferenceError
        OpenVINO does not give what torch gives on the golden image.
    """
    facts = facts or ModelFacts()
    import_ultralytics()
    clean = _clean_checkpoint(checkpoint)
    arguments, names = clean["train_args"], clean["model"].names
    size = facts.image_size or int(arguments.get("imgsz", 640))
    models_dir.mkdir(parents=True, exist_ok=True)
    paths = {
        "torch": models_dir / f"{name}.pt",
        "openvino": models_dir / f"{name}.xml",
        "openvino_weights": models_dir / f"{name}.bin",
    }
    _save_torch(clean, paths["torch"])
    network = inference_network(clean["model"], facts.head)
    _save_openvino(network, size, paths["openvino"])
    check_agreement(network, paths["openvino"], size, facts.head)
    present = read_manifest(models_dir) if (models_dir / MANIFEST_NAME).is_file() else {}
    entry = WeightsEntry(
        name=name,
        files={role: WeightsFile(path=path, sha256=_sha256(path)) for role, path in paths.items()},
        classes=tuple(str(names[index]) for index in sorted(names)),
        input_size=(size, size),
        channels=3,
        head=facts.head,
        resizable=True,
        architecture=str(clean["architecture"]),
        trained_on=facts.trained_on,
        licence=facts.licence,
        scores=facts.scores,
        encoding=facts.encoding,
        domain=facts.domain or (present[name].domain if name in present else {}),
    )
    write_manifest(models_dir, present | {name: entry})
    return entry


def _clean_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """Return a checkpoint with the weights alone: no optimiser, folders, host or git state."""
    content = read_checkpoint(checkpoint)
    model = content.get("ema") or content["model"]
    arguments = dict(content.get("train_args") or {})
    model = model.float().eval()
    kept = {key: arguments[key] for key in _KEPT_ARGUMENTS if key in arguments}
    architecture = architecture_of(model)
    model.args, model.criterion, model.pt_path = dict(kept), None, ""
    model.yaml["yaml_file"] = Path(str(model.yaml.get("yaml_file", ""))).name
    for parameter in model.parameters():
        parameter.requires_grad = False
    return {"model": model, "train_args": kept, "architecture": architecture}


def _save_torch(clean: dict[str, Any], path: Path) -> None:
    """Write the checkpoint in half precision, as ultralytics would read it for fine-tuning."""
    import copy

    import torch
    from ultralytics import __version__

    half = copy.deepcopy(clean["model"]).half()
    torch.save(
        {
            "epoch": -1, "model": half, "ema": None, "optimizer": None, "best_fitness": None,
            "updates": None, "train_args": clean["train_args"], "version": __version__,
            "license": "AGPL-3.0-or-later",
        },
        path,
    )


def inference_network(model: Any, head: Head) -> Any:
    """Return a copy of the network ready to run: one head, folded batch norms, plain output.

    Parameters
    ----------
    model : torch.nn.Module
        A detection network of ultralytics.
    head : {"nms", "end2end"}

    Raises
    ------
    WeightsError
        An end-to-end head is asked of a network that has none.
    """
    import copy

    if head == "end2end" and getattr(model.model[-1], "one2one_cv2", None) is None:
        raise WeightsError(f"head end2end: {model.yaml.get('yaml_file')} has none; use nms")
    shipped = copy.deepcopy(model).half().float()  # the numbers that ship
    return ready_to_run(shipped, head == "end2end")


def _save_openvino(network: Any, size: int, path: Path) -> None:
    """Write the intermediate representation, weights compressed to half precision."""
    import torch

    openvino = import_openvino()
    example = torch.zeros(1, 3, size, size)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated; OpenVINO has nothing better yet
        network(example)  # fills in the grid of anchors
        traced = torch.jit.trace(network, example, strict=False, check_trace=False)
    model = openvino.convert_model(traced, input=[1, 3, -1, -1], example_input=example)
    openvino.save_model(model, path, compress_to_fp16=True)


def golden_image(height: int, width: int) -> npt.NDArray[np.float32]:
    """Return the seeded picture on which the runtimes must agree: speckle and bright streaks.

    Returns
    -------
    ndarray, shape (1, 3, height, width), float32, 0 to 1
    """
    random = np.random.default_rng(20260)
    grey = random.normal(0.3, 0.08, (height, width))
    for x in (width // 5, width // 2, 4 * width // 5):
        grey[height // 4 : 3 * height // 4, x : x + max(width // 40, 1)] += 0.4
    return np.repeat(np.clip(grey, 0, 1)[None, None].astype(np.float32), 3, axis=1)


def check_agreement(network: Any, path: Path, size: int, head: Head) -> None:
    """Check that OpenVINO gives what torch gives, on a square and on a wide picture.

    The tolerances are `AGREEMENT_SCORE` and `AGREEMENT_BOX_PX`.

    Raises
    ------
    InferenceError
        It does not: the export must not be used.
    """
    import torch

    images = [golden_image(size, size), golden_image(max(size // 2, 32) // 32 * 32, size)]
    with torch.no_grad():
        expected = [network(torch.from_numpy(image)).numpy() for image in images]
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = import_openvino().Core().compile_model(str(path), "CPU", settings)
    received = [np.array(compiled(image)[0]) for image in images]
    score, box = np.max(
        [_differences(one, other, head) for one, other in zip(expected, received, strict=True)],
        axis=0,
    )
    logger.info("%s: torch and OpenVINO differ by %.4f in score, %.2f px", path.name, score, box)
    if not (score <= AGREEMENT_SCORE and box <= AGREEMENT_BOX_PX):
        raise InferenceError(
            f"{path}: expected torch's result within {AGREEMENT_SCORE} in score and "
            f"{AGREEMENT_BOX_PX} px, received differences of {score:.4f} and {box:.2f} px"
        )


def _differences(
    expected: npt.NDArray[Any], received: npt.NDArray[Any], head: Head
) -> tuple[float, float]:
    """Return the largest difference of a score, and of a box edge among boxes scored > 0.05."""
    if expected.shape != received.shape:
        return float("inf"), float("inf")
    if head == "end2end":  # sorted by score: equal ranks may swap, so compare scores by rank
        return float(np.abs(expected[..., 4] - received[..., 4]).max()), 0.0
    scores = np.abs(expected[:, 4:] - received[:, 4:]).max()
    likely = expected[0, 4:].max(axis=0) > 0.05
    edges = np.abs(expected[0, :4, likely] - received[0, :4, likely])
    return float(scores), float(edges.max(initial=0.0))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
