"""Coverage-guided runs; skipped where atheris is not installed (it is no dependency)."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_targets import TARGETS

HERE = Path(__file__).parent
WITHOUT_OPENCV = [each.name for each in TARGETS if each.name not in ("picture", "pixels")]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", WITHOUT_OPENCV)
def test_atheris_finds_nothing(name, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    folders = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]
    path = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(HERE / "atheris_harness.py"), name, str(tmp_path / "corpus"),
         "-runs=20000", "-max_len=4096", "-seed=1"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
