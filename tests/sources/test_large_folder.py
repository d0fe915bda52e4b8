"""Folders with very many pictures: bounded work at each poll, and the order that is promised."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sources_builders import START, Clock, drain, files, poll_times, swaths, write_json, write_pair

from sonar_watch.records import iso_utc
from sonar_watch.sources import candidates as candidates_module
from sonar_watch.sources import folder as folder_module
from sonar_watch.sources import scan as scan_module
from sonar_watch.sources.candidates import EXAMINED_PER_POLL
from sonar_watch.sources.folder import ADMITTED_PER_POLL, FolderOptions, ImageFolderSource
from sonar_watch.sources.pictures import Picture

MANY = 20_000


class Counted:
    """Counts the files that are asked for their marks and those that are opened, all done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.marks = self.inspected = 0
        self.names: set[str] = set()
        self._marks = candidates_module._marks
        monkeypatch.setattr(candidates_module, "_marks", self._count_marks)
        monkeypatch.setattr(candidates_module, "inspect", self._count_inspected)

    def _count_marks(self, path: Path) -> int:
        self.marks += 1
        return self._marks(path)

    def _count_inspected(self, path: Path, *_: object) -> Picture:
        self.inspected += 1
        self.names.add(path.name)
        return Picture(path=path, time_utc=START, frame_id=path.name, has_sidecar=True)

    def is_done(self, _frame_id: str, /) -> bool:
        return True

    def checkpoint(self, _key: str, /) -> None:
        return None

    def expect_bounded(self) -> None:
        assert self.marks <= ADMITTED_PER_POLL + EXAMINED_PER_POLL
        assert self.inspected <= EXAMINED_PER_POLL
        self.marks = self.inspected = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture
def source(tmp_path: Path, clock: Clock) -> Iterator[ImageFolderSource]:
    options = FolderOptions(path=tmp_path, rescan_s=1.0)
    opened = ImageFolderSource(options, wake=threading.Event(), clock=clock)
    yield opened
    opened.close()


def test_no_poll_looks_at_more_than_its_share(
    tmp_path: Path, clock: Clock, counted: Counted
) -> None:
    for number in range(MANY):
        (tmp_path / f"{number:05d}.png").touch()
    source = ImageFolderSource(FolderOptions(path=tmp_path), counted, clock=clock)
    for _ in range(MANY // EXAMINED_PER_POLL + 5):
        assert source.poll() == []
        counted.expect_bounded()
    assert len(counted.names) == MANY
    counted.names.clear()
    clock.pass_by(60)
    for _ in range(MANY // ADMITTED_PER_POLL + 5):  # a pass that finds nothing new
        assert source.poll() == []
        counted.expect_bounded()
    source.close()
    assert not counted.names


def test_a_flood_of_hints_is_taken_in_pieces(
    tmp_path: Path, clock: Clock, counted: Counted
) -> None:
    source = ImageFolderSource(FolderOptions(path=tmp_path), counted, clock=clock)
    source.poll()
    for number in range(2 * ADMITTED_PER_POLL):
        (tmp_path / f"{number:05d}.png").touch()
    for _ in range(10):
        source.poll()
        counted.expect_bounded()
    source.close()


def test_a_full_pass_does_not_look_for_the_pictures_of_sidecars(
    tmp_path: Path, source: ImageFolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path, 1)
    source._watch.close()
    source._watch.drain()
    monkeypatch.setattr(ImageFolderSource, "_pictures_of", None)
    monkeypatch.setattr(source._watch, "arm", lambda: None)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_beyond_what_is_sorted_the_file_names_tell_the_order(
    tmp_path: Path, source: ImageFolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "SORTED_AT_START", 40)
    monkeypatch.setattr(folder_module, "ADMITTED_PER_POLL", 16)
    for number in range(200):  # neighbours swapped: in order within any page
        write_pair(tmp_path, number ^ 1, f"{number:04d}.png")
    items = []
    polls_to_first = 0
    for _ in range(100):
        items += source.poll()
        polls_to_first += not items
        assert source.backlog <= 40
    times = [swath.time_utc for swath in swaths(items)]
    assert len(times) == 200
    assert times == sorted(times)
    assert polls_to_first < 200 / 16  # given before all have been looked at


def test_a_replay_is_sorted_whole_however_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "SORTED_AT_START", 10)
    monkeypatch.setattr(folder_module, "ADMITTED_PER_POLL", 7)
    for number in range(50):
        write_pair(tmp_path, 50 - number, f"{number:04d}.png")
    given = drain(ImageFolderSource(FolderOptions(path=tmp_path), live=False))
    times = [swath.time_utc for swath in swaths(given)]
    assert len(times) == 50
    assert times == sorted(times)


def test_what_comes_during_the_first_pass_comes_after_what_that_finds(
    tmp_path: Path, source: ImageFolderSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "ADMITTED_PER_POLL", 5)
    for number in range(20):
        write_pair(tmp_path, number)
    assert source.poll() == []
    write_pair(tmp_path, 999)
    monkeypatch.undo()
    items = poll_times(source, 20)
    while len(swaths(items)) < 21:
        items += source.poll()
    assert files(items) == [*(f"ping_{number:04d}.png" for number in range(20)), "ping_0999.png"]


def test_a_sidecar_corrected_later_is_noticed_by_a_pass(
    tmp_path: Path, source: ImageFolderSource, clock: Clock
) -> None:
    path = write_pair(tmp_path, 1)
    path.with_suffix(".json").write_text("{")
    poll_times(source)
    source._watch.close()
    clock.pass_by(31)
    poll_times(source)
    write_json(path, 1, time_utc=iso_utc(START))
    clock.pass_by(2)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_listing_a_folder_is_cut_into_pieces_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "LISTED_PER_REST", 1)
    for number in range(30):
        (tmp_path / f"{number:02d}").touch()
    scan = scan_module.FolderScan(tmp_path, recursive=False, rescan_s=1.0)
    assert scan.piece(0.0, 10) == ([], False)
    assert scan.under_way
    found = []
    while scan.under_way:
        found += scan.piece(0.0, 10)[0]
    assert [path.name for path in found] == [f"{number:02d}" for number in range(30)]
    assert scan.passes == 1
