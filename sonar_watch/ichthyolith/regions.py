"""Pixels around boxes: of a tile that is held whole, or of the strips of a huge one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.reading import read_tile, strips
from sonar_watch.ichthyolith.records import Box, Tile

WHOLE_PX = 25_000_000
"""Width times height of a tile that is read whole; several are in memory at a time."""

_REACH = 0.75
_REACH_PX = 16.0
"""How far from its centre a box needs pixels: this share of its longer side, and as many more."""


class Region(NamedTuple):
    """A part of an image, over its whole width, and the boxes that it serves.

    Parameters
    ----------
    image : ndarray, shape (h, w, 3), uint8
        BGR.
    top_px : int
        Its first row in the whole image.
    places : list of int
        Which of the boxes have all their surroundings here.
    """

    image: ByteImage
    top_px: int
    places: list[int]

    def shifted(self, box: Box) -> Box:
        """Return a box of the whole image in the frame of this part."""
        return box[0], box[1] - self.top_px, box[2], box[3] - self.top_px


def is_small(tile: Tile) -> bool:
    """Return whether a tile is read whole."""
    return tile.width_px * tile.height_px <= WHOLE_PX


def regions(tile: Tile, boxes: Sequence[Box]) -> Iterator[Region]:
    """Yield parts of a tile so that each box, with what surrounds it, lies in one of them.

    Parameters
    ----------
    tile : Tile
    boxes : sequence of Box
        Tile pixels.

    Raises
    ------
    ImageError, OSError
        As `reading.strips`.
    """
    if is_small(tile):
        yield Region(read_tile(tile), 0, list(range(len(boxes))))
        return
    spans = [_rows(box, tile.height_px) for box in boxes]
    need = max((bottom - top for top, bottom in spans), default=0)
    waiting = sorted(range(len(boxes)), key=lambda place: spans[place])
    for top, image in strips(tile, max(2 * need, 1), need):
        bottom = top + len(image)
        here = [place for place in waiting if spans[place][0] >= top and spans[place][1] <= bottom]
        if here:
            yield Region(image, top, here)
            waiting = [place for place in waiting if place not in set(here)]
        if not waiting:
            return


def _rows(box: Box, height_px: int) -> tuple[int, int]:
    """Return the rows that a box needs, as far as the image has them."""
    middle = (box[1] + box[3]) / 2
    reach = _REACH * max(box[2] - box[0], box[3] - box[1]) + _REACH_PX
    return max(math.floor(middle - reach), 0), min(math.ceil(middle + reach), height_px)
