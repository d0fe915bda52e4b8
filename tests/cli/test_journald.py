"""Log lines as journald wants them, and only where they go there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonar_watch.cli.journal import JournalFormatter, goes_to_journal

PROGRAM = """
import logging
from sonar_watch.cli.output import set_up_logging
set_up_logging("debug")
log = logging.getLogger("watch")
log.debug("a"); log.info("b"); log.warning("c"); log.error("d"); log.critical("e")
raise RuntimeError("two\\nlines")
"""


def logged(path: Path, stream: str | None = None) -> list[str]:
    """Run a program whose stderr is a file that JOURNAL_STREAM names; return its lines."""
    with path.open("wb") as file:
        status = os.fstat(file.fileno())
        named = stream or f"{status.st_dev}:{status.st_ino}"
        subprocess.run(
            [sys.executable, "-c", PROGRAM], stderr=file, timeout=60, check=False,
            env={**os.environ, "JOURNAL_STREAM": named},
        )  # fmt: skip
    return path.read_text().splitlines()


def test_each_line_has_its_priority_and_what_nobody_caught_too(tmp_path: Path) -> None:
    lines = logged(tmp_path / "log")
    assert lines[:5] == ["<7>watch: a", "<6>watch: b", "<4>watch: c", "<3>watch: d", "<2>watch: e"]
    assert len(lines) > 8
    assert all(line.startswith("<2>") for line in lines[5:])
    assert lines[-2:] == ["<2>RuntimeError: two", "<2>lines"]


def test_another_stderr_than_the_journal_is_stamped(tmp_path: Path) -> None:
    lines = logged(tmp_path / "log", stream="1:2")
    assert lines[0].endswith("Z DEBUG watch: a")


@pytest.mark.parametrize("named", ["", "nonsense", "1:2:3"])
def test_a_strange_variable_names_no_journal(
    named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", named)
    with (tmp_path / "log").open("w") as file:
        assert not goes_to_journal(file)


def test_an_empty_message_is_a_line() -> None:
    record = logging.LogRecord("", logging.INFO, "", 0, "", None, None)
    assert JournalFormatter().format(record) == "<6>: "
