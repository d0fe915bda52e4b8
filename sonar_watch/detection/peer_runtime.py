"""`yolo predict` as ultralytics has it: what our own way from file to boxes is measured against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sonar_watch.detection.offline import import_ultralytics
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import InferenceError


class YoloPredict:
    """Runs a network on image files the way `yolo predict` does, but draws and saves nothing.

    Parameters
    ----------
    entry : WeightsEntry
        With a torch file.
    device : str
        "cpu" or such as "cuda:0".
    threads : int or None
        CPU threads; none leaves torch its own choice, one per core.

    Raises
    ------
    WeightsError
        The `.pt` is missing or not the one of the manifest.
    InferenceError
        torch or ultralytics is missing.
    """

    def __init__(self, entry: WeightsEntry, device: str, threads: int | None = None) -> None:
        file = entry.file("torch")
        file.read()  # checks the sha256: loading a .pt runs what is in it
        try:
            import_ultralytics()
            import torch
            from ultralytics import YOLO
        except ImportError as error:
            raise InferenceError(
                f"{error.name}: not installed; expected `pip install 'sonar-watch[detect]'`"
            ) from error
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = f"yolo predict on torch {torch.__version__.split('+')[0]} {device}"
        self._entry, self._device = entry, device
        self._model: Any = YOLO(str(file.path), task="detect")

    def count(
        self, files: Sequence[Path], *, confidence: float, iou: float, batch: int = 1
    ) -> Iterator[int]:
        """Yield how many boxes each file has, in order.

        Parameters
        ----------
        files : sequence of Path
        confidence, iou : float
            As for `Detector`.
        batch : int
            Images at a time; `yolo predict` takes 1 unless told otherwise.
        """
        found = self._model.predict(
            [str(path) for path in files], imgsz=max(self._entry.input_size), conf=confidence,
            iou=iou, device=self._device, batch=batch, stream=True, save=False, verbose=False,
        )  # fmt: skip
        for one in found:
            yield len(one.boxes)
