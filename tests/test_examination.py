"""doctor: what is wrong is called wrong, with something to do about it."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sonar_watch.alerts.curve import allow_key, make_keys
from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.detection.weights import WeightsEntry, WeightsFile, write_manifest
from sonar_watch.examination import Finding, examine, machine
from sonar_watch.records import Quarantined, SourceRef
from sonar_watch.settings import parse_settings

unprivileged = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


def findings(text: str) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(parse_settings(text))}


def say(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str, words: str) -> None:
    """Put a program of that name first on the path."""
    (folder / program).write_text(f"#!/bin/sh\n{words}\n")
    (folder / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


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


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), Path.unlink])
def test_broken_weights_are_wrong(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    files = {"torch": WeightsFile(path=path, sha256=sha256)}
    entry = WeightsEntry(name="mine", files=files, classes=("signal",), input_size=(640, 640))
    write_manifest(tmp_path, {"mine": entry})
    text = f"detector:\n  weights: mine\n  models_dir: {tmp_path}\n"
    assert findings(text)["weights"].state == "good"
    damage(path)
    found = findings(text)["weights"]
    assert found.state == "wrong"
    assert "mine.pt" in found.found
    assert found.advice


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


def test_the_port_of_the_metrics_is_looked_at() -> None:
    assert "metrics" not in findings("")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place = f"127.0.0.1:{other.getsockname()[1]}"
        found = findings(f"health:\n  prometheus: {place}\n")["metrics"]
    assert (found.state, found.found) == ("note", f"{place}: in use")
    assert findings(f"health:\n  prometheus: {place}\n")["metrics"].state == "good"
    assert "port" in findings("health:\n  prometheus: '[::1]:0'\n")["metrics"].advice


def test_an_address_of_another_host_is_wrong(tmp_path: Path) -> None:
    _, secret = make_keys(tmp_path, "watch")
    text = (
        "alerts:\n  publish: tcp://192.0.2.1:6790\n"
        f"  curve_secret: {secret}\n  curve_allowed: {tmp_path}/allowed\n"
    )
    found = findings(text)
    assert found["socket publish"].state == "wrong"
    assert found["keys"].state == "wrong"
    allow_key(tmp_path, make_keys(tmp_path / "guest", "bridge")[0])
    assert findings(text)["keys"].found.endswith("1 may subscribe")
    (tmp_path / "allowed").chmod(0o777)
    assert "everybody on this host may write it" in findings(text)["keys"].found


def test_ipc_endpoints_need_their_folder(tmp_path: Path) -> None:
    alerts = f"alerts:\n  publish: ipc://{tmp_path}/p\n  request: ipc://{tmp_path}/none/r\n"
    found = findings(alerts)
    assert found["socket publish"].state == "good"
    assert found["socket request"].state == "wrong"
    assert found["socket request"].advice == f"mkdir -p {tmp_path}/none"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{tmp_path}/p")
        other.listen()
        assert findings(alerts)["socket publish"].state == "note"
    assert findings(alerts)["socket publish"].state == "good"  # left behind: replaced


@unprivileged
def test_an_ipc_folder_must_be_writable(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    found = findings(f"alerts:\n  publish: ipc://{tmp_path}/p\n")["socket publish"]
    assert found.state == "wrong"


def feeds(address: str, port: int) -> Finding:
    text = f"sources:\n  nmea_udp:\n    - {{address: {address}, port: {port}}}\n"
    return findings(text)["nmea udp navigation"]


def test_nmea_ports_are_tried() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        assert feeds("127.0.0.1", port).state == "note"
    assert feeds("127.0.0.1", port).state == "good"
    assert feeds("192.0.2.1", port).state == "wrong"
    assert feeds("127.0.0.1", 0).state == "note"


def test_sounders_ports_and_servers_of_sentences_are_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = (f"sources:\n  nmea_tcp:\n    - {{host: 127.0.0.1, port: {port}}}\n"
                f"  kmall_udp:\n    - {{address: 127.0.0.1, port: {port}}}\n")
        found = findings(text)
        assert found["nmea tcp navigation"].state == "good"
        assert found["kmall udp kmall"].state == "good"
        assert "sources" not in found
    assert findings(text)["nmea tcp navigation"].state == "wrong"


def test_nmea_logs_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "nav.log").write_text("")
    paths = {"file": tmp_path / "nav.log", "folder": tmp_path, "gone": tmp_path / "gone"}
    lines = [f"    - {{name: {name}, path: {path}}}\n" for name, path in paths.items()]
    found = findings("sources:\n  nmea_logs:\n" + "".join(lines))
    states = {name: found[f"nmea log {name}"].state for name in paths}
    assert states == {"file": "good", "folder": "good", "gone": "wrong"}


def test_the_journal_is_read(tmp_path: Path) -> None:
    text = f"data_dir: {tmp_path}\n"
    assert findings(text)["journal"].state == "good"
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.commit([], [sample_alert(1)])
        assert findings(text)["journal"].state == "good"
        journal.quarantine(Quarantined(source=SourceRef(source="raw", file="a"), reason="cut"))
    found = findings(text)["journal"]
    assert found.state == "note"
    assert found.found.startswith("live, 0 frames, 1 alerts, 1 quarantined, ")


def test_a_journal_of_another_tense_or_a_broken_one_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.commit([], [sample_alert(1, tense="replay")])
    found = findings(f"data_dir: {tmp_path}\n")["journal"]
    assert (found.state, found.found[:6]) == ("wrong", "replay")
    path.write_bytes(b"no journal" * 100)
    assert findings(f"data_dir: {tmp_path}\n")["journal"].state == "wrong"


@pytest.mark.parametrize(
    ("works", "device", "state"),
    [(True, "auto", "good"), (False, "auto", "note"), (False, "cuda:0", "wrong")],
)
def test_a_gpu_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool, device: str, state: str
) -> None:
    say(monkeypatch, tmp_path, "nvidia-smi", "echo 'NVIDIA H200, 570.1'")
    monkeypatch.setattr(machine, "GPU_NODES", (str(tmp_path),))
    monkeypatch.setattr(machine, "has_cuda", lambda: works)
    found = findings(f"detector:\n  device: {device}\n")["GPU"]
    assert found.state == state
    assert found.found.startswith("NVIDIA H200, driver 570.1; CUDA ")


@pytest.mark.parametrize(
    ("words", "state", "said"),
    [
        ("echo yes", "good", ", synchronised"),
        ("echo no", "note", "not synchronised"),
        ("exit 1", "note", "no word"),
    ],
)
def test_the_clock_says_whether_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, state: str, said: str
) -> None:
    say(monkeypatch, tmp_path, "timedatectl", words)
    found = findings("")["clock"]
    assert found.state == state
    assert said in found.found
