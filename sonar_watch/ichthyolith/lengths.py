"""How long the objects of a class are: quantiles, and how many there are of each size fraction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sonar_watch.ichthyolith.estimates import Estimate, Tally, counted
from sonar_watch.ichthyolith.records import SlideObject

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction:
    """The objects of a class of some lengths.

    Parameters
    ----------
    from_um, to_um : float
        From the first up to, but without, the second; the last fraction has no end (infinite).
    counted : Estimate
        With the exact Poisson interval.
    reviewed : int
        Those of them that a person confirmed.
    quantiles_um : tuple of float
        At `QUANTILES`; empty when there is none.
    """

    from_um: float
    to_um: float
    counted: Estimate
    reviewed: int
    quantiles_um: tuple[float, ...]


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
    fractions : tuple of Fraction
        From the shortest to the longest; together they hold all that were measured.
    """

    measured: int
    quantiles_um: tuple[float, ...] = ()
    fractions: tuple[Fraction, ...] = ()


def measured_um(objects: Iterable[SlideObject]) -> list[float]:
    """Return the lengths that are known, in the order given."""
    return [length_um for length_um, _ in _measured(objects)]


def _measured(objects: Iterable[SlideObject]) -> list[tuple[float, bool]]:
    """Return the lengths that are known, and whether a person has seen the object."""
    return [(one.length_um, one.reviewed) for one in objects
            if one.length_um is not None and not one.cut]  # fmt: skip


def lengths_of(objects: Iterable[SlideObject], edges_um: Sequence[float] = ()) -> Lengths:
    """Return how long some objects are.

    Parameters
    ----------
    objects : iterable of SlideObject
    edges_um : sequence of float
        Rising lengths that part the fractions.
    """
    measured = _measured(objects)
    known, seen = (np.array([one[column] for one in measured]) for column in (0, 1))
    fractions = []
    for low, high in pairwise((0.0, *edges_um, math.inf)):
        inside = (known >= low) & (known < high)
        part, reviewed = known[inside], int(np.count_nonzero(seen[inside]))
        fractions.append(
            Fraction(
                from_um=low,
                to_um=high,
                counted=counted(Tally(unreviewed=len(part) - reviewed, reviewed=reviewed)),
                reviewed=reviewed,
                quantiles_um=_quantiles(part),
            )
        )
    return Lengths(measured=len(known), quantiles_um=_quantiles(known), fractions=tuple(fractions))


def _quantiles(known: np.ndarray) -> tuple[float, ...]:
    if not len(known):
        return ()
    return tuple(float(value) for value in np.quantile(known, QUANTILES))
