"""Real small disks that fill up, turn read-only and lie: what was watched comes out whole."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disturbed import ClassicalDaemon, Listener, SmallCruise, sail_small_cruise, write_in_pieces
from watching import wait_for

pytestmark = pytest.mark.timeout(400)

Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Return a function that mounts a small file system, or skips where that is not allowed."""
    mounted: list[Path] = []

    def do(kind: str, what: str, *options: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir()
        command = ["mount", *options, "-t", kind, what, str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            pytest.skip(f"no disk can be mounted here: {error}")
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield do
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.fixture(scope="module")
def cruise(tmp_path_factory: pytest.TempPathFactory) -> SmallCruise:
    return sail_small_cruise(tmp_path_factory.mktemp("cruise"), 100.0)


class DiskDaemon(ClassicalDaemon):
    """A daemon whose data lie on a disk of their own."""

    def __init__(self, folder: Path, disk: Path) -> None:
        self._disk = disk
        super().__init__(folder)
        (folder / "data").symlink_to(disk / "data")  # where `Daemon` looks for the journal

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"data_dir": str(self._disk / "data")}

    def told(self) -> dict[str, Any]:
        return dict(self.status().get("watch", {}))


@pytest.fixture
def end_all() -> Iterator[list[ClassicalDaemon | Listener]]:
    started: list[ClassicalDaemon | Listener] = []
    yield started
    for one in started:
        if one.process is not None and one.process.poll() is None:
            one.kill()


def fill(disk: Path) -> Path:
    """Use up the last byte of a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    return ballast


def test_a_disk_that_fills_up_and_is_freed(
    tmp_path: Path, mount: Mount, cruise: SmallCruise, end_all: list
) -> None:
    disk = mount("tmpfs", "tmpfs", "-o", "size=6m")
    daemon = DiskDaemon(tmp_path, disk)
    daemon.expect_the_end()
    listener = Listener(daemon)
    end_all += [daemon, listener]
    writing = write_in_pieces(cruise, tmp_path / "in" / "raw", 6)
    daemon.start()
    listener.start()
    next(writing)
    wait_for(lambda: daemon.frames() > 0, "the first frames")
    ballast = fill(disk)
    for _ in writing:
        pass
    wait_for(lambda: bool(daemon.told().get("trouble")), "trouble in the status")
    assert "free space on that disk" in daemon.told()["trouble"]
    stuck_at, heard = daemon.frames(), len(listener.heard())
    assert stuck_at < cruise.swaths
    assert heard < len(cruise.alerts)
    ballast.unlink()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    wait_for(lambda: not daemon.told().get("trouble", "?"), "the end of trouble")
    assert "the journal can be written again" in daemon.log()
    wait_for(lambda: len(listener.heard()) == len(cruise.alerts), "the last alert")
    assert daemon.stop() == 0
    assert daemon.results() == cruise.alerts
    assert [one["sequence"] for one in listener.heard()] == list(
        range(1, len(cruise.alerts) + 1)
    )
    assert "Traceback" not in daemon.log()


@pytest.mark.slow
def test_killed_on_a_full_disk_and_started_on_it(
    tmp_path: Path, mount: Mount, cruise: SmallCruise, end_all: list
) -> None:
    disk = mount("tmpfs", "tmpfs", "-o", "size=6m")
    daemon = DiskDaemon(tmp_path, disk)
    daemon.expect_the_end()
    end_all.append(daemon)
    writing = write_in_pieces(cruise, tmp_path / "in" / "raw", 6)
    daemon.start()
    next(writing)
    wait_for(lambda: daemon.frames() > 0, "the first frames")
    ballast = fill(disk)
    for _ in writing:
        pass
    wait_for(lambda: bool(daemon.told().get("trouble")), "trouble in the status")
    daemon.kill()
    daemon.start()  # it says so and ends, or waits: but calls nothing damaged
    daemon.wait(3.0)
    ballast.unlink()
    if daemon.wait(0.0) is not None:
        daemon.start()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    assert daemon.stop() == 0
    assert daemon.results() == cruise.alerts
    assert not list((disk / "data").glob("*.damaged-*"))


@pytest.mark.slow
def test_a_disk_that_turns_read_only(
    tmp_path: Path, mount: Mount, cruise: SmallCruise, end_all: list
) -> None:
    """As the kernel does after an error of the disk: at once, files open for writing or not."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    if shutil.which("mkfs.ext4") is None or os.geteuid() != 0:
        pytest.skip("needs mkfs.ext4 and the right to mount")
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    disk = mount("ext4", str(image), "-o", "loop")
    daemon = DiskDaemon(tmp_path, disk)
    daemon.expect_the_end()
    end_all.append(daemon)
    writing = write_in_pieces(cruise, tmp_path / "in" / "raw", 6)
    daemon.start()
    next(writing)
    wait_for(lambda: daemon.frames() > 0, "the first frames")
    abort = subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=False)
    if abort.returncode:
        pytest.skip("this kernel does not break a disk on demand")
    for _ in writing:
        pass
    wait_for(lambda: bool(daemon.told().get("trouble")), "trouble in the status")
    daemon.kill()
    subprocess.run(["umount", str(disk)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(disk)], check=True)
    daemon.start()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    assert daemon.stop() == 0
    assert daemon.results() == cruise.alerts
    assert not list((disk / "data").glob("*.damaged-*"))


def test_a_journal_damaged_while_the_watch_is_down(
    tmp_path: Path, cruise: SmallCruise, end_all: list
) -> None:
    daemon = DiskDaemon(tmp_path, tmp_path / "disk")
    daemon.expect_the_end()
    listener = Listener(daemon)
    end_all += [daemon, listener]
    for _ in write_in_pieces(cruise, tmp_path / "in" / "raw", 2):
        pass
    daemon.start()
    listener.start()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    wait_for(lambda: len(listener.heard()) == len(cruise.alerts), "the last alert")
    assert daemon.stop() == 0
    path = tmp_path / "disk" / "data" / "journal.sqlite"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"garbage " * 2048)
    damaged = path.read_bytes()
    daemon.start()
    # The last hour is watched again, and told again under the new epoch: all of this cruise.
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    wait_for(lambda: len(listener.heard()) == 2 * len(cruise.alerts), "the alerts once more")
    assert "journal.sqlite.damaged-1" in daemon.told()["notice"]
    assert daemon.stop() == 0
    assert daemon.results() == cruise.alerts
    first, second = (listener.heard()[at : at + len(cruise.alerts)]
                     for at in (0, len(cruise.alerts)))  # fmt: skip
    assert first[0]["epoch"] != second[0]["epoch"]
    assert [one["body"] for one in first] == [one["body"] for one in second]
    assert path.with_name("journal.sqlite.damaged-1").read_bytes() == damaged


def test_a_journal_cut_short_while_the_watch_runs(
    tmp_path: Path, cruise: SmallCruise, end_all: list
) -> None:
    daemon = DiskDaemon(tmp_path, tmp_path / "disk")
    daemon.expect_the_end()
    end_all.append(daemon)
    writing = write_in_pieces(cruise, tmp_path / "in" / "raw", 6)
    daemon.start()
    next(writing)
    wait_for(lambda: daemon.frames() > 0, "the first frames")
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        os.truncate(tmp_path / "disk" / "data" / name, 0)
    for _ in writing:
        pass
    ended = daemon.wait(15)
    if ended is None:  # all that it read since lay in memory: its next start finds out
        daemon.kill()
    else:  # who found out says so, and systemd starts it again
        assert ended == 1
        found = ("damaged", "malformed", "I/O error", "no journal")
        assert any(word in daemon.log() for word in found)
    daemon.start()
    wait_for(lambda: daemon.frames() == cruise.swaths, f"{cruise.swaths} frames")
    assert daemon.stop() == 0
    assert daemon.results() == cruise.alerts
    assert "a new journal: its alerts count from 1 again" in daemon.log()
