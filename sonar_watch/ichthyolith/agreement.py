"""How far two people agree on what the objects on slides are.

Both looked through the same gallery, each on their own. What a file only took over from an
earlier review is nobody's own opinion and does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.records import CLASSES
from sonar_watch.ichthyolith.review.verdicts import UNSURE, Review, Verdict
from sonar_watch.learning.intervals import resampled_interval, share_interval
from sonar_watch.learning.kappa import cohens_kappa, kappa_interval

LEAST_SLIDES = 5
"""Fewer slides say nothing of how far agreement differs between slides."""

_Pair = tuple[Verdict, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAgreement:
    """How far two people agree on one class against all others.

    Parameters
    ----------
    class_name : str
    both, first_only, second_only : int
        Objects that both, or one alone, called so.
    kappa : float or None
        None when it is not defined: nobody or everybody says so.
    """

    class_name: str
    both: int
    first_only: int
    second_only: int
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two people agree.

    Parameters
    ----------
    reviewers : tuple of (str, str)
        As they wrote themselves; "first" and "second" where they did not.
    class_names : tuple of str
        Of the table's rows and columns.
    table : tuple of tuple of int
        How often the first said the class of the row and the second that of the column.
    first_only, second_only : int
        Objects that one alone judged.
    unsure : int
        Of the objects that both judged, those that at least one could not tell; left out of
        the table, unless `class_names` has "unsure".
    agreed_95 : tuple of float
        Of the share of equal answers (Wilson).
    kappa : float or None
        Cohen's, over all classes; None when it is not defined.
    kappa_95 : tuple of float or None
        Taking each object as drawn on its own.
    kappa_95_by_slide : tuple of float or None
        Drawing whole slides anew, because what lies on one slide is alike; None when the
        objects are of fewer than `LEAST_SLIDES`.
    classes : tuple of ClassAgreement
    """

    reviewers: tuple[str, str]
    class_names: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    first_only: int
    second_only: int
    unsure: int
    agreed_95: tuple[float, float]
    kappa: float | None
    kappa_95: tuple[float, float] | None
    kappa_95_by_slide: tuple[float, float] | None
    classes: tuple[ClassAgreement, ...]

    @property
    def compared(self) -> int:
        """How many objects are in the table."""
        return sum(map(sum, self.table))

    @property
    def agreed(self) -> float:
        """Share of equal answers; not free of chance."""
        same = sum(row[place] for place, row in enumerate(self.table))
        return same / self.compared

    def body(self) -> dict[str, Any]:
        """Return all of it, JSON-able."""
        return {
            "first": self.reviewers[0],
            "second": self.reviewers[1],
            "compared": self.compared,
            "first_only": self.first_only,
            "second_only": self.second_only,
            "unsure": self.unsure,
            "agreed": self.agreed,
            "agreed_95": list(self.agreed_95),
            "kappa": self.kappa,
            "kappa_95": None if self.kappa_95 is None else list(self.kappa_95),
            "kappa_95_by_slide":
                None if self.kappa_95_by_slide is None else list(self.kappa_95_by_slide),
            "class_names": list(self.class_names),
            "table": [list(row) for row in self.table],
            "classes": [
                {"class": one.class_name, "both": one.both, "first_only": one.first_only,
                 "second_only": one.second_only, "kappa": one.kappa}
                for one in self.classes
            ],
        }  # fmt: skip


def agreement(first: Review, second: Review, *, count_unsure: bool = False) -> Agreement:
    """Return how far two reviews of the same objects agree.

    Parameters
    ----------
    first, second : Review
        Objects are the same when their names are.
    count_unsure : bool
        Take "cannot tell" for an answer like the others, instead of leaving the object out.

    Raises
    ------
    ConfigurationError
        They judged no object in common, or none that both could tell.
    """
    one, other = (_own(review) for review in (first, second))
    pairs = [(one[name], other[name]) for name in sorted(one.keys() & other.keys())]
    if not pairs:
        raise ConfigurationError(
            "expected two reviews of the same objects, received reviews of "
            f"{len(one)} and {len(other)} with none in common"
        )
    told = [pair for pair in pairs if UNSURE not in (pair[0].class_name, pair[1].class_name)]
    names = (*CLASSES, UNSURE) if count_unsure else CLASSES
    counted = pairs if count_unsure else told
    if not counted:
        raise ConfigurationError(
            f"of all {len(pairs)} objects in common a reviewer could not tell: nothing to compare"
        )
    return _agreement(counted, names, _names_of(first, second), missing={
        "first_only": len(one.keys() - other.keys()),
        "second_only": len(other.keys() - one.keys()),
        "unsure": len(pairs) - len(told),
    })  # fmt: skip


def _agreement(
    pairs: Sequence[_Pair],
    names: tuple[str, ...],
    reviewers: tuple[str, str],
    missing: dict[str, int],
) -> Agreement:
    table = _table(pairs, names)
    same = int(np.trace(table))
    return Agreement(
        reviewers=reviewers,
        class_names=names,
        table=tuple(tuple(int(count) for count in row) for row in table),
        agreed_95=share_interval(same, len(pairs)),
        kappa=cohens_kappa(table),
        kappa_95=kappa_interval(table),
        kappa_95_by_slide=_by_slide(pairs, names),
        classes=tuple(_class_agreement(name, place, table) for place, name in enumerate(names)),
        **missing,
    )


def _own(review: Review) -> dict[str, Verdict]:
    """Return a person's own verdicts by object."""
    return {one.object_id: one for one in review.verdicts if not one.earlier}


def _names_of(first: Review, second: Review) -> tuple[str, str]:
    return first.reviewer or "first", second.reviewer or "second"


def _table(pairs: Sequence[_Pair], names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    often = Counter((one.class_name, other.class_name) for one, other in pairs)
    return np.array([[often[row, column] for column in names] for row in names], np.int64)


def _class_agreement(name: str, place: int, table: npt.NDArray[np.int64]) -> ClassAgreement:
    both = int(table[place, place])
    first, second = int(table[place].sum()) - both, int(table[:, place].sum()) - both
    neither = int(table.sum()) - both - first - second
    return ClassAgreement(
        class_name=name,
        both=both,
        first_only=first,
        second_only=second,
        kappa=cohens_kappa([[both, first], [second, neither]]),
    )


def _by_slide(pairs: Sequence[_Pair], names: tuple[str, ...]) -> tuple[float, float] | None:
    """Return the interval of kappa over slides."""
    groups: dict[str, list[_Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[0].slide, []).append(pair)
    whole = cohens_kappa(_table(pairs, names))
    if len(groups) < LEAST_SLIDES or whole is None:
        return None
    parts = np.array([_table(members, names).ravel() for members in groups.values()], float)
    size = len(names)

    def score(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        # A draw with one class alone says nothing: it counts as the whole does.
        kappas = [cohens_kappa(row.reshape(size, size)) for row in sums]
        return np.array([whole if kappa is None else kappa for kappa in kappas])

    return resampled_interval(parts, score)
