"""Parts of an image on a sheet: the little that is worth looking at, shown instead of all of it.

Knows no network and no slide. A sheet is as wide as the window and of one of a few heights: a
network that fits either into its input sees both at one scale, and is compiled for few shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.tiling import Window

HEIGHTS = (0.2, 0.3, 0.5, 0.8)
"""Of a sheet, as shares of the window's side: multiples of 64 px in an input of 640 or 1280 px.
With the whole window they are five shapes, one less than a runtime stays compiled for. What
needs more costs nearly as much as the window itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Where parts of a window lie side by side.

    Parameters
    ----------
    regions : tuple of Window
        In the frame of the window.
    places : tuple of Window
        The same on the sheet, in the same order, as large, none over another.
    width_px, height_px : int
    """

    regions: tuple[Window, ...]
    places: tuple[Window, ...]
    width_px: int
    height_px: int

    def filled(self, parts: Sequence[ByteImage], level: int) -> ByteImage:
        """Return the sheet with the pixels of its regions, and one grey level between.

        Parameters
        ----------
        parts : sequence of ndarray, shape (h, w) or (h, w, 3), uint8
            The pixels of each region.
        level : int

        Raises
        ------
        ValueError
            Pixels that are not as many as a region has.
        """
        sheet = np.full((self.height_px, self.width_px, *parts[0].shape[2:]), level, np.uint8)
        for place, part in zip(self.places, parts, strict=True):
            if part.shape[:2] != (place.height_px, place.width_px):
                raise ValueError(f"expected the pixels of {place}, received shape {part.shape}")
            sheet[place.y_px : place.bottom_px, place.x_px : place.right_px] = part
        return sheet

    def in_window(self, found: Detections) -> Detections:
        """Return what was found on the sheet, in the frame of the window.

        A box belongs to the region that holds its centre and ends where that does; one whose
        centre lies between regions is dropped.
        """
        places = np.array([_corners(one) for one in self.places], np.float32)
        regions = np.array([_corners(one) for one in self.regions], np.float32)
        x, y = ((found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2).T[..., None]
        left, top, right, bottom = places.T
        holds = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        is_held = holds.any(axis=1)
        kept, owner = found.select(is_held), np.flatnonzero(holds[is_held]) % len(places)
        limits = places[owner]
        boxes = np.clip(kept.xyxy, limits[:, [0, 1, 0, 1]], limits[:, [2, 3, 2, 3]])
        moved = boxes + (regions - places)[owner]
        return Detections(
            xyxy=moved, confidence=kept.confidence, class_id=kept.class_id,
            class_names=kept.class_names,
        )  # fmt: skip


def _corners(one: Window) -> tuple[int, int, int, int]:
    return one.x_px, one.y_px, one.right_px, one.bottom_px


def packed(regions: Sequence[Window], size_px: int) -> Sheet | None:
    """Return the lowest sheet that takes the regions of a window, None where the window itself is
    the better one.

    Parameters
    ----------
    regions : sequence of Window
        One or more, none over another.
    size_px : int
        Side of a window: the width of its sheets.

    Raises
    ------
    ValueError
        No region, or one without pixels.

    Examples
    --------
    >>> sheet = packed([Window(7, 50, 60, 9), Window(80, 0, 20, 20)], 100)
    >>> sheet.height_px, [place[:2] for place in sheet.places]
    (20, [(20, 0), (0, 0)])
    """
    if not regions or min(min(one[2:]) for one in regions) < 1:
        raise ValueError(f"expected regions with pixels, received {regions}")
    area_px2 = sum(one.width_px * one.height_px for one in regions)
    heights_px = [round(share * size_px) for share in HEIGHTS]
    too_wide = max(one.width_px for one in regions) > size_px
    if too_wide or area_px2 > size_px * heights_px[-1]:
        return None
    places = _dropped(regions, size_px)
    need_px = max(place.bottom_px for place in places)
    for height_px in heights_px:
        if height_px >= need_px:
            return Sheet(
                regions=tuple(regions), places=tuple(places), width_px=size_px, height_px=height_px
            )
    return None


def _dropped(regions: Sequence[Window], width_px: int) -> list[Window]:
    """Return where regions lie that are laid, the highest first, wherever they get lowest."""
    import cv2

    skyline = np.zeros((1, width_px), np.float32)
    places = {}
    order = sorted(range(len(regions)), key=lambda n: (-regions[n].height_px, n))
    for number in order:
        wide, high = regions[number].width_px, regions[number].height_px
        # The greatest height of what would lie below, for every left edge.
        below = cv2.dilate(skyline, np.ones((1, wide), np.uint8), anchor=(0, 0))
        x = int(below[0, : width_px - wide + 1].argmin())
        y = int(below[0, x])
        skyline[0, x : x + wide] = y + high
        places[number] = Window(x, y, wide, high)
    return [places[number] for number in range(len(regions))]
