"""How long and how wide an object is: its own axes, not those of the box around it.

In transmitted light an object differs from the glass by its rims, by what fills it, or by both:
a clear tooth is two dark lines. So what differs from its surroundings in brightness or colour is
taken together, gaps in rims are closed and what they enclose is filled. How much has to differ is
tried from much to little, and what fits the box of the detector best is taken: too little and a
clear tip is missing, too much and the neighbour is part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.records import Box

Mask = npt.NDArray[np.bool_]
ByteMask = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
FloatPlane = npt.NDArray[np.float32]

_MARGIN = 0.2
_LEAST_MARGIN_PX = 12.0
_MOST_SIDE_PX = 256
"""Of the part that is looked at; more is scaled down, which costs less than half a percent."""
_LEAST_SIDE_PX = 4.0
_SLACK = 0.06
_LEAST_SLACK_PX = 4.0
_LEVELS = (9.0, 6.0, 4.0, 2.7)
_LEAST_NOISE = 0.7
_OF_RIM = 0.5
_RIM_PX = 9
_GAP = 0.08
_LEAST_FIT = 0.7
_CLEARLY = 0.02
_LEAST_FILL = 0.08
_LEAST_PIECE = 0.02
_LEAST_AROUND_PX = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """An object told from its surroundings.

    Parameters
    ----------
    hull_px : ndarray, shape (n, 2), float64
        Corners of its convex hull in image pixels, 0 at the outer edge of the first pixel.
    contour_px : ndarray, shape (m, 2), float64
        Its outer edge, through the middles of its outermost pixels; pieces one after the other.
    fit : float
        Intersection over union of the box around it with the box it was looked for in, 0 to 1.
    """

    hull_px: FloatArray
    contour_px: FloatArray
    fit: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """What is looked at: an image part, the box in it, and how it lies in the image."""

    image: ByteImage
    box: Box
    offset_px: tuple[int, int]
    scale: float


def measure(image: ByteImage, xyxy: Box, um_per_px: float) -> tuple[float, float] | None:
    """Return length and width of the object in a box, in micrometres; None when unsure.

    The length is the greatest distance of two points of its outline (maximum Feret diameter),
    the width the least distance of two parallel lines that hold it (minimum Feret diameter).

    Parameters
    ----------
    image : ndarray, shape (h, w, 3) or (h, w), uint8
        BGR or grey; what surrounds the box is needed, too.
    xyxy : tuple of float
        The box in image pixels.
    um_per_px : float
        Micrometres per pixel.

    Raises
    ------
    ValueError
        A scale that is not above 0.
    """
    if not um_per_px > 0:
        raise ValueError(f"expected micrometres per pixel above 0, received {um_per_px}")
    outline = find_outline(image, xyxy)
    if outline is None:
        return None
    length_px, width_px = feret_px(outline.hull_px)
    return length_px * um_per_px, width_px * um_per_px


def feret_px(hull: FloatArray) -> tuple[float, float]:
    """Return the greatest and the least Feret diameter of a convex polygon.

    Parameters
    ----------
    hull : ndarray, shape (n, 2)
        Its corners in order.

    >>> feret_px(np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0]]))
    (5.0, 3.0)
    """
    steps = hull[:, None] - hull[None]
    longest = math.sqrt(float((steps**2).sum(-1).max()))
    edges = np.roll(hull, -1, axis=0) - hull
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    edges = edges[lengths > 0] / lengths[lengths > 0, None]
    across = hull @ np.stack([-edges[:, 1], edges[:, 0]])
    spans = across.max(axis=0) - across.min(axis=0)
    return longest, float(spans.min()) if len(spans) else 0.0


def axes_of_pieces(hulls_px: Sequence[FloatArray], box: Box) -> tuple[float, float] | None:
    """Return length and width of an object of which each view shows a piece; None when unsure.

    None when the pieces together do not fill the box of the object from side to side.

    Parameters
    ----------
    hulls_px : sequence of ndarray, shape (n, 2), pixels
        Of its pieces, see `Outline`, all in one frame.
    box : Box
        Of the whole object, in the same frame.

    >>> left = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 3.0], [0.0, 3.0]])
    >>> axes_of_pieces([left, left + [1.0, 0.0]], (0.0, 0.0, 4.0, 3.0))
    (5.0, 3.0)
    """
    import cv2

    if not hulls_px:
        return None
    points = np.concatenate(hulls_px)
    around = np.concatenate([points.min(axis=0), points.max(axis=0)])
    if intersection_over_union(around[None], np.array([box], float))[0, 0] < _LEAST_FIT:
        return None
    origin = points[0]  # far from it single precision is too coarse
    hull = cv2.convexHull((points - origin).astype(np.float32))[:, 0]
    return feret_px(np.asarray(hull, np.float64))


def find_outline(image: ByteImage, xyxy: Box) -> Outline | None:
    """Return the outline of the object in a box, or None when it cannot be told.

    None also when what was found does not fill the box from side to side, for then it is part
    of the object or something else, and when there is no glass around the box to compare with.

    Parameters
    ----------
    image : ndarray, shape (h, w, 3) or (h, w), uint8
    xyxy : tuple of float
        The box in image pixels.
    """
    part = _part(image, xyxy)
    if part is None:
        return None
    found = _best_mask(part)
    if found is None:
        return None
    mask, fit = found
    offset = np.array(part.offset_px)
    return Outline(
        hull_px=_hull(mask) / part.scale + offset,
        contour_px=(_contour(mask) + 0.5) / part.scale + offset,
        fit=fit,
    )


def _part(image: ByteImage, xyxy: Box) -> _Part | None:
    """Return the box with a margin, scaled down when large; None for a box with no inside."""
    import cv2

    height, width = image.shape[:2]
    left, top = max(0.0, xyxy[0]), max(0.0, xyxy[1])
    right, bottom = min(float(width), xyxy[2]), min(float(height), xyxy[3])
    if min(right - left, bottom - top) < _LEAST_SIDE_PX:
        return None
    margin = max(_MARGIN * max(right - left, bottom - top), _LEAST_MARGIN_PX)
    x, y = max(0, int(left - margin)), max(0, int(top - margin))
    piece = image[y : math.ceil(bottom + margin), x : math.ceil(right + margin)]
    scale = min(1.0, _MOST_SIDE_PX / max(piece.shape[:2]))
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in piece.shape[1::-1])
        scale = max(size) / max(piece.shape[:2])
        piece = np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
    box = ((left - x) * scale, (top - y) * scale, (right - x) * scale, (bottom - y) * scale)
    return _Part(image=piece, box=box, offset_px=(x, y), scale=scale)


def _best_mask(part: _Part) -> tuple[ByteMask, float] | None:
    """Return the mask that fits the box best, and how well; None when none does."""
    left, top, right, bottom = part.box
    slack = max(_SLACK * max(right - left, bottom - top), _LEAST_SLACK_PX)
    inside = np.zeros(part.image.shape[:2], np.uint8)
    inside[
        max(0, int(top - slack)) : math.ceil(bottom + slack),
        max(0, int(left - slack)) : math.ceil(right + slack),
    ] = 1
    if np.count_nonzero(inside == 0) < _LEAST_AROUND_PX:
        return None
    contrast = _contrast(part.image, inside == 1)
    best: tuple[ByteMask, float] | None = None
    for level in _LEVELS:
        mask = _piece(_closed(_edges(contrast, level) & inside, part.box), part.box)
        if mask is not None:
            fit = _fit(mask, part.box)
            if fit >= _LEAST_FIT and (best is None or fit > best[1] + _CLEARLY):
                best = _without_neighbour(mask, inside, part.box), fit
    return best


def _contrast(image: ByteImage, inside: Mask) -> FloatPlane:
    """Return by how many times its noise each pixel differs from the glass, in any colour.

    The glass is a plane through what surrounds the box: light falls off to the rim of a tile.
    """
    import cv2

    planes = image.reshape(*image.shape[:2], -1).astype(np.float32)
    smooth = cv2.GaussianBlur(planes, (3, 3), 0.8).reshape(planes.shape)
    rows, columns = np.indices(image.shape[:2], np.float32)
    terms = np.stack([np.ones_like(rows), rows, columns], axis=-1)
    outside, level = terms[~inside], smooth[~inside]
    contrast = np.zeros(image.shape[:2], np.float32)
    for channel in range(planes.shape[2]):
        plane, noise = _glass(outside, level[:, channel])
        difference = np.abs(smooth[..., channel] - terms @ plane) / noise
        np.maximum(contrast, difference, out=contrast)
    return contrast


def _glass(terms: FloatPlane, level: FloatPlane) -> tuple[FloatPlane, float]:
    """Return the plane through most of what is given, and the scatter about it."""
    plane = np.array([np.median(level), 0, 0], np.float32)
    for _ in range(3):
        rest = np.abs(level - terms @ plane)
        noise = max(1.4826 * float(np.median(rest)), _LEAST_NOISE)
        near = rest <= 2.5 * noise
        if np.count_nonzero(near) < _LEAST_AROUND_PX / 2:
            break
        plane = np.asarray(np.linalg.lstsq(terms[near], level[near], rcond=None)[0], np.float32)
    return plane, noise


def _edges(contrast: FloatPlane, level: float) -> ByteMask:
    """Return what differs enough; beside a strong rim the halo of the lens is no part of it."""
    import cv2

    strongest = cv2.dilate(contrast, np.ones((_RIM_PX, _RIM_PX), np.uint8))
    return np.asarray(contrast > np.maximum(level, _OF_RIM * strongest), np.uint8)


def _closed(mask: ByteMask, box: Box) -> ByteMask:
    """Return a mask with small gaps closed and all holes filled."""
    import cv2

    size = max(3, round(_GAP * min(box[2] - box[0], box[3] - box[1])) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    wide = cv2.morphologyEx(np.pad(mask, size), cv2.MORPH_CLOSE, disc)
    closed = np.ascontiguousarray(wide[size:-size, size:-size])
    outer: Any = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return np.asarray(cv2.drawContours(closed, outer, -1, 1, cv2.FILLED), np.uint8)


def _piece(mask: ByteMask, box: Box) -> ByteMask | None:
    """Return the largest piece, and further ones as long as they make it fit its box better."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    asked = (box[2] - box[0]) * (box[3] - box[1])
    if count < 2 or areas.sum() < _LEAST_FILL * asked:
        return None
    order = 1 + np.argsort(-areas, kind="stable")
    piece = np.asarray(labels == order[0], np.uint8)
    fit = _fit(piece, box)
    for label in order[1:]:
        if stats[label, cv2.CC_STAT_AREA] < _LEAST_PIECE * areas.max():
            break
        more = piece | (labels == label).astype(np.uint8)
        if (better := _fit(more, box)) > fit + _CLEARLY:
            piece, fit = more, better
    return piece


def _without_neighbour(mask: ByteMask, inside: ByteMask, box: Box) -> ByteMask:
    """Return a mask cut at those sides of the box beyond which it goes on to the end of sight.

    There it is not the object that goes on, for the detector would have seen it, but what it
    touches. At the edge of the image nothing can be told.
    """
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    ends = (columns[0], rows[0], columns[-1], rows[-1])
    mask = mask.copy()
    lines = (mask[:, ends[0]], mask[ends[1]], mask[:, ends[2]], mask[ends[3]])
    goes_on = [bool(line.any()) for line in lines]
    left, top, right, bottom = (round(side) for side in box)
    mask[:, : left if goes_on[0] else 0] = 0
    mask[: top if goes_on[1] else 0] = 0
    mask[:, right if goes_on[2] else mask.shape[1] :] = 0
    mask[bottom if goes_on[3] else mask.shape[0] :] = 0
    return mask


def _fit(mask: ByteMask, box: Box) -> float:
    """Return the intersection over union of the box around a mask with another."""
    import cv2

    left, top, width, height = cv2.boundingRect(mask)
    shared = max(0.0, min(left + width, box[2]) - max(left, box[0])) * max(
        0.0, min(top + height, box[3]) - max(top, box[1])
    )
    asked = (box[2] - box[0]) * (box[3] - box[1])
    return float(shared / (width * height + asked - shared))


def _contour(mask: ByteMask) -> FloatArray:
    import cv2

    outer: Any = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return np.concatenate([one[:, 0] for one in outer]).astype(np.float64)


def _hull(mask: ByteMask) -> FloatArray:
    """Return the corners of the convex hull, through the middles of the outermost pixel edges."""
    import cv2

    corners = _contour(mask) + 0.5
    steps = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]])
    middles = (corners[:, None] + steps).reshape(-1, 2).astype(np.float32)
    return np.asarray(cv2.convexHull(middles)[:, 0], np.float64)
