"""Contact sheets: crops of every object of a class on one picture, the surest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.records import CLASSES, SlideObject
from sonar_watch.images import write_png

CropOf = Callable[[SlideObject], ByteImage | None]
"""Returns the picture of an object with what is around it, BGR; None where it cannot be read."""

ACROSS = 10
MOST = 200
"""Crops on one sheet; of more objects these are spread evenly over their confidence."""

_CELL_PX, _CAPTION_PX, _GAP_PX, _TITLE_PX = 128, 26, 4, 34
_PAPER, _INK, _EMPTY = 255, 30, 225


def _length(one: SlideObject) -> str:
    return "" if one.length_um is None else f"{one.length_um:.0f} um"


def draw_sheets(
    objects: Sequence[SlideObject], crop_of: CropOf, folder: Path, *, most: int = MOST
) -> list[Path]:
    """Write a PNG per class that was found, named after it; return the paths.

    Under each crop stand confidence, length where it is known, "seen" where a person has looked
    at it, and the slide. Crops are scaled to the cell: sizes are told by the figure below.

    Parameters
    ----------
    objects : sequence of SlideObject
        Of any class, noise among them.
    crop_of : callable
        Gives the picture of an object; it is called for those that are shown, slide by slide.
    folder : Path
        Made when missing.
    most : int
        Crops on a sheet.

    Raises
    ------
    OSError
        A sheet cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in CLASSES:
        members = [one for one in objects if one.class_name == name]
        if members:
            paths.append(draw_sheet(name, members, crop_of, folder / f"{name}.png", most=most))
    return paths


def draw_sheet(
    title: str,
    objects: Sequence[SlideObject],
    crop_of: CropOf,
    path: Path,
    *,
    most: int = MOST,
    told: Callable[[SlideObject], str] = _length,
) -> Path:
    """Write one sheet of objects, the surest first; return its path.

    Parameters
    ----------
    title : str
        How many there are is added.
    objects, crop_of, most
        As `draw_sheets`.
    path : Path
        PNG, in a folder that exists.
    told : callable
        What stands beside the confidence of an object; its length, unless given.

    Raises
    ------
    OSError
        The sheet cannot be written.
    """
    shown = spread(objects, most)
    crops = _crops(shown, crop_of)
    width = ACROSS * (_CELL_PX + _GAP_PX) + _GAP_PX
    count = f"{len(objects)}" if len(shown) == len(objects) else f"{len(shown)} of {len(objects)}"
    cells = [_cell(one, crops[one.object_id], told(one)) for one in shown]
    write_png(path, np.vstack([_line(width, _TITLE_PX, f"{title}: {count}", 0.7),
                               *_rows(cells, width)]))
    return path


def spread(objects: Sequence[SlideObject], most: int) -> list[SlideObject]:
    """Return objects from the surest to the least sure, at most so many, evenly spaced."""
    order = sorted(objects, key=lambda one: (-one.confidence, one.object_id))
    if len(order) <= most:
        return order
    return [order[round(place)] for place in np.linspace(0, len(order) - 1, most)]


def _crops(shown: Sequence[SlideObject], crop_of: CropOf) -> Mapping[str, ByteImage | None]:
    """Return the crops by object; those of one image are asked for one after the other."""
    by_image = sorted(shown, key=lambda one: (one.site, one.sample, one.slide, one.best.image))
    return {one.object_id: crop_of(one) for one in by_image}


def _rows(cells: Sequence[ByteImage], width: int) -> Iterator[ByteImage]:
    height = _CELL_PX + _CAPTION_PX + _GAP_PX
    for start in range(0, len(cells), ACROSS):
        row = np.full((height, width, 3), _PAPER, np.uint8)
        for place, cell in enumerate(cells[start : start + ACROSS]):
            left = _GAP_PX + place * (_CELL_PX + _GAP_PX)
            row[: cell.shape[0], left : left + _CELL_PX] = cell
        yield row


def _cell(one: SlideObject, crop: ByteImage | None, told: str) -> ByteImage:
    first = f"{one.confidence:.2f} {told}{' seen' if one.reviewed else ''}"
    lines = [_line(_CELL_PX, _CAPTION_PX // 2, text, 0.34) for text in (first, _place(one))]
    return np.vstack([_fitted(crop), *lines])


def _place(one: SlideObject) -> str:
    """Return sample and slide, cut from the left when long: names differ at their ends."""
    text = one.slide if one.slide.startswith(one.sample) else f"{one.sample} {one.slide}"
    return text if len(text) <= 22 else f"~{text[-21:]}"


def _fitted(crop: ByteImage | None) -> ByteImage:
    """Return a crop in the middle of its cell, scaled to fit; an empty cell for none."""
    import cv2

    cell = np.full((_CELL_PX, _CELL_PX, 3), _EMPTY, np.uint8)
    if crop is None or not crop.size:
        return cell
    colour = crop if crop.ndim == 3 else np.repeat(crop[..., None], 3, axis=2)
    scale = _CELL_PX / max(colour.shape[:2])
    width, height = (max(1, round(side * scale)) for side in colour.shape[1::-1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (_CELL_PX - width) // 2, (_CELL_PX - height) // 2
    cell[top : top + height, left : left + width] = cv2.resize(
        colour, (width, height), interpolation=how
    )
    return cell


def _line(width: int, height: int, text: str, size: float) -> ByteImage:
    import cv2

    line = np.full((height, width, 3), _PAPER, np.uint8)
    ascii_text = text.encode("ascii", "replace").decode()
    cv2.putText(
        line,
        ascii_text,
        (3, height - 3 - height // 5),
        cv2.FONT_HERSHEY_SIMPLEX,
        size,
        (_INK,) * 3,
        1,
        cv2.LINE_AA,
    )
    return line
