"""Training a classifier of crops: from scratch, seeded, resumable, calibrated on held-out crops.

Everything random follows from the seed, the epoch and the crop, so that a run that was stopped
and resumed ends with the very numbers of one that was not (on the CPU; a GPU adds up in any order).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sonar_watch.atomic import whole_file
from sonar_watch.detection.detector import has_cuda
from sonar_watch.detection.timm_runtime import build_network
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.calibration import (
    fit_temperature,
    held_out_scores,
    log_loss,
    softmax,
)
from sonar_watch.learning.classifier_export import read_classifier
from sonar_watch.learning.crop_augmentation import CropJitter
from sonar_watch.learning.crop_batches import changed_batches, class_weights, plain_batches
from sonar_watch.learning.crops import CropSet, read_crops
from sonar_watch.learning.progress import ProgressListener, TrainingProgress

logger = logging.getLogger(__name__)

LAST_NAME, BEST_NAME, DONE_NAME = "last.pt", "best.pt", "classifier.pt"
EPOCHS_NAME = "epochs.jsonl"
_KIND = ("architecture", "classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierTrainingOptions:
    """How a classifier of crops is trained.

    Parameters
    ----------
    crops : Path
        See `learning.crops`.
    out : Path
        Folder for checkpoints; made when missing.
    classes : tuple of str
        Folders of the set, in the order in which the network tells them.
    architecture : str
        As timm calls it; "tf_efficientnetv2_b0" ships, "mobilenetv4_conv_small" is quicker.
    image_size : int
        Side of the square input in pixels.
    epochs : int
        Passes over the crops.
    batch : int
        Crops per step of the optimiser.
    learning_rate : float
        After the warm-up; falls to a hundredth along a cosine.
    warmup_epochs : float
    weight_decay : float
    dropout : float
        Share of the last features left out at random, 0 to 1.
    label_smoothing : float
        Share of each label spread over all classes, 0 to 1.
    balance : float
        0 weighs every crop alike, 1 every class; between: in between.
    val_share : float
        Held out where the set does not say itself, 0 to 1.
    leave_out : tuple of str
        Crops of surveys whose names hold one of these are not used at all.
    jitter : CropJitter
    seed : int
    start : Path or None
        A checkpoint of the same network and classes to start from, at any image size; None starts
        from random weights.
    resume : bool
        Go on from the last whole epoch in `out` when there is one.
    device : str
        "auto" (CUDA where there is one), "cpu" or "cuda:0".
    precision : {"fp32", "bf16"}
        Of the arithmetic; "bf16" is for GPUs.
    threads : int or None
        Of torch on the CPU; None leaves its own choice.
    workers : int
        Threads that load crops.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    crops: Path
    out: Path
    classes: tuple[str, ...]
    architecture: str = "tf_efficientnetv2_b0"
    image_size: int = 224
    epochs: int = 20
    batch: int = 32
    learning_rate: float = 0.001
    warmup_epochs: float = 1.0
    weight_decay: float = 0.02
    dropout: float = 0.2
    label_smoothing: float = 0.05
    balance: float = 0.5
    val_share: float = 0.15
    leave_out: tuple[str, ...] = ()
    jitter: CropJitter = field(default_factory=CropJitter)
    seed: int = 0
    start: Path | None = None
    resume: bool = False
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("image_size", "epochs", "learning_rate", "workers"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(
                    f"{name}: expected above 0, received {getattr(self, name)}"
                )
        if self.batch < 2:
            raise ConfigurationError(f"batch: expected 2 or more, received {self.batch}")
        for name in ("dropout", "label_smoothing", "balance", "val_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"{name}: expected 0..1, received {getattr(self, name)}")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ConfigurationError(f"classes: expected two or more, received {self.classes}")


def train_classifier(
    options: ClassifierTrainingOptions, on_progress: ProgressListener | None = None
) -> Path:
    """Train a classifier and return the checkpoint to export, `out/classifier.pt`.

    Of all epochs the one with the least loss on the crops held out is kept, and calibrated on
    them; without such crops it is the last, as it is.

    Parameters
    ----------
    options : ClassifierTrainingOptions
    on_progress : callable or None
        Told after each batch.

    Raises
    ------
    ConfigurationError
        The set is not what `read_crops` expects, timm does not know the network, or what is to
        be resumed was another run.
    ImageError
        A crop that cannot be read.
    InferenceError
        torch or timm is not installed.
    """
    crops = _read_set(options)
    logger.info("to learn from: %s; held out: %s", crops.counts(crops.train),
                crops.counts(crops.val))
    options.out.mkdir(parents=True, exist_ok=True)
    run = _Run(options, crops)
    run.train(on_progress)
    return run.finish()


def batches_ahead(options: ClassifierTrainingOptions) -> int:
    """Return how many batches `train_classifier` has before it.

    Raises
    ------
    ConfigurationError
        The set is not what `read_crops` expects.
    """
    told, done = options.out / EPOCHS_NAME, 0
    if options.resume and told.is_file():
        done = len(told.read_text(encoding="utf-8").splitlines())
    return max(options.epochs - done, 0) * _steps(_read_set(options), options)


def _read_set(options: ClassifierTrainingOptions) -> CropSet:
    return read_crops(options.crops, options.classes, options.val_share, options.leave_out)


def _steps(crops: CropSet, options: ClassifierTrainingOptions) -> int:
    return max(len(crops.train) // options.batch, 1)  # as changed_batches


class _Run:
    """One training run: network, optimiser, and how far it is."""

    def __init__(self, options: ClassifierTrainingOptions, crops: CropSet) -> None:
        import torch

        self._torch, self._options, self._crops = torch, options, crops
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        self._device = options.device
        if options.device == "auto":
            self._device = "cuda:0" if has_cuda() else "cpu"
        torch.manual_seed(options.seed)
        self._network = build_network(
            options.architecture, len(options.classes), options.dropout
        ).to(self._device)
        self._optimizer = torch.optim.AdamW(
            _groups(self._network, options.weight_decay), lr=options.learning_rate
        )
        self._weights = torch.tensor(class_weights(crops, options.balance), dtype=torch.float32,
                                     device=self._device)
        self._steps = _steps(crops, options)
        self._epoch, self._best = 0, math.inf
        self._told: list[dict[str, float]] = []
        if options.resume and (options.out / LAST_NAME).is_file():
            self._load(LAST_NAME)
            logger.info("goes on after epoch %d of %d", self._epoch, options.epochs)
        elif options.start is not None:
            self._network.load_state_dict(self._same(options.start, _KIND)["model"])
            self._network.temperature.fill_(1.0)  # it was fitted to what that run held out

    def train(self, on_progress: ProgressListener | None) -> None:
        """Learn until the last epoch, keeping each as a whole."""
        started, first = time.monotonic(), self._epoch
        while self._epoch < self._options.epochs:
            losses = []
            for number, loss in enumerate(self._learn_epoch(), 1):
                losses.append(loss)
                elapsed = time.monotonic() - started
                done = (self._epoch - first) * self._steps + number
                ahead = (self._options.epochs - first) * self._steps - done
                if on_progress is not None:
                    on_progress(TrainingProgress(
                        epoch=self._epoch + 1, epochs=self._options.epochs, batch=number,
                        batches=self._steps, loss=float(np.mean(losses)), elapsed_s=elapsed,
                        remaining_s=elapsed / done * ahead,
                    ))
            self._epoch += 1
            self._keep(float(np.mean(losses)))

    def _learn_epoch(self) -> Iterator[float]:
        """Learn every crop once; yield the loss of each batch."""
        torch, options = self._torch, self._options
        torch.manual_seed(_number(options.seed, self._epoch))  # of dropout
        self._network.train()
        batches = changed_batches(
            self._crops.train, size_px=options.image_size, batch=options.batch,
            numbers=(options.seed, self._epoch), jitter=options.jitter, workers=options.workers,
        )
        for number, (images, labels) in enumerate(batches):
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate(self._epoch * self._steps + number)
            with self._arithmetic():
                logits = self._network.logits(self._as_input(images))
            loss = torch.nn.functional.cross_entropy(
                logits.float(), torch.from_numpy(labels).to(self._device), self._weights,
                label_smoothing=options.label_smoothing,
            )
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
            self._optimizer.step()
            yield float(loss.detach())

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step: up along a line, down along a cosine."""
        options = self._options
        warmup = options.warmup_epochs * self._steps
        if step < warmup:
            return options.learning_rate * (step + 1) / (warmup + 1)
        done = (step - warmup) / max(options.epochs * self._steps - warmup, 1)
        return options.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)

    def _as_input(self, images: npt.NDArray[np.uint8]) -> Any:
        """Return BGR bytes as the network takes them: RGB of 0 to 1, channels first."""
        channels_first = images[..., ::-1].transpose(0, 3, 1, 2)
        stack = self._torch.from_numpy(np.ascontiguousarray(channels_first))
        return stack.to(self._device).float() / 255.0

    def _arithmetic(self) -> Any:
        half = self._options.precision == "bf16"
        kind = self._device.split(":")[0]
        return self._torch.autocast(kind, self._torch.bfloat16, enabled=half)

    def _logits(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
        """Return what the network says of the crops held out, and what they are."""
        options, crops = self._options, self._crops.val
        labels = np.array([crop.class_id for crop in crops], np.intp)
        said = [np.zeros((0, len(options.classes)))]
        self._network.eval()
        with self._torch.inference_mode():
            for images in plain_batches(crops, options.image_size, options.batch, options.workers):
                said.append(self._network.logits(self._as_input(images)).double().cpu().numpy())
        return np.concatenate(said), labels

    def _keep(self, loss: float) -> None:
        """Score the crops held out and keep this epoch; as the best one when it is."""
        logits, labels = self._logits()
        told = log_loss(softmax(logits), labels)
        right = float((logits.argmax(axis=1) == labels).mean()) if len(labels) else math.nan
        logger.info("epoch %d of %d: loss %.3f, held out %.3f, right %.3f", self._epoch,
                    self._options.epochs, loss, told, right)
        self._told.append({"epoch": self._epoch, "loss": loss, "held_out_loss": told,
                           "held_out_right": right})
        if not told >= self._best:  # of nothing held out it is NaN: the last is the best
            self._best = told if math.isfinite(told) else math.inf
            self._save(BEST_NAME)
        self._save(LAST_NAME, optimizer=self._optimizer.state_dict(), told=self._told)
        lines = "".join(json.dumps(row) + "\n" for row in self._told)
        with whole_file(self._options.out / EPOCHS_NAME) as file:
            file.write(lines.encode())

    def _save(self, name: str, **more: Any) -> None:
        content = {
            "architecture": self._options.architecture, "classes": list(self._options.classes),
            "image_size": self._options.image_size, "epoch": self._epoch, "best": self._best,
            "seed": self._options.seed, "model": self._network.state_dict(), **more,
        }
        with whole_file(self._options.out / name, durable=True) as file:
            self._torch.save(content, file)

    def _load(self, name: str) -> None:
        """Take over a checkpoint, the optimiser's state where it has one."""
        content = self._same(self._options.out / name, (*_KIND, "seed", "image_size"))
        self._network.load_state_dict(content["model"])
        if "optimizer" in content:
            self._optimizer.load_state_dict(content["optimizer"])
            self._epoch, self._best = content["epoch"], content["best"]
            self._told = content["told"]

    def _same(self, path: Path, words: tuple[str, ...]) -> dict[str, Any]:
        """Return a checkpoint that is as the options are in these words."""
        content = read_classifier(path)
        for word in words:
            wanted = getattr(self._options, word)
            wanted = list(wanted) if isinstance(wanted, tuple) else wanted
            if content[word] != wanted:
                raise ConfigurationError(
                    f"{path}: another run: {word} {content[word]!r}, expected {wanted!r}; "
                    "choose another --out or --from"
                )
        return content

    def finish(self) -> Path:
        """Calibrate the best epoch and write what is exported."""
        self._load(BEST_NAME)
        logits, labels = self._logits()
        temperature = fit_temperature(logits, labels)
        self._network.temperature.fill_(temperature)
        scores = held_out_scores(logits, labels, self._options.classes, temperature)
        logger.info("held out: %s", scores)
        self._save(DONE_NAME, scores=scores, jitter=asdict(self._options.jitter))
        return self._options.out / DONE_NAME


def _groups(network: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Return what is drawn towards zero and what is not: offsets and norms."""
    parameters = [*network.parameters()]
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]


def _number(*parts: int) -> int:
    """Return a seed for torch of several numbers."""
    return int(np.random.default_rng(parts).integers(2**31))
