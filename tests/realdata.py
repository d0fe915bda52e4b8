"""Where the real sonar files, logs and tiles are; tests on them skip where they are not."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("SONAR_WATCH_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_data(*parts: str) -> Path:
    """Return the path of a real file or folder, or skip the test and say so."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no real data at {path} (SONAR_WATCH_TEST_DATA names the folder)")
    return path
