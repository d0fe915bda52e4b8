"""The service under a real systemd: a Debian image booted with systemd-nspawn."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from booted import Machine, missing, wait_for
from service_process import put_pictures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

REPO = Path(__file__).parents[2]
CONFIG = "/etc/sonar-watch/sonar_watch.yaml"
GOOD = """data_dir: /var/lib/sonar-watch
sources:
  images:
    - {path: /data/sis, name: pictures}
"""
SOURCES = ("sonar_watch", "models", "config", "systemd", "tools", "docs")
FILES = ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "CHANGELOG.md")


@pytest.fixture(scope="module")
def image() -> Path:
    """Return a Debian image with systemd, made where there is none: some minutes, 300 MB."""
    folder = Path(os.environ.get("SONAR_WATCH_IMAGE", "/var/tmp/sonar-watch-image"))
    if not (folder / "etc/os-release").exists():
        made = subprocess.run(
            ["bash", str(REPO / "tools/service_image.sh"), str(folder)], check=False, text=True,
            capture_output=True, timeout=1500,
        )  # fmt: skip
        if made.returncode != 0:
            pytest.skip(f"no image could be made: {made.stderr[-300:]}")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / "usr/bin" / version).exists():
        pytest.skip(f"the image has no {version}, for which the packages here are")
    return folder


@pytest.fixture(scope="module")
def machine(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Boot the image and install the checkout in it, with the packages of this interpreter."""
    shared = tmp_path_factory.mktemp("shared")
    (shared / "sis").mkdir()
    put_pictures(shared / "sis", 0, 6)
    for name in SOURCES:
        shutil.copytree(REPO / name, shared / "checkout" / name)
    for name in FILES:
        shutil.copy(REPO / name, shared / "checkout" / name)
    shared.chmod(0o755)
    binds = (f"{sysconfig.get_path('platlib')}:/packages", f"{shared}:/mnt")
    made = Machine(image, binds, shared / "nspawn.log")
    try:
        made.run("cp", "-r", "/mnt/checkout", "/usr/src/checkout")
        made.run("mkdir", "/data")
        made.run("cp", "-r", "/mnt/sis", "/data/sis")
        install(made)
        made.write(CONFIG, GOOD)
        yield made
    finally:
        made.close()


def install(machine: Machine) -> None:
    machine.run("make", "-C", "/usr/src/checkout", "install", "PACKAGES=/packages")


@pytest.fixture
def running(machine: Machine) -> Iterator[Machine]:
    """The service, started as a technician starts it: `systemctl` returns when it is ready."""
    machine.write(CONFIG, GOOD)
    machine.run("systemctl", "reset-failed", "sonar-watch", check=False)
    machine.run("systemctl", "start", "sonar-watch")
    yield machine
    machine.run("systemctl", "stop", "sonar-watch")


def test_it_starts_watches_and_says_so(running: Machine) -> None:
    assert running.show("ActiveState") == "active"
    wait_for(lambda: "watching: " in running.show("StatusText"), "a status line")
    wait_for(lambda: '"frames":6' in running.run("sonar-watch", "status", "--json", check=False),
             "the pictures")  # fmt: skip
    assert "Seccomp:\t2" in running.run("cat", f"/proc/{running.show('MainPID')}/status")
    assert running.run("systemd-analyze", "verify", "sonar-watch.service") == ""
    exposed = running.run("systemd-analyze", "security", "--no-pager", "sonar-watch")
    level = re.search(r"sonar-watch.service: ([0-9.]+)", exposed)
    assert level is not None, exposed
    assert float(level[1]) <= 2.0
    assert running.show("MemoryMax") == str(4 << 30)
    assert "sonar_watch.daemon: ready" in running.journal("--priority=info")
    assert "Traceback" not in running.journal()


def test_bad_settings_are_refused_while_it_watches_and_end_a_start_for_good(
    running: Machine,
) -> None:
    running.write(CONFIG, GOOD + "nonsense: 1\n")
    running.run("systemctl", "reload", "sonar-watch")
    wait_for(lambda: "new settings refused" in running.show("StatusText"), "the refusal")
    assert running.show("ActiveState") == "active"
    assert "line 5: unknown key nonsense" in running.journal("--priority=err")
    running.run("systemctl", "restart", "sonar-watch", check=False)
    wait_for(lambda: running.show("ActiveState") == "failed", "the end")
    assert running.show("ExecMainStatus") == "78"
    assert running.show("NRestarts") == "0"


def test_it_reads_the_keys_made_as_its_user(running: Machine) -> None:
    keys = CONFIG.replace("sonar_watch.yaml", "keys")
    as_user = ("runuser", "-u", "sonar-watch", "--", "sonar-watch", "keys")
    running.run(*as_user, "make", keys)
    running.run("sonar-watch", "keys", "make", "/root/keys", "--name", "bridge")
    running.run("install", "-m", "644", "/root/keys/bridge.key", "/tmp/bridge.key")
    running.run(*as_user, "allow", keys, "/tmp/bridge.key")
    running.write(CONFIG, GOOD + "alerts:\n  curve_secret: keys/watch.key_secret\n"
                                 "  curve_allowed: keys/allowed\n")  # fmt: skip
    running.run("systemctl", "restart", "sonar-watch")
    told = running.run("sonar-watch", "status", "--key", "/root/keys/bridge.key_secret",
                       "--server-key", f"{keys}/watch.key", "--json", check=False)  # fmt: skip
    assert '"frames":' in told


def test_killed_it_comes_back(running: Machine) -> None:
    before = running.show("MainPID")
    running.run("kill", "-KILL", before)
    wait_for(lambda: running.show("ActiveState") == "active"
             and running.show("MainPID") not in ("0", before), "another process")  # fmt: skip
    assert int(running.show("NRestarts")) >= 1


def test_hung_it_is_ended_and_comes_back(running: Machine) -> None:
    drop_in = "/run/systemd/system/sonar-watch.service.d/short.conf"
    running.write(drop_in, "[Service]\nWatchdogSec=10\n")
    running.run("systemctl", "daemon-reload")
    running.run("systemctl", "restart", "sonar-watch")
    before = running.show("MainPID")
    running.run("kill", "-STOP", before)
    wait_for(lambda: running.show("MainPID") not in ("0", before), "another process")
    assert "Watchdog timeout" in running.journal()
    assert "Fatal Python error: Aborted" in running.journal()
    running.run("rm", drop_in)
    running.run("systemctl", "daemon-reload")


def test_it_ends_soon_and_cleanly(running: Machine) -> None:
    began_s = time.monotonic()
    running.run("systemctl", "stop", "sonar-watch")
    assert time.monotonic() - began_s < 5.0
    assert running.show("Result") == "success"
    assert "ended by SIGTERM" in running.journal()


def test_an_update_keeps_what_is_aboard_and_an_uninstall_leaves_it(machine: Machine) -> None:
    machine.write(CONFIG, GOOD + "log_level: debug\n")
    install(machine)
    assert "log_level: debug" in machine.run("cat", CONFIG)
    machine.run("make", "-C", "/usr/src/checkout", "uninstall")
    machine.run("test", "-s", "/var/lib/sonar-watch/journal.sqlite")
    machine.run("test", "-s", CONFIG)
    assert machine.run("systemctl", "is-active", "sonar-watch", check=False).strip() == "inactive"
    machine.run("test", "!", "-e", "/opt/sonar-watch")
