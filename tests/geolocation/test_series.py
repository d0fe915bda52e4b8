"""One sensor's rows: late ones find their places, and many of them cost little."""

from __future__ import annotations

import math
import random
import time

import numpy as np

from sonar_watch.geolocation.series import Series

NEWER_ROWS = 1_000_000
LATE_ROWS = 4_000
CPU_LIMIT_S = 5.0
"""Each late row moving all that are newer takes several times as long; a tenth is needed."""


def one_by_one(rows: list[tuple[float, float]], ask_every: int) -> list[object]:
    """Add single rows, asking now and then; return what the series answers in the end."""
    series = Series("one", (False,))
    for number, (instant, value) in enumerate(rows):
        series.add(np.array([instant]), [np.array([value])])
        if number % ask_every == 0:
            series.nearest(instant, 1.0)
    answers: list[object] = [len(series), series.last_s]
    for instant in range(40):
        answers += [series.between(instant + 0.5, 9.0), series.last_before(instant)]
    return answers


def test_when_it_is_asked_and_what_came_first_make_no_difference() -> None:
    rows = [(float(n % 37), float(n % 5) if n % 7 else math.nan) for n in range(90)]
    expected = repr(one_by_one(sorted(rows), 1))
    assert "37, 36.0" in expected
    for seed in range(20):
        shuffled = rows.copy()
        random.Random(seed).shuffle(shuffled)
        assert repr(one_by_one(shuffled, 1 + seed % 9)) == expected


def test_an_old_log_does_not_move_all_that_is_newer_for_each_of_its_rows() -> None:
    series = Series("one", (False, False, False))
    newer = 1e9 + np.arange(NEWER_ROWS)
    series.add(newer, [newer, newer, newer])
    old, older = 5e8 + np.arange(LATE_ROWS // 2), 1e8 + np.arange(LATE_ROWS // 2)
    began_s = time.process_time()
    for number, pair in enumerate(zip(old, older, strict=True)):
        for instant in pair:  # two logs, read side by side
            series.add(np.array([instant]), [np.array([instant])] * 3)
        if number % 500 == 0:
            assert series.nearest(older[0], 1.0) is not None
    assert len(series) == NEWER_ROWS + LATE_ROWS
    assert time.process_time() - began_s < CPU_LIMIT_S
    found = series.between(older[7] + 0.25, 9.0)
    assert found == ((older[7] + 0.25,) * 3, 0.25)
