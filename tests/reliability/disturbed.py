"""A small cruise, who writes it bit by bit, who watches it and who listens: to be disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import yaml
from watching import Daemon, alerts_of

from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.writing import sail

QUIET_S = 1.0
"""Silence that ends the last line, once everything is written."""


class ClassicalDaemon(Daemon):
    """A real daemon without a network, so that it is up soon."""

    detector: ClassVar[dict[str, Any]] = {"weights": "classical"}
    silent_limit_s = 120.0  # longer than any pause of the writer, kills included

    def _settings(self) -> dict[str, Any]:
        settings = super()._settings()
        (raw,) = settings["sources"].pop("raw")
        settings["sources"] = {"raw": [{**raw, "silent_limit_s": self.silent_limit_s}]}
        return settings | {"detector": self.detector}

    def expect_the_end(self) -> None:
        """From the next start on, silence ends the last line."""
        self.silent_limit_s = QUIET_S
        self.config.write_text(yaml.safe_dump(self._settings()))

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def wait(self, seconds: float) -> int | None:
        """Return how it ended; None when it still runs after `seconds`."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


@dataclass(frozen=True, slots=True)
class SmallCruise:
    """Two raw lines past three plumes, and the alerts of an undisturbed replay."""

    raw: Path
    swaths: int
    alerts: list[dict[str, Any]]


def sail_small_cruise(folder: Path, metres: float) -> SmallCruise:
    """Sail two lines of `metres` each, replay them as a `ClassicalDaemon` would watch them."""
    survey = demo_survey()
    first, second = survey.lines
    survey = replace(
        survey,
        lines=(
            replace(first, north_m=-600.0, length_m=metres),
            replace(second, north_m=-600.0 + metres, length_m=metres),
        ),
    )
    swaths = sum(1 for _ in sail(survey, folder, kinds=("raw",)))
    config = ClassicalDaemon(folder / "config").config
    out = folder / "replayed"
    command = [sys.executable, "-m", "sonar_watch", "replay", "--config", str(config)]
    subprocess.run([*command, "--out", str(out), str(folder / "raw")], check=True, timeout=500)
    return SmallCruise(folder / "raw", swaths, alerts_of(out))


def write_in_pieces(cruise: SmallCruise, into: Path, pieces: int) -> Iterator[None]:
    """Let the lines grow in `into`, one after the other, in `pieces` all together."""
    stems = sorted({path.stem for path in cruise.raw.iterdir()})
    share = max(1, pieces // len(stems))
    for stem in stems:
        contents = {path.name: path.read_bytes() for path in cruise.raw.glob(f"{stem}.*")}
        for piece in range(share):
            for name, content in contents.items():
                start, end = (len(content) * step // share for step in (piece, piece + 1))
                with (into / name).open("ab") as file:
                    file.write(content[start:end])
            yield


LISTENER = """
import json, os, sys
from pathlib import Path
from sonar_watch.alerts.subscriber import Subscriber

kept, publish, request = sys.argv[1:]
with Path(kept).open("a+b") as file:
    file.seek(0)
    whole = file.read().rpartition(b"\\n")[0]
    file.truncate(len(whole) + bool(whole))
    last = json.loads(whole.splitlines()[-1]) if whole else {"sequence": 0, "epoch": None}
    with Subscriber(
        publish, request, after=last["sequence"], epoch=last["epoch"], retry_s=0.3
    ) as subscriber:
        while True:
            got = subscriber.receive(60.0)
            if got is None:
                continue
            line = {"sequence": got.sequence, "epoch": got.epoch, "body": json.loads(got.body)}
            file.write(json.dumps(line).encode() + b"\\n")  # alert and cursor in one
            file.flush()
            os.fsync(file.fileno())
"""


class Listener:
    """A program that keeps each alert and its cursor in one file, and goes on from it."""

    def __init__(self, daemon: Daemon) -> None:
        self._kept = daemon.folder / "heard.jsonl"
        self._command = [sys.executable, "-c", LISTENER, str(self._kept),
                         daemon.publish, daemon.request]  # fmt: skip
        self._log = daemon.folder / "listener.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def heard(self) -> list[dict[str, Any]]:
        """Return what it has kept, whole lines only."""
        if not self._kept.exists():
            return []
        whole = self._kept.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]
