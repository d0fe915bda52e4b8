"""One small cruise for all acceptance tests, and what an undisturbed replay makes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from busyness import on_this_machine
from watching import Daemon, alerts_of

from sonar_watch.simulation.cruise import Survey, demo_survey
from sonar_watch.simulation.writing import sail


@dataclass(frozen=True, slots=True)
class RecordedCruise:
    """Files of a cruise, and the alerts of its replay."""

    folder: Path
    swaths: int
    alerts: list[dict[str, Any]]
    results: Path


def short_survey() -> Survey:
    """Return two lines past the plumes of the demo, a raw one and one of pictures."""
    from dataclasses import replace

    survey = demo_survey()
    first, second = survey.lines
    return replace(
        survey,
        lines=(
            replace(first, north_m=-620.0, length_m=560.0),
            replace(second, north_m=160.0, length_m=330.0),
        ),
    )


@pytest.fixture(scope="session")
def cruise(tmp_path_factory: pytest.TempPathFactory) -> RecordedCruise:
    folder = tmp_path_factory.mktemp("cruise")
    swaths = sum(1 for _ in sail(short_survey(), folder, kinds=("raw", "images")))
    out = folder / "replayed"
    command = [sys.executable, "-m", "sonar_watch", "replay", "--out", str(out)]
    inputs = [str(folder / "raw"), str(folder / "images")]
    subprocess.run([*command, *inputs], check=True, timeout=on_this_machine(120))
    return RecordedCruise(folder, swaths, alerts_of(out), out)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    watch = Daemon(tmp_path)
    yield watch
    if watch.process is not None and watch.process.poll() is None:
        watch.kill()
