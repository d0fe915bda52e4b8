"""A real `sonar-watch run` that tells a real socket what it would tell systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.errors import JournalError

DEADLINE_S = 90.0


def wait_for(done: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until `done`, with a deadline; fails with what was waited for."""
    end = time.monotonic() + deadline_s
    while not done():
        assert time.monotonic() < end, f"waited {deadline_s} s for {what}"
        time.sleep(0.02)


class Service:
    """The daemon over `folder/in`, without a network, as systemd would start it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "watch.yaml"
        (folder / "in").mkdir()
        self.settings: dict[str, Any] = {
            "data_dir": "data",
            "detector": {"weights": "classical"},
            "sources": {"images": [{"path": "in", "rescan_s": 0.3}]},
            "alerts": {name: f"ipc://{folder}/{name}" for name in ("publish", "request")},
        }
        self.settings["alerts"]["linger_s"] = 0.2
        self.write()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.setblocking(False)
        self.told: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def write(self) -> None:
        self.config.write_text(yaml.safe_dump(self.settings))

    def start(self) -> None:
        command = [sys.executable, "-m", "sonar_watch", "run", "--config", str(self.config)]
        environment = {**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")}
        with (self.folder / "log").open("ab") as log:
            status = os.fstat(log.fileno())
            environment["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def hears(self, text: str) -> bool:
        """Take what was told; return whether `text` is in any of it."""
        while True:
            try:
                self.told.append(self._socket.recv(8192).decode())
            except BlockingIOError:
                return any(text in one for one in self.told)

    def wait_to_hear(self, text: str) -> None:
        wait_for(lambda: self.hears(text) or self.ended(), f"{text} in {self.told}")
        assert self.hears(text), self.log()

    def forget(self) -> None:
        self.hears("")
        self.told.clear()

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit status and the seconds it took."""
        assert self.process is not None
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60), time.monotonic() - began_s

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def frames(self) -> list[str]:
        """Return the ids of the frames in the journal."""
        path = self.folder / "data" / "journal.sqlite"
        if not path.exists():
            return []
        try:
            with JournalReader(path) as reader:
                return [body["frame_id"] for body in reader.frame_bodies()]
        except JournalError:  # made, but without its tables yet
            return []

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        self._socket.close()


def put_pictures(folder: Path, first: int, number: int, side_px: int = 200) -> None:
    """Write pictures with their sidecars, a second of data time apart."""
    pixels = np.random.default_rng(first).integers(0, 60, (side_px, 2 * side_px), np.uint8)
    for count in range(first, first + number):
        stamp = f"2024-05-01T00:{count // 60:02}:{count % 60:02}Z"
        place = {"across_track_m": [-400, 400], "depth_m": [0, 400], "heading_deg": 0.0,
                 "latitude": 32.0 + 1e-4 * count, "longitude": 139.0, "ping_counter": count,
                 "time_utc": stamp, "swath": 0}  # fmt: skip
        (folder / f"p{count:05}.json").write_text(json.dumps(place))
        ok, png = cv2.imencode(".png", pixels)
        assert ok
        (folder / f".p{count:05}.png").write_bytes(png.tobytes())
        (folder / f".p{count:05}.png").rename(folder / f"p{count:05}.png")
