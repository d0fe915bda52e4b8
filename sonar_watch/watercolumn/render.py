"""A frame as a picture for people: axes in metres, seabed, boxes, and what it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sonar_watch.opencv import opencv
from sonar_watch.records import (
    ByteImage,
    FloatArray,
    FrameGeometry,
    NavigationFix,
    WaterColumnFrame,
    iso_utc,
)
from sonar_watch.watercolumn.encoding import LAYERS

Colour = tuple[int, int, int]

PAGE: Colour = (28, 24, 22)
NOTHING: Colour = (52, 46, 42)
INK: Colour = (235, 235, 235)
FAINT: Colour = (150, 150, 150)
SEABED: Colour = (255, 210, 90)
SLANT: Colour = (90, 170, 255)
BOX: Colour = (110, 255, 110)

LEFT, TOP, RIGHT, BOTTOM = 74, 40, 20, 52
SMALLEST_WIDTH_PX = 900

_FONT = 0  # cv2.FONT_HERSHEY_SIMPLEX
_TEXT, _TITLE = 0.45, 0.52


def annotate(
    frame: WaterColumnFrame,
    boxes: Sequence[Sequence[float]] | npt.NDArray[np.floating] = (),
    labels: Sequence[str] = (),
) -> ByteImage:
    """Return a BGR picture of `frame` with axes in metres, seabed, boxes and a title.

    Parameters
    ----------
    frame : WaterColumnFrame
        Grey frames, and the contrast of layered ones, are coloured; BGR ones are shown as they
        are.
    boxes : array_like, shape (n, 4)
        Left, top, right, bottom in pixels of the frame.
    labels : sequence of str
        One per box, such as "signal 0.87"; missing ones are left out.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Larger than the frame by its margins; small frames are enlarged by a whole factor.
    """
    geometry = frame.geometry
    scale = max(1, math.ceil(SMALLEST_WIDTH_PX / geometry.width_px))
    page = _page(frame, scale)
    area = page[TOP : TOP + scale * geometry.height_px, LEFT : LEFT + scale * geometry.width_px]
    _draw_lines(area, geometry, scale)
    for index, box in enumerate(boxes):
        _draw_box(
            page, [float(v) for v in box], labels[index] if index < len(labels) else "", scale
        )
    _draw_axes(page, geometry, scale)
    _write(page, (LEFT, 25), title(frame), INK, _TITLE)
    return page


def coloured(image: ByteImage) -> ByteImage:
    """Return a BGR picture of grey values; where there is no data (0) a flat dark tone."""
    if image.ndim == 3:
        return image.copy()
    cv2 = opencv()
    picture = cv2.applyColorMap(image, cv2.COLORMAP_INFERNO)
    picture[image == 0] = NOTHING
    return np.asarray(picture)


def title(frame: WaterColumnFrame) -> str:
    """Return time, sounder, ping and position on one line."""
    ping = frame.source.ping_counter
    swath = f" / {frame.source.swath}" if frame.source.swath is not None else ""
    parts = [
        iso_utc(frame.time_utc)[:23].replace("T", " ") + " UTC",
        frame.sounder,
        f"ping {ping}{swath}" if ping is not None else frame.source.file,
        position_text(frame.navigation),
    ]
    return "   ".join(part for part in parts if part)


def position_text(fix: NavigationFix | None) -> str:
    """Return degrees and decimal minutes, as on a chart, and the heading.

    >>> position_text(None)
    'no position'
    """
    if fix is None:
        return "no position"
    north = _minutes(fix.latitude, "NS", 2)
    east = _minutes(fix.longitude, "EW", 3)
    return f"ship {north}  {east}   heading {round(fix.heading_deg) % 360:03d}"


def _minutes(degrees: float, signs: str, digits: int) -> str:
    tenths = round(abs(degrees) * 60_000)
    whole, minutes = divmod(tenths, 60_000)
    return f"{whole:0{digits}d} {minutes / 1000:06.3f} {signs[degrees < 0]}"


def _page(frame: WaterColumnFrame, scale: int) -> ByteImage:
    cv2 = opencv()
    shown = frame.image
    if frame.encoding == "layers":
        shown = shown[..., LAYERS.index("contrast")]
    picture = coloured(shown)
    height, width = scale * picture.shape[0], scale * picture.shape[1]
    page = np.full((TOP + height + BOTTOM, LEFT + width + RIGHT, 3), PAGE, np.uint8)
    larger = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    page[TOP : TOP + height, LEFT : LEFT + width] = larger
    return page


def _draw_lines(area: ByteImage, geometry: FrameGeometry, scale: int) -> None:
    """Seabed and minimum-slant-range arc, inside the picture."""
    if geometry.seabed_depth_m is not None:
        column = (np.arange(geometry.width_px, dtype=np.float64) + 0.5) * scale
        row = (
            (geometry.seabed_depth_m.astype(float) - geometry.top_m)
            / geometry.pixel_depth_m
            * scale
        )
        for run in _runs(column, row):
            _polyline(area, run, SEABED)
    if geometry.minimum_slant_range_m is not None:
        for run in _dashes(_arc(geometry, geometry.minimum_slant_range_m) * scale):
            _polyline(area, run, SLANT)


def _arc(geometry: FrameGeometry, range_m: float) -> FloatArray:
    """Points of equal range from the transducer, in pixels of the frame."""
    angle = np.radians(np.linspace(-75, 75, 301))
    across = range_m * np.sin(angle)
    depth = geometry.transducer_depth_m + range_m * np.cos(angle)
    x = (across - geometry.left_m) / geometry.pixel_across_m
    return np.stack((x, (depth - geometry.top_m) / geometry.pixel_depth_m), axis=1)


def _runs(column: FloatArray, row: FloatArray) -> Iterator[FloatArray]:
    """Stretches of the line without gaps."""
    known = np.flatnonzero(np.isfinite(row))
    for part in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        yield np.stack((column[part], row[part]), axis=1)


def _dashes(points: FloatArray, length: int = 4) -> Iterator[FloatArray]:
    for start in range(0, len(points) - length, 2 * length):
        yield points[start : start + length + 1]


def _polyline(area: ByteImage, points: FloatArray, colour: Colour) -> None:
    if len(points) > 1:
        cv2 = opencv()
        cv2.polylines(area, [np.rint(points).astype(np.int32)], False, colour, 1, cv2.LINE_AA)


def _draw_box(page: ByteImage, xyxy: list[float], label: str, scale: int) -> None:
    cv2 = opencv()
    left, top, right, bottom = (round(value * scale) for value in xyxy)
    corner, opposite = (LEFT + left, TOP + top), (LEFT + right, TOP + bottom)
    cv2.rectangle(page, corner, opposite, PAGE, 3, cv2.LINE_AA)
    cv2.rectangle(page, corner, opposite, BOX, 1, cv2.LINE_AA)
    if label:
        _draw_label(page, label, corner)


def _draw_label(page: ByteImage, label: str, corner: tuple[int, int]) -> None:
    """Dark on the box's colour, above the box where there is room, always on the page."""
    cv2 = opencv()
    (width, height), _ = cv2.getTextSize(label, _FONT, _TEXT, 1)
    x = min(max(corner[0], LEFT), page.shape[1] - width - 8)
    y = max(corner[1] - 3, TOP + height + 6)
    cv2.rectangle(page, (x - 1, y - height - 6), (x + width + 7, y + 2), BOX, cv2.FILLED)
    _write(page, (x + 3, y - 2), label, PAGE)


def _draw_axes(page: ByteImage, geometry: FrameGeometry, scale: int) -> None:
    cv2 = opencv()
    width, height = geometry.width_px * scale, geometry.height_px * scale
    cv2.rectangle(page, (LEFT - 1, TOP - 1), (LEFT + width, TOP + height), FAINT, 1)
    for metres in ticks(geometry.left_m, geometry.right_m, max(2, width // 110)):
        x = LEFT + round(geometry.to_pixels(metres, 0.0)[0] * scale)
        cv2.line(page, (x, TOP + height), (x, TOP + height + 5), FAINT, 1)
        _write_centred(page, (x, TOP + height + 19), _number(metres))
    for metres in ticks(geometry.top_m, geometry.bottom_m, max(2, height // 55)):
        y = TOP + round(geometry.to_pixels(0.0, metres)[1] * scale)
        cv2.line(page, (LEFT - 6, y), (LEFT - 1, y), FAINT, 1)
        text = _number(metres)
        _write(page, (LEFT - 10 - _width(text), y + 5), text, FAINT)
    _write(page, (6, TOP - 8), "depth m", FAINT)
    _draw_legend(page, geometry, TOP + height + 40)


def _draw_legend(page: ByteImage, geometry: FrameGeometry, y: int) -> None:
    cv2 = opencv()
    _write(page, (LEFT, y), "across-track m, starboard +", FAINT)
    x = LEFT + 250
    known = {
        "seabed": (geometry.seabed_depth_m is not None, SEABED),
        "range of the first bottom echo": (geometry.minimum_slant_range_m is not None, SLANT),
    }
    for text, (shown, colour) in known.items():
        if shown:
            cv2.line(page, (x, y - 4), (x + 22, y - 4), colour, 2)
            _write(page, (x + 28, y), text, FAINT)
            x += _width(text) + 52
    _write(page, (x, y), f"rays: {geometry.refraction}", FAINT)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers within low..high, `about` of them or fewer.

    >>> ticks(-250.0, 250.0, 6)
    [-200.0, -100.0, 0.0, 100.0, 200.0]
    """
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [index * step for index in range(first, last + 1)]


def _number(metres: float) -> str:
    return f"{metres:.6g}"


def _width(text: str) -> int:
    return int(opencv().getTextSize(text, _FONT, _TEXT, 1)[0][0])


def _write_centred(page: ByteImage, middle: tuple[int, int], text: str) -> None:
    _write(page, (middle[0] - _width(text) // 2, middle[1]), text, FAINT)


def _write(
    page: ByteImage, corner: tuple[int, int], text: str, colour: Colour, size: float = _TEXT
) -> None:
    cv2 = opencv()
    cv2.putText(page, text, corner, _FONT, size, colour, 1, cv2.LINE_AA)
