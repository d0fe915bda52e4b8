"""Passes of hand-placed plumes."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from trial_builders import SEEN, START, SURVEY

from sonar_watch.records import iso_utc
from sonar_watch.trials.passes import find_passes


def test_a_pass_is_one_plume_on_one_line() -> None:
    north, south = find_passes(SURVEY, SEEN)
    assert (north.plume, north.line, south.plume, south.line) == (
        "north", "first", "south", "second",
    )
    assert (north.visible_swaths, north.strong_swaths, south.strong_swaths) == (3, 2, 0)
    assert north.contrast_db == 12.0
    assert north.first_visible_utc == iso_utc(START + timedelta(seconds=2))
    assert north.range_m == pytest.approx(math.hypot(300.0, 400.0))
    assert north.footprint_m == pytest.approx(500.0 * math.radians(1.0), abs=0.01)
