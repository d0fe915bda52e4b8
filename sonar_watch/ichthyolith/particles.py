"""Slides without their light: the glass brought to one grey level, and where particles lie on it.

Light falls off towards the corners and differs between tiles, and a particle multiplies it: what
is left of a picture divided by its glass is what particles do. Networks are trained on pictures
flattened here, and are shown such pictures. Most of a slide is glass: who knows where particles
lie need not look at the rest.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.detection.tiling import Window
from sonar_watch.opencv import opencv

LEVEL = 200
"""Grey level of flattened glass: the rims of particles gather light, up to a quarter more."""

STANDS_OUT = 0.07
LEAST_PX = 20
MARGIN_PX = 24
"""How a particle is told from glass: it differs by more than this share of the light in a channel,
is this long, pixels of a tile (0.96 um), and is shown with so much glass around it.

Measured on the 29 real tiles: all 50 labelled objects, sure or not, lie in regions with 18 px to
spare or more, which take 23 % of the area (four tiles have none, the fullest 82 %). At 0.06 it is
26 %; at 0.08 a faint unsure tooth is lost, at 0.15 the margin of sure ones. With 28 px regions take
a seventh less; a tooth can be that short.
"""

_COARSE_PX = 16
_SURROUNDINGS = 25
_BARE = 0.1
_SMOOTH = 2.0
"""Glass is looked for on a grid of 16 px: medians of 400 px, smoothed over where it is bare."""
_FINE_PX = 4
_DARK = 0.4
"""Of the brightest glass of a picture. What is darker over a large area, such as the black edge of
a cover glass, is no glass and stays dark: real light falls off to 0.65."""
_DARKEST = 20.0
"""Grey level below which nothing is glass, however dark the picture: noise is not enlarged."""


def background(image: ByteImage, scale: float = 1.0) -> Float32Array:
    """Return the light of a picture without its particles, coarsely.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
    scale : float
        Pixels of the picture per pixel of a tile.

    Returns
    -------
    ndarray, shape (h / 16 scale, w / 16 scale, 1 or 3), float32, grey values
        At least 1; black where a large area is black.

    Raises
    ------
    ValueError
        A picture without pixels, or that is not uint8.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size:
        raise ValueError(
            f"expected uint8 (h, w) or (h, w, 3) with pixels, received {image.dtype} {image.shape}"
        )
    cv2 = opencv()
    step = _COARSE_PX * scale
    size = tuple(max(round(side / step), 1) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    seen = np.atleast_3d(small).astype(np.float32)
    light: Float32Array = np.atleast_3d(cv2.medianBlur(small, _SURROUNDINGS)).astype(np.float32)
    for _ in range(2):  # a large particle, or a corner, is in the median around it
        light = np.maximum(light, np.float32(1))
        rest = seen / light - 1
        bare = (np.abs(rest).max(2) < _BARE).astype(np.float32)
        bare = cv2.erode(bare, np.ones((3, 3), np.uint8))[..., None]
        near = np.atleast_3d(cv2.GaussianBlur(rest * bare, (0, 0), _SMOOTH))
        weight = np.atleast_3d(cv2.GaussianBlur(bare, (0, 0), _SMOOTH)) + np.float32(1e-3)
        light = np.asarray(light * (1 + near / weight), np.float32)
    return np.maximum(light, np.float32(1))


def flattened(image: ByteImage, light: Float32Array) -> ByteImage:
    """Return a picture divided by its light: glass is grey and `LEVEL` bright everywhere.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
    light : ndarray
        Its `background`.

    Returns
    -------
    ndarray, uint8
        Of the picture's shape. What is black over a large area stays dark.

    Examples
    --------
    >>> glass = np.full((90, 90), 130, np.uint8)
    >>> flattened(glass, background(glass))[0, :2].tolist()
    [200, 200]
    """
    return flattened_parts(image, light, [Window(0, 0, image.shape[1], image.shape[0])])[0]


def flattened_parts(
    image: ByteImage, light: Float32Array, parts: list[Window]
) -> list[ByteImage]:
    """Return parts of the flattened picture, each equal to what `flattened` has there."""
    cv2 = opencv()
    brightest = np.quantile(light, 0.9, axis=(0, 1))
    gain = np.float32(LEVEL) / np.maximum(light, np.maximum(_DARK * brightest, _DARKEST))
    gain = cv2.resize(gain.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    gain = gain.reshape(image.shape)
    return [
        cv2.multiply(image[_of(part)], gain[_of(part)], dtype=cv2.CV_8U).reshape(
            image[_of(part)].shape
        )
        for part in parts
    ]


def _of(part: Window) -> tuple[slice, slice]:
    return slice(part.y_px, part.bottom_px), slice(part.x_px, part.right_px)


def particles(image: ByteImage, light: Float32Array) -> list[Window]:
    """Return the parts of a tile that hold particles, from top to bottom; none overlap.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        At the scale of a tile.
    light : ndarray
        Its `background`: what is dark over a large area differs from it on its edges alone.

    Returns
    -------
    list of Window
        Each with `MARGIN_PX` of glass around what stands out, where the tile has it; particles
        nearer to each other than twice that share one.
    """
    cv2 = opencv()
    height, width = image.shape[:2]
    columns, rows = -(-width // _FINE_PX), -(-height // _FINE_PX)
    seen = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    glass = cv2.resize(light, (columns, rows), interpolation=cv2.INTER_LINEAR).reshape(seen.shape)
    differs = cv2.absdiff(seen.astype(np.float32), glass) > np.float32(STANDS_OUT) * glass
    # Channel by channel: along so short an axis numpy takes ten times as long.
    found = reduce(np.logical_or, np.moveaxis(np.atleast_3d(differs), 2, 0)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    boxes = _boxes(found)
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).max(1, initial=0) * _FINE_PX >= LEAST_PX]
    margin = MARGIN_PX // _FINE_PX
    boxes = _apart(boxes + np.array([-margin, -margin, margin, margin]), columns, rows)
    # The last cell may be smaller than the others: a region ends where the picture does.
    ends = np.minimum(boxes * _FINE_PX, [width, height, width, height]).tolist()
    return [Window(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in ends]


def _boxes(mask: ByteImage) -> npt.NDArray[np.int64]:
    """Return x1 y1 x2 y2 of the connected parts of a mask, top to bottom."""
    _, _, table, _ = opencv().connectedComponentsWithStats(mask, connectivity=8)
    corners, sizes = table[1:, :2], table[1:, 2:4]
    return np.column_stack([corners, corners + sizes]).astype(np.int64)


def _apart(boxes: npt.NDArray[np.int64], columns: int, rows: int) -> npt.NDArray[np.int64]:
    """Return boxes clipped to the picture; those that touch are one, until none touch."""
    cv2 = opencv()
    count = -1
    while len(boxes) != count:
        count, plane = len(boxes), np.zeros((rows, columns), np.uint8)
        for x1, y1, x2, y2 in np.maximum(boxes, 0).tolist():
            cv2.rectangle(plane, (x1, y1), (x2 - 1, y2 - 1), 1, -1)
        boxes = _boxes(plane)
    return boxes
