"""Square pictures of objects with what surrounds them, cut out tile by tile."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.classifier import crop_of
from sonar_watch.ichthyolith.records import Box, SlideObject, Tile
from sonar_watch.ichthyolith.regions import regions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crop:
    """The square about an object.

    Parameters
    ----------
    one : SlideObject
    image : ndarray, shape (side, side, 3), uint8, or None
        BGR, at the scale of the tile; None when the tile could not be read.
    in_crop : Box
        Its box, as fractions of the square.
    """

    one: SlideObject
    image: ByteImage | None
    in_crop: Box


def square_about(box: Box, margin: float, least_px: float) -> Box:
    """Return the square about the centre of a box, in the same pixels.

    Parameters
    ----------
    box : Box
    margin : float
        Share of the longer side added on each side.
    least_px : float
        Its least side.

    Examples
    --------
    >>> square_about((10, 10, 30, 20), 0.5, 16)
    (0.0, -5.0, 40.0, 35.0)
    """
    half = max(max(box[2] - box[0], box[3] - box[1]) * (1 + 2 * margin), least_px) / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return x - half, y - half, x + half, y + half


def crops_of(
    objects: Iterable[SlideObject], tiles: Mapping[str, Tile], margin: float, least_px: float
) -> Iterator[Crop]:
    """Yield a crop of each object's best view, tile after tile; each tile is read once.

    A tile that is missing or broken is logged; its objects come without a picture.

    Parameters
    ----------
    objects : iterable of SlideObject
    tiles : mapping of str to Tile
        By `image`.
    margin, least_px : float
        See `square_about`.
    """
    by_image: dict[str, list[SlideObject]] = {}
    for one in objects:
        by_image.setdefault(one.best.image, []).append(one)
    for image, members in sorted(by_image.items()):
        squares = [square_about(one.best.xyxy_px, margin, least_px) for one in members]
        pictures = _pictures(tiles.get(image), image, squares)
        for place, one in enumerate(members):
            yield Crop(
                one=one,
                image=pictures.get(place),
                in_crop=_within(one.best.xyxy_px, squares[place]),
            )


def _pictures(tile: Tile | None, image: str, squares: Sequence[Box]) -> dict[int, ByteImage]:
    """Return what could be cut out of a tile, by place."""
    pictures: dict[int, ByteImage] = {}
    if tile is None:
        log.warning(
            "%s: no such tile: its %d objects are shown without picture", image, len(squares)
        )
        return pictures
    try:
        for region in regions(tile, squares):
            for place in region.places:
                square = region.shifted(squares[place])
                pictures[place] = crop_of(region.image, square, margin=0.0)
    except (ImageError, OSError) as error:
        log.warning("%s: objects are shown without picture: %s", image, error)
    return pictures


def _within(box: Box, square: Box) -> Box:
    """Return a box as fractions of a square."""
    side = square[2] - square[0]
    left, top, right, bottom = (
        min(max((value - start) / side, 0.0), 1.0)
        for value, start in zip(box, (*square[:2], *square[:2]), strict=True)
    )
    return left, top, right, bottom
