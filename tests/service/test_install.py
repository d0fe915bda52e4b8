"""A staged install: the files in their places, judged by systemd's own tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sonar_watch.settings import load_settings
from sonar_watch.sources.listening import RECEIVE_BUFFER

REPO = Path(__file__).parents[2]
UNIT = "usr/lib/systemd/system/sonar-watch.service"
GPU_UNIT = "sonar-watch-gpu.service"
MOST_EXPOSED = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=REPO, env={**os.environ, **environment}, timeout=60, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip


def stage(folder: Path, prefix: str = "/opt/sonar-watch") -> None:
    """Install below a folder; an empty program stands in for the one of 6 GB."""
    done = run("make", "install-files", f"DESTDIR={folder}", f"PREFIX={prefix}")
    assert done.returncode == 0, done.stdout
    program = folder / prefix.lstrip("/") / "venv/bin/sonar-watch"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def test_each_file_lies_where_a_ship_looks_for_it(tmp_path: Path) -> None:
    stage(tmp_path)
    for path in (UNIT, "usr/lib/sysusers.d/sonar-watch.conf", "usr/lib/tmpfiles.d/sonar-watch.conf",
                 "usr/lib/sysctl.d/10-sonar-watch.conf",
                 "opt/sonar-watch/share/config/sonar_watch.yaml",
                 "opt/sonar-watch/share/doc/service.md"):  # fmt: skip
        assert (tmp_path / path).is_file(), path
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "usr/local/bin/sonar-watch").readlink() == Path(
        "/opt/sonar-watch/venv/bin/sonar-watch"
    )


def test_the_example_for_a_ship_is_a_good_configuration(tmp_path: Path) -> None:
    stage(tmp_path)
    settings = load_settings(tmp_path / "etc/sonar-watch/sonar_watch.yaml")
    assert settings.data_dir == Path("/var/lib/sonar-watch")
    assert [folder.path for folder in settings.sources.raw] == [Path("/data/sis")]


def test_an_edited_configuration_and_the_data_outlive_everything(tmp_path: Path) -> None:
    stage(tmp_path)
    config, journal = (tmp_path / path for path in
                       ("etc/sonar-watch/sonar_watch.yaml", "var/lib/sonar-watch/journal.sqlite"))
    config.write_text("log_level: debug\n")
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"events of three months")
    stage(tmp_path)
    assert config.read_text() == "log_level: debug\n"
    done = run("make", "uninstall", f"DESTDIR={tmp_path}")
    assert done.returncode == 0, done.stdout
    left = {path.relative_to(tmp_path).as_posix()
            for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()}  # fmt: skip
    assert left == {"etc/sonar-watch/sonar_watch.yaml", "var/lib/sonar-watch/journal.sqlite"}
    assert journal.read_bytes() == b"events of three months"


def test_another_prefix_reaches_the_unit(tmp_path: Path) -> None:
    stage(tmp_path, prefix="/srv/plumes")
    unit = (tmp_path / UNIT).read_text()
    assert "ExecStart=/srv/plumes/venv/bin/sonar-watch run" in unit
    assert "/opt/sonar-watch" not in unit


def test_a_ship_with_a_gpu_gets_its_nodes_made(tmp_path: Path) -> None:
    program = tmp_path / "usr/bin/nvidia-modprobe"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    stage(tmp_path)
    extra, made = tmp_path / f"{UNIT}.d/50-gpu.conf", (tmp_path / UNIT).parent / GPU_UNIT
    assert f"Wants={GPU_UNIT}\nAfter={GPU_UNIT}\n" in extra.read_text()
    assert "ExecStart=-/usr/bin/nvidia-modprobe " in made.read_text()
    assert run("make", "uninstall", f"DESTDIR={tmp_path}").returncode == 0
    assert not extra.parent.exists()
    assert not made.exists()


def test_the_kernel_is_asked_for_what_a_feed_asks_of_it() -> None:
    text = (REPO / "systemd/sonar-watch.sysctl").read_text()
    assert f"\nnet.core.rmem_max = {RECEIVE_BUFFER}\n" in text


def test_a_watch_that_grows_ends_before_the_computer_runs_out() -> None:
    unit = (REPO / "systemd/sonar-watch.service").read_text()
    limit = re.search(r"^MemoryMax=(\d+)G$", unit, re.M)
    assert limit is not None
    assert 2 * 1.5e9 < int(limit[1]) * 2**30 < 8e9  # it needs 1.5 GB; small computers have 8


@pytest.mark.slow
def test_a_staged_program_runs_where_it_will_lie(tmp_path: Path) -> None:
    """Installed from a copy: the build leaves traces in the checkout."""
    checkout, image = tmp_path / "checkout", tmp_path / "image"
    for name in ("sonar_watch", "models", "config", "systemd", "tools", "docs"):
        shutil.copytree(REPO / name, checkout / name)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE",
                 "CHANGELOG.md"):  # fmt: skip
        shutil.copy(REPO / name, checkout / name)
    packages = sysconfig.get_path("platlib")
    narrow = "umask 077 && exec make " + " ".join(
        f"'{word}'" for word in ("-C", str(checkout), "install", f"DESTDIR={image}",
                                 f"PYTHON={sys.executable}", f"PACKAGES={packages}"))  # fmt: skip
    done = run("sh", "-c", narrow)
    assert done.returncode == 0, done.stdout
    shut = [path for path in image.rglob("*") if not path.is_symlink()
            and path.stat().st_mode & 0o004 == 0]  # fmt: skip
    assert shut == []  # whatever root's umask: the service runs as another user
    program = image / "opt/sonar-watch/venv/bin/sonar-watch"
    assert program.read_text().splitlines()[0] == "#!/opt/sonar-watch/venv/bin/python"
    assert str(image) not in (program.parent / "activate").read_text()
    python = program.parent / "python"
    script = "import sonar_watch; print(sonar_watch.__file__)"
    found = run(str(python), "-I", "-c", script)
    assert found.stdout.startswith(str(image)), found.stdout
    default = run(str(python), "-I", str(program), "check-config", "--print-default")
    assert default.stdout == (checkout / "config/sonar_watch.yaml").read_text()


def test_who_is_not_root_is_told_so() -> None:
    unshare = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    if unshare and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    done = run(*unshare, "bash", "tools/install.sh", "files")
    if "Permission denied" in done.stdout:
        pytest.skip("the checkout cannot be read by another user")
    assert done.returncode == 1
    assert "expected root" in done.stdout


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    stage(tmp_path)
    # Units and programs of the system that ours names, as every system has them.
    for name in ("kill",):
        (tmp_path / "bin").mkdir(exist_ok=True)
        shutil.copy(f"/bin/{name}", tmp_path / "bin" / name)
    system = Path("/usr/lib/systemd/system")
    shutil.copytree(system, tmp_path / "usr/lib/systemd/system", dirs_exist_ok=True, symlinks=True)
    done = run("systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", "sonar-watch.service")
    assert done.returncode == 0, done.stdout
    ours = [line for line in done.stdout.splitlines() if "sonar-watch" in line]
    assert ours == []


@needs_systemd
def test_little_is_exposed(tmp_path: Path) -> None:
    stage(tmp_path)
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager",
               str(tmp_path / UNIT))  # fmt: skip
    level = re.search(r"exposure level for sonar-watch.service: ([0-9.]+)", done.stdout)
    assert level is not None, done.stdout
    assert float(level[1]) <= MOST_EXPOSED, done.stdout


@needs_systemd
def test_users_and_folders_are_made_as_written(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("systemd-sysusers") is None:
        pytest.skip("only root makes users, with systemd-sysusers")
    stage(tmp_path)
    for command in ("systemd-sysusers", "systemd-tmpfiles --create"):
        done = run(*command.split(), f"--root={tmp_path}", "sonar-watch.conf")
        assert done.returncode == 0, done.stdout
    passwd = (tmp_path / "etc/passwd").read_text()
    user = re.search(r"^sonar-watch:[^:]*:(\d+):(\d+):[^:]*:/var/lib/sonar-watch:", passwd, re.M)
    assert user is not None, passwd
    keys = (tmp_path / "etc/sonar-watch/keys").stat()
    ours = int(user[1]), int(user[2])
    assert (keys.st_uid, keys.st_gid, keys.st_mode & 0o777) == (*ours, 0o700)
