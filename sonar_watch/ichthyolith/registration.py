"""Where the tiles of a slide really lie: measured on what neighbours both show.

The stage of a microscope goes further, or shorter, or askew of what the file names say, by up to
some tens of pixels a step. Each step between neighbours is measured by phase correlation of their
overlap; the positions are then those that fit all steps best (weighted least squares, outliers
dropped). Where little is to be seen, as on nearly empty glass, a faint likeness counts when it
says about what the other steps of the slide say. A step that cannot be measured at all counts
weakly as the usual one, so that the tiles behind it stay where the ones before it put them.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.offsets import Offset, Part, make_part, measure_offsets
from sonar_watch.ichthyolith.positions import Step, place, usual_error
from sonar_watch.ichthyolith.records import Placed, Slide, Tile

log = logging.getLogger(__name__)

_LEAST_OVERLAP = 0.05
"""Of the smaller tile: neighbours at a corner alone share less, and are tied by the others."""

_HALVED_FROM_PX = 64
"""Overlaps at least as wide and high are compared at half size: a quarter of the work."""

_Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOptions:
    """When a measured step is believed.

    Parameters
    ----------
    max_shift_px : int
        Furthest that a tile may lie from where its neighbour and the file names put it.
    sure_distinctness : float
        Of a shift (see `Offset`) that is believed for itself.
    faint_distinctness : float
        Of a shift that is believed because it is near the usual one of the slide.
    near_usual_px : float
        How near that is.
    """

    max_shift_px: int = 40
    sure_distinctness: float = 5.5
    faint_distinctness: float = 3.3
    near_usual_px: float = 12.0


def register(
    slide: Slide,
    read: Callable[[Tile], ByteImage],
    options: RegistrationOptions | None = None,
) -> tuple[Placed, ...]:
    """Return where each tile of a slide lies, in the order of its tiles.

    Parameters
    ----------
    slide : Slide
    read : callable
        Gives a whole tile, blue, green, red. A tile for which it raises `ImageError` or OSError
        is left where the others put it. Not called for tiles without neighbours.
    options : RegistrationOptions, optional

    Returns
    -------
    tuple of Placed
    """
    registration = Registration(slide, options)
    for tile in slide.tiles:
        if not registration.needs(tile):
            continue
        try:
            registration.see(tile, read(tile))
        except (ImageError, OSError) as error:
            log.warning("%s: not registered: %s", tile.image, error)
    return registration.placed()


class Registration:
    """Registers the tiles of a slide while somebody reads them, in any order.

    Of each tile only what its neighbours show too is kept, until these have been seen.

    Parameters
    ----------
    slide : Slide
    options : RegistrationOptions, optional
    """

    def __init__(self, slide: Slide, options: RegistrationOptions | None = None) -> None:
        self._slide = slide
        self._options = options or RegistrationOptions()
        self._pairs: defaultdict[int, list[_Pair]] = defaultdict(list)
        for pair in neighbours(slide.tiles):
            for number in pair:
                self._pairs[number].append(pair)
        self._numbers = {tile.image: number for number, tile in enumerate(slide.tiles)}
        self._waiting: dict[_Pair, tuple[int, Part]] = {}
        self._offsets: dict[_Pair, tuple[Offset, ...]] = {}

    def needs(self, tile: Tile) -> bool:
        """Return whether a tile has neighbours to be registered on."""
        return self._numbers[tile.image] in self._pairs

    def see(self, tile: Tile, image: ByteImage) -> None:
        """Take note of a tile; measures the steps to the neighbours that were seen before.

        Parameters
        ----------
        tile : Tile
            Of this slide.
        image : ndarray, shape (h, w) or (h, w, 3), uint8
            The whole tile.

        Raises
        ------
        KeyError
            A tile of another slide.
        """
        number = self._numbers[tile.image]
        for pair in self._pairs.get(number, ()):
            if pair in self._offsets:
                continue
            part = self._part(pair, tile, image)
            seen_before, other = self._waiting.pop(pair, (number, part))
            if seen_before == number:
                self._waiting[pair] = number, part
                continue
            first, second = (part, other) if number == pair[0] else (other, part)
            self._offsets[pair] = measure_offsets(first, second, self._reach_px(pair))

    def placed(self) -> tuple[Placed, ...]:
        """Return where each tile lies, in the order of the slide's tiles."""
        tiles = self._slide.tiles
        nominal = np.array([[tile.x_px, tile.y_px] for tile in tiles], np.float64)
        positions, residuals = place(nominal, self._steps())
        self._tell(residuals)
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

    def _tell(self, residuals: list[float | None]) -> None:
        """Say what could not be measured: whoever reads the numbers must be able to know."""
        without = sum(residual is None for residual in residuals)
        if not self._pairs:
            log.info("%s: no tile overlaps another: nominal positions", self._slide.key)
        elif without == len(residuals):
            log.warning("%s: no step could be measured: nominal positions", self._slide.key)
        elif without:
            log.info(
                "%s: %d of %d tiles not registered, placed by the usual step of the slide",
                *(self._slide.key, without, len(residuals)),
            )

    def _reach_px(self, pair: _Pair) -> int:
        """Return how large a shift is looked for: something must be left to compare."""
        _, _, width, height = _overlap(*self._tiles(pair))
        return max(min(self._options.max_shift_px, min(width, height) - 8), 1)

    def _tiles(self, pair: _Pair) -> tuple[Tile, Tile]:
        return self._slide.tiles[pair[0]], self._slide.tiles[pair[1]]

    def _part(self, pair: _Pair, tile: Tile, image: ByteImage) -> Part:
        """Return of a tile what its neighbour shows too, at any shift that is looked for."""
        x, y, width, height = _overlap(*self._tiles(pair))
        reach = self._reach_px(pair)
        left, top = max(x - reach, tile.x_px), max(y - reach, tile.y_px)
        right, bottom = x + width + reach - tile.x_px, y + height + reach - tile.y_px
        shared = image[top - tile.y_px : bottom, left - tile.x_px : right]
        return make_part(shared, left, top, 2 if min(width, height) >= _HALVED_FROM_PX else 1)

    def _steps(self) -> list[Step]:
        """Return the steps between all neighbours, measured where one can be believed."""
        pairs = sorted({pair for pairs in self._pairs.values() for pair in pairs})
        least = self._options.sure_distinctness
        sure = {pair: _clearest(self._offsets.get(pair, ()), least) for pair in pairs}
        first = [self._step(pair, sure[pair]) for pair in pairs]
        return [
            self._step(pair, self._believed(self._offsets.get(pair, ()), usual_error(step, first)))
            for pair, step in zip(pairs, first, strict=True)
        ]

    def _believed(
        self, offsets: tuple[Offset, ...], usual: tuple[float, float] | None
    ) -> Offset | None:
        """Return the shift that is clear for itself, or clear enough for one that is expected."""
        options = self._options
        if (sure := _clearest(offsets, options.sure_distinctness)) or usual is None:
            return sure
        near = tuple(
            one
            for one in offsets
            if np.hypot(one.x_px - usual[0], one.y_px - usual[1]) <= options.near_usual_px
        )
        return _clearest(near, options.faint_distinctness)

    def _step(self, pair: _Pair, offset: Offset | None) -> Step:
        first, second = self._tiles(pair)
        nominal = (float(second.x_px - first.x_px), float(second.y_px - first.y_px))
        if offset is None:
            return Step(first=pair[0], second=pair[1], nominal_px=nominal)
        measured = (nominal[0] + offset.x_px, nominal[1] + offset.y_px)
        sigma = min(max(4 / offset.distinctness, 0.25), 1.5)
        return Step(
            first=pair[0], second=pair[1], nominal_px=nominal, measured_px=measured, sigma_px=sigma
        )


def _clearest(offsets: tuple[Offset, ...], least: float) -> Offset | None:
    """Return the most distinct shift at which the pictures are indeed alike, None below `least`."""
    alike = [one for one in offsets if one.correlation > 0 and one.distinctness >= least]
    return max(alike, key=lambda one: one.distinctness, default=None)


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
