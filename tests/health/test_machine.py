"""Disks that fill, folders that hang, clocks that jump, numbers of the process."""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

from health_builders import LiveWatch, limits, wait_until

from sonar_watch.health.folders import FolderLooks, FolderState, WatchedFolder, look_at
from sonar_watch.health.machine import ClockWatch, process_numbers


def test_a_disk_that_fills_is_told_before_it_is_full(small_disk: Path, tmp_path: Path) -> None:
    warned = limits(disk_free_share=0.4)
    with LiveWatch(tmp_path, warned, data_dir=small_disk / "data") as live:
        wait_until(lambda: bool(live.status()["disks"]), "a look at the disk")
        assert "disk_full.data_dir" not in live.warned()
        filler = small_disk / "others"
        filler.write_bytes(bytes(5_000_000))
        assert "left on the disk of the data folder" in live.wait_warned("disk_full.data_dir")
        filler.unlink()
        wait_until(lambda: "disk_full.data_dir" not in live.warned(), "room again")


def test_a_folder_that_hangs_holds_up_nobody() -> None:
    released = threading.Event()

    def hang(folder: WatchedFolder, before: FolderState | None, now_s: float) -> FolderState:
        released.wait(20.0)
        return FolderState(folder=folder.name, looked_s=now_s)

    looks = FolderLooks([WatchedFolder(name="share", path=Path("/"))], look=hang, every_s=0.01)
    looks.start()
    wait_until(lambda: looks.hanging() is not None, "the look")
    began = time.monotonic()
    wait_until(lambda: (looks.hanging() or ("", 0.0))[1] > 0.2, "a while in it")
    assert looks.states() == []
    assert time.monotonic() - began < 10.0
    released.set()
    wait_until(lambda: bool(looks.states()), "the answer")
    looks.close()


def test_a_slow_share_is_left_alone_for_as_long_as_a_look_took() -> None:
    now_s, waited = [0.0], list[float]()

    def look(folder: WatchedFolder, before: FolderState | None, at_s: float) -> FolderState:
        now_s[0] += 45.0
        return FolderState(folder=folder.name, looked_s=at_s)

    looks = FolderLooks(
        [WatchedFolder(name="share", path=Path("/"))], look=look, ticks=lambda: now_s[0]
    )
    looks._stop = _Noting(waited)
    looks.start()
    looks.close()
    assert waited == [45.0]


class _Noting(threading.Event):
    """Ends whoever waits, and notes for how long he would have."""

    def __init__(self, waited: list[float]) -> None:
        super().__init__()
        self._waited = waited

    def wait(self, timeout: float | None = None) -> bool:
        self._waited.append(timeout or 0.0)
        return True


def test_what_lies_in_a_folder_of_raw_files(tmp_path: Path) -> None:
    folder = WatchedFolder(name="raw", path=tmp_path, raw=True)
    (tmp_path / "below").mkdir()
    old, new = tmp_path / "1.kmall", tmp_path / "below" / "2.kmwcd_frag"
    old.write_bytes(b"12")
    (tmp_path / "notes.txt").write_bytes(b"12")
    os.utime(old, (1e9, 1e9))
    first = look_at(folder, None, 10.0)
    assert (first.files, first.newest, first.grown_s) == (1, "1.kmall", None)
    new.write_bytes(b"123")
    second = look_at(folder, first, 20.0)
    assert (second.files, second.newest, second.grown_s) == (2, "2.kmwcd_frag", 20.0)
    assert look_at(folder, second, 30.0).grown_s == 20.0
    new.write_bytes(b"1234")
    third = look_at(folder, second, 40.0)
    assert third.grown_s == 40.0
    os.utime(old, (4e9, 4e9))  # written while the file server's clock was wrong
    new.write_bytes(b"12345")
    fourth = look_at(folder, third, 50.0)
    assert (fourth.newest, fourth.grown_s) == ("1.kmall", 50.0)
    old.unlink()
    assert look_at(folder, fourth, 60.0).grown_s == 50.0


class Clocks:
    """A clock that can be set, beside seconds that only grow."""

    def __init__(self) -> None:
        self.now_s, self.ticks_s = 1e9, 100.0

    def pass_by(self, seconds: float, step_s: float = 0.0) -> None:
        self.now_s += seconds + step_s
        self.ticks_s += seconds


def test_a_clock_that_is_set_is_noticed_and_one_that_is_slewed_is_not() -> None:
    clocks = Clocks()
    watch = ClockWatch(1.0, lambda: clocks.now_s, lambda: clocks.ticks_s)
    for _ in range(100):
        clocks.pass_by(1.0, step_s=0.0005)
        watch.look()
    assert watch.last_step() is None
    clocks.pass_by(1.0, step_s=-3600.0)
    watch.look()
    clocks.pass_by(5.0)
    watch.look()
    step = watch.last_step()
    assert step is not None
    assert (round(step.step_s), step.age_s, watch.steps) == (-3600, 5.0, 1)


def test_the_process_counts_its_handles(tmp_path: Path) -> None:
    gc.collect()
    before = process_numbers()
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        during = process_numbers()
    assert during["file_handles"] == before["file_handles"] + 2
    assert 10e6 < during["memory_bytes"] < 50e9
    assert during["file_handles"] < during["file_handles_limit"]
