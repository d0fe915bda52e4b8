"""A real watch process: healthy in words, in numbers over HTTP, and for systemd's line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from health_builders import NAME, make_ping, navigation_bytes, wait_until

from sonar_watch.alerts.subscriber import read_status
from sonar_watch.errors import SonarWatchError
from sonar_watch.formats.kmall import encode_mwc

REQUEST = "req"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A watch over `in`, with metrics on a free port; yields its folder."""
    (tmp_path / "in").mkdir()
    settings = {
        "data_dir": "data",
        "detector": {"weights": "classical"},
        "sources": {"raw": [{"path": "in", "rescan_s": 0.2, "silent_limit_s": 1.0}]},
        "alerts": {name: f"ipc://{tmp_path}/{name[:3]}" for name in ("publish", "request")},
        "health": {"prometheus": "127.0.0.1:0", "disk_free_gb": 0.0, "disk_free_share": 0.0},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "sonar_watch", "run", "--config", "config.yaml"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    yield tmp_path
    process.terminate()
    assert process.wait(60) == 0


def frames(folder: Path) -> int:
    try:
        return int(read_status(f"ipc://{folder}/{REQUEST}", 1.0)["watch"].get("frames", 0))
    except SonarWatchError:
        return 0


def test_a_technician_and_a_monitor_are_told_the_same(running: Path) -> None:
    start = datetime.now(UTC) - timedelta(seconds=30)
    (running / "in" / f"{NAME}.kmall").write_bytes(navigation_bytes(start, 10, 2.5))
    pings = (make_ping(number, start + timedelta(seconds=number)) for number in range(4))
    (running / "in" / f"{NAME}.kmwcd").write_bytes(b"".join(map(encode_mwc, pings)))
    wait_until(lambda: frames(running) == 4, "four frames")

    ask = [sys.executable, "-m", "sonar_watch", "status", f"ipc://{running}/{REQUEST}"]
    page = subprocess.run(ask, capture_output=True, text=True, timeout=60)
    assert page.stdout.startswith("HEALTHY"), page.stdout + page.stderr
    assert page.returncode == 0
    assert "raw" in page.stdout
    plain = subprocess.run([*ask, "--json"], capture_output=True, text=True, timeout=60)
    assert json.loads(plain.stdout)["watch"]["speed_m_s"] == 2.5

    log = (running / "log").read_text()
    place = re.search(r"metrics on (http://127\.0\.0\.1:\d+/metrics)", log)
    assert place is not None
    with urllib.request.urlopen(place[1], timeout=10) as answer:
        text = answer.read().decode()
    assert "sonar_watch_frames_total 4\n" in text
    assert 'sonar_watch_info{weights="classical",runtime="classical"} 1\n' in text
    assert "sonar_watch_file_handles " in text
