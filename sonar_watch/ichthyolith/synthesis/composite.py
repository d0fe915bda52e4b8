"""One composite: particles laid on glass, and where each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage, Detections, Float32Array
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.records import CLASSES, ICHTHYOLITHS, Box
from sonar_watch.ichthyolith.synthesis.board import Light, Particle, drawn_light
from sonar_watch.ichthyolith.synthesis.fields import chance, pick
from sonar_watch.ichthyolith.synthesis.glass import dirt_on, draw_glass, photographed
from sonar_watch.ichthyolith.synthesis.placing import Occupied, spots
from sonar_watch.ichthyolith.synthesis.staging import staged
from sonar_watch.ichthyolith.synthesis.stock import Stock

_LENGTHS = {
    "tooth": (170.0, 0.58, 40.0, 690.0),
    "denticle": (190.0, 0.48, 70.0, 600.0),
    "sawtoothed": (160.0, 0.42, 70.0, 420.0),
    "noise": (62.0, 0.66, 14.0, 420.0),
}
"""Median, deviation of the logarithm, least and greatest length; pixels of a tile."""
_SEEN_PART = 0.35
"""An ichthyolith of which the edge leaves less is not laid there."""
_CLEAR = 0.02
_LEAST_NOISE_PX = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeOptions:
    """What a composite is like.

    Parameters
    ----------
    size_px : int
        Side of the picture.
    field_px : int
        Side of what it shows, pixels of a tile of 0.96 um: 1200 is a whole tile.
    ichthyoliths : float
        Mean number on a field of 1200 px; a share of the composites has none.
    empty_share : float
        Composites without any, 0 to 1.
    mix : mapping of str to float
        How often each class is among them.
    debris : float
        Mean number of other particles on a field of 1200 px.
    drawn_share : float
        Ichthyoliths that are drawn, where cut-outs could be used instead, 0 to 1.
    real_glass_share : float
        Composites on real tiles, where there are any, 0 to 1.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    size_px: int = 640
    field_px: int = 1200
    ichthyoliths: float = 3.0
    empty_share: float = 0.12
    mix: dict[str, float] = field(
        default_factory=lambda: {"tooth": 0.56, "denticle": 0.26, "sawtoothed": 0.18}
    )
    debris: float = 20.0
    drawn_share: float = 0.5
    real_glass_share: float = 0.5

    def __post_init__(self) -> None:
        if not 64 <= self.size_px <= 1280:
            raise ConfigurationError(f"size_px: expected 64 to 1280, received {self.size_px}")
        if not 64 <= self.field_px <= 4 * self.size_px:
            raise ConfigurationError(
                f"field_px: expected 64 to {4 * self.size_px}, received {self.field_px}"
            )
        for name in ("empty_share", "drawn_share", "real_glass_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name}: expected 0 to 1, received {getattr(self, name)}")
        if self.ichthyoliths < 0 or self.debris < 0:
            raise ConfigurationError("ichthyoliths, debris: expected 0 or more")
        if not set(self.mix) <= set(ICHTHYOLITHS) or sum(self.mix.values()) <= 0:
            raise ConfigurationError(f"mix: expected shares of {ICHTHYOLITHS}, received {self.mix}")

    @property
    def scale(self) -> float:
        """Pixels of the picture per pixel of a tile."""
        return self.size_px / self.field_px


def compose(
    stock: Stock, options: CompositeOptions, rng: np.random.Generator
) -> tuple[ByteImage, Detections]:
    """Return a composite and the boxes of its particles, noise among them.

    Returns
    -------
    ndarray, shape (size_px, size_px, 3), uint8
        BGR.
    Detections
        Classes as in `records.CLASSES`; confidences are 1.
    """
    scale, size = options.scale, options.size_px
    light = drawn_light(rng, scale)
    real = bool(stock.tiles) and chance(rng, options.real_glass_share)
    truth: list[tuple[str, Box]] = []
    if real:
        tile = stock.tiles[int(rng.integers(len(stock.tiles)))]
        glass, truth = staged(tile, size, options.field_px, rng)
    else:
        glass = draw_glass(size, scale, rng)
    occupied = Occupied(size)
    for _, box in truth:
        occupied.add_box(box)
    crowd = 0.3 if real else 1.0
    for class_name in _wanted(options, real, crowd, rng):
        _lay(glass, truth, class_name, stock, options, light, occupied, rng)
    if not real:
        dirt_on(glass, scale, rng)
    return photographed(glass, rng, grain=0.0 if real else 1.0), _detections(truth)


def _wanted(
    options: CompositeOptions, real: bool, crowd: float, rng: np.random.Generator
) -> Iterator[str]:
    """Yield the class of each particle to lay, ichthyoliths first: they are seen best."""
    area = (options.field_px / 1200) ** 2
    if not chance(rng, options.empty_share):
        mean = options.ichthyoliths * max(area, 0.5)
        for _ in range(int(rng.poisson(mean * (0.6 if real else 1.0)))):
            yield pick(rng, options.mix)
    # Some tiles are nearly bare, a few hold three times the mean.
    busy = rng.gamma(1.1, options.debris * area * crowd / 1.1)
    for _ in range(min(int(rng.poisson(busy)), int(80 * max(area, 0.3)))):
        yield "noise"


def _lay(
    glass: Float32Array,
    truth: list[tuple[str, Box]],
    class_name: str,
    stock: Stock,
    options: CompositeOptions,
    light: Light,
    occupied: Occupied,
    rng: np.random.Generator,
) -> None:
    """Lay one particle where there is room, and note its box; none where there is no room."""
    length = drawn_length(class_name, rng) * options.scale
    length = min(length, 0.9 * options.size_px)
    if class_name == "noise":
        particle = stock.debris(length, light, rng)
    else:
        particle = stock.ichthyolith(class_name, length, light, options.drawn_share, rng)
        if contrast_of(particle) < _CLEAR:
            return
    seen = 0.0 if class_name == "noise" else _SEEN_PART
    touch = rng.choice([0.02, 0.12, 0.5], p=[0.7, 0.2, 0.1])
    for spot in spots(particle, options.size_px, seen, rng):
        if occupied.share(spot) <= touch:
            break
    else:
        return
    occupied.add(spot)
    glass[spot.rows, spot.columns] *= particle.passes[spot.part]
    box = spot.box
    if box is None:
        return
    if class_name == "noise":
        longest = max(box[2] - box[0], box[3] - box[1])
        if longest < _LEAST_NOISE_PX * options.scale or contrast_of(particle) < 2 * _CLEAR:
            return
    truth.append((class_name, box))


def drawn_length(class_name: str, rng: np.random.Generator) -> float:
    """Return the length of a particle by chance, pixels of a tile."""
    median, spread, least, greatest = _LENGTHS[class_name]
    return float(np.clip(rng.lognormal(np.log(median), spread), least, greatest))


def contrast_of(particle: Particle) -> float:
    """Return how much a particle stands out: the mean change of light on it, 0 to 1."""
    on = particle.mask > 0
    if not on.any():
        return 0.0
    return float(np.abs(particle.passes[on][:, 1] - 1).mean())


def _detections(truth: list[tuple[str, Box]]) -> Detections:
    kept = [(name, box) for name, box in truth if min(box[2] - box[0], box[3] - box[1]) >= 3]
    boxes: npt.NDArray[np.float32] = np.array([box for _, box in kept], np.float32).reshape(-1, 4)
    return Detections(
        xyxy=boxes,
        confidence=np.ones(len(kept), np.float32),
        class_id=np.array([CLASSES.index(name) for name, _ in kept], np.int32),
        class_names=CLASSES,
    )
