"""A cruise that does not end: as much memory, as many threads and files after a day as before.

The watch is fed as fast as it works: what counts is data, not hours on the wall.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from disturbed import ClassicalDaemon
from soaking import EndlessCruise, Taken, slope, taken
from watching import wait_for

log = logging.getLogger(__name__)

PIECE = 24
"""Swaths written at once."""

AHEAD = 36
"""Swaths written and not done at most: nothing is deleted before it is read."""

SETTLED_H = 2.0
MOST_MB_A_DAY = 48.0
"""What memory may rise in a day after the first two hours, by a straight line."""

MOST_MB_APART = 40.0
MOST_BYTES_A_FRAME = 2000.0
"""A swath takes about 700 bytes, its detections and alerts the rest."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[ClassicalDaemon]:
    daemon = ClassicalDaemon(tmp_path)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


def sail(
    daemon: ClassicalDaemon, cruise: EndlessCruise, loops: int, every_h: float
) -> list[Taken]:
    """Have so many loops watched; return what the watch took every so many hours of data."""
    journal, samples, next_h = daemon.folder / "data" / "journal.sqlite", [], every_h
    while cruise.swaths < loops * cruise.loop_swaths:
        left = loops * cruise.loop_swaths - cruise.swaths
        hours = (cruise.write(min(PIECE, left)) - cruise.start_s) / 3600.0
        least = cruise.swaths - AHEAD
        wait_for(lambda least=least: daemon.frames() >= least, f"frame {least}")  # type: ignore[misc]
        if hours >= next_h:
            assert daemon.process is not None
            next_h += every_h
            samples.append(taken(daemon.process.pid, journal, hours, daemon.frames()))
            log.info("%s", samples[-1])
    return samples


def alerts_by_loop(daemon: ClassicalDaemon, cruise: EndlessCruise) -> list[Counter[str]]:
    """Return how many alerts of each kind came in each loop."""
    loops: dict[int, Counter[str]] = {}
    for alert in daemon.results():
        told: dict[str, Any] = alert["properties"]
        at_s = datetime.fromisoformat(told["time_utc"]).timestamp() - cruise.start_s
        loops.setdefault(int(at_s // cruise.loop_s), Counter())[told["kind"]] += 1
    return [loops[number] for number in sorted(loops)]


def check_flat(samples: list[Taken], settled_h: float) -> None:
    """Fail when the watch takes more and more."""
    settled = [each for each in samples if each.hours > settled_h]
    assert len(settled) >= 3
    hours, memory = [each.hours for each in settled], [each.memory_mb for each in settled]
    assert max(memory) - min(memory) < MOST_MB_APART, memory
    assert len({each.threads for each in settled}) == 1, [each.threads for each in settled]
    handles = [each.handles for each in settled]
    assert max(handles) - min(handles) <= 4, handles  # the files of a line, and of the next one
    if hours[-1] - hours[0] < 6.0:  # too short for a trend, and for the write-ahead log to be full
        return
    assert 24.0 * slope(hours, memory) < MOST_MB_A_DAY, memory
    grown = 1e6 * (settled[-1].journal_mb - settled[0].journal_mb)
    assert grown / (settled[-1].frames - settled[0].frames) < MOST_BYTES_A_FRAME


@pytest.mark.parametrize(
    ("hours", "metres", "loop_s"),
    [
        pytest.param(1 / 3, 130, 240, id="short", marks=pytest.mark.timeout(300)),
        pytest.param(
            24.0, 1500, 1440, id="a day", marks=(pytest.mark.slow, pytest.mark.timeout(4 * 3600))
        ),
    ],
)
def test_a_cruise_that_does_not_end(
    tmp_path: Path, daemon: ClassicalDaemon, hours: float, metres: int, loop_s: int
) -> None:
    loops = round(hours * 3600 / loop_s)
    cruise = EndlessCruise(tmp_path / "excerpt", daemon.folder / "in" / "raw", metres, loop_s)
    try:
        daemon.start()
        wait_for(lambda: bool(daemon.status()), "the first status")
        # One more: what the last files hold is read when a line follows, or after long silence.
        samples = sail(daemon, cruise, loops + 1, min(1.0, hours / loops))
        assert daemon.stop() == 0
    finally:
        cruise.end()
    raw = list((daemon.folder / "in" / "raw").iterdir())
    assert len(raw) <= 12  # the older ones were deleted while it ran
    check_flat(samples, min(SETTLED_H, hours / 3))
    told = alerts_by_loop(daemon, cruise)
    log.info("alerts of each loop: %s", [dict(each) for each in told])
    assert told[0]["new"] > 0  # the background is not known yet, and no event is open before it
    alike = told[1:loops]
    assert len(alike) == loops - 1 >= 2
    assert all(each == alike[0] and each["new"] > 0 for each in alike)
    assert "vanished" not in daemon.log()  # told as if something were wrong
