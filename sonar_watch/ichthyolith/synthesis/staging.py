"""A part of a real tile as the stage of a composite: turned, enlarged, with its labels."""

from __future__ import annotations

import numpy as np

from sonar_watch.detection.detections import Float32Array
from sonar_watch.ichthyolith.records import Box
from sonar_watch.ichthyolith.synthesis.tiles import RealTile, enlarged, paint_over
from sonar_watch.opencv import opencv

_SEEN_PART = 0.35


def staged(
    tile: RealTile, size_px: int, field_px: int, rng: np.random.Generator
) -> tuple[Float32Array, list[tuple[str, Box]]]:
    """Return a part of a tile as a picture, and the boxes on it.

    Ichthyoliths of which the edge of the part leaves little are painted over: whether they are
    seen would be a matter of taste.

    Parameters
    ----------
    size_px : int
        Side of the picture.
    field_px : int
        Side of the part, pixels of the tile, at most; down to 0.7 of it by chance.

    Returns
    -------
    ndarray, shape (size_px, size_px, 3), float32, grey values
    list of (class name, Box)
        In pixels of the picture.
    """
    cv2 = opencv()
    height, width = tile.image.shape[:2]
    side = min(field_px * rng.uniform(0.72, 1.0), height, width)
    x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
    scale = size_px / side
    place = _turned(size_px, rng) @ np.array(
        [[scale, 0, -x * scale], [0, scale, -y * scale], [0, 0, 1.0]]
    )
    boxes, hidden = _sorted_out(tile, place, size_px)
    image = tile.image
    if hidden:
        image = image.copy()
        glass = enlarged(tile.glass, width, height)
        for box in hidden:
            paint_over(image, glass, box)
    picture = cv2.warpAffine(
        image,
        place[:2],
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return picture.astype(np.float32), boxes


def _sorted_out(
    tile: RealTile, place: np.ndarray, size_px: int
) -> tuple[list[tuple[str, Box]], list[Box]]:
    """Return the boxes on the picture, and those on the tile of what is to be painted over."""
    boxes: list[tuple[str, Box]] = []
    hidden: list[Box] = []
    for class_name, box in tile.boxes:
        moved = _moved(box, place)
        kept = _clipped(moved, size_px)
        if kept is None:
            continue
        if _area(kept) >= _SEEN_PART * _area(moved) or class_name == "noise":
            boxes.append((class_name, kept))
        else:
            hidden.append(box)
    return boxes, hidden


def _turned(size_px: int, rng: np.random.Generator) -> np.ndarray:
    """Return one of the eight ways to lay a square on itself, as a 3 x 3 matrix."""
    quarter = int(rng.integers(4))
    cos, sin = (1, 0, -1, 0)[quarter], (0, 1, 0, -1)[quarter]
    flip = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[cos * flip, -sin, 0], [sin * flip, cos, 0], [0, 0, 1.0]])
    half = size_px / 2
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = -half, half
    return np.asarray(back @ turn @ to)


def _moved(box: Box, place: np.ndarray) -> Box:
    ends = np.array([[box[0], box[1], 1.0], [box[2], box[3], 1.0]]) @ place[:2].T
    low, high = ends.min(0), ends.max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _clipped(box: Box, size_px: int) -> Box | None:
    kept = tuple(min(max(edge, 0.0), float(size_px)) for edge in box)
    if kept[2] - kept[0] < 1 or kept[3] - kept[1] < 1:
        return None
    return kept[0], kept[1], kept[2], kept[3]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
