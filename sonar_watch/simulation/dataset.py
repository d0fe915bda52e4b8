"""Training pictures from the simulator: PNG, YOLO labels, data.yaml.

Every picture passes through the same raster as a ping at sea. Splits are by scene: no scene
gives pictures to two splits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import write_data_yaml, write_labels
from sonar_watch.records import FloatArray, FrameGeometry
from sonar_watch.simulation.echo import TrueBox, hear
from sonar_watch.simulation.scene import (
    Scene,
    random_layers,
    random_noise,
    random_plume,
    random_school,
    random_seabed,
)
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import FAMILIES, sounder_for
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

CLASS_NAMES = ("signal", "noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """What `sonar-watch simulate --dataset` makes.

    Parameters
    ----------
    scenes : int
        Seabeds with what lives over them; each gives `swaths_per_scene` pictures.
    swaths_per_scene : int
    validation_share : float
        Share of the scenes kept for validation, 0 to 0.9.
    depth_m : tuple of float
        Least and greatest depth; drawn evenly on a logarithmic scale.
    seed : int
    max_side_px : int
    """

    scenes: int = 1000
    swaths_per_scene: int = 3
    validation_share: float = 0.1
    depth_m: tuple[float, float] = (60.0, 2500.0)
    seed: int = 1
    max_side_px: int = 1024

    def __post_init__(self) -> None:
        if self.scenes < 1 or self.swaths_per_scene < 1 or not 0 <= self.validation_share <= 0.9:
            raise ConfigurationError(
                "expected at least one scene and one swath, and a validation share of 0 to 0.9"
            )


def to_label(box: TrueBox, geometry: FrameGeometry) -> tuple[int, FloatArray] | None:
    """Return class and (x1, y1, x2, y2) in pixels of a true box; None when too small to see."""
    x1, y1 = geometry.to_pixels(box.across_track_m[0], box.depth_m[0])
    x2, y2 = geometry.to_pixels(box.across_track_m[1], box.depth_m[1])
    limits = (geometry.width_px, geometry.height_px)
    corners = np.clip([x1, y1, x2, y2], 0, limits * 2)
    if corners[2] - corners[0] < 3 or corners[3] - corners[1] < 4:
        return None
    return CLASS_NAMES.index(box.class_name), corners


def make_dataset(
    out: Path, options: DatasetOptions, progress: Callable[[int], None] = lambda _: None
) -> Path:
    """Write `images/{train,val}`, `labels/{train,val}` and `data.yaml`; return the last.

    Parameters
    ----------
    progress : callable
        Called with the number of scenes done.
    """
    raster = Rasteriser(RasterOptions(max_side_px=options.max_side_px))
    first_train = round(options.scenes * options.validation_share)
    for index in range(options.scenes):
        split = "val" if index < first_train else "train"
        _write_scene(out, split, index, options, raster)
        progress(index + 1)
    return write_data_yaml(out, CLASS_NAMES)


def _write_scene(
    out: Path, split: str, index: int, options: DatasetOptions, raster: Rasteriser
) -> None:
    rng = np.random.default_rng((options.seed, index))
    low, high = np.log(options.depth_m)
    depth = float(np.exp(rng.uniform(low, high)))
    sounder = sounder_for(str(rng.choice(sorted(FAMILIES))), depth)
    scene = random_scene(rng, depth)
    for number in range(options.swaths_per_scene):
        state = ShipState(
            time_utc=datetime(2026, 1, 1, tzinfo=UTC),
            east_m=float(rng.normal(0, 0.03 * depth)),
            north_m=float(rng.normal(0, 0.03 * depth)),
            heading_deg=0.0,  # plumes and schools are spread along the fan, east and west
            ping_counter=number,
        )
        ping, boxes = hear(scene, sounder, state, seed=int(rng.integers(2**31)))
        frame = raster.frame(ping)
        found = [label for box in boxes if (label := to_label(box, frame.geometry))]
        stem = f"{index:06d}_{number}"
        write_png(out / "images" / split / f"{stem}.png", frame.image)
        write_labels(
            out / "labels" / split / f"{stem}.txt",
            [class_id for class_id, _ in found],
            np.array([corners for _, corners in found]).reshape(-1, 4),
            frame.geometry.width_px,
            frame.geometry.height_px,
        )


def random_scene(rng: np.random.Generator, depth_m: float) -> Scene:
    """Return a scene under the ship: a fifth empty, the others with plumes, fish or both."""
    reach = 1.2 * depth_m
    kind = rng.random()
    plumes = int(rng.integers(1, 4)) if kind < 0.65 else 0
    schools = int(rng.integers(1, 5)) if 0.35 < kind < 0.82 else 0
    return Scene(
        seabed=random_seabed(rng, depth_m),
        plumes=tuple(
            random_plume(
                rng,
                f"plume-{number}",
                float(rng.uniform(-reach, reach)),
                float(rng.uniform(-reach, reach)) * 0.02,
                depth_m,
            )
            for number in range(plumes)
        ),
        schools=tuple(
            random_school(
                rng, float(rng.uniform(-reach, reach)), float(rng.normal(0, 0.01 * reach)), depth_m
            )
            for _ in range(schools)
        ),
        layers=random_layers(rng, depth_m),
        noise=random_noise(rng),
    )
