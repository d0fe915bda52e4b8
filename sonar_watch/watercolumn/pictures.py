"""Pictures that others made, brought to our own grey: what the network and the rules know.

    colours -> level along the palette -> page, axes, text, lines taken out -> the fan
            -> decibels over the range row -> grey

People feed screenshots: jet or a maker's palette, a white or black page, grid lines, a scale
bar, a logo, all of it through JPEG. Nothing says how many decibels a colour is, so unless the
span is given the spread about the range rows is taken for that of speckle.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError
from sonar_watch.opencv import opencv
from sonar_watch.records import ByteImage, Float32Array, IntArray, WaterColumnFrame
from sonar_watch.watercolumn.encoding import to_bytes
from sonar_watch.watercolumn.palettes import PALETTES, cells_of, identify, levels_of
from sonar_watch.watercolumn.screen import find_fan, flat_page, straight_lines, without_rim

log = logging.getLogger(__name__)

GREY_SPREAD = 30
"""Channels that differ by less are grey, or colour that JPEG smeared from a line."""

COLOURED_SHARE = 0.15
"""Of the pixels that are no page; with less colour the fan is grey, and a logo is coloured."""

NEARLY_WHITE, NEARLY_BLACK = 215, 30

OFF_PALETTE = 45
"""Pixels further from the palette than this are ink: text, lines, logos."""

WORST_FIT = 22.0
"""A palette that the echoes lie further from than this on average is not theirs."""

SMALLEST_PX = 24
FEWEST_IN_ROW = 12
MOST_ROWS = 4096
"""Range rows that are told apart, however far off the apex is said to be."""

FULL_ROW = 0.25
"""Of the pixels of the longest range row; shorter ones far out take the last one's median."""

BoolImage = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """How pictures that others made are read.

    Parameters
    ----------
    palette : str
        "auto" finds the colour map; the name of one, such as "jet", "viridis", "hot", "parula",
        "rainbow_black" or "ek500", is taken as given; "as_is" leaves pictures alone.
    span_db : float or None
        Decibels from the lowest colour to the highest; none takes the spread about the range
        rows for that of speckle.
    usual_spread_db : float
        That spread, decibels, as it is in our own pictures.

    Raises
    ------
    ConfigurationError
        No such palette, or numbers that are not above 0.
    """

    palette: str = "auto"
    span_db: float | None = None
    usual_spread_db: float = 4.0

    def __post_init__(self) -> None:
        if self.palette not in ("auto", "as_is", *PALETTES):
            raise ConfigurationError(
                f"palette: expected auto, as_is or one of {', '.join(PALETTES)}, "
                f"received {self.palette!r}"
            )
        if self.span_db is not None and not self.span_db > 0:
            raise ConfigurationError(f"span_db: expected above 0 or none, received {self.span_db}")
        if not self.usual_spread_db > 0:
            raise ConfigurationError(
                f"usual_spread_db: expected above 0, received {self.usual_spread_db}"
            )


def normalise(
    image: ByteImage,
    options: PictureOptions | None = None,
    apex_px: tuple[float, float] | None = None,
    aspect: float = 1.0,
) -> ByteImage:
    """Return a picture in the grey encoding: contrast against the range row, 0 = no data.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        Grey or BGR, with whatever a screen shows around and over the fan.
    options : PictureOptions or None
    apex_px : tuple of float (x, y) or None
        Where the transducer is, in pixels of this picture; none takes the middle of the fan's
        top.
    aspect : float
        Metres per pixel down over those across.

    Returns
    -------
    ndarray, shape (h, w), uint8
        A picture without a fan, or a tiny one, comes back as it is, in grey.
    """
    options = options or PictureOptions()
    if options.palette == "as_is" or min(image.shape[:2]) < SMALLEST_PX:
        return _lightness(image)
    level, page, ink = _read_levels(image, options.palette)
    fan = find_fan(~page & ~ink, page)
    if fan is None:
        log.debug("no fan in a picture of %d x %d px", image.shape[1], image.shape[0])
        return _lightness(image)
    level = _without_ink(level, (ink & fan) | straight_lines(level, fan))
    contrast = _over_rows(level, fan, apex_px or _top_of(fan), aspect)
    grey = to_bytes(contrast * np.float32(_gain_db(contrast, fan, options)), "contrast")
    grey[~without_rim(fan, page)] = 0
    return grey


def normalise_frame(
    frame: WaterColumnFrame, options: PictureOptions | None = None
) -> WaterColumnFrame:
    """Return the frame of somebody else's picture with its values made ours; others as they are."""
    if frame.encoding != "picture":
        return frame
    geometry = frame.geometry
    apex_px = geometry.to_pixels(0.0, geometry.transducer_depth_m)
    across_m = (geometry.right_m - geometry.left_m) / geometry.width_px
    down_m = (geometry.bottom_m - geometry.top_m) / geometry.height_px
    image = normalise(frame.image, options, apex_px, down_m / across_m)
    return replace(frame, image=image, encoding="grey")


def _lightness(image: ByteImage) -> ByteImage:
    if image.ndim == 2:
        return image
    cv2 = opencv()
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY), np.uint8)


def is_coloured(image: ByteImage, page: BoolImage) -> bool:
    """Return whether the part of a picture that is no page shows its levels in colour."""
    if image.ndim == 2:
        return False
    few, shown = image[::3, ::3].astype(np.int16), ~page[::3, ::3]
    coloured = np.ptp(few, axis=-1) > GREY_SPREAD
    return bool(coloured[shown].sum() > COLOURED_SHARE * max(1, shown.sum()))


def _read_levels(image: ByteImage, name: str) -> tuple[ByteImage, BoolImage, BoolImage]:
    """Return the level of each pixel (0..255, strong is high), what is page, what is ink."""
    page = flat_page(image)
    if not is_coloured(image, page):
        return _read_grey(image, page, name)
    cells = cells_of(image)
    fit = 0.0
    if name == "auto":
        name, fit = _find_palette(image, cells, page)
    if fit > WORST_FIT:
        log.info("no palette that is known (off by %.0f): lightness taken for level", fit)
        return _lightness(image), page, np.zeros(page.shape, bool)
    log.debug("palette %s", name)
    level, distance = levels_of(cells, name)
    # Colour smeared by JPEG lies off the palette for a pixel; a stroke or a logo is larger.
    off = opencv().blur(distance, (3, 3)) > OFF_PALETTE
    return level, page, off & (distance > OFF_PALETTE)


def _find_palette(image: ByteImage, cells: IntArray, page: BoolImage) -> tuple[str, float]:
    """Return the palette of the coloured pixels that are no page, and how badly it fits.

    White and black are left out: they are lines and words as often as echoes.
    """
    shown = cells[~page & (image.min(axis=2) < NEARLY_WHITE) & (image.max(axis=2) > NEARLY_BLACK)]
    names = tuple(one for one in PALETTES if not one.startswith("grey"))
    return identify(shown[:: max(1, shown.size // 100_000)] if shown.size else cells, names)


def _read_grey(
    image: ByteImage, page: BoolImage, name: str
) -> tuple[ByteImage, BoolImage, BoolImage]:
    """Dark on a light page is the other way round."""
    level = _lightness(image)
    if name == "grey_inverted" or (name == "auto" and _on_light_page(level, page)):
        level = np.asarray(255 - level, np.uint8)
    ink = np.zeros(page.shape, bool) if image.ndim == 2 else np.ptp(image, axis=2) > GREY_SPREAD
    return level, page, ink


def _on_light_page(level: ByteImage, page: BoolImage) -> bool:
    """Return whether the page next to the fan is lighter than nearly all of it, and water light.

    Dark water on a light page is strong when light, as on a dark page.
    """
    fan = find_fan(~page)
    if fan is None:
        return False
    cv2 = opencv()
    around = cv2.dilate(fan.view(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & page
    water = float(np.median(level[fan]))
    lighter = around.any() and np.median(level[around]) > np.percentile(level[fan], 90)
    return bool(lighter and water > 127)


def _without_ink(level: ByteImage, ink: BoolImage) -> ByteImage:
    """Fill what text and lines hide with what is beside them."""
    if not ink.any():
        return level
    cv2 = opencv()
    wide = cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.inpaint(level, wide, 3, cv2.INPAINT_TELEA), np.uint8)


def _top_of(fan: BoolImage) -> tuple[float, float]:
    """Return where the beams seem to start: the middle of the fan's highest rows."""
    rows = np.flatnonzero(fan.any(axis=1))
    top = fan[rows[0] : rows[0] + max(3, len(rows) // 20)]
    columns = np.flatnonzero(top.any(axis=0))
    return float(columns.mean()) + 0.5, float(rows[0])


def _over_rows(
    level: ByteImage, fan: BoolImage, apex_px: tuple[float, float], aspect: float
) -> Float32Array:
    """Return levels over the median of their range row, in steps of the palette."""
    y, x = np.nonzero(fan)
    reach = np.hypot(x + 0.5 - apex_px[0], (y + 0.5 - apex_px[1]) * aspect)
    reach -= reach.min()  # the apex may lie far outside
    row = (reach / max(1.0, reach.max() / MOST_ROWS)).astype(np.intp)
    median = _row_medians(row, level[fan])
    contrast = np.zeros(level.shape, np.float32)
    contrast[fan] = level[fan] - median[row]
    return contrast


def _row_medians(row: npt.NDArray[np.intp], level: ByteImage) -> Float32Array:
    """Return the median of each row, smoothed a little; rows of few pixels take the next ones'."""
    count = int(row.max()) + 1
    table = np.bincount(row * 256 + level, minlength=count * 256).reshape(count, 256)
    # A row with its neighbours: the medians of few pixels jump.
    padded = np.pad(table, ((1, 1), (0, 0)))
    cumulated = np.cumsum(padded[:-2] + table + padded[2:], axis=1)
    total = cumulated[:, -1]
    median = (cumulated * 2 < total[:, None]).sum(axis=1).astype(np.float32)
    # Beyond the water only the seabed of the outermost beams is left: it is no background.
    good = np.flatnonzero(total >= np.maximum(FEWEST_IN_ROW, FULL_ROW * total.max()))
    return np.asarray(np.interp(np.arange(count), good, median[good]), np.float32)


def _gain_db(contrast: Float32Array, fan: BoolImage, options: PictureOptions) -> float:
    """Return the decibels of one step of the palette."""
    if options.span_db is not None:
        return options.span_db / 255.0
    spread = 1.4826 * float(np.median(np.abs(contrast[fan])))
    return options.usual_spread_db / max(spread, 1.0)
