"""Intervals beside published tables."""

from __future__ import annotations

import numpy as np
import pytest

from sonar_watch.learning.intervals import count_interval, resampled_interval, share_interval


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.278),  # Newcombe, Stat. Med. 17, 857 (1998), method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (29, 29, 0.8830, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_shares(hits: int, of: int, low: float, high: float) -> None:
    assert share_interval(hits, of) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (50, 37.11, 65.92)],  # Garwood 1936
)
def test_counts(count: int, low: float, high: float) -> None:
    assert count_interval(count) == pytest.approx((low, high), rel=1e-3, abs=1e-4)


def test_surveys_that_differ_widen_the_interval() -> None:
    def share(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[:, 0] / sums[:, 1])

    alike = np.tile([5.0, 10.0], (20, 1))
    assert resampled_interval(alike, share) == (0.5, 0.5)
    apart = np.array([[0.0, 10.0], [10.0, 10.0]] * 10)
    low, high = resampled_interval(apart, share)
    # 20 surveys of a share of 0 or 1: a standard error of sqrt(0.25 / 20) = 0.11
    assert low == pytest.approx(0.28, abs=0.06)
    assert high == pytest.approx(0.72, abs=0.06)
    assert resampled_interval(apart, share, seed=3) == resampled_interval(apart, share, seed=3)
    assert resampled_interval(np.zeros((0, 2)), share) == (0.0, 1.0)
