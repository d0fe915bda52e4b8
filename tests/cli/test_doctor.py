"""What doctor prints is what it found, brackets and all."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from sonar_watch import examination
from sonar_watch.cli import doctor
from sonar_watch.examination import Finding


def found(_: object) -> Iterator[Finding]:
    yield Finding(
        what="torch", state="wrong", found="[/tmp]", advice="pip install 'sonar-watch[detect]'"
    )


def test_brackets_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(examination, "examine", found)
    monkeypatch.setenv("COLUMNS", "120")
    assert doctor.run(argparse.Namespace(config=None, json=False)) == 1
    told = capsys.readouterr().out
    assert "'sonar-watch[detect]'" in told
    assert "[/tmp]" in told
