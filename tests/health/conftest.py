"""A watch that looks at its folders often and forgets warnings soon; a disk that is soon full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonar_watch.health import health


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(health, "CALM_S", 0.3)
    monkeypatch.setattr(health, "SELDOM_S", 0.2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real filesystem of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "sonar", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"a filesystem cannot be mounted here: {error}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=10)
