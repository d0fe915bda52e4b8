"""A subscriber that is stopped while thousands of alerts are said costs the watch nothing."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from wire_processes import SubscriberProcess, WatchProcess, wait_until

COUNT, BATCH = 4000, 500
OPTIONS = {
    "publish": "tcp://127.0.0.1:0",
    "request": "tcp://127.0.0.1:0",
    "queue_messages": 200,
    "heartbeat_s": 0.2,
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_a_stalled_subscriber_gets_everything_once_and_costs_no_memory(
    tmp_path: Path, stack: ExitStack
) -> None:
    """The stop outlasts the heartbeats, as one of an hour would: the connection is given up."""
    watch = WatchProcess(tmp_path, json.dumps(OPTIONS))
    stack.callback(watch.end)
    quick = SubscriberProcess(watch.endpoints, tmp_path / "quick")
    stack.callback(quick.end)
    stalled = SubscriberProcess(watch.endpoints, tmp_path / "stalled")
    stack.callback(stalled.end)
    watch.say(BATCH)
    quick.wait_for(BATCH)
    stalled.wait_for(BATCH)
    sockets, memory_mb = watch.sockets(), watch.memory_mb()

    os.kill(stalled.process.pid, signal.SIGSTOP)
    said = BATCH
    while said < COUNT:
        watch.say(BATCH)
        said += BATCH
    quick.wait_for(COUNT)
    wait_until(lambda: watch.sockets() == sockets - 2)
    grown_mb = watch.memory_mb() - memory_mb
    assert len(stalled.heard()) < COUNT, "it was not stopped: this test shows nothing"

    os.kill(stalled.process.pid, signal.SIGCONT)
    assert stalled.wait_for(COUNT) == list(range(1, COUNT + 1))
    assert quick.heard() == list(range(1, COUNT + 1))
    assert grown_mb < 30
