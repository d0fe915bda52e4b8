"""What a labelled set is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonar_watch.errors import ConfigurationError

Encoding = Literal["layers", "grey"]
Split = Literal["train", "val"]

_SHARES = ("validation_share", "grey_share", "disturbed_share", "settled_share", "inject_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """What `sonar-watch simulate --kind dataset` makes.

    Parameters
    ----------
    scenes : int
        Seabeds with what lives over them; the ship passes over each once.
    swaths_per_scene : int
        Consecutive swaths of a passage, for each configuration of its sounder.
    warm_up : int
        Swaths at its begin, for each configuration, that fill the raster's memory alone.
    pictures_per_scene : int
        Pictures kept, evenly spread over the rest.
    validation_share : float
        Share of the scenes kept for validation, 0 to 1.
    depth_m : tuple of float
        Least and greatest depth; drawn evenly on a logarithmic scale.
    seed : int
    encoding : {"layers", "grey"}
    grey_share : float
        Share of the training scenes drawn in grey whatever the encoding, so that one network
        serves plain pictures too.
    disturbed_share : float
        Share of those that pass through `disturb`, where one is given.
    settled_share : float
        Share of the scenes whose static background is known when the bodies come, as in the
        midst of a line; in the others the line begins with the passage.
    inject : tuple of Path
        Raw files, training scenes are put into.
    inject_validation : tuple of Path
        The same for validation scenes.
    inject_share : float
        Share of the scenes put into real pings where there are any.
    frozen : bool
        A set for tests: all scenes are validation, `inject` files included, and the untouched
        pings of those files are added. Training refuses it.
    max_side_px : int
        Of the fan as drawn.
    sheet_px : int
        Side of a training sheet; fans are scaled to its width as the detector scales them.

    Raises
    ------
    ConfigurationError
        Numbers that make no set, or a real file in two splits.
    """

    scenes: int = 1000
    swaths_per_scene: int = 15
    warm_up: int = 4
    pictures_per_scene: int = 6
    validation_share: float = 0.1
    depth_m: tuple[float, float] = (30.0, 4000.0)
    seed: int = 1
    encoding: Encoding = "layers"
    grey_share: float = 0.3
    disturbed_share: float = 0.5
    settled_share: float = 0.7
    inject: tuple[Path, ...] = ()
    inject_validation: tuple[Path, ...] = ()
    inject_share: float = 0.25
    frozen: bool = False
    max_side_px: int = 1024
    sheet_px: int = 640

    def __post_init__(self) -> None:
        if self.scenes < 1 or not 0 <= self.warm_up < self.swaths_per_scene:
            raise ConfigurationError(
                "expected a scene or more, and fewer swaths to warm up than swaths, received "
                f"{self.scenes}, {self.warm_up}, {self.swaths_per_scene}"
            )
        if not 1 <= self.pictures_per_scene <= self.swaths_per_scene - self.warm_up:
            raise ConfigurationError(
                "pictures_per_scene: expected from 1 to the swaths after the warm-up, received "
                f"{self.pictures_per_scene}"
            )
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name}: expected 0..1, received {getattr(self, name)}")
        if not 10 <= self.depth_m[0] <= self.depth_m[1]:
            raise ConfigurationError(f"depth_m: expected 10 <= low <= high, got {self.depth_m}")
        if self.encoding not in ("layers", "grey"):
            raise ConfigurationError(f"encoding: expected layers or grey, got {self.encoding!r}")
        both = {path.stem for path in self.inject} & {path.stem for path in self.inject_validation}
        if both:
            raise ConfigurationError(f"inject: expected each file in one split, received {both}")

    def recordings(self, split: Split) -> tuple[Path, ...]:
        """Return the raw files that scenes of a split are put into."""
        if split == "train":
            return self.inject
        return self.inject + self.inject_validation if self.frozen else self.inject_validation
