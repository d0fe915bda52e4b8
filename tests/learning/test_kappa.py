"""Cohen's kappa against published figures, against its definition, and its interval by trial."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonar_watch.learning.kappa import cohens_kappa, kappa_interval


def kappa_by_definition(table: np.ndarray) -> float:
    """Pair by pair: agreement seen, and that of two who draw from the same answers at random."""
    first = [row for row, counts in enumerate(table) for count in counts for _ in range(count)]
    second = [
        column for counts in table for column, count in enumerate(counts) for _ in range(count)
    ]
    seen = np.mean([one == other for one, other in zip(first, second, strict=True)])
    chance = np.mean([[one == other for other in second] for one in first])
    return float((seen - chance) / (1 - chance))


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.4915),  # Cohen 1960
        ([[0, 5], [5, 0]], -1.0),
    ],
)
def test_known_tables(table: list[list[int]], kappa: float) -> None:
    assert cohens_kappa(table) == pytest.approx(kappa, abs=0.0006)


@settings(deadline=None, max_examples=60)
@given(arrays(int, (3, 3), elements=st.integers(0, 5)))
def test_is_what_its_definition_says(table: np.ndarray) -> None:
    kappa = cohens_kappa(table)
    if kappa is None:
        classes = int((table.sum(axis=0) > 0).sum() + (table.sum(axis=1) > 0).sum())
        assert classes in (0, 2)
    else:
        assert kappa == pytest.approx(kappa_by_definition(table))
        low, high = kappa_interval(table) or (9.0, 9.0)
        assert -1.0 <= low <= kappa + 1e-9
        assert kappa - 1e-9 <= high <= 1.0


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[7, 0], [0, 0]]])
def test_is_not_defined_without_anything_to_tell_apart(table: list[list[int]]) -> None:
    assert cohens_kappa(table) is None
    assert kappa_interval(table) is None


@pytest.mark.parametrize("table", [[[1, 2]], [[1, -1], [0, 3]], [1, 2]])
def test_refuses_what_is_no_table(table: list[object]) -> None:
    with pytest.raises(ValueError, match="expected a square table"):
        cohens_kappa(table)


def test_full_agreement_of_few_proves_little() -> None:
    few, many = kappa_interval([[3, 0], [0, 3]]), kappa_interval([[300, 0], [0, 300]])
    assert few is not None
    assert many is not None
    assert few == (pytest.approx(0.0), 1.0)
    assert many == (pytest.approx(0.99), 1.0)


@pytest.mark.parametrize(
    "shares", [[[0.4, 0.1], [0.1, 0.4]], [[0.6, 0.04, 0.06], [0.02, 0.1, 0.02], [0.06, 0.02, 0.08]]]
)
def test_the_interval_holds_the_truth_as_often_as_it_says(shares: list[list[float]]) -> None:
    """Many samples of 200 from a known table: 95 % of the intervals have its kappa in them."""
    rng = np.random.default_rng(5)
    truth = cohens_kappa(shares)
    assert truth is not None
    drawn = rng.multinomial(200, np.ravel(shares), size=800).reshape(-1, *np.shape(shares))
    edges = np.array([kappa_interval(table) for table in drawn])
    held = np.mean((edges[:, 0] <= truth) & (truth <= edges[:, 1]))
    assert 0.93 < held < 0.97
