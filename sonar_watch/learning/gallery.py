"""A sheet of what a detector found, missed and took for a plume: figures say how often, not why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.errors import ImageError
from sonar_watch.learning.matching import NOTHING, BoolArray, IndexArray, Judgement, Selection
from sonar_watch.learning.truth import PictureTruth, read_picture

_ACROSS = 4
_TILE_PX = (300, 230)
_CAPTION_PX, _TITLE_PX = 18, 30
_LEAST_SHOWN_PX = 150.0
_MARGIN = 1.7
_CONTRAST_LAYER = 1
_PAPER, _INK = 255, 20
_TRUE, _IGNORED, _FOUND = (80, 220, 80), (60, 120, 60), (0, 150, 255)

Box = tuple[float, float, float, float]


def draw_gallery(
    found: Sequence[Detections],
    truth: Sequence[PictureTruth],
    judgement: Judgement,
    confidence: float,
    path: Path,
    *,
    plume: str = "signal",
    strong_db: float = 8.0,
    rows: int = 2,
) -> Path:
    """Write a PNG of hits, misses and false alarms of plumes; return its path.

    Hits and misses are plumes of `strong_db` and more, spread evenly over their contrast; false
    alarms are the most confident ones. As far as there are enough, each is of another survey.
    The contrast layer is shown: true boxes green (dark: not asked for), found ones orange.

    Parameters
    ----------
    found : sequence of Detections
        One per picture, as judged.
    truth : sequence of PictureTruth
    judgement : Judgement
        Of `found` against `truth`.
    confidence : float
        Boxes of at least this count as found.
    path : Path
    plume : str
        The class that is shown.
    strong_db : float
        Contrast in dB; where no plume has a known one all are shown.
    rows : int
        Of each section, four pictures wide.

    Raises
    ------
    ImageError
        A picture cannot be read, or the gallery not written.
    """
    import cv2

    sheet = _Sheet(found, truth, judgement, confidence, plume)
    asked = Selection(class_names=(plume,), contrast_db=(strong_db, math.inf)).truths(judgement)
    which = f"plumes of {strong_db:g} dB and more"
    if not asked.any():
        asked, which = Selection(class_names=(plume,)).truths(judgement), "plumes"
    hit, count = asked & sheet.hit, rows * _ACROSS
    false = np.flatnonzero(sheet.false)
    false = false[np.argsort(-judgement.confidence[false], kind="stable")]
    parts = [
        sheet.section(f"Hits: {hit.sum()} of {asked.sum()} {which}",
                      sheet.spread(hit, count), sheet.true_tile),
        sheet.section(f"Misses: {(asked & ~hit).sum()} of {asked.sum()}",
                      sheet.spread(asked & ~hit, count), sheet.true_tile),
        sheet.section(f"False alarms: {len(false)} boxes on {len(truth)} pictures",
                      _of_many(false, sheet.surveys_found, count), sheet.false_tile),
    ]
    if not cv2.imwrite(str(path), np.vstack(parts)):
        raise ImageError(f"{path}: cannot be written")
    return path


class _Sheet:
    """What is known of all pictures, and how one of them is shown."""

    def __init__(
        self,
        found: Sequence[Detections],
        truth: Sequence[PictureTruth],
        judgement: Judgement,
        confidence: float,
        plume: str,
    ) -> None:
        self._found, self._truth, self._judged = found, truth, judgement
        self._confidence, self._plume = confidence, plume
        kept = judgement.confidence >= confidence
        self.hit: BoolArray = judgement.found(confidence)
        is_plume = judgement.class_id == judgement.class_names.index(plume)
        self.false: BoolArray = kept & is_plume & (judgement.truth == NOTHING)
        self.surveys_found = np.array(judgement.surveys)[judgement.picture]
        self._surveys_true = np.array(judgement.surveys)[judgement.true_picture]

    def spread(self, chosen: BoolArray, count: int) -> IndexArray:
        """Return some of the true boxes, from the faintest to the strongest."""
        contrast = np.nan_to_num(self._judged.true_contrast_db)
        places = np.flatnonzero(chosen)
        order = places[np.argsort(contrast[places], kind="stable")]
        few = [_of_many(part, self._surveys_true, 1) for part in np.array_split(order, count)]
        return np.concatenate(few).astype(np.intp)

    def true_tile(self, index: int) -> ByteImage:
        picture = int(self._judged.true_picture[index])
        first = int(np.searchsorted(self._judged.true_picture, picture))
        contrast = self._judged.true_contrast_db[index]
        told = "" if math.isnan(contrast) else f"{contrast:.0f} dB "
        return self._tile(picture, self._truth[picture].objects[index - first].xyxy, told)

    def false_tile(self, index: int) -> ByteImage:
        picture = int(self._judged.picture[index])
        first = int(np.searchsorted(self._judged.picture, picture))
        left, top, right, low = map(float, self._found[picture].xyxy[index - first])
        told = f"{self._judged.confidence[index]:.2f} "
        return self._tile(picture, (left, top, right, low), told)

    def section(
        self, title: str, places: IndexArray, tile: Callable[[int], ByteImage]
    ) -> ByteImage:
        """Return a titled block of tiles; a line that says so when there are none."""
        width = _ACROSS * _TILE_PX[0]
        parts = [_written(width, _TITLE_PX, title if len(places) else f"{title}: none to show")]
        for start in range(0, len(places), _ACROSS):
            row = np.hstack([tile(int(index)) for index in places[start : start + _ACROSS]])
            blank = np.full((row.shape[0], width - row.shape[1], 3), _PAPER, np.uint8)
            parts.append(np.hstack([row, blank]))
        return np.vstack(parts)

    def _tile(self, picture: int, box: Box, told: str) -> ByteImage:
        import cv2

        truth = self._truth[picture]
        layer = read_picture(truth.image)[..., _CONTRAST_LAYER]
        window, scale = _window(box, (layer.shape[1], layer.shape[0]))
        shown = cv2.warpAffine(cv2.cvtColor(layer, cv2.COLOR_GRAY2BGR), window, _TILE_PX)
        for one in truth.objects:
            if one.class_name == self._plume:
                _outline(shown, one.xyxy, window, _IGNORED if one.ignored else _TRUE)
        for row in self._found[picture]:
            if row.class_name == self._plume and row.confidence >= self._confidence:
                _outline(shown, row.xyxy, window, _FOUND)
        caption = f"{told}{truth.kind} {truth.survey} x{scale:.1f}"
        return np.vstack([_written(_TILE_PX[0], _CAPTION_PX, caption, 0.4), shown])


def _of_many(places: IndexArray, surveys: np.ndarray, count: int) -> IndexArray:
    """Return the first few, those of surveys already shown last."""
    seen: dict[str, int] = {}
    turns = []
    for place in places:
        turns.append(seen.get(str(surveys[place]), 0))
        seen[str(surveys[place])] = turns[-1] + 1
    order = np.argsort(np.array(turns, int), kind="stable")
    return np.asarray(places[np.sort(order[:count])], np.intp)


def _window(box: Box, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Return the part of a picture about a box as a matrix to tile pixels, and its scale."""
    spans = (box[2] - box[0], box[3] - box[1])
    scale = min(
        tile / max(_MARGIN * span, _LEAST_SHOWN_PX * tile / _TILE_PX[1])
        for tile, span in zip(_TILE_PX, spans, strict=True)
    )
    offsets = []
    for low, high, whole, tile in zip(box[:2], box[2:], size, _TILE_PX, strict=True):
        shown = tile / scale
        offsets.append(float(np.clip((low + high - shown) / 2, 0, max(0.0, whole - shown))))
    return np.array([[scale, 0, -scale * offsets[0]], [0, scale, -scale * offsets[1]]]), scale


def _outline(
    tile: ByteImage, box: Box, window: np.ndarray, colour: tuple[int, int, int]
) -> None:
    import cv2

    corners = np.array(box).reshape(2, 2) * window[0, 0] + window[:, 2]
    first, last = (tuple(round(float(value)) for value in corner) for corner in corners)
    cv2.rectangle(tile, first, last, colour, 1)


def _written(width: int, height: int, text: str, size: float = 0.6) -> ByteImage:
    import cv2

    line = np.full((height, width, 3), _PAPER, np.uint8)
    cv2.putText(line, text, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, size, (_INK,) * 3, 1,
                cv2.LINE_AA)
    return line
