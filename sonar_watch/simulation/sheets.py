"""Labelled pictures, alone or stacked into square sheets, and the truth that goes with them.

Fans are wide and low, networks are trained on squares: training pictures are sheets, several
fans above one another, so that no computation goes into black.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sonar_watch.images import write_png
from sonar_watch.learning.annotations import write_labels
from sonar_watch.opencv import opencv
from sonar_watch.records import ByteImage
from sonar_watch.simulation.labels import Label, as_detections

Kind = Literal["simulated", "injected", "real"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture and what is true in it.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
    labels : tuple of Label
    surveys : tuple of str
        What it shows: splits are by survey.
    scenes : tuple of str
        The simulated scenes in it.
    kind : {"simulated", "injected", "real", "mixed"}
    """

    image: ByteImage
    labels: tuple[Label, ...]
    surveys: tuple[str, ...]
    scenes: tuple[str, ...]
    kind: Kind | Literal["mixed"]

    def write(self, root: Path, split: str, stem: str) -> str:
        """Write picture and labels of a set; return its line of the truth file."""
        height, width = self.image.shape[:2]
        (root / "images" / split).mkdir(parents=True, exist_ok=True)
        write_png(root / "images" / split / f"{stem}.png", self.image)
        labels = root / "labels" / split / f"{stem}.txt"
        write_labels(labels, as_detections(self.labels), width, height)
        return json.dumps(self._truth(f"images/{split}/{stem}.png"))

    def _truth(self, image: str) -> dict[str, Any]:
        body: dict[str, Any] = {"image": image, "survey": self.surveys[0], "kind": self.kind}
        if len(self.surveys) > 1:
            body["surveys"] = list(self.surveys)
        body["scene"] = self.scenes[0] if len(self.scenes) == 1 else list(self.scenes)
        return {**body, "boxes": [label.body() for label in self.labels]}


def stack(fans: Sequence[Picture], side_px: int) -> Iterator[Picture]:
    """Yield square sheets of `side_px`, filled with fans from the top down, in their order.

    Fans are scaled to the sheet's side as the detector scales them.
    """
    sheet: list[Picture] = []
    filled_px = 0
    for fan in (_scaled(fan, side_px) for fan in fans):
        height = fan.image.shape[0]
        if filled_px + height > side_px:
            yield _joined(sheet, side_px)
            sheet, filled_px = [], 0
        sheet.append(fan)
        filled_px += height
    if sheet:
        yield _joined(sheet, side_px)


def _scaled(fan: Picture, side_px: int) -> Picture:
    """Scale to the side, three channels."""
    height, width = fan.image.shape[:2]
    scale = side_px / max(height, width)
    size = (round(width * scale), round(height * scale))
    cv2 = opencv()
    image = fan.image
    if size != (width, height):
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if image.ndim == 2:
        image = cv2.merge((image, image, image))
    labels = tuple(label.moved(scale, 0.0) for label in fan.labels)
    return replace(fan, image=image, labels=labels)


def _joined(fans: Sequence[Picture], side_px: int) -> Picture:
    image = np.zeros((side_px, side_px, 3), np.uint8)
    labels: list[Label] = []
    top = 0
    for fan in fans:
        height, width = fan.image.shape[:2]
        image[top : top + height, :width] = fan.image
        labels += [label.moved(1.0, top) for label in fan.labels]
        top += height
    kinds = {fan.kind for fan in fans}
    return Picture(
        image=image,
        labels=tuple(labels),
        surveys=tuple(dict.fromkeys(name for fan in fans for name in fan.surveys)),
        scenes=tuple(dict.fromkeys(name for fan in fans for name in fan.scenes)),
        kind=kinds.pop() if len(kinds) == 1 else "mixed",
    )
