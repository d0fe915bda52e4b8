"""Batches follow the machine; a watch that is told to end leaves what it has not begun."""

from __future__ import annotations

import pytest

from sonar_watch.pipeline.pace import BATCH_S, BatchPace


def sizes(each_s: float, most: int = 8, batches: int = 6) -> list[int]:
    """Return the sizes of batches on a machine that takes `each_s` for a swath."""
    now_s = 0.0
    pace, found = BatchPace(most, clock=lambda: now_s), []
    for _ in range(batches):
        found.append(pace.size)
        pace.begin()
        now_s += each_s * pace.size
        pace.end(pace.size)
    return found


@pytest.mark.parametrize(
    ("each_s", "expected"),
    [
        (0.01, [1, 2, 4, 8, 8, 8]),
        (0.08, [1, 2, 3, 3, 3, 3]),
        (4.0, [1, 1, 1, 1, 1, 1]),
        (0.0, [1, 2, 4, 8, 8, 8]),
    ],
)
def test_a_batch_takes_as_many_as_are_soon_done(each_s: float, expected: list[int]) -> None:
    assert sizes(each_s) == expected
    assert all(each_s * size <= BATCH_S or size == 1 for size in sizes(each_s))


def test_a_machine_that_slows_down_is_followed_at_once() -> None:
    now_s = 0.0
    pace = BatchPace(8, clock=lambda: now_s)
    for _ in range(4):
        pace.begin()
        now_s += 0.01
        pace.end(1)
    assert pace.size == 8
    pace.begin()
    now_s += 16.0
    pace.end(8)
    assert pace.size == 1


def test_a_batch_of_nothing_teaches_nothing() -> None:
    pace = BatchPace(8, clock=lambda: 0.0)
    pace.begin()
    pace.end(0)
    assert pace.size == 1
