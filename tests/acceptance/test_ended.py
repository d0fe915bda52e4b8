"""Ended by SIGTERM in the middle, again and again: soon, cleanly, and nothing is told otherwise."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from busyness import on_this_machine
from conftest import RecordedCruise
from watching import Daemon, wait_for

from sonar_watch.alerts.reading import JournalReader

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ENDED_WITHIN_S = 5.0
SHARES = (0.1, 0.4, 0.72)
"""Of the swaths; each a few after an event has begun."""


def test_ended_with_events_open_the_next_start_goes_on_with_them(
    cruise: RecordedCruise, daemon: Daemon
) -> None:
    for kind in ("raw", "images"):
        shutil.copytree(cruise.folder / kind, daemon.folder / "in" / kind, dirs_exist_ok=True)
    journal, open_at_end = daemon.folder / "data" / "journal.sqlite", []
    for share in SHARES:
        daemon.start()
        wait_for(lambda least=share * cruise.swaths: daemon.frames() >= least,  # type: ignore[misc]
                 f"{share:.0%} of the frames")  # fmt: skip
        began_s = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began_s < on_this_machine(ENDED_WITHIN_S)
        with JournalReader(journal) as reader:
            open_at_end.append(len(reader.open_events()))
    assert any(open_at_end), "no end fell into an event; choose other shares"
    daemon.start()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    assert daemon.stop() == 0
    assert json.dumps(daemon.results()) == json.dumps(cruise.alerts)
