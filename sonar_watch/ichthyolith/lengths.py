"""How long the objects of a class are: quantiles of what could be measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sonar_watch.ichthyolith.records import SlideObject

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Lengths of the objects of a class.

    Parameters
    ----------
    measured : int
        Objects whose length is known. Left out are those that could not be told from what is
        around them, and those that the edge of the scan cuts: they are longer than measured.
    quantiles_um : tuple of float
        At `QUANTILES`, between the two nearest lengths; empty when none was measured.
    """

    measured: int
    quantiles_um: tuple[float, ...] = ()


def measured_um(objects: Iterable[SlideObject]) -> list[float]:
    """Return the lengths that are known, in the order given."""
    return [one.length_um for one in objects if one.length_um is not None and not one.cut]


def lengths_of(objects: Iterable[SlideObject]) -> Lengths:
    """Return how long some objects are."""
    known = measured_um(objects)
    if not known:
        return Lengths(measured=0)
    quantiles = np.quantile(np.array(known), QUANTILES)
    return Lengths(measured=len(known), quantiles_um=tuple(float(value) for value in quantiles))
