"""Pictures, lines, ledgers, clocks and sources for the tests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch import images
from sonar_watch.formats.kmall import encode_mwc, encode_skm, encode_spo
from sonar_watch.records import (
    LineEnd,
    NavigationSample,
    Quarantined,
    SourceItem,
    SourceRef,
    WaterColumnFrame,
    WaterColumnPing,
    iso_utc,
)
from sonar_watch.sources.source import Source, is_swath

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PATIENCE_S = 20.0


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds


class Ledger:
    """Remembers like the journal."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.checkpoints: dict[str, Any] = {}

    def is_done(self, frame_id: str, /) -> bool:
        return frame_id in self.done

    def checkpoint(self, key: str, /) -> Any | None:
        return self.checkpoints.get(key)

    def commit(self, items: Iterable[SourceItem]) -> None:
        for item in items:
            if is_swath(item):
                self.done.add(item.frame_id)
            elif isinstance(item, LineEnd) and item.checkpoint:
                self.checkpoints[item.checkpoint["key"]] = item.checkpoint["value"]


class GivenSource:
    """Gives what it was made with, a few items at each poll, sometimes none."""

    def __init__(
        self, name: str, items: Iterable[SourceItem], sizes: Iterable[int] = (1,), *,
        live: bool = False,
    ) -> None:
        self.name = name
        self.items = list(items)
        self.closed = False
        self.holds = 0  # read and held back, as the last swaths of a line are
        self._sizes = list(sizes)
        self._live = live
        self._turn = 0

    @property
    def exhausted(self) -> bool:
        return not self._live and not self.items

    def poll(self) -> list[SourceItem]:
        size = self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        given, self.items = self.items[:size], self.items[size:]
        return given

    def counts(self) -> dict[str, int]:
        return {"backlog": self.holds, "broken": 1}

    def close(self) -> None:
        self.closed = True


def drain(source: Source, most: int = 100_000) -> list[SourceItem]:
    """Return everything a finite source gives."""
    items: list[SourceItem] = []
    for _ in range(most):
        if source.exhausted:
            return items
        items += source.poll()
    raise AssertionError(f"{source.name} is not exhausted after {most} polls: {items[-3:]}")


def poll_times(source: Source, times: int = 6) -> list[SourceItem]:
    """Return what some polls give."""
    return [item for _ in range(times) for item in source.poll()]


def passing(
    source: Source, clock: Clock, seconds: float, *, step_s: float = 1.0
) -> list[SourceItem]:
    """Return what a source gives while time passes by, step by step."""
    items: list[SourceItem] = []
    for _ in range(int(seconds / step_s)):
        clock.pass_by(step_s)
        items += poll_times(source, 2)
    return items


def poll_until(
    source: Source, enough: Callable[[list[SourceItem]], bool], wake: threading.Event
) -> list[SourceItem]:
    """Poll a live source until it gave enough; woken by its hints, with a deadline."""
    items: list[SourceItem] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while not enough(items):
        assert time.monotonic() < deadline_s, f"not enough before the deadline: {items}"
        wake.wait(0.01)
        wake.clear()
        items += source.poll()
    return items


def swaths(items: Iterable[SourceItem]) -> list[WaterColumnPing | WaterColumnFrame]:
    return [item for item in items if is_swath(item)]


def files(items: Iterable[SourceItem]) -> list[str]:
    return [swath.source.file for swath in swaths(items)]


def counters(items: Iterable[SourceItem]) -> list[int | None]:
    """Return the ping counters of the swaths."""
    return [swath.source.ping_counter for swath in swaths(items)]


def headings(items: Iterable[SourceItem]) -> list[float]:
    """Return the first heading of each sample that has one."""
    return [float(item.heading_deg[0]) for item in items
            if isinstance(item, NavigationSample) and item.heading_deg is not None]


def refusals(items: Iterable[SourceItem]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Quarantined)]


def line_ends(items: Iterable[SourceItem]) -> list[str]:
    return [
        item.checkpoint.get("key", "") for item in items if isinstance(item, LineEnd)
    ]


def write_png(path: Path, size: tuple[int, int] = (8, 10)) -> Path:
    images.write_png(path, np.full(size, 7, np.uint8))
    return path


def write_json(picture: Path, number: int, **more: Any) -> Path:
    """Write the sidecar of a picture taken `number` seconds after the start."""
    body = {
        "time_utc": iso_utc(START + timedelta(seconds=number)),
        "across_track_m": [-100, 100], "depth_m": [0, 80],
        "ping_counter": number, "swath": 0, "sounder": "em1",
    } | more
    path = picture.with_suffix(".json")
    path.write_text(json.dumps({key: value for key, value in body.items() if value is not None}))
    return path


def write_pair(folder: Path, number: int, name: str = "", **more: Any) -> Path:
    """Write a picture and its sidecar."""
    path = folder / (name or f"ping_{number:04d}.png")
    write_json(path, number, **more)
    return write_png(path)


def make_ping(number: int, time_utc: datetime, sounder: str = "em2040") -> WaterColumnPing:
    beams, samples = 4, 12
    return WaterColumnPing(
        time_utc=time_utc, ping_counter=number, swath=0, sounder=sounder,
        beam_angle_deg=np.linspace(-50, 50, beams, dtype=np.float32),
        samples_half_db=np.full((beams, samples), -60, np.int8),
        first_sample=np.zeros(beams, np.int32), sample_count=np.full(beams, samples, np.int32),
        detected_sample=np.full(beams, 9.0, np.float32), sector=np.zeros(beams, np.int32),
        sector_frequency_hz=np.array([300e3], np.float32),
        sector_tilt_deg=np.zeros(1, np.float32), sample_rate_hz=4000.0, sound_speed_m_s=1500.0,
        source=SourceRef(source="made", file="made"),
    )


def make_navigation(
    time_s: float, sensor: str = "spo", *, position: bool = True, heading: bool = False
) -> NavigationSample:
    value = np.array([10.0])
    return NavigationSample(
        sensor=sensor, time_s=np.array([time_s]),
        latitude=value if position else None, longitude=value if position else None,
        heading_deg=value if heading else None,
    )


def line_name(start: datetime) -> str:
    return f"0001_{start:%Y%m%d_%H%M%S}_Ship"


def water_column_bytes(
    start: datetime, pings: int, *, every_s: float = 0.5, first: int = 0, sounder: str = "em2040"
) -> bytes:
    """Return the pings of a line, datagram after datagram."""
    return b"".join(
        encode_mwc(make_ping(first + count, start + timedelta(seconds=count * every_s), sounder))
        for count in range(pings)
    )


def navigation_bytes(
    start: datetime, seconds: float, *, every_s: float = 1.0, sounder: str = "em2040"
) -> bytes:
    """Return position and heading of a line, one of each every `every_s`."""
    data = b""
    for count in range(int(seconds / every_s) + 1):
        time_s = start.timestamp() + count * every_s
        data += encode_spo(make_navigation(time_s), sounder=sounder)
        motion = NavigationSample(
            sensor="skm", time_s=np.array([time_s]), latitude=np.array([10.0]),
            longitude=np.array([10.0]), heading_deg=np.array([10.0]), roll_deg=np.zeros(1),
            pitch_deg=np.zeros(1), heave_m=np.zeros(1),
        )
        data += encode_skm(motion, sounder=sounder)
    return data


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
