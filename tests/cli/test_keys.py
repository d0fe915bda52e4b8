"""A watch with CURVE heard from the command line: keys, listen, status; real processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.testing import PretendWatch, sample_alert

FREE = "tcp://127.0.0.1:0"


def sonar_watch(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sonar_watch", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def listen(watch: PretendWatch, *words: str | Path) -> subprocess.CompletedProcess[str]:
    publish, request = watch.endpoints
    return sonar_watch("listen", publish, "--request", request, *words)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[PretendWatch]:
    """A watch whose keys, and the one key on its list, came from the command line."""
    server, guest = tmp_path / "server", tmp_path / "guest"
    for words in (
        ("make", server),
        ("make", guest, "--name", "bridge"),
        ("allow", server, guest / "bridge.key"),
    ):
        done = sonar_watch("keys", *words)
        assert done.returncode == 0, done.stderr
    options = PublisherOptions(
        publish=FREE,
        request=FREE,
        status_interval_s=0.1,
        curve_secret=server / "watch.key_secret",
        curve_allowed=server / "allowed",
    )
    with PretendWatch(tmp_path, options) as watch:
        yield watch


def client(folder: Path) -> tuple[str | Path, ...]:
    guest, server = folder / "guest" / "bridge.key_secret", folder / "server" / "watch.key"
    return "--key", guest, "--server-key", server


def test_an_encrypted_watch_is_heard(tmp_path: Path, guarded: PretendWatch) -> None:
    alerts = [sample_alert(1), sample_alert(2)]
    guarded.say(*alerts)
    done = listen(guarded, "--after", "0", "--count", "2", *client(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.encode() == b"".join(encode_alert(alert) + b"\n" for alert in alerts)
    done = sonar_watch("status", guarded.endpoints[1], "--json", *client(tmp_path))
    assert json.loads(done.stdout)["head_sequence"] == 2
    assert sonar_watch("status", guarded.endpoints[1], "--timeout", "0.3").returncode == 1


def test_an_epoch_resumes_in_its_journal_and_says_another(tmp_path: Path) -> None:
    with PretendWatch(tmp_path) as watch:
        epoch = watch.journal.epoch
        watch.say(sample_alert(1), sample_alert(2), sample_alert(3))
        same = listen(watch, "--after", "2", "--epoch", epoch, "--count", "1")
        other = listen(watch, "--after", "2", "--epoch", "of-another", "--count", "3")
    sequences = [
        [json.loads(line)["properties"]["sequence"] for line in done.stdout.splitlines()]
        for done in (same, other)
    ]
    assert sequences == [[3], [1, 2, 3]]
    assert epoch in other.stderr
    assert sonar_watch("listen", "--epoch", "x").returncode == 78


def test_made_keys_are_private_and_stay(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert sonar_watch("keys", "make", folder, "--name", "bridge").returncode == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "bridge.key_secret").stat().st_mode) == 0o600
    before = (folder / "bridge.key").read_bytes()
    again = sonar_watch("keys", "make", folder, "--name", "bridge")
    assert again.returncode == 78
    assert "never overwritten" in again.stderr
    assert (folder / "bridge.key").read_bytes() == before


@pytest.mark.parametrize("command", ["listen", "status"])
def test_one_key_is_not_enough(tmp_path: Path, command: str) -> None:
    done = sonar_watch(command, "--key", tmp_path / "a.key_secret")
    assert done.returncode == 78
    assert "--server-key" in done.stderr
