"""Seeded slides whose tiles were cut from one picture at places that are known."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sonar_watch.ichthyolith.records import Slide, Tile


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """A slide, the pictures of its tiles and where they were cut: (x, y) by image."""

    slide: Slide
    pictures: dict[str, np.ndarray]
    true_px: dict[str, tuple[float, float]]

    def read(self, tile: Tile) -> np.ndarray:
        return self.pictures[tile.image]


def make_glass(height: int, width: int, particles: int, seed: int = 0) -> np.ndarray:
    """Return a grey slide with dark grains of all sizes, bubbles and dust, shape (h, w)."""
    random = np.random.default_rng(seed)
    glass = np.full((height, width), 140, np.uint8)
    for _ in range(particles):
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        axes = tuple(int(one) for one in random.integers(2, 22, 2))
        turn, grey = int(random.integers(0, 180)), int(random.integers(20, 120))
        cv2.ellipse(glass, centre, axes, turn, 0, 360, grey, -1, cv2.LINE_AA)
        if random.random() < 0.3:
            inner = tuple(max(one // 2, 1) for one in axes)
            cv2.ellipse(glass, centre, inner, turn, 0, 360, 190, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(glass, (0, 0), 1.2)


def make_mosaic(
    glass: np.ndarray,
    *,
    rows: int,
    columns: int,
    tile_px: int = 300,
    pitch_px: int = 240,
    step_error_px: tuple[float, float] = (-6.0, 5.0),
    jitter_px: float = 3.0,
    noise: float = 2.0,
    whole_px: bool = True,
    seed: int = 0,
) -> Mosaic:
    """Return a slide of tiles cut from `glass`, each step off as stages are, under uneven light.

    A step to the right is off by `step_error_px`, one downwards by the same turned by 90 degrees
    (as a turned camera has it), and every tile by a jitter of its own.
    """
    random = np.random.default_rng(seed)
    ex, ey = step_error_px
    margin = 80 + int(max(rows, columns) * max(abs(ex), abs(ey)))
    tiles, pictures, true_px = [], {}, {}
    for row in range(rows):
        for column in range(columns):
            drift = np.array([column * ex - row * ey, column * ey + row * ex])
            nominal = np.array([column * pitch_px, row * pitch_px])
            at = drift + nominal + random.normal(0, jitter_px, 2)
            at = np.round(at) if whole_px else at
            image = f"s_001_{row * pitch_px}_{column * pitch_px}.png"
            centre = at + margin + (tile_px - 1) / 2
            patch = cv2.getRectSubPix(
                glass.astype(np.float32), (tile_px, tile_px), (float(centre[0]), float(centre[1]))
            )
            pictures[image] = _photographed(patch, noise, random)
            true_px[image] = (float(at[0]), float(at[1]))
            tiles.append(
                Tile(
                    path=Path(image),
                    image=image,
                    x_px=column * pitch_px,
                    y_px=row * pitch_px,
                    width_px=tile_px,
                    height_px=tile_px,
                )
            )
    slide = Slide(site="site", sample="s", slide="001", tiles=tuple(tiles))
    return Mosaic(slide=slide, pictures=pictures, true_px=true_px)


def _photographed(patch: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    """Return the tile as a camera has it: darker to the left and top, noisy, from a JPEG."""
    height, width = patch.shape
    y, x = np.mgrid[:height, :width]
    light = 0.85 + 0.15 * x / width + 0.1 * y / height - 0.05
    grey = patch * light * random.uniform(0.95, 1.05) + random.normal(0, noise, patch.shape)
    colour = np.dstack([grey * 0.97, grey, grey * 1.02]).clip(0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
