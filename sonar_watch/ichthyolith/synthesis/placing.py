"""Where a particle may lie on a composite: what of it is seen, and what it would lie on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.records import Box
from sonar_watch.ichthyolith.synthesis.board import Particle

_TRIES = 9
_COARSE = 4

Slices = tuple[slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spot:
    """A place for a particle.

    Parameters
    ----------
    rows, columns : slice
        Of the picture.
    part : tuple of slice
        Of the particle's map: what falls on the picture.
    mask : ndarray, shape (h, w), uint8
        1 on the particle, of that part.
    """

    rows: slice
    columns: slice
    part: Slices
    mask: ByteImage

    @property
    def box(self) -> Box | None:
        """The box of what is seen of the particle, pixels of the picture; None: nothing is."""
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        if not rows.size:
            return None
        return (
            float(self.columns.start + columns[0]),
            float(self.rows.start + rows[0]),
            float(self.columns.start + columns[-1] + 1),
            float(self.rows.start + rows[-1] + 1),
        )


def spots(
    particle: Particle, size_px: int, seen: float, rng: np.random.Generator
) -> Iterator[Spot]:
    """Yield a few places at random where at least the share `seen` of a particle is seen."""
    height, width = particle.mask.shape
    whole = max(int(particle.mask.sum()), 1)
    # A third of what is long would lie across the edge: as often as on real tiles, not more.
    for _ in range(_TRIES):
        x = int(rng.integers(-width // 2, size_px - width // 2))
        y = int(rng.integers(-height // 2, size_px - height // 2))
        x1, y1 = max(x, 0), max(y, 0)
        x2, y2 = min(x + width, size_px), min(y + height, size_px)
        part = (slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
        mask = particle.mask[part]
        if mask.size and int(mask.sum()) >= max(seen * whole, 1):
            yield Spot(rows=slice(y1, y2), columns=slice(x1, x2), part=part, mask=mask)


@dataclass(slots=True)
class Occupied:
    """Which parts of a composite have a particle already, at a quarter of its resolution."""

    size_px: int
    _taken: ByteImage = field(init=False)

    def __post_init__(self) -> None:
        side = self.size_px // _COARSE + 1
        self._taken = np.zeros((side, side), np.uint8)

    def _places(self, spot: Spot) -> tuple[Slices, ByteImage]:
        mask = spot.mask[::_COARSE, ::_COARSE]
        y, x = spot.rows.start // _COARSE, spot.columns.start // _COARSE
        rows, columns = slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1])
        within = self._taken[rows, columns].shape
        return (rows, columns), mask[: within[0], : within[1]]

    def share(self, spot: Spot) -> float:
        """Return the share of a particle that would lie on others, 0 to 1."""
        where, mask = self._places(spot)
        return float((self._taken[where] & mask).sum() / max(int(mask.sum()), 1))

    def add(self, spot: Spot) -> None:
        """Note that a particle lies there."""
        where, mask = self._places(spot)
        self._taken[where] |= mask

    def add_box(self, box: Box) -> None:
        """Note that something fills a box."""
        x1, y1, x2, y2 = (max(int(edge) // _COARSE, 0) for edge in box)
        self._taken[y1 : y2 + 1, x1 : x2 + 1] = 1
