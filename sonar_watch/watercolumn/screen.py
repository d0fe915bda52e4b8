"""What of a screenshot is page, what is ruled over it, and what is the fan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonar_watch.opencv import opencv
from sonar_watch.records import ByteImage

BoolImage = npt.NDArray[np.bool_]

FLAT = 14
"""Least to greatest value within 3 x 3 pixels of a flat area, JPEG included."""

PAGE_SHARE = 0.004
"""Of the picture: a flat area of one colour that is larger is page, no echo is."""

LOWEST_PAGE = 0.5
"""Of the height: a flat area that begins lower is the seabed echo, as strong as shown at all."""

SMALL_SHARE = 0.0005
"""Of the picture: smaller patches of a page's colour are echoes."""

SAME_COLOUR = 24
"""Pixels that differ by less from a page's colour, and are flat, are of that page too."""

LINE_STEP = 10
LINE_SHARE = 0.7
"""Of a column or row of the fan: differing the same way from both sides over as much of it, by
more than LINE_STEP, makes a line. Speckle does so over a third, a plume along its height."""

_BESIDE = 3
_FEWEST_ON_LINE = 40

OTHER_PARTS = 0.2
"""Parts of less than this share of the largest part are no fan: colour bars, logos, text."""


def flat_page(image: ByteImage) -> BoolImage:
    """Return where a picture is page: large areas of one colour, and more of that colour.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8

    Returns
    -------
    ndarray, shape (h, w), bool
    """
    cv2 = opencv()
    block = np.ones((3, 3), np.uint8)
    span = cv2.subtract(cv2.dilate(image, block), cv2.erode(image, block))
    flat = (span if span.ndim == 2 else span.max(axis=2)) <= FLAT
    page, like_page = np.zeros(flat.shape, bool), np.zeros(flat.shape, bool)
    for colour in _page_colours(image, flat):
        page |= _near(image, colour, SAME_COLOUR) & flat
        like_page |= _near(image, colour, 3 * SAME_COLOUR)
    page = _large_parts(page, max(30.0, SMALL_SHARE * page.size))
    # JPEG rings along edges: what is beside the page and much like it is page, too.
    beside = cv2.dilate(page.view(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    return np.asarray(page | (beside & like_page))


def _large_parts(mask: BoolImage, least_px: float) -> BoolImage:
    """Return a mask without its small parts: weak echoes that look like page by chance."""
    cv2 = opencv()
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least_px
    large[0] = False
    return np.asarray(large[parts])


def _page_colours(image: ByteImage, flat: BoolImage) -> list[npt.NDArray[np.float64]]:
    """Return the colours of the large flat areas that are of one colour each."""
    cv2 = opencv()
    _, parts, stats, _ = cv2.connectedComponentsWithStats(flat.view(np.uint8), connectivity=4)
    least = PAGE_SHARE * flat.size
    colours = []
    for part in np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= least):
        if part == 0 or stats[part, cv2.CC_STAT_TOP] > LOWEST_PAGE * flat.shape[0]:
            continue
        pixels = image[parts == part].reshape(stats[part, cv2.CC_STAT_AREA], -1)
        colour = np.median(pixels, axis=0)
        if np.mean(np.abs(pixels - colour).max(axis=1) <= SAME_COLOUR) > 0.8:
            colours.append(colour)
    return colours


def _near(image: ByteImage, colour: npt.NDArray[np.float64], reach: float) -> BoolImage:
    low, high = np.clip(colour - reach, 0, 255), np.clip(colour + reach, 0, 255)
    inside = opencv().inRange(image, low, high)
    return np.asarray(inside > 0)


def straight_lines(level: ByteImage, shown: BoolImage) -> BoolImage:
    """Return the upright and level lines that run through the fan, a pixel or two wide.

    Parameters
    ----------
    level : ndarray, shape (h, w), uint8
    shown : ndarray, shape (h, w), bool
        Where there is no page.
    """
    upright = _upright_lines(level, shown)
    return upright | _upright_lines(level.T, shown.T).T


def _upright_lines(level: ByteImage, shown: BoolImage) -> BoolImage:
    """Columns that differ from those on both sides, the same way nearly all along the fan."""
    padded = np.pad(level.astype(np.int16), ((0, 0), (_BESIDE, _BESIDE)), mode="edge")
    left, right = padded[:, : -2 * _BESIDE], padded[:, 2 * _BESIDE :]
    lighter = (level > np.maximum(left, right) + LINE_STEP) & shown
    darker = (level < np.minimum(left, right) - LINE_STEP) & shown
    length = np.maximum(shown.sum(axis=0), _FEWEST_ON_LINE)
    share = np.maximum(lighter.sum(axis=0), darker.sum(axis=0)) / length
    return np.asarray((share > LINE_SHARE)[None, :] & shown)


def find_fan(shown: BoolImage, page: BoolImage | None = None) -> BoolImage | None:
    """Return the fan: the large connected parts of what is neither page nor ink.

    Parameters
    ----------
    shown : ndarray, shape (h, w), bool
    page : ndarray, shape (h, w), bool, or None
        Holes in the fan are filled unless they are page.

    Returns
    -------
    ndarray, shape (h, w), bool, or None
        None when nothing large is there.
    """
    cv2 = opencv()
    # Lines that were taken out must not cut the fan; text beside it must not be bridged to it.
    block = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    closed = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_CLOSE, block)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, block)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    largest = int(areas.max())
    if largest < 0.01 * shown.size:
        return None
    kept = np.isin(parts, np.flatnonzero(areas >= max(OTHER_PARTS * largest, 1)))
    fan = cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8)) & closed
    outlines, _ = cv2.findContours(fan, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(fan, outlines, -1, 1, cv2.FILLED)
    return np.asarray(fan > 0) if page is None else np.asarray(fan > 0) & ~page


def without_rim(fan: BoolImage, page: BoolImage) -> BoolImage:
    """Return the fan without the pixels whose colours are mixed with those of the page."""
    cv2 = opencv()
    beside = cv2.dilate((page & ~fan).astype(np.uint8), np.ones((7, 7), np.uint8))
    return np.asarray(fan & (beside == 0))
