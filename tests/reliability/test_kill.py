"""SIGKILL at random instants, of the watch and of who listens: nothing lost, nothing twice."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from disturbed import (
    ClassicalDaemon,
    Listener,
    SmallCruise,
    sail_small_cruise,
    write_in_pieces,
)
from watching import wait_for

from sonar_watch.alerts.reading import JournalReader

READY = "sonar_watch.daemon: ready"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[ClassicalDaemon, Listener]]:
    daemon = ClassicalDaemon(tmp_path)
    listener = Listener(daemon)
    yield daemon, listener
    listener.kill()
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


def kill_at_random(
    cruise: SmallCruise, daemon: ClassicalDaemon, listener: Listener, kills: int, seed: int
) -> list[int]:
    """Kill both `kills` times while the cruise is written; return the frames after each kill."""
    rng = random.Random(seed)
    into = daemon.folder / "in" / "raw"
    writing = write_in_pieces(cruise, into, max(2, kills * 3 // 4))
    frames, start_s = [0], 2.0
    for _ in range(kills):
        next(writing, None)
        began_s = time.monotonic()
        daemon.start()
        listener.start()
        next_piece = rng.random() < 0.5
        if rng.random() < 0.25:  # while it starts, wherever that is
            daemon.wait(rng.uniform(0.0, start_s))
        else:  # while it works: some swaths after it began, or when there are none to do
            wait_for_frames(daemon, frames[-1] + rng.randint(1, 6), 2.0 * start_s)
            start_s = 0.7 * start_s + 0.3 * min(10.0, time.monotonic() - began_s)
            if next_piece:
                next(writing, None)
            daemon.wait(rng.uniform(0.0, 0.1))
        first, second = (daemon, listener) if rng.random() < 0.5 else (listener, daemon)
        first.kill()
        second.kill()
        frames.append(daemon.frames())
    for _ in writing:
        pass
    return frames


def wait_for_frames(daemon: ClassicalDaemon, least: int, limit_s: float) -> None:
    """Wait for frames in the journal, not forever: there may be none to do."""
    until = time.monotonic() + limit_s
    while daemon.frames() < least and time.monotonic() < until and daemon.wait(0.02) is None:
        pass


def check_nothing_lost(
    cruise: SmallCruise, daemon: ClassicalDaemon, listener: Listener, before: int
) -> None:
    """Let all of it be watched to the end, then compare with the undisturbed replay."""
    daemon.expect_the_end()
    readied = daemon.log().count(READY)
    daemon.start()
    listener.start()
    # All may have been done before: SIGTERM would find a process that does not listen for it yet.
    wait_for(lambda: daemon.log().count(READY) > readied, "the watch to be ready", 60)
    wait_for(lambda: daemon.frames() >= cruise.swaths, f"{cruise.swaths} frames", 300)
    wait_for(lambda: len(listener.heard()) >= len(cruise.alerts), "the last alert", 60)
    assert daemon.stop() == 0
    listener.kill()
    assert daemon.frames() == cruise.swaths
    results = daemon.results()
    assert json.dumps(results) == json.dumps(cruise.alerts)
    heard = listener.heard()
    assert [one["sequence"] for one in heard] == list(range(1, len(cruise.alerts) + 1))
    with JournalReader(daemon.folder / "data" / "journal.sqlite") as journal:
        assert {one["epoch"] for one in heard} == {journal.epoch}
    for one in heard:
        del one["body"]["properties"]["tense"]
    assert [one["body"] for one in heard] == results
    assert "damaged" not in daemon.log()
    assert before <= cruise.swaths


@pytest.mark.timeout(300)
def test_five_kills(
    tmp_path_factory: pytest.TempPathFactory, watched: tuple[ClassicalDaemon, Listener]
) -> None:
    cruise = sail_small_cruise(tmp_path_factory.mktemp("short"), 130.0)
    assert cruise.alerts
    frames = kill_at_random(cruise, *watched, kills=5, seed=1)
    check_nothing_lost(cruise, *watched, before=frames[-1])


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills(
    tmp_path_factory: pytest.TempPathFactory, watched: tuple[ClassicalDaemon, Listener]
) -> None:
    cruise = sail_small_cruise(tmp_path_factory.mktemp("long"), 620.0)
    assert len(cruise.alerts) >= 5
    seed = int(os.environ.get("SONAR_WATCH_TEST_SEED", "4"))
    frames = kill_at_random(cruise, *watched, kills=200, seed=seed)
    fruitful = sum(later > earlier for earlier, later in itertools.pairwise(frames))
    assert fruitful >= 40, frames  # killed while it worked, not only while it started
    check_nothing_lost(cruise, *watched, before=frames[-1])
