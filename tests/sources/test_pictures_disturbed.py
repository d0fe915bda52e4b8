"""Pictures as other programs really write, link, replace and lose them."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from privileges import open_folder, without_privileges
from sources_builders import (
    Clock,
    Ledger,
    files,
    passing,
    poll_times,
    poll_until,
    refusals,
    swaths,
    write_json,
    write_pair,
    write_png,
)

from sonar_watch.records import SourceItem, WaterColumnFrame
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.candidates import EXAMINED_PER_POLL
from sonar_watch.sources.folder import DECODED_PER_POLL, FolderOptions, ImageFolderSource
from sonar_watch.sources.pictures import inspect
from sonar_watch.sources.replay import ReplayOptions, open_inputs

Opener = Callable[..., ImageFolderSource]
BY_NAME = Calibration(
    across_track_m=(-10, 10), depth_m=(0, 8), time_pattern="%Y%m%d_%H%M%S_%f", sounder="screen")
BY_FILE = Calibration(across_track_m=(-10, 10), depth_m=(0, 8), time_from="file")


@pytest.fixture
def watch(tmp_path: Path, clock: Clock, wake: threading.Event) -> Iterator[Opener]:
    opened: list[ImageFolderSource] = []

    def open_source(
        path: Path = tmp_path, ledger: Ledger | None = None, **options: object
    ) -> ImageFolderSource:
        chosen = FolderOptions(path=path, **({"poll_events": True} | options))  # type: ignore[arg-type]
        opened.append(ImageFolderSource(chosen, ledger, wake=wake, clock=clock))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def test_an_unreadable_picture_is_told_once_and_given_when_it_can_be_read(
    watch: Opener, clock: Clock
) -> None:
    with open_folder() as folder:
        path = write_pair(folder, 1)
        inspect(path, None)  # imports what nobody may read
        path.chmod(0)
        source = watch(folder)
        with without_privileges():
            items = passing(source, clock, 100)
        assert refusals(items) == ["ping_0001.png: Permission denied"]
        assert source.counts()["failing"] == 1
        path.chmod(0o644)
        with without_privileges():
            items = passing(source, clock, 3)
        assert files(items) == ["ping_0001.png"]
        assert "failing" not in source.counts()


def test_an_unreadable_picture_that_is_deleted_fails_no_more(
    watch: Opener, clock: Clock
) -> None:
    with open_folder() as folder:
        path = write_pair(folder, 1)
        inspect(path, None)  # imports what nobody may read
        path.chmod(0)
        source = watch(folder)
        with without_privileges():
            passing(source, clock, 40)
            assert source.counts()["failing"] == 1
        path.unlink()
        with without_privileges():
            passing(source, clock, 3)
        assert "failing" not in source.counts()


def test_a_picture_linked_into_place_is_seen(
    tmp_path: Path, watch: Opener, wake: threading.Event,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = write_pair(tmp_path_factory.mktemp("elsewhere"), 1)
    source = watch(rescan_s=1e6, poll_events=False)
    assert source.poll() == []
    os.link(made.with_suffix(".json"), tmp_path / "a.json")
    os.link(made, tmp_path / "a.png")
    items = poll_until(source, lambda items: len(swaths(items)) == 1, wake)
    made.unlink()
    assert files(items + poll_times(source)) == ["a.png"]


def test_hard_links_to_one_picture_are_given_once(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_pair(tmp_path, 1, "a.png")
    for suffix in ("png", "json"):
        os.link(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}")
    source = watch()
    items = passing(source, clock, 5)
    assert files(items) == ["a.png"]
    assert refusals(items) == ["b.png: same sounder, ping and time as a.png"]


def test_a_picture_renamed_is_given_once(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    ledger = Ledger()
    path = write_pair(tmp_path, 1, "a.png")
    source = watch(ledger=ledger)
    items = poll_times(source)
    ledger.commit(items)
    for suffix in (".json", ".png"):
        path.with_suffix(suffix).rename(tmp_path / f"b{suffix}")
    items += passing(source, clock, 5)
    assert files(items) == ["a.png"]
    again = watch(ledger=ledger)
    assert files(passing(again, clock, 5)) == []


def test_a_picture_written_over_for_each_ping_is_given_for_each(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    source, items = watch(), []
    for number in range(5):
        write_pair(tmp_path, number, "latest.png")
        items += passing(source, clock, 1)
    assert [frame.source.ping_counter for frame in swaths(items)] == list(range(5))


def test_a_picture_written_over_between_look_and_read_is_given_once_as_it_is(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    """Pictures that wait behind an unfinished one are read long after they were looked at."""
    first = write_png(tmp_path / "0000.png")
    write_pair(tmp_path, 1, "latest.png")
    source = watch()
    items = poll_times(source)  # waits for the sidecar of the first
    write_pair(tmp_path, 2, "latest.png")
    write_json(first, 0)
    items += passing(source, clock, 5)
    assert [frame.source.ping_counter for frame in swaths(items)] == [0, 2]
    assert refusals(items) == []


@pytest.mark.parametrize("cut", [False, True])
def test_a_picture_away_when_it_is_read_is_given_when_it_is_back(
    tmp_path: Path, watch: Opener, clock: Clock, cut: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Between look and read the share goes away, or its server serves half a file."""
    first = write_png(tmp_path / "0000.png")
    second = write_pair(tmp_path, 1, "0001.png")
    source = watch()
    items = poll_times(source)
    away = tmp_path_factory.mktemp("away")
    if cut:
        shutil.copy2(second, away)
        os.truncate(second, 20)
    else:
        for suffix in (".png", ".json"):
            second.with_suffix(suffix).rename(away / f"0001{suffix}")
    write_json(first, 0)
    items += passing(source, clock, 5)
    for path in away.iterdir():
        shutil.copy2(path, tmp_path)
    items += passing(source, clock, 5)
    assert files(items) == ["0000.png", "0001.png"]
    assert refusals(items) == []


def test_a_pipe_or_folder_of_a_pictures_name_blocks_nobody(
    tmp_path: Path, watch: Opener, wake: threading.Event
) -> None:
    source = watch(poll_events=False)
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    (tmp_path / "c.png").symlink_to(tmp_path / "nowhere.png")
    write_pair(tmp_path, 1, "z.png")
    items = poll_until(source, lambda items: len(swaths(items)) == 1, wake)
    assert refusals(items + poll_times(source)) == []


def test_names_of_any_bytes_are_given_and_can_be_stored(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    name = os.fsdecode(b"caf\xe9_20260304_050607_5.png")
    write_png(tmp_path / name)
    write_pair(tmp_path, 1, os.fsdecode(b"\xff.png"))
    (tmp_path / os.fsdecode(b"\xfe.png")).write_bytes(b"rubbish")
    items = passing(watch(calibration=BY_NAME), clock, 40)
    assert sorted(files(items)) == ["\\xff.png", "caf\\xe9_20260304_050607_5.png"]
    (reason,) = refusals(items)
    assert reason.encode().startswith(rb"\xfe.png: expected")


@pytest.mark.parametrize("seconds", [2_145_916_800, 4_000_000_000, 2**38 - 1])
def test_files_of_the_future_are_given_or_refused(
    tmp_path: Path, watch: Opener, clock: Clock, seconds: int
) -> None:
    """2038 and later, when time comes from the files and when it does not."""
    lone, paired = write_png(tmp_path / "lone.png"), write_pair(tmp_path, 1)
    for path in (lone, paired, paired.with_suffix(".json")):
        os.utime(path, (seconds, seconds))
    held = int(lone.stat().st_mtime)  # file systems end somewhere
    items = passing(watch(calibration=BY_FILE), clock, 40)
    frames = {frame.source.file: frame for frame in swaths(items)}
    assert "ping_0001.png" in frames
    if "lone.png" in frames:
        assert frames["lone.png"].time_utc.timestamp() == held
    else:
        assert "calendar" in refusals(items)[0]


@pytest.mark.parametrize("step_s", [-7200.0, 7200.0])
def test_clocks_that_are_hours_off_set_nothing_aside_too_early(
    tmp_path: Path, watch: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """The ship's or the file server's clock is stepped while a picture is being written."""
    source, real = watch(calibration=BY_NAME), time.time
    assert poll_times(source) == []
    monkeypatch.setattr("time.time", lambda: real() + step_s)
    whole = write_png(tmp_path / "20260304_050607_0.png")
    cut, data = tmp_path / "20260304_050608_0.png", whole.read_bytes()
    cut.write_bytes(data[:20])
    assert passing(source, clock, 1) == []  # the sidecar may still come
    assert files(passing(source, clock, 3)) == [whole.name]
    assert passing(source, clock, 24) == []
    cut.write_bytes(data)
    assert files(passing(source, clock, 5)) == [cut.name]


def many(folder: Path, count: int) -> None:
    """Link one picture under many names that tell the time."""
    first = write_png(folder / ".one")
    for number in range(count):
        name = f"202603{1 + number // 3600:02d}_05{number // 60 % 60:02d}{number % 60:02d}_0.png"
        os.link(first, folder / name)


@pytest.mark.parametrize("count", [400, pytest.param(
    50_000, marks=(pytest.mark.slow, pytest.mark.timeout(900)))])
def test_very_many_pictures_at_once_are_all_given_once_in_order(
    tmp_path: Path, watch: Opener, clock: Clock, count: int
) -> None:
    source = watch(calibration=BY_NAME, sidecar_wait_s=0.0, poll_events=False, rescan_s=5.0)
    assert source.poll() == []
    many(tmp_path, count)
    given: list[SourceItem] = []
    longest_s = 0.0
    while len(given) < count:
        clock.pass_by(0.01)
        before_s = time.thread_time()
        items = source.poll()
        longest_s = max(longest_s, time.thread_time() - before_s)
        assert len(items) <= DECODED_PER_POLL
        given += items
    assert all(isinstance(item, WaterColumnFrame) for item in given)
    assert len(set(files(given))) == count
    assert EXAMINED_PER_POLL > DECODED_PER_POLL
    assert longest_s < 1.0  # of this thread's own time: the watchdog is fed between polls
    assert passing(source, clock, 10) == []


def test_a_replay_takes_no_pipe_for_a_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "navigation.log")
    write_pair(tmp_path, 1)
    assert len(open_inputs([tmp_path], ReplayOptions())) == 1
