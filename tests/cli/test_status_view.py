"""What a technician reads: the page of a watch at work, of one in trouble, of an older one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.publisher import Publisher, PublisherOptions
from sonar_watch.cli.status_table import status_view
from sonar_watch.monitoring import complaints

WATCH: dict[str, Any] = {
    "frames": 812, "frames_per_min": 21.4, "uptime_s": 9300.0, "last_frame_age_s": 3.0,
    "backlog": 12, "backlog_age_s": 15.0, "waiting_for_navigation": 2, "alerts": 4,
    "detections": 40, "open_events": 1, "weights": "plume-n", "runtime": "openvino 2026.4.1 cpu",
    "lag": {"total": {"p50": 1.2, "p99": 3.0}, "drawing": {"p50": 0.1, "p99": 0.2}},
    "ping_age_s": 2.0, "navigation_age_s": 1.0, "speed_m_s": 2.57,
    "memory_bytes": 412_000_000, "file_handles": 40, "file_handles_limit": 1024, "threads": 9,
    "disks": [{"folder": "data_dir", "free_bytes": 5e10, "total_bytes": 1e11}],
    "clock_steps": 0, "clock_offset_s": 1.5, "nmea_clock_offset_s": 0.2, "journal_bytes": 3_000_000,
    "quarantined_in_all": 1, "quarantined_lately": [{"file": "a[b].png", "reason": "cut short"}],
    "each_source": [
        {"name": "em304", "kind": "raw", "files": 7, "newest": "0007.kmwcd", "newest_age_s": 2.0,
         "failing": "", "backlog": 10, "broken": 1},
        {"name": "[red]gps", "kind": "nmea_udp", "files": None, "newest": "", "newest_age_s": 75.0,
         "failing": "OSError: no route to host", "backlog": 0, "dropped": 3},
    ],
    "warnings": [],
}  # fmt: skip
STATUS = {"head_sequence": 9, "epoch": "0123456789abcdef"}


def page(watch: dict[str, Any], width: int = 110) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(status_view(STATUS, watch, complaints(watch)))
    return captured.get()


def test_all_is_well() -> None:
    well = {**WATCH, "each_source": WATCH["each_source"][:1]}
    text = page(well)
    assert text.startswith("HEALTHY\n")
    for words in (
        "21.4 a minute, 812 in all, the last done 3 s ago",
        "12, the oldest 15 s old; 2 of them for navigation",
        "1.2 s from arrival to journal, 1 in 100 above 3.0 s",
        "1 s ago, speed 5.0 kn",
        "plume-n on openvino 2026.4.1 cpu",
        "9 in the journal, 4 since the start; 1 plumes open",
        "a[b].png: cut short",
        "50 GB (50%) left for data_dir",
    ):
        assert words in text
    (source,) = (line.split() for line in text.splitlines() if line.startswith("em304"))
    assert source == ["em304", "raw", "7", "0007.kmwcd", "2", "s", "ago", "10", "1", "broken"]


def test_a_watch_that_hangs_is_not_healthy() -> None:
    """Another thread answers for it, with what it told last."""
    watch = {"told_utc": "2026-01-02T03:04:05.000000Z"}
    assert complaints(watch, "2026-01-02T03:04:15.000000Z") == []
    (complaint,) = complaints(watch, "2026-01-02T03:05:05.000000Z")
    assert "has not moved for 60 s" in complaint


def test_what_is_wrong_comes_first() -> None:
    warning = {"name": "no_ping", "since_utc": "2026-01-02T03:04:05Z", "text": "no new ping: look"}
    lines = page({**WATCH, "warnings": [warning]}).splitlines()
    assert lines[0] == "WRONG source [red]gps fails: OSError: no route to host"
    assert lines[1] == "WRONG no new ping: look"
    assert any(line.startswith("[red]gps") and "3 dropped" in line for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_where_it_is_shown(width: int) -> None:
    assert all(len(line) <= width for line in page(WATCH, width).splitlines())


@pytest.mark.parametrize("watch", [{}, {"frames": 1, "last_frame_age_s": None, "sources": {}}])
def test_a_watch_of_an_older_release_is_shown_as_well(watch: dict[str, Any]) -> None:
    assert page(watch).startswith("HEALTHY")


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """A real publisher whose watch says what `WATCH` does."""
    options = PublisherOptions(publish=f"ipc://{tmp_path}/pub", request=f"ipc://{tmp_path}/req")
    with Journal(tmp_path / "journal.sqlite") as journal:
        publisher = Publisher(options, journal.path)
        publisher.set_status(WATCH)
        with publisher:
            yield options.request


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sonar_watch", "status", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_command_line_asks_a_real_publisher(endpoint: str) -> None:
    table, plain, numbers = (ask(endpoint, *how) for how in ([], ["--json"], ["--prometheus"]))
    assert (table.returncode, plain.returncode, numbers.returncode) == (1, 1, 0)
    assert table.stdout.startswith("WRONG source")
    assert json.loads(plain.stdout)["wrong"] == complaints(WATCH)
    assert "sonar_watch_frames_total 812\n" in numbers.stdout
    assert 'sonar_watch_source_failing{source="[red]gps"} 1\n' in numbers.stdout
