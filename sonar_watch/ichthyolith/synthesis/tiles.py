"""Real tiles as glass to lay particles on, and as the source of cut-outs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.labels import LabelledTile, read_labels
from sonar_watch.ichthyolith.records import Box
from sonar_watch.ichthyolith.synthesis.cutouts import Cutout, cut_out, light_through
from sonar_watch.images import read_image
from sonar_watch.opencv import opencv

LEAST_DEBRIS_PX = 22
"""Shorter particles are neither labelled as noise nor cut out; pixels of a tile."""
_COARSE_PX = 300
_STANDS_OUT = 0.07


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealTile:
    """A real tile, ready to be a slide: what is unsure on it is painted over.

    Parameters
    ----------
    slide : str
        Key of its slide.
    image : ndarray, shape (h, w, 3), uint8
    glass : ndarray, shape (about 300, about 300, 3), float32
        The same without particles, smaller.
    boxes : tuple of (class name, Box)
        The sure ichthyoliths, and as "noise" what else stands out.
    """

    slide: str
    image: ByteImage
    glass: Float32Array
    boxes: tuple[tuple[str, Box], ...]


def chosen_tiles(root: Path, leave_out: Sequence[str] = ()) -> tuple[LabelledTile, ...]:
    """Return the labelled tiles of a folder, but for those of the slides left out.

    Parameters
    ----------
    root : Path
        Folder with `labels.json`.
    leave_out : sequence of str
        Slides, samples or sites, by name: "1179C_24_05_75_003", or "sample/slide".

    Raises
    ------
    ConfigurationError
        A name that no tile has, or no tile is left.
    FormatError
        See `labels.read_labels`.
    """
    tiles = read_labels(root)
    for name in leave_out:
        if not any(_belongs(tile, name) for tile in tiles):
            known = sorted({tile.slide for tile in tiles})
            raise ConfigurationError(
                f"--leave-out {name}: expected a slide, sample or site among {', '.join(known)}"
            )
    left = tuple(tile for tile in tiles if not any(_belongs(tile, name) for name in leave_out))
    if not left:
        raise ConfigurationError(f"{root}: no tile is left to take particles and glass from")
    return left


def _belongs(tile: LabelledTile, name: str) -> bool:
    sample_slide = f"{tile.sample}/{tile.slide}"
    return name in (tile.site, tile.sample, tile.slide, sample_slide, tile.key)


def read_tiles(
    root: Path, tiles: Sequence[LabelledTile]
) -> tuple[tuple[RealTile, ...], tuple[Cutout, ...]]:
    """Return tiles to lay particles on, and what could be cut out of them.

    Raises
    ------
    ImageError
        A tile that is broken.
    OSError
        One that is missing.
    """
    ready, cutouts = [], []
    for tile in tiles:
        image = read_image(root / tile.image)
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        one, found = _prepared(image, tile)
        ready.append(one)
        cutouts.extend(found)
    return tuple(ready), tuple(cutouts)


def _prepared(image: ByteImage, tile: LabelledTile) -> tuple[RealTile, list[Cutout]]:
    glass = coarse_glass(image)
    whole = enlarged(glass, image.shape[1], image.shape[0])
    debris = [
        box
        for box in standing_out(image, whole)
        if not any(_overlap(box, one.xyxy_px) for one in tile.objects)
    ]
    sure = [(one.class_name, one.xyxy_px) for one in tile.objects if one.sure]
    found = list(_cutouts(image, whole, tile, debris))
    clean = image.copy()
    for one in tile.objects:
        if not one.sure:
            paint_over(clean, whole, one.xyxy_px, [box for _, box in sure])
    boxes = (*sure, *(("noise", box) for box in debris))
    return RealTile(slide=tile.key, image=clean, glass=glass, boxes=boxes), found


def coarse_glass(image: ByteImage) -> Float32Array:
    """Return a tile without its particles, small: the median of wide surroundings, smoothed."""
    cv2 = opencv()
    factor = _COARSE_PX / max(image.shape[:2])
    size = tuple(max(round(side * factor), 8) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    planes = [cv2.medianBlur(np.ascontiguousarray(small[..., k]), 101) for k in range(3)]
    first = cv2.GaussianBlur(np.stack(planes, -1).astype(np.float32), (0, 0), 8)
    # Once more, from bare glass alone: a large particle darkens the median around it.
    bare = (np.abs(np.log(light_through(small, first))).max(2) < 0.08).astype(np.float32)
    bare = cv2.erode(bare, np.ones((5, 5), np.uint8))
    weight = cv2.GaussianBlur(bare, (0, 0), 14)[..., None] + np.float32(1e-3)
    seen = cv2.GaussianBlur(small * bare[..., None], (0, 0), 14)
    return np.asarray((seen + np.float32(1e-3) * first) / weight, np.float32)


def enlarged(glass: Float32Array, width_px: int, height_px: int) -> Float32Array:
    """Return coarse glass at the size of the tile."""
    cv2 = opencv()
    large = cv2.resize(glass, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)


def standing_out(image: ByteImage, glass: Float32Array) -> list[Box]:
    """Return boxes around all particles of `LEAST_DEBRIS_PX` or more, in pixels of the tile.

    What spans half the tile is the edge of the cover glass or a shadow, no particle.
    """
    cv2 = opencv()
    density = cv2.GaussianBlur(np.log(light_through(image, glass)), (0, 0), 1.5)
    found = (np.abs(density).max(2) > _STANDS_OUT).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, table, _ = cv2.connectedComponentsWithStats(found)
    return [
        (float(x), float(y), float(x + w), float(y + h))
        for x, y, w, h, area in table[1:].tolist()
        if LEAST_DEBRIS_PX <= max(w, h) < max(image.shape) / 2 and area > 0.12 * w * h
    ]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _cutouts(
    image: ByteImage, glass: Float32Array, tile: LabelledTile, debris: Sequence[Box]
) -> Iterator[Cutout]:
    """Yield the sure, whole ichthyoliths of a tile and its debris."""
    wanted = [(one.class_name, one.xyxy_px) for one in tile.objects if one.sure and not one.cut]
    for class_name, box in (*wanted, *(("noise", box) for box in debris)):
        margin = 0.12 * max(box[2] - box[0], box[3] - box[1]) + 6
        x1, y1 = (max(int(edge - margin), 0) for edge in box[:2])
        x2, y2 = (int(edge + margin) for edge in box[2:])
        here = np.zeros(image[y1:y2, x1:x2].shape[:2], bool)
        near = [round(edge) - start for edge, start in zip(box, (x1, y1, x1, y1), strict=True)]
        here[max(near[1], 0) : near[3], max(near[0], 0) : near[2]] = True
        found = cut_out(
            image[y1:y2, x1:x2], class_name, tile.key, glass=glass[y1:y2, x1:x2], wanted=here
        )
        if found is not None:
            yield found


def paint_over(image: ByteImage, glass: Float32Array, box: Box, spare: Sequence[Box] = ()) -> None:
    """Put glass where something lies, in place, with the grain of the tile; spare some boxes."""
    cv2 = opencv()
    height, width = image.shape[:2]
    matte = np.zeros((height, width), np.float32)
    x1, y1 = (max(int(edge) - 8, 0) for edge in box[:2])
    x2, y2 = (int(edge) + 8 for edge in box[2:])
    matte[y1:y2, x1:x2] = 1
    for left, top, right, bottom in spare:
        matte[int(top) : int(bottom), int(left) : int(right)] = 0
    rows = slice(max(y1 - 12, 0), y2 + 12)
    columns = slice(max(x1 - 12, 0), x2 + 12)
    part = cv2.GaussianBlur(matte[rows, columns], (0, 0), 3)[..., None]
    seen = image[rows, columns].astype(np.float32)
    grain = np.random.default_rng(x1 * 4099 + y1).standard_normal(seen.shape, np.float32) * 2.2
    painted = seen * (1 - part) + (glass[rows, columns] + grain) * part
    image[rows, columns] = np.clip(painted, 0, 255).astype(np.uint8)
