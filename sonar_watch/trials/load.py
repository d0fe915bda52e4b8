"""A watch under load: raw files that grow in real time, many subscribers, how late alerts are.

Four kinds of processes as at sea: this one is the sounder, the watch is `sonar-watch run`, and
the subscribers are spread over two more.
"""

from __future__ import annotations

import bisect
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sonar_watch.alerts.subscriber import read_status
from sonar_watch.errors import ConfigurationError, SonarWatchError, WireError
from sonar_watch.monitoring.windows import quantile
from sonar_watch.simulation.cruise import Survey, ping_cycle_s, random_survey
from sonar_watch.simulation.looping import MOTION, LoopWriter, sail_excerpt
from sonar_watch.simulation.sounders import sounder_for
from sonar_watch.sources.reader import NAVIGATION_LEAD_S
from sonar_watch.trials.hearers import heard_by, hearers

START_LIMIT_S = 180.0
LAST_S = 15.0
"""Seconds that the last alerts are waited for."""

_FAMILY, _SPEED_M_S, _SEED = "em304", 2.5, 8
_SAME_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What is asked of the watch.

    Parameters
    ----------
    minutes : float
        How long, by the clock and in data.
    frames_per_s : float
        Swaths each second; they decide how shallow the water is.
    subscribers : int
    weights : str
        What looks for plumes, as in the settings.
    excerpt_s : int
        Seconds that are simulated; they are sailed again and again.
    file_s : int
        Seconds that go into one pair of files, as a sounder has it.
    sample_s : float
        From one look at what the watch takes to the next.

    Raises
    ------
    ConfigurationError
        A number that is not above 0.
    """

    minutes: float
    frames_per_s: float = 5.0
    subscribers: int = 20
    weights: str = "plume-n"
    excerpt_s: int = 60
    file_s: int = 1800
    sample_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("minutes", "frames_per_s", "subscribers", "excerpt_s", "file_s", "sample_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigurationError(f"{name}: expected a number above 0")


@dataclass(slots=True)
class _Written:
    """When (seconds since 1970) what was flushed, by its data time; both only grow."""

    swaths: list[tuple[float, float]] = field(default_factory=list)
    motion: list[tuple[float, float]] = field(default_factory=list)
    latest_s: float = 0.0

    def swath_s(self, data_s: float) -> float | None:
        """Return when the swath of that time was there; None when there is none."""
        place = bisect.bisect_left(self.swaths, (data_s - _SAME_S, 0.0))
        if place == len(self.swaths) or self.swaths[place][0] > data_s + _SAME_S:
            return None
        return self.swaths[place][1]

    def there_s(self, data_s: float) -> float | None:
        """Return when the swath, and all navigation that may change its fix, were there."""
        swath_s = self.swath_s(data_s)
        place = bisect.bisect_left(self.motion, (data_s + NAVIGATION_LEAD_S, 0.0))
        if swath_s is None or place == len(self.motion):
            return None
        return max(swath_s, self.motion[place][1])


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What came of it; times in seconds, memory in bytes.

    Parameters
    ----------
    frames, written : int
        Swaths in the journal, and written.
    alerts : int
        That could be timed.
    received : int
        Of them, by all subscribers together.
    latency_p50_s, latency_p99_s, latency_worst_s : float
        From the swath and its navigation being on disk to a subscriber having the alert; NaN
        without alerts.
    since_ping_p99_s : float
        From the swath alone being on disk: the navigation of a ping is waited for.
    writer_late_s : float
        How far the sounder itself fell behind at most: above a tenth of a second this machine
        was too busy to measure.
    memory_bytes : tuple of int
        What the watch took, in order of time.
    """

    frames: int
    written: int
    alerts: int
    received: int
    latency_p50_s: float
    latency_p99_s: float
    latency_worst_s: float
    since_ping_p99_s: float
    writer_late_s: float
    memory_bytes: tuple[int, ...]


def measure_load(
    out: Path,
    options: LoadOptions,
    on_sample: Callable[[dict[str, Any]], None] = lambda _: None,
) -> LoadReport:
    """Put a watch under load in `out`, an empty folder, and return how it did.

    Parameters
    ----------
    out : Path
    options : LoadOptions
    on_sample : callable
        Called from another thread with what the watch says of itself, now and then.

    Raises
    ------
    ConfigurationError
        The folder is not empty.
    SonarWatchError
        The watch does not start, or ended.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigurationError(f"{out}: expected an empty folder")
    survey = survey_for(options)
    excerpt = sail_excerpt(survey, out / "excerpt")
    config, endpoints = _prepare(out, options)
    with _watch(config) as watch:
        first = _wait_until_ready(watch, endpoints[1])
        with hearers(out, endpoints, options.subscribers) as hearings:
            shift_s = math.ceil(time.time() - excerpt[0].start_s) + 1
            writer = LoopWriter(
                excerpt, out / "raw", loop_s=options.excerpt_s, start_s=shift_s,
                loops_per_file=max(1, options.file_s // options.excerpt_s),
                step_deg=_step_deg(survey, options.excerpt_s),
            )
            with _sampling(endpoints[1], options.sample_s, on_sample) as memory:
                memory.append(int(first.get("memory_bytes") or 0))
                written = _write(writer, 60.0 * options.minutes, watch)
            status = _wait_until_done(watch, endpoints[1], writer.swaths, hearings, options)
            memory.append(int(status.get("memory_bytes") or 0))
        return _report(written, hearings, status, memory)


def survey_for(options: LoadOptions) -> Survey:
    """Return a line over plumes in water so shallow that the sounder keeps the pace."""
    cycle_m = ping_cycle_s(sounder_for(_FAMILY, 50.0), 1.0)
    depth_m = 1.0 / (options.frames_per_s * cycle_m)
    return random_survey(
        _SEED, depth_m=depth_m, family=_FAMILY, plumes=max(1, options.excerpt_s // 10), schools=2,
        length_m=_SPEED_M_S * (options.excerpt_s - 1), contrast_db=18.0,
    )


def _step_deg(survey: Survey, seconds: int) -> tuple[float, float]:
    """Return how far, in degrees of latitude and longitude, the ship comes in so many seconds.

    Each time the excerpt is sailed its plumes are new ones: an hour over the same few would hold
    a dozen alerts, too few to say how late one in a hundred is.
    """
    line, (latitude, longitude) = survey.lines[0], survey.scene.origin
    way_m, heading = line.speed_m_s * seconds, math.radians(line.heading_deg)
    north, east = np.array(way_m * math.cos(heading)), np.array(way_m * math.sin(heading))
    there = survey.to_geographic(east, north)
    return float(there[0]) - latitude, float(there[1]) - longitude


def _prepare(out: Path, options: LoadOptions) -> tuple[Path, tuple[str, str]]:
    (out / "raw").mkdir(parents=True)
    publish, request = (f"ipc://{(out / name).resolve()}" for name in ("pub", "req"))
    settings = {
        "data_dir": "data",
        "sources": {"raw": [{"path": "raw"}]},
        "alerts": {"publish": publish, "request": request},
        "detector": {"weights": options.weights},
    }
    config = out / "load.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return config, (publish, request)


@contextmanager
def _watch(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "sonar_watch", "run", "--config", str(config)]
    with (config.parent / "watch.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ask(request: str) -> dict[str, Any]:
    """Return what the watch says of itself; {} when it does not answer."""
    try:
        return dict(read_status(request, 2.0).get("watch", {}))
    except WireError:
        return {}


def _expect_alive(watch: subprocess.Popen[bytes]) -> None:
    if watch.poll() is not None:
        raise SonarWatchError(f"the watch ended with {watch.returncode}; see watch.log")


def _wait_until_ready(watch: subprocess.Popen[bytes], request: str) -> dict[str, Any]:
    deadline = time.monotonic() + START_LIMIT_S
    while not (status := _ask(request)):
        _expect_alive(watch)
        if time.monotonic() > deadline:
            raise SonarWatchError(f"the watch did not start in {START_LIMIT_S:g} s; see watch.log")
    return status


def _write(writer: LoopWriter, seconds: float, watch: subprocess.Popen[bytes]) -> _Written:
    """Write each datagram when it is due, by the clock: data time is the time it is now."""
    written, end_s = _Written(), time.time() + seconds
    for each in writer.datagrams():
        now_s = time.time()
        if each.due_s > end_s:
            break
        if each.due_s > now_s:
            time.sleep(each.due_s - now_s)
        writer.append(each)
        there_s = time.time()
        written.latest_s = max(written.latest_s, there_s - each.due_s)
        if each.is_swath:
            written.swaths.append((each.due_s, there_s))
        elif each.suffix == MOTION:
            written.motion.append((each.due_s, there_s))
        _expect_alive(watch)
    writer.close()
    return written


@contextmanager
def _sampling(
    request: str, every_s: float, on_sample: Callable[[dict[str, Any]], None]
) -> Iterator[list[int]]:
    """Ask the watch how it is, in a thread: the sounder does not wait for the answer."""
    stop, memory = threading.Event(), list[int]()

    def sample() -> None:
        while not stop.wait(every_s):
            status = _ask(request)
            memory.append(int(status.get("memory_bytes") or 0))
            on_sample(status)

    thread = threading.Thread(target=sample, name="load samples", daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stop.set()
        thread.join()


def _wait_until_done(
    watch: subprocess.Popen[bytes],
    request: str,
    written: int,
    hearings: list[Path],
    options: LoadOptions,
) -> dict[str, Any]:
    """Return the last status: when all that can be is done, or after a while."""
    held = math.ceil(options.frames_per_s * (NAVIGATION_LEAD_S + 1.0))
    deadline, status = time.monotonic() + LAST_S, dict[str, Any]()
    while time.monotonic() < deadline:
        _expect_alive(watch)
        status = _ask(request) or status
        said = options.subscribers * int(status.get("alerts", 0))
        heard = sum("sequence" in each for each in heard_by(hearings))
        if status.get("frames", 0) >= written - held and heard >= said:
            break
        time.sleep(0.2)
    return status


def _report(
    written: _Written, hearings: list[Path], status: dict[str, Any], memory: list[int]
) -> LoadReport:
    since_there, since_ping, timed = list[float](), list[float](), set[int]()
    for each in heard_by(hearings):
        if "sequence" not in each:
            continue
        there_s, swath_s = written.there_s(each["data_s"]), written.swath_s(each["data_s"])
        if there_s is None or swath_s is None:  # the cruise ended before its navigation came
            continue
        timed.add(each["sequence"])
        since_there.append(each["heard_s"] - there_s)
        since_ping.append(each["heard_s"] - swath_s)
    ordered, pings = sorted(since_there) or [math.nan], sorted(since_ping) or [math.nan]
    return LoadReport(
        frames=int(status.get("frames", 0)), written=len(written.swaths), alerts=len(timed),
        received=len(since_there), latency_p50_s=quantile(ordered, 0.5),
        latency_p99_s=quantile(ordered, 0.99), latency_worst_s=ordered[-1],
        since_ping_p99_s=quantile(pings, 0.99), writer_late_s=written.latest_s,
        memory_bytes=tuple(each for each in memory if each),
    )
