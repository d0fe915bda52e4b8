"""True boxes as labels: where they lie in a picture, and whether a network should learn them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.records import FrameGeometry
from sonar_watch.simulation.swath import TrueBox

Row = tuple[float, ...]
CLASS_NAMES = ("signal", "noise")
FAINTEST_DB = 5.0
"""True boxes below this contrast are not labelled."""

_SMALLEST_PX = (6.0, 12.0)
"""Narrower or lower boxes are not labelled: nobody would draw them."""

_SEABED_MARGIN = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One true box in a picture.

    Parameters
    ----------
    class_name : {"signal", "noise"}
    name : str
        Of the body; "" for those without one.
    xyxy : tuple of float
        Left, top, right, bottom in pixels, within the picture.
    contrast_db : float
        See `simulation.swath.TrueBox`.
    ignored : bool
        Too faint or too small to be asked for: training does not see it, and evaluation counts
        a detection on it neither way.
    """

    class_name: str
    name: str
    xyxy: tuple[float, float, float, float]
    contrast_db: float
    ignored: bool = False

    def moved(self, scale: float, down_px: float) -> Label:
        """Return the label in a picture that holds its own one scaled, `down_px` from the top."""
        x1, y1, x2, y2 = (scale * value for value in self.xyxy)
        return replace(self, xyxy=(x1, y1 + down_px, x2, y2 + down_px))

    def body(self) -> dict[str, Any]:
        """Return the label as it stands in truth files."""
        return {
            "class": self.class_name,
            "name": self.name,
            "xyxy": [round(value, 1) for value in self.xyxy],
            "contrast_db": round(self.contrast_db, 1),
            "ignored": self.ignored,
        }


def label_of(box: TrueBox, geometry: FrameGeometry) -> Label | None:
    """Return a true box as a label; None outside the picture.

    A label on what cannot be told from noise teaches a network to see things, so faint and tiny
    ones are marked as ignored.
    """
    x1, y1 = geometry.to_pixels(box.across_track_m[0], box.depth_m[0])
    x2, y2 = geometry.to_pixels(box.across_track_m[1], box.depth_m[1])
    limits = (geometry.width_px, geometry.height_px)
    left, top, right, low = map(float, np.clip([x1, y1, x2, y2], 0, limits * 2))
    low = min(low, _shown_to_px(geometry, left, right))
    width, height = right - left, low - top
    if width <= 0 or height <= 0:
        return None
    small = width < _SMALLEST_PX[0] or height < _SMALLEST_PX[1]
    return Label(
        class_name=box.class_name,
        name=box.name,
        xyxy=(left, top, right, low),
        contrast_db=box.contrast_db,
        ignored=small or box.contrast_db < FAINTEST_DB,
    )


def _shown_to_px(geometry: FrameGeometry, left: float, right: float) -> float:
    """Lowest row shown in some columns: a wrongly detected bottom hides the water below it."""
    if geometry.seabed_depth_m is None:
        return float("inf")
    columns = geometry.seabed_depth_m[int(left) : max(int(right), int(left) + 1)]
    known = columns[np.isfinite(columns)]
    if not known.size:
        return float("inf")
    return geometry.to_pixels(0.0, float(known.max()) * _SEABED_MARGIN)[1]


def to_label(box: TrueBox, geometry: FrameGeometry) -> Row | None:
    """Return x1 y1 x2 y2 class in pixels of a true box; None when nobody could see it."""
    label = label_of(box, geometry)
    if label is None or label.ignored:
        return None
    return (*label.xyxy, float(CLASS_NAMES.index(label.class_name)))


def as_detections(labels: Iterable[Label]) -> Detections:
    """Return the labels that training sees."""
    rows = [
        [*label.xyxy, 1.0, CLASS_NAMES.index(label.class_name)]
        for label in labels
        if not label.ignored
    ]
    return Detections.from_rows(np.array(rows, float).reshape(-1, 6), CLASS_NAMES)
