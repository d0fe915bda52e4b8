"""What must work without the `detect` extra: reading what is recorded, checking, advising."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.testing import sample_alert

PROGRAM = """
import sys

class Missing:
    NAMES = {"cv2", "matplotlib", "openvino", "torch", "torchvision", "ultralytics"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from sonar_watch.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_extras(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_journal_is_exported(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.commit([], [sample_alert(1), sample_alert(2)])
    done = without_extras("export", tmp_path / "journal.sqlite", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["alerts"] == 2
    assert len((tmp_path / "out" / "alerts.jsonl").read_text().splitlines()) == 2


def test_a_configuration_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text(without_extras("check-config", "--print-default").stdout)
    done = without_extras("check-config", path)
    assert done.returncode == 0, done.stderr
    assert "good" in done.stdout


def test_doctor_gives_its_advice() -> None:
    done = without_extras("doctor", "--json")
    assert {"python", "clock"} <= {json.loads(line)["what"] for line in done.stdout.splitlines()}


def test_drawing_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "line.kmwcd").write_bytes(b"")
    done = without_extras("render", tmp_path / "line.kmwcd", "--out", tmp_path / "out")
    assert done.returncode == 78
    assert "pip install 'sonar-watch[detect]'" in done.stderr
