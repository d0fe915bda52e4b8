"""Particles cut out of pictures: what they do to the light, without the glass they lie on.

A picture of a particle divided by the glass around it is the share of light that passes: laid on
another slide by multiplication it looks as if it had always been there. A soft matte keeps only
the particle itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.ichthyolith.synthesis.board import Light, Particle
from sonar_watch.ichthyolith.synthesis.fields import chance
from sonar_watch.opencv import opencv

STRETCH_MOST = 2.4
"""A cut-out is not shown larger than this many times itself: it would be a blur."""
_LEAST_CONTRAST = 0.045


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """A particle off its glass.

    Parameters
    ----------
    class_name : str
        One of `records.CLASSES`.
    source : str
        Where it comes from: an exemplar's file name, or a slide.
    passes : ndarray, shape (h, w, 3), float32
        Share of the light that passes; exactly 1 beyond the matte.
    mask : ndarray, shape (h, w), uint8
        1 on the particle.
    length_px : float
        Longest extent of the mask, pixels of its picture.
    """

    class_name: str
    source: str
    passes: Float32Array
    mask: ByteImage
    length_px: float


def glass_below(image: ByteImage, ignore: ByteImage | None = None) -> Float32Array:
    """Return what a crop would look like without its particles: a plane fitted to the glass.

    Parameters
    ----------
    image : ndarray, shape (h, w, 3), uint8
    ignore : ndarray, shape (h, w), uint8, optional
        1 where something is known to lie.

    Returns
    -------
    ndarray, shape (h, w, 3), float32
    """
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y], -1).reshape(-1, 3)
    values = image.reshape(-1, 3).astype(float)
    grey = values.mean(1)
    weight = np.ones(len(grey), bool) if ignore is None else ignore.reshape(-1) == 0
    start = np.median(grey[weight])
    near = weight & (np.abs(grey - start) < 0.25 * start)
    for limit in (0.12, 0.06, 0.04):
        use = near if near.sum() >= 30 else weight
        plane, *_ = np.linalg.lstsq(terms[use], values[use], rcond=None)
        fitted = terms @ plane
        near = weight & (np.abs(grey / np.maximum(fitted.mean(1), 1) - 1) < limit)
    return np.asarray(np.maximum(fitted, 4).reshape(image.shape), np.float32)


def light_through(image: ByteImage, glass: Float32Array) -> Float32Array:
    """Return the share of light that passes; black is kept off zero by what the camera adds."""
    return np.asarray((image.astype(np.float32) + 2) / (glass + 2), np.float32)


def mask_of(passes: Float32Array, wanted: npt.NDArray[np.bool_] | None = None) -> ByteImage:
    """Return the pixels of the one particle in the middle of a crop, its holes filled.

    Parameters
    ----------
    wanted : ndarray, shape (h, w), bool, optional
        Where it must have a part; the middle third unless told.

    Returns
    -------
    ndarray, shape (h, w), uint8
        All 0 when nothing stands out.
    """
    cv2 = opencv()
    density = np.abs(np.log(np.clip(passes, 0.02, 3))).max(2)
    smooth = cv2.GaussianBlur(density, (0, 0), 1.0)
    calm = np.median(smooth[smooth < np.median(smooth) + 0.05])
    found = (smooth > max(_LEAST_CONTRAST, 2.3 * float(calm))).astype(np.uint8)
    size = max(round(min(found.shape) / 22), 1) * 2 + 1
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    lines, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(found)
    cv2.drawContours(filled, lines, -1, 1, -1)
    filled = cv2.morphologyEx(filled, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    if wanted is None:
        height, width = found.shape
        wanted = np.zeros(found.shape, bool)
        wanted[height // 3 : -(height // 3), width // 3 : -(width // 3)] = True
    return _largest_in(filled, wanted)


def _largest_in(filled: ByteImage, wanted: npt.NDArray[np.bool_]) -> ByteImage:
    """Return the one piece that has most of its pixels where it is wanted."""
    cv2 = opencv()
    count, pieces = cv2.connectedComponents(filled)
    if count < 2:
        return np.zeros_like(filled)
    within = np.bincount(pieces[wanted], minlength=count)
    within[0] = 0
    best = int(within.argmax())
    if not within[best]:
        return np.zeros_like(filled)
    return np.asarray(pieces == best, np.uint8)


def touches_edge(mask: ByteImage, share: float = 0.12) -> bool:
    """Return whether the edge of its crop cuts a particle: it meets it on much of its outline."""
    edge = int(mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())
    return edge > share * 2 * sum(_extent(mask))


def _tight(mask: ByteImage) -> ByteImage:
    """Return a mask without the light that strays around the particle; thin ones as they are."""
    inner = opencv().erode(mask, np.ones((3, 3), np.uint8), iterations=2)
    return np.asarray(inner if inner.sum() > 0.5 * mask.sum() else mask, np.uint8)


def _extent(mask: ByteImage) -> tuple[int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return 0, 0
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def cut_out(
    image: ByteImage,
    class_name: str,
    source: str,
    *,
    glass: Float32Array | None = None,
    wanted: npt.NDArray[np.bool_] | None = None,
) -> Cutout | None:
    """Return the particle in the middle of a crop, or None where it cannot be told apart.

    Parameters
    ----------
    image : ndarray, shape (h, w, 3), uint8
        A crop with some glass around the particle.
    glass : ndarray, shape (h, w, 3), float32, optional
        The same without particles, where it is known.
    wanted : ndarray, shape (h, w), bool, optional
        The pixels it is known to lie in; then it may meet others, which are left out.
    """
    cv2 = opencv()
    if min(image.shape[:2]) < 12:
        return None
    passes = light_through(image, glass_below(image) if glass is None else glass)
    mask = mask_of(passes, wanted)
    if wanted is not None:
        # Somebody said where it is: what it touches beyond is another one.
        mask = mask & cv2.dilate(wanted.astype(np.uint8), np.ones((9, 9), np.uint8))
    covered = float(mask.mean())
    if not 0.02 < covered < 0.85 or (wanted is None and touches_edge(mask)):
        return None
    wide = cv2.dilate(mask, np.ones((5, 5), np.uint8)).astype(np.float32)
    matte = cv2.GaussianBlur(wide, (0, 0), 1.2)
    matte[[0, -1]] = 0
    matte[:, [0, -1]] = 0
    passes = np.asarray(1 + (passes - 1) * matte[..., None], np.float32)
    mask = _tight(mask)
    return Cutout(
        class_name=class_name,
        source=source,
        passes=passes,
        mask=mask,
        length_px=float(max(_extent(mask))),
    )


def shown(cutout: Cutout, length_px: float, light: Light, rng: np.random.Generator) -> Particle:
    """Return a cut-out as a particle: turned, mirrored, stretched, paler or darker, by chance.

    Parameters
    ----------
    length_px : float
        About how long it is to be, pixels of the picture; see `STRETCH_MOST`.
    """
    cv2 = opencv()
    scale = min(length_px / cutout.length_px, STRETCH_MOST)
    turn = rng.uniform(0, 2 * np.pi)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretch = np.exp(rng.normal(0, 0.08))
    shape = np.array([[stretch, rng.normal(0, 0.08)], [0, 1 / stretch]]) * scale
    warp = spin @ shape @ np.diag([1.0, -1.0 if chance(rng, 0.5) else 1.0])
    source = cutout.passes
    if scale < 0.6:
        source = cv2.GaussianBlur(source, (0, 0), 0.35 / scale)
    height, width = cutout.mask.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ warp.T
    low = corners.min(0) - 3
    size = tuple(int(side) for side in np.ceil(corners.max(0) - low + 3))
    place = np.column_stack([warp, -low])
    passes = cv2.warpAffine(
        source,
        place,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(1.0, 1.0, 1.0),
    )
    mask = cv2.warpAffine(cutout.mask, place, size, flags=cv2.INTER_NEAREST)
    strength = np.exp(rng.normal(0, 0.22)) * (1 + rng.normal(0, 0.025, 3))
    passes = cv2.exp(cv2.log(np.maximum(passes, 0.03)) * strength.astype(np.float32))
    if chance(rng, 0.25):
        passes = cv2.GaussianBlur(passes, (0, 0), rng.uniform(0.5, 2.5) * light.scale)
    return Particle(class_name=cutout.class_name, passes=np.asarray(passes, np.float32), mask=mask)
