"""A cruise without end, written by a process of its own; what a watch takes meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sonar_watch.health.health import journal_bytes

_WRITER = """
import json, sys
from pathlib import Path
from dataclasses import replace
from datetime import timedelta
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.looping import LoopWriter, sail_excerpt

work, into, metres, loop_s, kept = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
survey = demo_survey()
first, second = survey.lines
if metres < first.length_m:
    first = replace(first, north_m=-600.0, length_m=metres)
    start_utc = first.end_utc + timedelta(seconds=60)
    second = replace(second, north_m=metres - 600.0, length_m=metres, start_utc=start_utc)
excerpt = sail_excerpt(replace(survey, lines=(first, second)), work)
writer = LoopWriter(excerpt, into, loop_s=loop_s, kept=kept)
print(json.dumps([sum(line.swaths for line in excerpt), excerpt[0].start_s]), flush=True)
coming = writer.datagrams()
for command in sys.stdin:
    until = writer.swaths + int(command)
    while writer.swaths < until:
        last = next(coming)
        writer.append(last)
    print(json.dumps([writer.swaths, last.due_s]), flush=True)
"""


class EndlessCruise:
    """A process that writes the demo's two lines again and again, and deletes what is old.

    Parameters
    ----------
    work, into : Path
        Where the excerpt is made, and where the growing files go.
    metres : int
        Length of each line; those of the demo are 1500 m, ten minutes, long.
    loop_s : int
        Data seconds from loop to loop.
    kept : int
        Pairs of files that stay.
    """

    def __init__(self, work: Path, into: Path, metres: int, loop_s: int, kept: int = 6) -> None:
        words = [str(work), str(into), *map(str, (metres, loop_s, kept))]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.loop_s = loop_s
        self.loop_swaths, self.start_s = self._answer()
        self.swaths = 0

    def write(self, swaths: int) -> float:
        """Write so many swaths more, with all navigation until then; return the data time."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{swaths}\n")
        self.process.stdin.flush()
        self.swaths, data_s = self._answer()
        return data_s

    def end(self) -> None:
        """Kill the writer."""
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> tuple[int, float]:
        assert self.process.stdout is not None
        first, second = json.loads(self.process.stdout.readline())
        return int(first), float(second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a process takes.

    Parameters
    ----------
    hours : float
        Data time since the beginning.
    memory_mb : float
        Resident.
    threads, handles : int
    journal_mb : float
    frames : int
        In the journal.
    """

    hours: float
    memory_mb: float
    threads: int
    handles: int
    journal_mb: float
    frames: int


def taken(pid: int, journal: Path, hours: float, frames: int) -> Taken:
    """Return what the process takes now."""
    place = Path(f"/proc/{pid}")
    lines = (place / "status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return Taken(
        hours=hours,
        memory_mb=int(status["VmRSS"].split()[0]) / 1024,
        threads=int(status["Threads"]),
        handles=len(list((place / "fd").iterdir())),
        journal_mb=journal_bytes(journal) / 1e6,
        frames=frames,
    )


def slope(times: list[float], values: list[float]) -> float:
    """Return the rise of a straight line through the values, per unit of time."""
    middle = sum(times) / len(times)
    mean = sum(values) / len(values)
    spread = sum((time - middle) ** 2 for time in times)
    return sum((t - middle) * (v - mean) for t, v in zip(times, values, strict=True)) / spread
