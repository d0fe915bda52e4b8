"""Training a detector through ultralytics: offline, quiet, resumable, and never on a test set."""

from __future__ import annotations

import logging
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sonar_watch.detection.offline import import_ultralytics
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.annotations import write_resolved
from sonar_watch.learning.augmentation import LayerJitter, adapt
from sonar_watch.learning.classes import keep_classes
from sonar_watch.learning.frozen import refuse_frozen, refuse_shared_surveys
from sonar_watch.learning.progress import ProgressListener, listeners
from sonar_watch.learning.warm_start import START_NAME, prepare_start

logger = logging.getLogger(__name__)

RESUME_NAME = "resume.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How a detector is trained.

    Parameters
    ----------
    data : Path
        The dataset's YAML file (see `learning.annotations.write_dataset`).
    out : Path
        Folder for checkpoints; made when missing. Keep it outside the source tree.
    classes : tuple of str
        Those of the set to learn, in their new order; the others become background. () is all.
    model : str or None
        Architecture, such as "yolov8n.yaml"; None takes that of `start_from`, or yolov8n.
    start_from : Path or None
        Weights (`.pt`) to start from, of that architecture; None starts from random ones.
    spread_grey : bool
        `start_from` knows grey pictures: its first layer looks at the middle channel alone at
        first, so that it starts unchanged on layers (see `warm_start.prepare_start`).
    image_size : int
        Side of the square input in pixels, a multiple of 32.
    epochs : int
        Passes over the images; with `time_limit_h` only a first guess.
    batch : int
        Images per step of the optimiser.
    seed : int
    resume : bool
        Go on from the last whole epoch in `out` when there is one, start when there is none.
    time_limit_h : float or None
        Stop after so many hours of this run; the learning rate falls towards that moment.
    fraction : float
        Share of the training images used, above 0 up to 1.
    workers : int
        Processes that load images; on a CPU none are used.
    threads : int or None
        Threads of torch on the CPU; None leaves its own choice.
    device : str
        "auto" (CUDA where there is one), "cpu" or "cuda:0".
    precision : {"fp32", "bf16"}
        Of the arithmetic; "bf16" is for GPUs, on most CPUs it is many times slower.
    cache : {"none", "ram", "disk"}
        Where decoded images are kept between epochs.
    optimizer : {"AdamW", "SGD", "MuSGD", "auto"}
    learning_rate : float
        At the start, after the warm-up.
    final_rate_fraction : float
        Of the learning rate, reached at the end.
    warmup_epochs : float
    weight_decay : float
    mosaic : float
        Probability of pasting four images together; off again for the last tenth.
    scale, translate : float
        Range of random zoom (+-) and shift (+-), as fractions.
    flip : float
        Probability of swapping port and starboard.
    brightness : float
        Range of a random gain and offset (+-) of each layer, as a fraction.
    grey_share : float
        Probability of showing a picture's middle layer in all three, 0 to 1.
    cold_share : float
        Probability of showing the middle layer in the last one too, 0 to 1: what a fan without
        predecessors looks like.
    validate : bool
        Score the validation images after each epoch and keep the best; else the last is kept.
    checkpoint_every : int
        Keep an extra checkpoint each so many epochs; 0 keeps none.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    data: Path
    out: Path
    classes: tuple[str, ...] = ()
    model: str | None = None
    start_from: Path | None = None
    spread_grey: bool = False
    image_size: int = 640
    epochs: int = 30
    batch: int = 8
    seed: int = 0
    resume: bool = False
    time_limit_h: float | None = None
    fraction: float = 1.0
    workers: int = 4
    threads: int | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    cache: Literal["none", "ram", "disk"] = "none"
    optimizer: Literal["AdamW", "SGD", "MuSGD", "auto"] = "AdamW"
    learning_rate: float = 0.002
    final_rate_fraction: float = 0.02
    warmup_epochs: float = 0.5
    weight_decay: float = 0.0005
    mosaic: float = 0.0
    scale: float = 0.2
    translate: float = 0.1
    flip: float = 0.5
    brightness: float = 0.2
    grey_share: float = 0.0
    cold_share: float = 0.0
    validate: bool = False
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "image_size", "learning_rate"):
            value = getattr(self, name)
            if not value > 0:
                raise ConfigurationError(f"{name}: expected above 0, received {value}")
        if self.image_size % 32:
            raise ConfigurationError(
                f"image_size: expected a multiple of 32, received {self.image_size}"
            )
        for name in ("grey_share", "cold_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name}: expected 0..1, received {getattr(self, name)}")
        if not 0 < self.fraction <= 1:
            raise ConfigurationError(
                f"fraction: expected above 0 up to 1, received {self.fraction}"
            )
        if self.time_limit_h is not None and not self.time_limit_h > 0:
            raise ConfigurationError(
                f"time_limit_h: expected above 0 or none, received {self.time_limit_h}"
            )


def train(options: TrainingOptions, on_progress: ProgressListener | None = None) -> Path:
    """Train a detector and return the checkpoint to evaluate and export.

    Parameters
    ----------
    options : TrainingOptions
    on_progress : callable or None
        Told after each batch.

    Returns
    -------
    Path
        `out/weights/best.pt` when validated each epoch, `out/weights/last.pt` otherwise.

    Raises
    ------
    ConfigurationError
        The dataset's file is missing or kept for tests, its splits share a survey, there is
        nothing left to resume, it lacks a class of `classes`, or the weights to start from are
        of another architecture.
    WeightsError
        `start_from` is missing or is no detector's checkpoint.
    """
    if not options.data.is_file():
        raise ConfigurationError(f"data: expected a dataset's YAML file, received {options.data}")
    refuse_frozen(options.data)
    refuse_shared_surveys(options.data)
    import_ultralytics()
    import torch

    out = options.out.resolve()
    options = replace(options, data=_checked_pictures(options, out))
    start = _resume_point(out) if options.resume else None
    if start is None and options.start_from is not None:
        prepare_start(options.start_from, options.model, options.spread_grey, out)
    trainer = _trainer_class(options)(overrides=_overrides(options, out, start))
    for event, listener in (*listeners(on_progress), ("on_model_save", _keep_resume_point)):
        trainer.add_callback(event, listener)
    if options.threads is not None:
        trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(options.threads))
    try:
        trainer.train()
    except AssertionError as error:  # how ultralytics says that the run was complete
        raise ConfigurationError(f"{out}: nothing to resume: {error}") from error
    for name in (RESUME_NAME, START_NAME):
        (out / "weights" / name).unlink(missing_ok=True)
    return Path(trainer.best if options.validate else trainer.last)


def _checked_pictures(options: TrainingOptions, out: Path) -> Path:
    """Return the YAML file that the trainer is given."""
    if options.classes:
        return keep_classes(options.data, options.classes, out / "classes")
    return write_resolved(options.data, out)


def _resume_point(out: Path) -> Path | None:
    """Return the checkpoint to go on from, or None when nothing was kept."""
    kept = (out / "weights" / name for name in (RESUME_NAME, "last.pt"))
    return next((path for path in kept if path.is_file()), None)


def _keep_resume_point(trainer: Any) -> None:
    """Keep a copy of the last checkpoint that is whole, even if the power fails now."""
    kept = trainer.wdir / RESUME_NAME
    temporary = kept.with_suffix(".tmp")
    shutil.copyfile(trainer.last, temporary)
    temporary.replace(kept)


def _trainer_class(options: TrainingOptions) -> Any:
    """Return the trainer; without validation it spends no time on scoring at the end either."""
    from ultralytics.models.yolo.detect import DetectionTrainer

    jitter = LayerJitter(range_fraction=options.brightness, grey_share=options.grey_share,
                         cold_share=options.cold_share)

    class FanTrainer(DetectionTrainer):  # type: ignore[misc]
        def build_dataset(
            self, img_path: str, mode: str = "train", batch: int | None = None
        ) -> Any:
            dataset = super().build_dataset(img_path, mode, batch)
            return adapt(dataset, jitter, self.args) if mode == "train" else dataset

    class UnvalidatedTrainer(FanTrainer):
        def validate(self) -> tuple[dict[str, float], None]:
            return {}, None

        def final_eval(self) -> None:
            from ultralytics.utils.torch_utils import strip_optimizer

            strip_optimizer(self.last)

    return FanTrainer if options.validate else UnvalidatedTrainer


def _overrides(options: TrainingOptions, out: Path, resume: Path | None) -> dict[str, Any]:
    """Return the options in ultralytics' own words."""
    model = options.model or "yolov8n.yaml"
    if options.start_from is not None:
        model = str(out / "weights" / START_NAME)
    overrides: dict[str, Any] = {
        "task": "detect", "mode": "train", "model": str(resume or model),
        "data": str(options.data.resolve()),
        "project": str(out.parent), "name": out.name, "save_dir": str(out), "exist_ok": True,
        "imgsz": options.image_size, "epochs": options.epochs, "time": options.time_limit_h,
        "batch": options.batch, "nbs": options.batch,  # one optimiser step per batch
        "seed": options.seed, "deterministic": True, "workers": options.workers,
        "fraction": options.fraction, "device": _device(options.device),
        "cache": False if options.cache == "none" else options.cache,
        "optimizer": options.optimizer, "lr0": options.learning_rate,
        "lrf": options.final_rate_fraction, "warmup_epochs": options.warmup_epochs,
        "warmup_bias_lr": options.learning_rate, "weight_decay": options.weight_decay,
        "mosaic": options.mosaic, "close_mosaic": math.ceil(options.epochs / 10),
        "scale": options.scale, "translate": options.translate, "fliplr": options.flip,
        "hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0,
        "val": options.validate, "patience": 10**6, "save_period": options.checkpoint_every or -1,
        "plots": False, "verbose": False,
        # True would check itself on another network, fetched for that
        "amp": False if options.precision == "fp32" else options.precision,
        "pretrained": model.endswith(".pt"),
    }
    return overrides | ({"resume": str(resume)} if resume else {})


def _device(device: str) -> str:
    """Return "cpu" or the index of a CUDA device, as ultralytics wants it."""
    import torch

    if device == "auto":
        return "0" if torch.cuda.is_available() else "cpu"
    return device.removeprefix("cuda:")
