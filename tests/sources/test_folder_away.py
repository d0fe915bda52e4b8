"""Folders that go away and come back, and a kernel that loses events: the rescan is the truth."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from privileges import open_folder, without_privileges
from sources_builders import (
    START,
    Clock,
    Ledger,
    append,
    counters,
    files,
    line_name,
    navigation_bytes,
    passing,
    poll_times,
    poll_until,
    refusals,
    swaths,
    water_column_bytes,
    write_pair,
)

from sonar_watch.records import Quarantined
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource
from sonar_watch.sources.logs import NmeaLogOptions, NmeaLogSource
from sonar_watch.sources.raw import RawFolderSource, RawOptions
from sonar_watch.sources.scan import FolderScan

Live = ImageFolderSource | RawFolderSource
Opener = Callable[..., Live]
NAME = line_name(START)
MANY_EVENTS = 10_000
"""Half as many as the kernel keeps, and some that the reader has taken already."""


@pytest.fixture
def watch(clock: Clock, wake: threading.Event) -> Iterator[Opener]:
    opened: list[Live] = []

    def open_source(
        kind: str, path: Path, ledger: Ledger | None = None, **options: object
    ) -> Live:
        if kind == "raw":
            raw = RawOptions(path=path, **({"rescan_s": 5.0} | options))  # type: ignore[arg-type]
            opened.append(RawFolderSource(raw, ledger, wake=wake, clock=clock))
        else:
            images = FolderOptions(path=path, **options)  # type: ignore[arg-type]
            opened.append(ImageFolderSource(images, ledger, wake=wake, clock=clock))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


class Share:
    """A folder that can be taken away: a mount where that is allowed, else a folder renamed."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.path, self.store = folder / "share", folder / "store"
        self.store.mkdir()
        self._mounted = mounted
        if mounted:
            self._mount("-t", "tmpfs", "tmpfs", str(self.store))
        self.bring_back()

    def bring_back(self) -> None:
        if self._mounted:
            self.path.mkdir(exist_ok=True)
            self._mount("--bind", str(self.store), str(self.path))
        else:
            self.store.rename(self.path)

    def take_away(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.path], check=True)
        else:
            self.path.rename(self.store)

    @property
    def content(self) -> Path:
        return self.store if self.store.exists() else self.path

    def remove(self) -> None:
        for path in (self.path, self.store):
            while os.path.ismount(path):
                subprocess.run(["umount", "--lazy", path], check=True)

    @staticmethod
    def _mount(*arguments: str) -> None:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


@pytest.fixture(params=[True, False], ids=["unmounted", "renamed"])
def share(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Share]:
    made = None
    try:
        made = Share(tmp_path, mounted=request.param)
        yield made
    finally:
        for path in (tmp_path / "share", tmp_path / "store"):
            while os.path.ismount(path):
                subprocess.run(["umount", "--lazy", path], check=True)


def write_swaths(kind: str, folder: Path, first: int, count: int = 10) -> None:
    """Add swaths to what is in the folder: pictures, or more of one line."""
    if kind == "images":
        for number in range(first, first + count):
            write_pair(folder, number)
        return
    start = START + timedelta(seconds=first)
    append(folder / f"{NAME}.kmwcd", water_column_bytes(start, count, every_s=1.0, first=first))
    append(folder / f"{NAME}.kmall", navigation_bytes(start, count - 0.1))


@pytest.mark.parametrize("polled", [True, False], ids=["polled", "events"])
@pytest.mark.parametrize("kind", ["images", "raw"])
def test_a_folder_away_fails_and_loses_nothing(
    share: Share, watch: Opener, clock: Clock, kind: str, polled: bool
) -> None:
    ledger = Ledger()
    write_swaths(kind, share.path, 0)
    source = watch(kind, share.path, ledger, poll_events=polled)
    items = passing(source, clock, 12)
    ledger.commit(items[: len(items) // 2])  # the rest is under way
    assert "failing" not in source.counts()
    for first in (10, 20):
        share.take_away()
        write_swaths(kind, share.content, first)  # the sounder goes on
        items += passing(source, clock, 12)
        assert source.counts()["failing"] == 1
        share.bring_back()
        items += passing(source, clock, 12)
        assert "failing" not in source.counts()
    items += passing(source, clock, 90)
    assert sorted(counters(items)) == list(range(30))


def test_events_come_again_after_a_remount(
    share: Share, watch: Opener, clock: Clock, wake: threading.Event
) -> None:
    source = watch("images", share.path, rescan_s=10.0)
    passing(source, clock, 1)
    share.take_away()
    passing(source, clock, 11)
    share.bring_back()
    passing(source, clock, 11)
    write_pair(share.path, 1)  # no time passes: only an event can tell
    poll_until(source, lambda items: len(swaths(items)) == 1, wake)


def test_why_a_folder_fails_is_logged_once(
    tmp_path: Path, watch: Opener, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "later"
    source = watch("images", folder)
    passing(source, clock, 60)
    assert source.counts()["failing"] == 1
    assert caplog.text.count("No such file or directory") == 1
    folder.mkdir()
    passing(source, clock, 11)
    assert "can be listed again" in caplog.text
    assert "failing" not in source.counts()


def test_a_folder_of_logs_that_is_away_fails(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "logs"
    source = NmeaLogSource(NmeaLogOptions(path=folder), clock=clock)
    source.poll()
    assert source.counts()["failing"] == 1
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.log")).write_text("2026-03-04T05:06:08Z $GPRMC,*00\n")
    clock.pass_by(6)
    (told,) = source.poll()
    assert isinstance(told, Quarantined)
    assert told.source.file == "\\xff.log"
    assert "failing" not in source.counts()


def test_a_folder_below_that_may_not_be_listed_is_told_and_forgets_nothing(
    watch: Opener, clock: Clock
) -> None:
    with open_folder() as folder:
        for name in ("a", "b", "lost+found"):
            (folder / name).mkdir(0o755)
        write_pair(folder / "a", 1)
        write_pair(folder / "b", 2)
        source = watch("images", folder, recursive=True, poll_events=True)
        items = passing(source, clock, 3)
        assert counters(items) == [1, 2]
        (folder / "b").chmod(0)
        (folder / "lost+found").chmod(0)  # nobody may, ever: not worth a word
        with without_privileges():
            assert passing(source, clock, 12) == []
            assert source.counts()["failing"] == 1
        (folder / "b").chmod(0o755)
        with without_privileges():
            assert passing(source, clock, 12) == []
            assert "failing" not in source.counts()


def test_without_handles_for_events_the_rescan_finds_everything(
    tmp_path: Path, watch: Opener, clock: Clock, wake: threading.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The kernel refuses to watch, as it does when its watches are used up; later it does not."""
    lowered, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, highest))
    try:
        source = watch("images", tmp_path, rescan_s=10.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, highest))
    assert "rescans only: [Errno 24]" in caplog.text
    write_pair(tmp_path, 1)
    assert files(poll_times(source)) == ["ping_0001.png"]  # of the first pass, which arms again
    write_pair(tmp_path, 2)
    items = poll_until(source, lambda items: len(swaths(items)) == 1, wake)
    assert files(items) == ["ping_0002.png"]


def held() -> tuple[int, int]:
    """Return how many threads and file handles this process has."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_that_may_not_be_watched_costs_no_handles(clock: Clock) -> None:
    """It is tried again at each pass, for months."""
    with open_folder() as folder:
        write_pair(folder, 1)
        folder.chmod(0o711)
        with without_privileges():
            source = ImageFolderSource(FolderOptions(path=folder), clock=clock)
            before = held()
            passing(source, clock, 60)
            assert source.counts()["failing"] == 1
            assert held() == before
        folder.chmod(0o755)
        assert files(passing(source, clock, 11)) == ["ping_0001.png"]
        source.close()


@pytest.mark.slow
def test_an_overflow_of_events_is_made_good_by_the_rescan(
    tmp_path: Path, watch: Opener, clock: Clock, wake: threading.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reader of events is stalled while more come than the kernel keeps."""
    source = watch("images", tmp_path, rescan_s=10.0)
    source.poll()
    observer = source._watch._observer
    assert observer is not None
    (emitter,) = observer.emitters
    inotify = getattr(emitter, "_inotify", None)
    lock = getattr(inotify, "_lock", None)
    if lock is None:
        pytest.skip("this watchdog cannot be stalled: no such lock")
    with lock:
        moving = tmp_path / "0.tmp"
        moving.touch()
        for number in range(MANY_EVENTS):  # two events each: from and to
            moving = moving.rename(tmp_path / f"{number + 1}.tmp")
        for number in range(5):
            write_pair(tmp_path, number)
    items = poll_until(source, lambda _: "overflowed" in caplog.text, wake)
    items += passing(source, clock, 12)
    assert sorted(files(items)) == [f"ping_{number:04d}.png" for number in range(5)]
    assert refusals(items) == []


def test_a_mount_point_without_its_mount_is_no_empty_folder(tmp_path: Path) -> None:
    made = Share(tmp_path, mounted=True)
    try:
        (made.path / "a.png").touch()
        scan = FolderScan(made.path, recursive=False, rescan_s=1.0)
        assert scan.step(0.0) == [made.path / "a.png"]
        made.take_away()
        assert scan.step(2.0) == []
        assert scan.failing == 1
        made.bring_back()
        assert scan.step(4.0) == [made.path / "a.png"]
        assert scan.failing == 0
    finally:
        made.remove()
