"""The colour maps people show water columns in, and the way back from colour to level.

A colour is taken for the nearest one along the palette. JPEG keeps lightness sharp and smears
colour over neighbouring pixels, so lightness counts more than colour in that distance.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from sonar_watch.opencv import opencv
from sonar_watch.records import ByteImage, Float32Array, IntArray

CELL_BITS = 5
"""Of each colour channel that decide: 32 steps each are within a few levels of the exact ones."""

COLOUR_WEIGHT = 0.6
"""Of a step in colour against a step in lightness."""

HIGHEST_MIDDLE = 170
"""Place along the palette: where water shows stronger than that, no plume could stand out."""

_UPPER_HALF = 15.0
_CELLS = 1 << (3 * CELL_BITS)
_STEP = 256 >> CELL_BITS

# Stops as (red, green, blue), evenly spaced from the lowest level to the highest.
_STOPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "grey_inverted": ((255, 255, 255), (0, 0, 0)),
    # The rainbow of multibeam displays on black, and on white.
    "rainbow_black": ((0, 0, 0), (0, 0, 160), (0, 90, 255), (0, 220, 220), (0, 220, 0),
                      (255, 255, 0), (255, 140, 0), (255, 0, 0), (160, 0, 0)),
    "rainbow_white": ((255, 255, 255), (120, 160, 255), (0, 0, 255), (0, 220, 220), (0, 220, 0),
                      (255, 255, 0), (255, 140, 0), (255, 0, 0), (120, 0, 0)),
    # Fisheries echo sounders since the EK500: twelve colours and the white below them.
    "ek500": ((255, 255, 255), (159, 159, 159), (95, 95, 95), (0, 0, 255), (0, 0, 127),
              (0, 191, 0), (0, 127, 0), (255, 255, 0), (255, 127, 0), (255, 0, 191), (255, 0, 0),
              (166, 83, 60), (120, 60, 40)),
}
_STEPPED = frozenset({"ek500"})
_PRIOR = {"jet": 0.8, "ek500": 0.8}
"""By how much the misfit counts. JPEG mixes neighbouring colours into duller ones, which lie
nearer to the rainbows above than to jet, the most used by far, and far from any of few steps."""
_OPENCV = {
    "jet": "COLORMAP_JET", "viridis": "COLORMAP_VIRIDIS", "hot": "COLORMAP_HOT",
    "parula": "COLORMAP_PARULA", "turbo": "COLORMAP_TURBO", "inferno": "COLORMAP_INFERNO",
    "plasma": "COLORMAP_PLASMA", "magma": "COLORMAP_MAGMA", "cividis": "COLORMAP_CIVIDIS",
}
PALETTES: tuple[str, ...] = (*_STOPS, *_OPENCV)
"""Names of the palettes known; `rainbow_*` and `ek500` are after the displays of the makers."""


@cache
def palette(name: str) -> ByteImage:
    """Return a palette, shape (256, 3), BGR, from the lowest level to the highest."""
    if name in _STOPS:
        return _blended(np.array(_STOPS[name], float)[:, ::-1], stepped=name in _STEPPED)
    cv2 = opencv()
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, getattr(cv2, _OPENCV[name])), np.uint8)[:, 0]


def _blended(stops: npt.NDArray[np.float64], *, stepped: bool) -> ByteImage:
    where = np.linspace(0, 1, 256)
    if stepped:
        index = np.minimum((where * len(stops)).astype(int), len(stops) - 1)
        return np.asarray(stops[index], np.uint8)
    at = np.linspace(0, 1, len(stops))
    blended = np.stack([np.interp(where, at, one) for one in stops.T], axis=-1)
    return np.asarray(blended, np.uint8)


def cells_of(image: ByteImage) -> IntArray:
    """Return the cell of colour space that each pixel of a BGR picture lies in."""
    small = (image >> (8 - CELL_BITS)).astype(np.int32)
    return np.asarray(
        (small[..., 0] << (2 * CELL_BITS)) | (small[..., 1] << CELL_BITS) | small[..., 2]
    )


def identify(cells: IntArray, names: tuple[str, ...] = PALETTES) -> tuple[str, float]:
    """Return the palette that fits pixels best, and how far they lie from it (0..255, typical).

    Parameters
    ----------
    cells : ndarray, shape (n,)
        Of the pixels that show echoes; see `cells_of`.
    names : tuple of str
        Palettes that come into question.
    """
    found, counts = np.unique(cells, return_counts=True)
    common = np.argsort(-counts, kind="stable")[:600]
    colours, weight = _weighted(_cell_colours()[found[common]]), counts[common]
    scores = {name: _misfit(colours, weight, name) for name in names}
    best = min(scores, key=lambda name: scores[name])
    return best, scores[best]


def _misfit(colours: Float32Array, weight: npt.NDArray[np.intp], name: str) -> float:
    """Return the mean distance to a palette; what lies far off (text, logos) counts little."""
    place, distance = _nearest(colours, name)
    order = np.argsort(place, kind="stable")
    middle = place[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)]
    misfit = float(np.average(np.minimum(distance, 60.0), weights=weight))
    return misfit * _PRIOR.get(name, 1.0) + (_UPPER_HALF if middle > HIGHEST_MIDDLE else 0.0)


def levels_of(cells: IntArray, name: str) -> tuple[ByteImage, ByteImage]:
    """Return each pixel's place along a palette (0..255), and its distance from it (0..255)."""
    place, distance = _table(name)
    return place[cells], distance[cells]


@cache
def _table(name: str) -> tuple[ByteImage, ByteImage]:
    """Return place and distance for every cell of colour space."""
    place, distance = _nearest(_weighted(_cell_colours()), name)
    return place, np.minimum(distance, 255.0).astype(np.uint8)


def _nearest(colours: Float32Array, name: str) -> tuple[ByteImage, Float32Array]:
    """Return the nearest place along a palette, the middle one of equals, and its distance."""
    line = _weighted(palette(name))
    squares = np.square(line).sum(axis=1)
    place = np.empty(len(colours), np.uint8)
    distance = np.empty(len(colours), np.float32)
    for start in range(0, len(colours), 4096):
        some = colours[start : start + 4096]
        apart = squares - 2 * some @ line.T + np.square(some).sum(axis=1)[:, None]
        least = apart.min(axis=1)
        equal = apart <= least[:, None] + 1.0
        first, last = equal.argmax(axis=1), 255 - equal[:, ::-1].argmax(axis=1)
        near = last - first <= 24  # a step of a stepped palette, not two ends of a closed one
        place[start : start + 4096] = np.where(near, (first + last) // 2, first)
        distance[start : start + 4096] = np.sqrt(np.maximum(least, 0))
    return place, distance


def _weighted(colours: ByteImage) -> Float32Array:
    """Return colours as lightness and two differences, scaled so that distances compare."""
    cv2 = opencv()
    parts = cv2.cvtColor(np.ascontiguousarray(colours)[None], cv2.COLOR_BGR2YCrCb)[0]
    scale = np.array([1.0, COLOUR_WEIGHT, COLOUR_WEIGHT], np.float32)
    return np.asarray(parts * scale, np.float32)


@cache
def _cell_colours() -> ByteImage:
    """Return the colour in the middle of every cell, shape (cells, 3), BGR."""
    number = np.arange(_CELLS)
    steps = [(number >> shift) & (2**CELL_BITS - 1) for shift in (2 * CELL_BITS, CELL_BITS, 0)]
    middles = np.stack([step * _STEP + _STEP // 2 for step in steps], axis=-1)
    return np.asarray(middles, np.uint8)
