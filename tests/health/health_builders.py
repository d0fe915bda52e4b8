"""A real watch in a thread over real folders and sockets, quick to warn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.alerts.journal import Journal
from sonar_watch.daemon import SourceMaker, Watch
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.formats.kmall import encode_mwc, encode_skm, encode_spo
from sonar_watch.monitoring import HealthOptions
from sonar_watch.records import NavigationSample, SourceRef, WaterColumnPing
from sonar_watch.running import live_sources
from sonar_watch.settings import Settings, SourceOptions
from sonar_watch.sources.raw import RawOptions
from sonar_watch.sources.source import Source

PATIENCE_S = 40.0
SOUNDER = "em304"
NAME = "0001_20260304_050607_Ship"
NEVER = float("inf")
_TIMES = (
    "ping_silent_s", "file_silent_s", "water_column_silent_s", "navigation_silent_s",
    "clock_step_s", "clock_offset_s",
)  # fmt: skip


def limits(**chosen: Any) -> HealthOptions:
    """Return limits that warn of nothing but what is chosen."""
    silent = dict.fromkeys(_TIMES, NEVER)
    return HealthOptions(**{**silent, "disk_free_gb": 0.0, "disk_free_share": 0.0, **chosen})


def make_ping(number: int, time_utc: datetime, frequency_hz: float = 30e3) -> WaterColumnPing:
    beams, samples = 8, 60
    return WaterColumnPing(
        time_utc=time_utc, ping_counter=number, swath=0, sounder=SOUNDER,
        beam_angle_deg=np.linspace(-50, 50, beams, dtype=np.float32),
        samples_half_db=np.full((beams, samples), -60, np.int8),
        first_sample=np.zeros(beams, np.int32), sample_count=np.full(beams, samples, np.int32),
        detected_sample=np.full(beams, 50.0, np.float32), sector=np.zeros(beams, np.int32),
        sector_frequency_hz=np.array([frequency_hz], np.float32),
        sector_tilt_deg=np.zeros(1, np.float32), sample_rate_hz=150.0, sound_speed_m_s=1500.0,
        source=SourceRef(source="made", file="made"),
    )


def navigation_bytes(start: datetime, seconds: int, speed_m_s: float) -> bytes:
    """Return position, speed and heading, one of each a second."""
    data = b""
    ten, flat = np.array([10.0]), np.zeros(1)
    for count in range(seconds):
        place: dict[str, Any] = {
            "time_s": np.array([start.timestamp() + count]), "latitude": ten, "longitude": ten,
        }
        data += encode_spo(
            NavigationSample(sensor="spo", speed_m_s=np.array([speed_m_s]), **place),
            sounder=SOUNDER,
        )
        data += encode_skm(
            NavigationSample(sensor="skm", heading_deg=ten, roll_deg=flat, pitch_deg=flat,
                             heave_m=flat, **place),
            sounder=SOUNDER,
        )
    return data


class LiveWatch:
    """A watch over `folder/in` in a thread of this process; a context manager."""

    def __init__(self, folder: Path, health: HealthOptions, **more: Any) -> None:
        self.inbox = folder / "in"
        self.inbox.mkdir(exist_ok=True)
        self.now_utc = datetime.now(UTC) - timedelta(seconds=30)
        self._number = 0
        raw = RawOptions(path=self.inbox, rescan_s=0.2, line_change_s=0.3, silent_limit_s=1.0)
        detector = DetectorOptions(weights="classical")
        chosen: dict[str, Any] = {
            "data_dir": folder / "data", "sources": SourceOptions(raw=(raw,)),
            "detector": detector, "health": health, **more,
        }
        settings = Settings(**chosen)
        self.sources: list[Source] = []
        self.watch = Watch(settings, self._make_sources(settings), publish=False)
        self._thread = threading.Thread(target=self.watch.run)

    def _make_sources(self, settings: Settings) -> SourceMaker:
        def make(journal: Journal, wake: threading.Event) -> Sequence[Source]:
            self.sources = list(live_sources(settings)(journal, wake))
            return self.sources

        return make

    def __enter__(self) -> LiveWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def record(self, *, pings: int = 0, seconds: int = 0, speed_m_s: float = 2.5) -> None:
        """Let the sounder write: navigation of so many seconds, and pings in between."""
        if seconds:
            self._append("kmall", navigation_bytes(self.now_utc, seconds, speed_m_s))
        for count in range(pings):
            time_utc = self.now_utc + timedelta(seconds=count * max(seconds, 1) / pings)
            self._number += 1
            self._append("kmwcd", encode_mwc(make_ping(self._number, time_utc)))
        self.now_utc += timedelta(seconds=max(seconds, 1))

    def _append(self, suffix: str, data: bytes) -> None:
        with (self.inbox / f"{NAME}.{suffix}").open("ab") as file:
            file.write(data)

    def status(self) -> dict[str, Any]:
        return self.watch.status()

    def warned(self) -> dict[str, str]:
        """Return what stands now: text by name."""
        health = self.watch.health
        assert health is not None
        return {each["name"]: each["text"] for each in health.warnings.standing()}

    def wait_warned(self, name: str) -> str:
        """Return the text of a warning once it stands."""
        wait_until(lambda: name in self.warned(), f"the warning {name}")
        return self.warned()[name]


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Poll until `done`, with a deadline."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.02)
