"""doctor: what is wrong is called wrong, with something to do about it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sonar_watch.examination import Finding, examine
from sonar_watch.settings import parse_settings


def findings(text: str) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(parse_settings(text))}


def test_a_missing_folder_and_missing_weights_are_wrong(tmp_path: Path) -> None:
    text = f"sources:\n  raw:\n    - path: {tmp_path}/gone\ndetector:\n  weights: nobody\n"
    found = findings(text)
    for what in ("source raw", "weights"):
        assert found[what].state == "wrong"
        assert found[what].advice


def test_a_good_folder_is_good(tmp_path: Path) -> None:
    found = findings(f"data_dir: {tmp_path}\nsources:\n  raw:\n    - path: {tmp_path}\n")
    assert found["source raw"].state == "good"
    assert found["data folder"].state in ("good", "note")


@pytest.mark.parametrize("taken", [True, False])
def test_a_port_in_use_is_noted(taken: bool) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        if taken:
            other.listen()
        else:
            other.close()
        found = findings(f"alerts:\n  publish: tcp://127.0.0.1:{port}\n")
        assert found["socket publish"].state == ("note" if taken else "good")
