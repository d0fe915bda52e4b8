"""The main job from end to end, in three processes as at sea.

A simulated ship writes a cruise into an empty folder, the daemon watches that folder, and a
subscriber hears the alerts over ZeroMQ; then what was told is set beside the truth.
"""

from __future__ import annotations

import json
import math
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.subscriber import read_status
from sonar_watch.archive import export_journal
from sonar_watch.daemon import JOURNAL_NAME
from sonar_watch.errors import ConfigurationError, SonarWatchError, WireError
from sonar_watch.exporters.trackmap import TrackPoint, draw_track_map
from sonar_watch.records import Alert, iso_utc
from sonar_watch.trials import (
    TrialScore,
    last_states,
    read_alerts,
    read_lines,
    read_truth,
    score_events,
)

SETTINGS_NAME = "demo.yaml"
START_LIMIT_S = 60.0
STALL_LIMIT_S = 45.0
"""The demo gives up when the watch finishes no swath for so long."""


@dataclass(frozen=True, slots=True)
class HeardAlert:
    """One alert as the subscriber process printed it; `heard_s` is the wall clock then."""

    alert: Alert
    heard_s: float


@dataclass(slots=True)
class DemoReport:
    """What a demo gave."""

    score: TrialScore
    heard: list[HeardAlert] = field(default_factory=list)
    frames: int = 0
    wall_s: float = 0.0


def run_demo(
    out: Path,
    *,
    pace: float = 30.0,
    on_alert: Callable[[HeardAlert], None] = lambda _: None,
    on_progress: Callable[[int, int], None] = lambda _written, _watched: None,
) -> DemoReport:
    """Run the demo in `out` and return its report.

    Parameters
    ----------
    out : Path
        Made anew: only an empty folder or a former demo's is accepted.
    pace : float
        Data seconds per second of wall clock; the ship slows down when it cannot keep up.
    on_alert : callable
        Called from another thread for each alert as it is heard.
    on_progress : callable
        Called with the swaths written and the swaths watched so far.

    Raises
    ------
    ConfigurationError
        The folder holds something else.
    SonarWatchError
        A process of the demo ended or stalled.
    """
    began = time.monotonic()
    settings = _prepare(out)
    endpoints = settings["alerts"]["publish"], settings["alerts"]["request"]
    heard: list[HeardAlert] = []
    with (
        _process("run", "--config", str(out / SETTINGS_NAME), log=out / "watch.log") as watch,
        _process("listen", *_listen_words(endpoints), log=out / "listen.log") as listener,
    ):
        _wait_until_ready(watch, endpoints[1], out)
        reader = threading.Thread(target=_hear, args=(listener.stdout, heard, on_alert))
        reader.start()
        words = ("--kind", "demo", "--pace", str(pace), "--out", str(out / "cruise"))
        with _process("simulate", *words, log=out / "ship.log") as ship:
            _follow(ship, watch, endpoints[1], out, on_progress)
        _wait_until_heard(heard, endpoints[1])
        listener.terminate()
        reader.join()
    return _report(out, heard, time.monotonic() - began)


def _prepare(out: Path) -> dict[str, Any]:
    """Empty the folder and write the settings; return them."""
    if out.exists() and any(out.iterdir()):
        if not (out / SETTINGS_NAME).exists():
            raise ConfigurationError(f"{out}: expected an empty folder or that of a former demo")
        shutil.rmtree(out)
    for folder in ("cruise/raw", "cruise/images"):
        (out / folder).mkdir(parents=True)
    publish, request = _free_endpoints(2)
    settings: dict[str, Any] = {
        "data_dir": ".",
        "sources": {
            "raw": [{"name": "raw", "path": "cruise/raw", "silent_limit_s": 4.0}],
            "images": [{"name": "images", "path": "cruise/images", "silent_limit_s": 4.0}],
        },
        "alerts": {"publish": publish, "request": request},
    }
    text = yaml.safe_dump(settings, sort_keys=False)
    (out / SETTINGS_NAME).write_text(f"# Written by sonar-watch demo.\n{text}", encoding="utf-8")
    return settings


def _free_endpoints(count: int) -> list[str]:
    """Return loopback endpoints that nobody uses now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    endpoints = [f"tcp://127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    return endpoints


def _listen_words(endpoints: tuple[str, str]) -> tuple[str, ...]:
    return (endpoints[0], "--request", endpoints[1], "--after", "0")


@contextmanager
def _process(*words: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of this program while the block runs; its log goes to a file."""
    command = [sys.executable, "-m", "sonar_watch", *words]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)
            if process.stdout is not None:
                process.stdout.close()


def _hear(
    stream: IO[bytes] | None, heard: list[HeardAlert], on_alert: Callable[[HeardAlert], None]
) -> None:
    for line in stream or ():
        received = HeardAlert(decode_alert(line), time.time())
        heard.append(received)
        on_alert(received)


def _status(request: str, timeout_s: float = 2.0) -> dict[str, Any]:
    """Return the status of the watch; {} when it does not answer."""
    try:
        return dict(read_status(request, timeout_s))
    except WireError:
        return {}


def _frames_done(status: dict[str, Any]) -> int:
    return int(status.get("watch", {}).get("frames", 0))


def _wait_until_ready(watch: subprocess.Popen[bytes], request: str, out: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not _status(request):
        _expect_alive(watch, out / "watch.log")
        if time.monotonic() > deadline:
            raise SonarWatchError(f"the watch did not start in {START_LIMIT_S:.0f} s")


def _expect_alive(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() not in (None, 0):
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SonarWatchError(f"a process of the demo ended with {process.returncode}:\n{tail}")


def _follow(
    ship: subprocess.Popen[bytes],
    watch: subprocess.Popen[bytes],
    request: str,
    out: Path,
    on_progress: Callable[[int, int], None],
) -> None:
    """Wait until the ship has arrived and the watch has seen all that it wrote."""
    done, changed = -1, time.monotonic()
    while True:
        _expect_alive(ship, out / "ship.log")
        _expect_alive(watch, out / "watch.log")
        written = _count_lines(out / "cruise" / "written.jsonl")
        watched = _frames_done(_status(request))
        on_progress(written, watched)
        if ship.poll() == 0 and watched >= written:
            return
        if watched != done:
            done, changed = watched, time.monotonic()
        elif time.monotonic() - changed > STALL_LIMIT_S:
            raise SonarWatchError(
                f"the watch stalls at swath {watched} of {written}; see watch.log"
            )
        time.sleep(0.2)


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _wait_until_heard(heard: list[HeardAlert], request: str, limit_s: float = 10.0) -> None:
    """Wait until the subscriber has what the journal holds."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        head = int(_status(request).get("head_sequence", 0))
        if heard and heard[-1].alert.sequence >= head:
            return
        time.sleep(0.1)


def _report(out: Path, heard: list[HeardAlert], wall_s: float) -> DemoReport:
    summary = export_journal(out / JOURNAL_NAME, out)
    truth = read_truth(out / "cruise")
    events = last_states(read_alerts(out / "alerts.jsonl"))
    score = score_events(truth, events, latencies_s(heard, out / "cruise" / "written.jsonl"))
    track = [
        TrackPoint(
            latitude=frame["ship"]["latitude"],
            longitude=frame["ship"]["longitude"],
            heading_deg=frame["ship"]["heading_deg"],
            coverage_across_m=(frame["coverage_across_m"][0], frame["coverage_across_m"][1]),
        )
        for frame in read_lines(out / "detections.jsonl")
        if frame.get("ship")
    ]
    places = {plume["name"]: (plume["latitude"], plume["longitude"]) for plume in truth["plumes"]}
    draw_track_map(out / "track_map.png", track, events, places, title="sonar-watch demo")
    (out / "report.json").write_text(json.dumps(_as_json(score), indent=1), encoding="utf-8")
    return DemoReport(score=score, heard=heard, frames=summary["frames"], wall_s=wall_s)


def latencies_s(heard: list[HeardAlert], written: Path) -> dict[str, float]:
    """Return seconds from a swath being written to its `new` alert being heard, by event id."""
    written_s = {line["time_utc"]: line["written_s"] for line in read_lines(written)}
    return {
        item.alert.event.event_id: item.heard_s
        - written_s.get(iso_utc(item.alert.time_utc), math.nan)
        for item in heard
        if item.alert.kind == "new"
    }


def _as_json(score: TrialScore) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(score), "false_alerts": score.false_alerts}
