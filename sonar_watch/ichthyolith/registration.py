"""Where the tiles of a slide really lie: measured on what neighbours both show.

The stage of a microscope goes further, or shorter, or askew of what the file names say, by up to
some tens of pixels a step. Each step between neighbours is measured by phase correlation of their
overlap and checked by correlating the two pictures at the shift found; the positions are then
those that fit all steps best (weighted least squares, outliers dropped). A step that could not be
measured, as over empty glass, counts weakly as the usual step of the slide, so that the tiles
behind it stay where the ones before it say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.offsets import Offset, OffsetOptions, detail, measure_offset
from sonar_watch.ichthyolith.positions import Step, place
from sonar_watch.ichthyolith.records import Placed, Slide, Tile

log = logging.getLogger(__name__)

_LEAST_OVERLAP = 0.05
"""Of the smaller tile: neighbours at a corner alone share less, and are tied by the others."""


def register(
    slide: Slide, read: Callable[[Tile], ByteImage], options: OffsetOptions | None = None
) -> tuple[Placed, ...]:
    """Return where each tile of a slide lies, in the order of its tiles.

    Parameters
    ----------
    slide : Slide
    read : callable
        Gives a whole tile, blue, green, red. One that raises `ImageError` or OSError is left
        where its neighbours put it.
    options : OffsetOptions, optional

    Returns
    -------
    tuple of Placed
    """
    registration = Registration(slide, options)
    for tile in slide.tiles:
        try:
            registration.see(tile, read(tile))
        except (ImageError, OSError) as error:
            log.warning("%s: not registered: %s", tile.image, error)
    return registration.placed()


class Registration:
    """Registers the tiles of a slide while somebody reads them, in any order.

    Of each tile only what its neighbours show too is kept, until they have been seen.

    Parameters
    ----------
    slide : Slide
    options : OffsetOptions, optional
    """

    def __init__(self, slide: Slide, options: OffsetOptions | None = None) -> None:
        self._slide = slide
        self._options = options or OffsetOptions()
        self._pairs = neighbours(slide.tiles)
        self._numbers = {tile.image: number for number, tile in enumerate(slide.tiles)}
        self._waiting: dict[_Pair, Float32Array] = {}
        self._offsets: dict[_Pair, Offset | None] = {}

    def see(self, tile: Tile, image: ByteImage) -> None:
        """Take note of a tile; measures the steps to the neighbours that were seen before.

        Parameters
        ----------
        tile : Tile
            Of this slide.
        image : ndarray, shape (h, w) or (h, w, 3), uint8
        """
        number = self._numbers[tile.image]
        for pair in self._pairs:
            if number not in pair:
                continue
            part = detail(_shared_part(self._slide.tiles, pair, number, image))
            other = self._waiting.pop(pair, None)
            if other is None:
                self._waiting[pair] = part
                continue
            first, second = (part, other) if number == pair[0] else (other, part)
            self._offsets[pair] = measure_offset(first, second, self._options)

    def placed(self) -> tuple[Placed, ...]:
        """Return where each tile lies, in the order of the slide's tiles."""
        tiles = self._slide.tiles
        nominal = np.array([[tile.x_px, tile.y_px] for tile in tiles], np.float64)
        steps = [_step(tiles, pair, self._offsets.get(pair)) for pair in self._pairs]
        positions, residuals = place(nominal, steps)
        measured = sum(residual is not None for residual in residuals)
        if self._pairs and measured < len(tiles):
            log.info(
                "%s: %d of %d tiles could not be registered on a neighbour: placed by the usual "
                "step of the slide",
                self._slide.key,
                len(tiles) - measured,
                len(tiles),
            )
        return tuple(
            Placed(
                image=tile.image,
                x_px=float(x),
                y_px=float(y),
                placing="nominal" if residual is None else "registered",
                residual_px=residual,
            )
            for tile, (x, y), residual in zip(tiles, positions, residuals, strict=True)
        )


_Pair = tuple[int, int]


def neighbours(tiles: tuple[Tile, ...]) -> list[tuple[int, int]]:
    """Return the pairs of tiles that overlap side by side or one above the other, by number."""
    pairs = []
    for first, one in enumerate(tiles):
        for second in range(first + 1, len(tiles)):
            other = tiles[second]
            if other.y_px >= one.y_px + one.height_px:
                break  # in order of rows: all others lie below, too
            width, height = _overlap(one, other)[2:]
            smaller = min(one.width_px * one.height_px, other.width_px * other.height_px)
            if width > 0 and height > 0 and width * height >= _LEAST_OVERLAP * smaller:
                pairs.append((first, second))
    return pairs


def _overlap(one: Tile, other: Tile) -> tuple[int, int, int, int]:
    """Return left, top, width and height of what two tiles share, slide pixels."""
    left, top = max(one.x_px, other.x_px), max(one.y_px, other.y_px)
    right = min(one.x_px + one.width_px, other.x_px + other.width_px)
    bottom = min(one.y_px + one.height_px, other.y_px + other.height_px)
    return left, top, right - left, bottom - top


def _shared_part(tiles: tuple[Tile, ...], pair: _Pair, number: int, image: ByteImage) -> ByteImage:
    """Return of a tile's picture what its neighbour shows too, by the nominal positions."""
    left, top, width, height = _overlap(tiles[pair[0]], tiles[pair[1]])
    x, y = left - tiles[number].x_px, top - tiles[number].y_px
    return image[y : y + height, x : x + width]


def _step(tiles: tuple[Tile, ...], pair: _Pair, offset: Offset | None) -> Step:
    first, second = tiles[pair[0]], tiles[pair[1]]
    nominal = (float(second.x_px - first.x_px), float(second.y_px - first.y_px))
    measured = (nominal[0] + offset.x_px, nominal[1] + offset.y_px) if offset else None
    return Step(first=pair[0], second=pair[1], nominal_px=nominal, measured_px=measured)
