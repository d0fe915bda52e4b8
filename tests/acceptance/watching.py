"""A real daemon process over a real folder, for the acceptance tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from busyness import on_this_machine

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.subscriber import read_status
from sonar_watch.archive import export_journal
from sonar_watch.errors import JournalError, SonarWatchError

DEADLINE_S = 90.0


def wait_for(done: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until `done`, with a deadline; fails with what was waited for."""
    deadline_s = on_this_machine(deadline_s)
    end = time.monotonic() + deadline_s
    while not done():
        assert time.monotonic() < end, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.02)


class Daemon:
    """`sonar-watch run` over `folder/in`, its data in `folder/data`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.publish, self.request = (f"ipc://{folder}/{name}" for name in ("pub", "req"))
        for kind in ("raw", "images"):
            (folder / "in" / kind).mkdir(parents=True, exist_ok=True)
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(self._settings()))
        self.process: subprocess.Popen[bytes] | None = None

    def _settings(self) -> dict[str, Any]:
        quick = {"rescan_s": 0.3, "silent_limit_s": 3.0}
        return {
            "data_dir": "data",
            "sources": {
                "raw": [{"path": "in/raw", "line_change_s": 0.5, **quick}],
                "images": [{"path": "in/images", **quick}],
            },
            "alerts": {"publish": self.publish, "request": self.request},
            "pipeline": {"batch_frames": 4},
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "sonar_watch", "run", "--config", str(self.config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def status(self) -> dict[str, Any]:
        """Return the status; {} while the daemon does not answer."""
        try:
            return dict(read_status(self.request, 1.0))
        except SonarWatchError:
            return {}

    def frames(self) -> int:
        """Return the number of frames in the journal, whichever process committed them."""
        path = self.folder / "data" / "journal.sqlite"
        if not path.exists():
            return 0
        try:
            with JournalReader(path) as reader:
                return reader.counts()["frames"]
        except JournalError:  # made, but without its tables yet
            return 0

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def results(self) -> list[dict[str, Any]]:
        """Return the alerts of the journal, `tense` taken out."""
        out = self.folder / "out"
        export_journal(self.folder / "data" / "journal.sqlite", out)
        return alerts_of(out)


def alerts_of(out: Path) -> list[dict[str, Any]]:
    """Return the alerts of a result folder without their tense."""
    lines = (out / "alerts.jsonl").read_text().splitlines()
    alerts = [json.loads(line) for line in lines]
    for alert in alerts:
        del alert["properties"]["tense"]
    return alerts
