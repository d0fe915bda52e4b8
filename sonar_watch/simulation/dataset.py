"""Training pictures from the simulator: PNG, YOLO labels, data.yaml.

Every picture passes through the same raster as a ping at sea. Splits are by scene: no scene
gives pictures to two splits. Fans are wide and low, networks are trained on squares: training
pictures are sheets, several fans above one another, so that no computation goes into black;
validation pictures are single fans, as the detector will see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.images import write_png
from sonar_watch.learning.annotations import write_dataset, write_labels
from sonar_watch.records import ByteImage, FrameGeometry
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
from sonar_watch.watercolumn.opencv import opencv
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

Row = tuple[float, ...]
Rows = list[Row]
CLASS_NAMES = ("signal", "noise")
FAINTEST_DB = 6.5
"""True boxes below this contrast are not labelled."""


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
        Of the fan as drawn.
    sheet_px : int
        Side of a training sheet; fans are scaled to its width as the detector scales them.
    """

    scenes: int = 1000
    swaths_per_scene: int = 3
    validation_share: float = 0.1
    depth_m: tuple[float, float] = (60.0, 2500.0)
    seed: int = 1
    max_side_px: int = 1024
    sheet_px: int = 640

    def __post_init__(self) -> None:
        if self.scenes < 1 or self.swaths_per_scene < 1 or not 0 <= self.validation_share <= 0.9:
            raise ConfigurationError(
                "expected at least one scene and one swath, and a validation share of 0 to 0.9"
            )


def to_label(box: TrueBox, geometry: FrameGeometry) -> Row | None:
    """Return x1 y1 x2 y2 class in pixels of a true box; None when nobody could see it.

    A label on what cannot be told from noise teaches the network to see things.
    """
    x1, y1 = geometry.to_pixels(box.across_track_m[0], box.depth_m[0])
    x2, y2 = geometry.to_pixels(box.across_track_m[1], box.depth_m[1])
    limits = (geometry.width_px, geometry.height_px)
    corners = np.clip([x1, y1, x2, y2], 0, limits * 2)
    size = corners[2:] - corners[:2]
    if size[0] < 4 or size[1] < 6 or box.contrast_db < FAINTEST_DB:
        return None
    x1, y1, x2, y2 = map(float, corners)
    return x1, y1, x2, y2, float(CLASS_NAMES.index(box.class_name))


def make_dataset(
    out: Path, options: DatasetOptions, progress: Callable[[int], None] = lambda _: None
) -> Path:
    """Write `images/{train,val}`, `labels/{train,val}` and `data.yaml`; return the last.

    Parameters
    ----------
    progress : callable
        Called with the number of scenes done.
    """
    for split in ("train", "val"):
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
    raster = Rasteriser(RasterOptions(max_side_px=options.max_side_px))
    validation = round(options.scenes * options.validation_share)
    sheet = _Sheet(out, options.sheet_px)
    for index in range(options.scenes):
        for number, fan in enumerate(_fans_of_scene(index, options, raster)):
            if index < validation:
                _write_picture(out, "val", f"{index:06d}_{number}", *fan)
            else:
                sheet.add(*fan)
        progress(index + 1)
    sheet.write()
    return write_dataset(out, CLASS_NAMES)


def _fans_of_scene(
    index: int, options: DatasetOptions, raster: Rasteriser
) -> Iterator[tuple[ByteImage, Rows]]:
    """Yield each swath's picture and its labels, rows of x1 y1 x2 y2 class."""
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
        yield frame.image, [row for box in boxes if (row := to_label(box, frame.geometry))]


class _Sheet:
    """A square picture filled with fans from the top down."""

    def __init__(self, out: Path, side_px: int) -> None:
        self._out, self._side_px, self._number = out, side_px, 0
        self._image = np.zeros((side_px, side_px), np.uint8)
        self._labels: Rows = []
        self._filled_px = 0

    def add(self, image: ByteImage, labels: Rows) -> None:
        """Put a fan below the others; the full sheet is written first when it does not fit."""
        scale = self._side_px / max(image.shape)
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        if self._filled_px + size[1] > self._side_px:
            self.write()
        top = self._filled_px
        cv2 = opencv()
        resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        self._image[top : top + size[1], : size[0]] = resized
        shift = np.array([0, top, 0, top, 0])
        factor = np.array([scale, scale, scale, scale, 1])
        self._labels += [tuple(np.array(row) * factor + shift) for row in labels]
        self._filled_px += size[1]

    def write(self) -> None:
        """Write what is on the sheet and take a new one."""
        if not self._filled_px:
            return
        _write_picture(self._out, "train", f"{self._number:06d}", self._image, self._labels)
        self._number += 1
        self._image = np.zeros_like(self._image)
        self._labels, self._filled_px = [], 0


def _write_picture(out: Path, split: str, stem: str, image: ByteImage, labels: Rows) -> None:
    write_png(out / "images" / split / f"{stem}.png", image)
    write_labels(
        out / "labels" / split / f"{stem}.txt",
        _as_detections(labels),
        image.shape[1],
        image.shape[0],
    )


def _as_detections(labels: Rows) -> Detections:
    rows = [[*corners, 1.0, class_id] for *corners, class_id in labels]
    return Detections.from_rows(np.array(rows).reshape(-1, 6), CLASS_NAMES)


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
