"""A small folder of labelled tiles, drawn: two slides, one sure tooth each, one unsure."""

import json
from pathlib import Path

import numpy as np

from sonar_watch.ichthyolith.synthesis.board import Light, drawn_light
from sonar_watch.ichthyolith.synthesis.debris import draw_grain
from sonar_watch.ichthyolith.synthesis.glass import draw_glass, photographed
from sonar_watch.ichthyolith.synthesis.teeth import draw_tooth
from sonar_watch.images import write_png

TILE_PX = 400


def seeded(seed: int = 0, scale: float = 0.55) -> tuple[np.random.Generator, Light]:
    """Return a generator and a light."""
    rng = np.random.default_rng(seed)
    return rng, drawn_light(rng, scale)


def lay(glass: np.ndarray, particle, x: int, y: int) -> list[int]:
    """Lay a particle with its map's corner at x, y; return its box."""
    height, width = particle.mask.shape
    glass[y : y + height, x : x + width] *= particle.passes
    rows, columns = np.flatnonzero(particle.mask.any(1)), np.flatnonzero(particle.mask.any(0))
    return [int(x + columns[0]), int(y + rows[0]), int(x + columns[-1] + 1), int(y + rows[-1] + 1)]


def clear_tooth(length_px: float, light: Light, rng: np.random.Generator):
    """Return a tooth that stands out well."""
    while True:
        one = draw_tooth(length_px, light, rng)
        if np.median(np.abs(one.passes[one.mask > 0][:, 1] - 1)) > 0.25:
            return one


def write_slides(root: Path) -> Path:
    """Write the folder with its labels.json and return it."""
    body = []
    for number, slide in enumerate(("A_1_001", "A_1_002")):
        rng, light = seeded(number + 5, 1.0)
        glass = draw_glass(TILE_PX, 1.0, rng)
        sure = lay(glass, clear_tooth(110, light, rng), 30, 40)
        unsure = lay(glass, clear_tooth(90, light, rng), 230, 60)
        lay(glass, draw_grain(80, light, rng), 200, 250)
        image = f"S/A_1/{slide}/{slide}_0_0.png"
        (root / image).parent.mkdir(parents=True)
        write_png(root / image, photographed(glass, rng))
        objects = [
            {"box": sure, "class": "tooth", "certainty": "sure", "cut": False},
            {"box": unsure, "class": "tooth", "certainty": "unsure", "cut": False},
        ]
        body.append({"image": image, "site": "S", "sample": "A_1", "slide": slide,
                     "width": TILE_PX, "height": TILE_PX, "objects": objects})
    (root / "labels.json").write_text(json.dumps(body), encoding="utf-8")
    return root
