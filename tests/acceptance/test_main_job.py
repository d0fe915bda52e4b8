"""Live equals replay; a daemon killed ten times tells the same as one left in peace."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RecordedCruise
from watching import Daemon, wait_for

from sonar_watch.alerts.subscriber import Subscriber
from sonar_watch.trials import last_states, read_alerts, read_truth, score_events

pytestmark = pytest.mark.timeout(300)


def grow(cruise: RecordedCruise, into: Path, pieces: int) -> Iterator[None]:
    """Let the cruise appear in `into`: raw files grow piece by piece, then pictures come."""
    raw = sorted((cruise.folder / "raw").iterdir())
    contents = {path.name: path.read_bytes() for path in raw}
    for piece in range(pieces):
        for name, content in contents.items():
            with (into / "raw" / name).open("ab") as file:
                start, end = (len(content) * step // pieces for step in (piece, piece + 1))
                file.write(content[start:end])
        yield
    pictures = sorted((cruise.folder / "images").glob("*.png"))
    for start in range(0, len(pictures), max(1, len(pictures) // pieces)):
        for path in pictures[start : start + max(1, len(pictures) // pieces)]:
            shutil.copy(path.with_suffix(".json"), into / "images")
            shutil.copy(path, into / "images" / f".{path.name}")
            (into / "images" / f".{path.name}").rename(into / "images" / path.name)
        yield


def test_the_replay_finds_the_plumes_where_they_are(cruise: RecordedCruise) -> None:
    frames = (cruise.results / "detections.jsonl").read_text().splitlines()
    assert len(frames) == cruise.swaths
    score = score_events(
        read_truth(cruise.folder), last_states(read_alerts(cruise.results / "alerts.jsonl"))
    )
    found = [event for event in score.events if event.plume]
    assert {"plume-1", "plume-2", "plume-3"} <= {event.plume for event in found}
    assert max(event.error_m or 0.0 for event in found) < 60.0
    assert score.false_alerts == 0


def test_live_tells_what_a_replay_tells(cruise: RecordedCruise, daemon: Daemon) -> None:
    daemon.start()
    wait_for(lambda: bool(daemon.status()), "the daemon's first status")
    with Subscriber(daemon.publish, daemon.request, after=0) as subscriber:
        for _ in grow(cruise, daemon.folder / "in", pieces=12):
            pass
        wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
        heard = [subscriber.receive(30.0) for _ in cruise.alerts]
    assert daemon.stop() == 0
    assert daemon.results() == cruise.alerts
    assert [item.sequence for item in heard if item] == list(range(1, len(cruise.alerts) + 1))
    assert (daemon.folder / "out" / "detections.jsonl").read_bytes() == (
        cruise.results / "detections.jsonl"
    ).read_bytes()
    pictures = {path.stem for path in (daemon.folder / "data" / "events").glob("*.png")}
    assert pictures == {alert["properties"]["event_id"] for alert in cruise.alerts}


def test_ten_kills_change_nothing(cruise: RecordedCruise, daemon: Daemon) -> None:
    kills = 10
    steps = grow(cruise, daemon.folder / "in", pieces=kills // 2)
    for number in range(kills):
        next(steps, None)
        before = daemon.frames()
        daemon.start()
        # Killed in the middle of the work: a few swaths after it began, wherever that is.
        wait_for(
            lambda least=before + 1 + number % 4: daemon.frames() >= least,  # type: ignore[misc]
            f"frames after kill {number}",
        )
        daemon.kill()
    for _ in steps:
        pass
    daemon.start()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    assert daemon.stop() == 0
    assert json.dumps(daemon.results()) == json.dumps(cruise.alerts)
