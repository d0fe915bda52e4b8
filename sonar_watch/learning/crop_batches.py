"""Crops as arrays: shuffled and changed to learn from, or as they are to be scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.letterbox import letterbox, shrunk
from sonar_watch.learning.crop_augmentation import CropJitter
from sonar_watch.learning.crops import Crop, CropSet
from sonar_watch.learning.truth import read_picture

Bytes = npt.NDArray[np.uint8]


def changed_batches(
    crops: Sequence[Crop],
    *,
    size_px: int,
    batch: int,
    numbers: tuple[int, int],
    jitter: CropJitter,
    workers: int = 1,
) -> Iterator[tuple[Bytes, npt.NDArray[np.int64]]]:
    """Yield shuffled, changed crops and their classes; a batch is loaded ahead.

    The last few that fill no batch wait for another epoch; fewer than a batch come all the same.

    Parameters
    ----------
    crops : sequence of Crop
    size_px : int
        Side of the square each is fitted into.
    batch : int
    numbers : tuple of int
        Seed and epoch: with the place of a crop they decide all that is random.
    jitter : CropJitter
    workers : int
        Threads.

    Yields
    ------
    ndarray, shape (batch, size_px, size_px, 3), uint8
        BGR.
    ndarray, shape (batch,), int64

    Raises
    ------
    ImageError
        A crop that cannot be read.
    """
    order = np.random.default_rng(numbers).permutation(len(crops))
    starts = range(0, max(len(crops) // batch, 1) * batch, batch)
    chosen = [order[start : start + batch] for start in starts]

    def one(index: int) -> ByteImage:
        random = np.random.default_rng((*numbers, index))
        return jitter.change(_read(crops[index], size_px), random)

    labels = np.array([crop.class_id for crop in crops], np.int64)
    with ThreadPoolExecutor(workers) as pool:
        ahead = [pool.submit(one, int(index)) for index in chosen[0]]
        for part, after in zip(chosen, [*chosen[1:], order[:0]], strict=True):
            now, ahead = ahead, [pool.submit(one, int(index)) for index in after]
            yield np.stack([waiting.result() for waiting in now]), labels[part]


def plain_batches(
    crops: Sequence[Crop], size_px: int, batch: int, workers: int = 1
) -> Iterator[Bytes]:
    """Yield crops in their order, fitted into squares, as the classifier sees them.

    Yields
    ------
    ndarray, shape (up to batch, size_px, size_px, 3), uint8
        BGR.

    Raises
    ------
    ImageError
        A crop that cannot be read.
    """
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(crops), batch):
            part = crops[start : start + batch]
            yield np.stack([*pool.map(lambda crop: _read(crop, size_px), part)])


def _read(crop: Crop, size_px: int) -> ByteImage:
    return letterbox(shrunk(read_picture(crop.path), size_px), (size_px, size_px))[0]


def class_weights(crops: CropSet, balance: float) -> npt.NDArray[np.float64]:
    """Return how much a crop of each class counts; a crop of the set counts 1 in the mean.

    Parameters
    ----------
    crops : CropSet
    balance : float
        0: every crop alike; 1: every class alike.
    """
    often = np.array([*crops.counts(crops.train).values()], float)
    weights = often**-balance
    return np.asarray(weights * often.sum() / (weights * often).sum(), float)
