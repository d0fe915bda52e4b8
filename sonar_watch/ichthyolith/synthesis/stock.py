"""What composites are made of: cut-outs, real tiles, and debris that is used more than once."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.labels import LabelledTile
from sonar_watch.ichthyolith.records import ICHTHYOLITHS
from sonar_watch.ichthyolith.synthesis.board import Light, Particle
from sonar_watch.ichthyolith.synthesis.cutouts import Cutout, cut_out, shown
from sonar_watch.ichthyolith.synthesis.debris import draw_debris
from sonar_watch.ichthyolith.synthesis.denticles import draw_denticle, draw_sawtoothed
from sonar_watch.ichthyolith.synthesis.fields import chance
from sonar_watch.ichthyolith.synthesis.teeth import draw_tooth
from sonar_watch.ichthyolith.synthesis.tiles import RealTile, read_tiles
from sonar_watch.images import read_image

_DRAW = {"tooth": draw_tooth, "denticle": draw_denticle, "sawtoothed": draw_sawtoothed}
_SHELF = 150
"""Pieces of drawn debris that are kept to be used again."""
_FRESH = 0.06
_REAL_DEBRIS = 0.55
_TRIM_PX = 2
_HELD_OUT = 7
"""One exemplar in so many is for validation."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stock:
    """Where the particles and the glass of composites come from.

    Parameters
    ----------
    exemplars : tuple of Cutout
        Of pictures whose scale is not known.
    cutouts : tuple of Cutout
        Of real tiles, in pixels of a tile.
    tiles : tuple of RealTile
    """

    exemplars: tuple[Cutout, ...] = ()
    cutouts: tuple[Cutout, ...] = ()
    tiles: tuple[RealTile, ...] = ()
    _shelf: list[tuple[float, Particle]] = field(default_factory=list)

    def renewed(self) -> Stock:
        """Return the same stock without what was drawn: the next part does not depend on it."""
        return Stock(exemplars=self.exemplars, cutouts=self.cutouts, tiles=self.tiles)

    def part_for(self, split: str) -> Stock:
        """Return what one split may use: real tiles only "train", each exemplar one of them."""
        exemplars = tuple(
            one
            for one in self.exemplars
            if (zlib.crc32(one.source.encode()) % _HELD_OUT == 0) == (split == "val")
        )
        real = split == "train"
        return Stock(
            exemplars=exemplars,
            cutouts=self.cutouts if real else (),
            tiles=self.tiles if real else (),
        )

    def ichthyolith(
        self,
        class_name: str,
        length_px: float,
        light: Light,
        drawn_share: float,
        rng: np.random.Generator,
    ) -> Particle:
        """Return an ichthyolith of a class: drawn, an exemplar's or a real one's."""
        known = [
            [one for one in cutouts if one.class_name == class_name]
            for cutouts in (self.exemplars, self.cutouts)
        ]
        if chance(rng, drawn_share) or not any(known):
            return _DRAW[class_name](length_px, light, rng)
        # A handful of real ones must not crowd out a hundred exemplars.
        real = len(known[1]) / max(len(known[1]) + 0.35 * len(known[0]), 1)
        pool = known[1] if known[1] and chance(rng, real) else known[0] or known[1]
        one = pool[int(rng.integers(len(pool)))]
        if pool is known[1]:
            length_px = one.length_px * light.scale * float(np.exp(rng.normal(0, 0.2)))
        return shown(one, length_px, light, rng)

    def debris(self, length_px: float, light: Light, rng: np.random.Generator) -> Particle:
        """Return a particle that is no ichthyolith."""
        found = [one for one in self.cutouts if one.class_name == "noise"]
        if found and chance(rng, _REAL_DEBRIS):
            one = found[int(rng.integers(len(found)))]
            return shown(
                one, one.length_px * light.scale * float(np.exp(rng.normal(0, 0.2))), light, rng
            )
        if len(self._shelf) < _SHELF or chance(rng, _FRESH):
            fresh = draw_debris(length_px, light, rng)
            self._keep((length_px, fresh), rng)
            return fresh
        # Of a few from the shelf the one nearest in length: sizes stay as they were drawn.
        places = rng.integers(0, len(self._shelf), 6)
        _, kept_one = min(
            (self._shelf[int(place)] for place in places),
            key=lambda kept: abs(np.log(kept[0] / length_px)),
        )
        return _turned(kept_one, rng)

    def _keep(self, one: tuple[float, Particle], rng: np.random.Generator) -> None:
        if len(self._shelf) < _SHELF:
            self._shelf.append(one)
        else:
            self._shelf[int(rng.integers(_SHELF))] = one


def _turned(one: Particle, rng: np.random.Generator) -> Particle:
    """Return a particle laid another way round: quarter turns and a mirror cost nothing."""
    quarter, flip = int(rng.integers(4)), chance(rng, 0.5)
    passes, mask = np.rot90(one.passes, quarter), np.rot90(one.mask, quarter)
    if flip:
        passes, mask = passes[:, ::-1], mask[:, ::-1]
    return Particle(class_name=one.class_name, passes=passes, mask=mask)


def read_stock(
    exemplars: Path | None = None,
    real: Path | None = None,
    tiles: Sequence[LabelledTile] = (),
) -> Stock:
    """Return a stock.

    Parameters
    ----------
    exemplars : Path, optional
        Folder with a folder of pictures for each class of ichthyolith.
    real : Path, optional
        Folder of labelled tiles ...
    tiles : sequence of LabelledTile
        ... and those that may be used.

    Raises
    ------
    ConfigurationError
        The folder of exemplars holds none.
    ImageError, OSError
        A picture is broken or missing.
    """
    pasted = read_exemplars(exemplars) if exemplars else ()
    ready, cutouts = read_tiles(real, tiles) if real else ((), ())
    return Stock(exemplars=pasted, cutouts=cutouts, tiles=ready)


def read_exemplars(folder: Path) -> tuple[Cutout, ...]:
    """Return what could be cut out of the pictures in `folder/<class>/`, in order of their names.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    found = []
    for class_name in ICHTHYOLITHS:
        for path in sorted((folder / class_name).glob("*.png")):
            image = read_image(path)[_TRIM_PX : -_TRIM_PX - 1, _TRIM_PX : -_TRIM_PX - 1]
            one = cut_out(image, class_name, path.name) if image.ndim == 3 else None
            if one is not None:
                found.append(one)
    if not found:
        raise ConfigurationError(
            f"{folder}: expected pictures in {', '.join(f'{name}/' for name in ICHTHYOLITHS)}"
        )
    return tuple(found)
