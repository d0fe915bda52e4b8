"""From measured steps between neighbours to positions: robust weighted least squares."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

Float64Array = npt.NDArray[np.float64]

USUAL_SIGMA_PX = 10.0
"""How far a step may be from the usual one of its slide: what a step not measured is worth."""

_OUTLIER_PX = 3.0
"""Measured steps further from the fit than this, and than four times the spread, are dropped."""

_ROUNDS = 12
_NEAR_PX = 0.5
"""Distances below this are all the same: the measurement is not better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one tile to its neighbour.

    Parameters
    ----------
    first, second : int
        Numbers of the tiles.
    nominal_px : tuple of float
        Across and down, as the file names have it.
    measured_px : tuple of float or None
        Across and down, as the pictures have it.
    sigma_px : float
        Of the measurement.
    """

    first: int
    second: int
    nominal_px: tuple[float, float]
    measured_px: tuple[float, float] | None = None
    sigma_px: float = 0.5

    @property
    def is_across(self) -> bool:
        """Whether the neighbour is beside the tile, not below it."""
        return abs(self.nominal_px[0]) > abs(self.nominal_px[1])

    @property
    def error_px(self) -> Float64Array:
        """How far the measured step is from the nominal one, across and down."""
        return np.subtract(self.measured_px or (np.nan, np.nan), self.nominal_px)


def place(
    nominal_px: Float64Array, steps: Sequence[Step]
) -> tuple[Float64Array, list[float | None]]:
    """Return the positions that fit the steps best, and how well each tile fits its steps.

    Parameters
    ----------
    nominal_px : ndarray, shape (n, 2), float64
        Across and down.
    steps : sequence of Step
        Between neighbours, measured or not.

    Returns
    -------
    ndarray, shape (n, 2), float64
        Each group of tiles that steps connect keeps its mean nominal position.
    list of (float or None)
        Root mean square distance of a tile's measured steps from the fit, pixels; None for a
        tile without any.
    """
    usual = _usual_errors(steps)
    kept = [one for one in steps if one.measured_px is not None and _is_usual(one, usual)]
    kept = _fitting(kept, _settled_distances(nominal_px, steps, kept, usual))
    positions = _solve(nominal_px, steps, kept, usual, np.ones(len(kept)))
    return positions, _residuals(len(nominal_px), positions, kept)


def _ends(step: Step) -> tuple[int, int]:
    return step.first, step.second


def usual_error(step: Step, steps: Sequence[Step]) -> tuple[float, float] | None:
    """Return how far a step like this one usually is from nominal, None where none is measured.

    Parameters
    ----------
    step : Step
    steps : sequence of Step
        Of the same slide.

    Returns
    -------
    tuple of float or None
        Across and down, pixels: the median of the measured steps in the same direction. Where
        there are none, those of the other direction tell how much the picture is turned and
        stretched against the stage.
    """
    found = _usual_errors(steps).get(step.is_across)
    return None if found is None else (float(found[0]), float(found[1]))


def _usual_errors(steps: Sequence[Step]) -> dict[bool, Float64Array]:
    """Return the usual error of steps across (True) and down (False)."""
    usual: dict[bool, Float64Array] = {}
    for across in (True, False):
        errors = [one.error_px for one in steps if one.measured_px and one.is_across == across]
        if errors:
            usual[across] = np.median(errors, axis=0)
    if usual.keys() == {True}:
        usual[False] = np.array([-usual[True][1], usual[True][0]])
    elif usual.keys() == {False}:
        usual[True] = np.array([usual[False][1], -usual[False][0]])
    return usual


def _is_usual(step: Step, usual: dict[bool, Float64Array]) -> bool:
    """Return whether a measured step is near enough to the usual one of its slide."""
    off = float(np.hypot(*(step.error_px - usual[step.is_across])))
    if off <= 3 * USUAL_SIGMA_PX:
        return True
    log.info("step %d to %d dropped: %.1f px from the usual one", *_ends(step), off)
    return False


def _settled_distances(
    nominal_px: Float64Array,
    steps: Sequence[Step],
    kept: Sequence[Step],
    usual: dict[bool, Float64Array],
) -> Float64Array:
    """Return how far the steps are from a fit in which few wrong ones have little say.

    Least squares spread a wrong step over its neighbours, which then look wrong as well. Weighted
    anew by 1 / distance, round by round, the fit becomes the one of least absolute distances.
    """
    say = np.ones(len(kept))
    off = say
    for _ in range(_ROUNDS if kept else 0):
        off = _distances(_solve(nominal_px, steps, kept, usual, say), kept)
        say = _NEAR_PX / np.maximum(off, _NEAR_PX)
    return off


def _fitting(kept: Sequence[Step], off_px: Float64Array) -> list[Step]:
    """Return the steps that are not outliers; the others are told of."""
    most = max(_OUTLIER_PX, 4 * 1.4826 * float(np.median(off_px))) if kept else 0.0
    for step, distance in zip(kept, off_px, strict=True):
        if distance > most:
            log.info("step %d to %d dropped: %.1f px off", *_ends(step), distance)
    return [step for step, distance in zip(kept, off_px, strict=True) if distance <= most]


def _solve(
    nominal_px: Float64Array,
    steps: Sequence[Step],
    kept: Sequence[Step],
    usual: dict[bool, Float64Array],
    say: Float64Array,
) -> Float64Array:
    """Return the least squares positions; a step that is not kept counts as the usual one.

    `say`, shape (len(kept),), is a factor on the weight of each kept step.
    """
    if not kept:
        return nominal_px.copy()
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import spsolve

    number, known = len(nominal_px), {_ends(one) for one in kept}
    used = [*kept, *(one for one in steps if _ends(one) not in known)]
    first, second = (np.array([_ends(one)[side] for one in used]) for side in (0, 1))
    weight = np.array([one.sigma_px if _ends(one) in known else USUAL_SIGMA_PX for one in used])
    weight = weight**-2.0
    weight[: len(kept)] *= say
    wanted = np.array([_expected(one, known, usual) for one in used])
    graph: Any = coo_array((weight, (first, second)), shape=(number, number))
    groups, group = connected_components(graph, directed=False)
    normal, right = _normal_equations(number, first, second, weight, wanted)
    positions = np.column_stack([spsolve(normal, right[:, axis]) for axis in (0, 1)])
    for one in range(groups):
        members = group == one
        positions[members] += (nominal_px[members] - positions[members]).mean(axis=0)
    return np.asarray(positions, np.float64)


def _expected(
    step: Step, known: set[tuple[int, int]], usual: dict[bool, Float64Array]
) -> Float64Array:
    if _ends(step) in known and step.measured_px is not None:
        return np.asarray(step.measured_px, np.float64)
    return np.asarray(step.nominal_px, np.float64) + usual[step.is_across]


def _normal_equations(
    number: int, first: Any, second: Any, weight: Float64Array, wanted: Float64Array
) -> tuple[Any, Float64Array]:
    """Return the matrix and right hand side; a whiff of a diagonal makes it regular.

    It pulls all tiles of a group towards 0 alike, and the group is moved afterwards.
    """
    from scipy.sparse import coo_array, eye_array

    count = len(first)
    row = np.arange(count)
    shape = (count, number)
    ends: Any = coo_array((np.ones(count), (row, second)), shape=shape) - coo_array(
        (np.ones(count), (row, first)), shape=shape
    )
    weighted = ends.T * weight
    normal = weighted @ ends + 1e-9 * eye_array(number)
    return normal.tocsc(), np.asarray(weighted @ wanted)


def _distances(positions: Float64Array, kept: Sequence[Step]) -> Float64Array:
    """Return how far each kept step is from the fit, pixels."""
    fitted = [positions[one.second] - positions[one.first] for one in kept]
    wanted = [np.asarray(one.measured_px) for one in kept]
    off = np.subtract(fitted, wanted).reshape(-1, 2)
    return np.asarray(np.hypot(off[:, 0], off[:, 1]), np.float64)


def _residuals(number: int, positions: Float64Array, kept: Sequence[Step]) -> list[float | None]:
    squares: list[list[float]] = [[] for _ in range(number)]
    for step, off in zip(kept, _distances(positions, kept), strict=True):
        squares[step.first].append(float(off) ** 2)
        squares[step.second].append(float(off) ** 2)
    return [float(np.sqrt(np.mean(one))) if one else None for one in squares]
