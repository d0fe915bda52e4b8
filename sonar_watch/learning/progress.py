"""How far a training run is, told after each batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """How far a training run is.

    Parameters
    ----------
    epoch, epochs : int
        The current one, from 1, of how many.
    batch, batches : int
        Done in this epoch, of how many.
    loss : float
        Sum of the parts of the loss, mean over the epoch so far.
    elapsed_s, remaining_s : float
        Of this run; the rest is an estimate.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    elapsed_s: float
    remaining_s: float


ProgressListener = Callable[[TrainingProgress], None]


def listeners(on_progress: ProgressListener | None) -> list[tuple[str, Callable[[Any], None]]]:
    """Return the callbacks, by ultralytics' name for the event, that tell how far the run is."""
    clock: dict[str, float] = {"start": 0.0, "batch": 0}

    def start(_: Any) -> None:
        clock["start"] = time.monotonic()

    def epoch_start(_: Any) -> None:
        clock["batch"] = 0

    def batch_end(trainer: Any) -> None:
        clock["batch"] += 1
        if on_progress is not None:
            on_progress(_progress(trainer, int(clock["batch"]), clock["start"]))

    def epoch_end(trainer: Any) -> None:
        state = _progress(trainer, int(clock["batch"]), clock["start"])
        logger.info("epoch %d of %d: loss %.3f, %.0f s left", state.epoch, state.epochs,
                    state.loss, state.remaining_s)

    return [
        ("on_train_start", start), ("on_train_epoch_start", epoch_start),
        ("on_train_batch_end", batch_end), ("on_train_epoch_end", epoch_end),
    ]


def _progress(trainer: Any, batch: int, start: float) -> TrainingProgress:
    """Return how far the trainer is, with the rest scaled from what it took so far."""
    batches = len(trainer.train_loader)
    done = (trainer.epoch - trainer.start_epoch) * batches + batch
    total = (trainer.epochs - trainer.start_epoch) * batches
    elapsed = time.monotonic() - start
    remaining = elapsed * (total - done) / max(done, 1)
    if trainer.args.time:
        remaining = max(trainer.args.time * 3600 - elapsed, 0.0)
    return TrainingProgress(
        epoch=trainer.epoch + 1, epochs=trainer.epochs, batch=batch, batches=batches,
        loss=sum(float(part) for part in trainer.tloss.values()),
        elapsed_s=elapsed, remaining_s=remaining,
    )
