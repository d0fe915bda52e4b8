"""Pictures in a folder: once each, whole, in order."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from realdata import real_data
from sources_builders import (
    START,
    Clock,
    Ledger,
    append,
    drain,
    files,
    line_ends,
    poll_times,
    poll_until,
    refusals,
    swaths,
    write_json,
    write_pair,
    write_png,
)

from sonar_watch import images
from sonar_watch.errors import ConfigurationError
from sonar_watch.records import LineEnd, WaterColumnFrame
from sonar_watch.sources import folder as folder_module
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.folder import FolderOptions, ImageFolderSource

Opener = Callable[..., ImageFolderSource]
CALIBRATION = Calibration(across_track_m=(-10, 10), depth_m=(0, 8), sounder="screen")


@pytest.fixture
def watch(tmp_path: Path, clock: Clock, wake: threading.Event) -> Iterator[Opener]:
    """Opens live sources on `tmp_path` that are closed at the end."""
    opened: list[ImageFolderSource] = []

    def open_source(ledger: Ledger | None = None, **options: object) -> ImageFolderSource:
        chosen = FolderOptions(path=options.pop("path", tmp_path), **options)  # type: ignore[arg-type]
        opened.append(ImageFolderSource(chosen, ledger, wake=wake, clock=clock))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def replay(path: Path, ledger: Ledger | None = None, **options: object) -> list[object]:
    source = ImageFolderSource(FolderOptions(path=path, **options), ledger, live=False)  # type: ignore[arg-type]
    return drain(source)


def test_a_finite_folder_is_given_in_the_order_of_data_time(tmp_path: Path) -> None:
    for number, name in ((3, "a.png"), (1, "c.png"), (2, "b.png")):
        write_pair(tmp_path, number, name)
    items = replay(tmp_path)
    assert files(items) == ["c.png", "b.png", "a.png"]
    assert isinstance(items[-1], LineEnd)
    assert line_ends(items) == [""]


def test_a_frame_carries_what_its_sidecar_says(tmp_path: Path) -> None:
    write_pair(tmp_path, 5, latitude=10.0, longitude=-20.0, heading_deg=90.0)
    (frame,) = swaths(replay(tmp_path, name="bridge"))
    assert isinstance(frame, WaterColumnFrame)
    assert frame.time_utc == START + timedelta(seconds=5)
    assert (frame.geometry.left_m, frame.geometry.bottom_m) == (-100, 80)
    assert frame.navigation is not None
    assert frame.navigation.longitude == -20.0
    assert frame.source.source == "bridge"
    assert frame.source.ping_counter == 5


def test_what_is_done_is_not_given_again(tmp_path: Path) -> None:
    ledger = Ledger()
    write_pair(tmp_path, 1)
    first = replay(tmp_path, ledger)
    ledger.commit(first)
    write_pair(tmp_path, 2)
    assert files(replay(tmp_path, ledger)) == ["ping_0002.png"]


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert replay(tmp_path / "nowhere") == []


def test_a_backlog_comes_in_order_a_few_at_a_time(tmp_path: Path, watch: Opener) -> None:
    for number in range(30):
        write_pair(tmp_path, 30 - number, f"{number:03d}.png")
    source = watch()
    items: list[object] = []
    while len(swaths(items)) < 30:  # type: ignore[arg-type]
        given = source.poll()
        assert len(given) <= folder_module.DECODED_PER_POLL
        items += given
    times = [swath.time_utc for swath in swaths(items)]  # type: ignore[arg-type]
    assert times == sorted(times)


def test_thousands_of_pictures_are_not_decoded_at_once(
    tmp_path: Path, watch: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path, 0, "0000.png")
    bytes_of = (tmp_path / "0000.png").read_bytes()
    for number in range(1, 300):
        path = tmp_path / f"{number:04d}.png"
        path.write_bytes(bytes_of)
        write_json(path, number)
    loaded: list[Path] = []
    real = folder_module.load
    monkeypatch.setattr(folder_module, "load", lambda picture, *more: (
        loaded.append(picture.path), real(picture, *more))[1])
    source = watch()
    for turn in range(1, 8):
        source.poll()
        assert len(loaded) <= turn * folder_module.DECODED_PER_POLL
    assert source.backlog == 300 - len(loaded)


def test_a_new_picture_wakes_the_watch(
    tmp_path: Path, watch: Opener, wake: threading.Event
) -> None:
    source = watch(rescan_s=1e6)
    assert source.poll() == []
    write_pair(tmp_path, 1)
    items = poll_until(source, lambda items: len(swaths(items)) == 1, wake)
    assert not source.exhausted
    assert files(items + poll_times(source)) == ["ping_0001.png"]


@pytest.mark.parametrize("inside", [True, False], ids=["tmp+rename", "moved in"])
def test_a_renamed_picture_is_seen(
    tmp_path: Path, watch: Opener, wake: threading.Event, inside: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    source = watch(rescan_s=1e6)
    source.poll()
    folder = tmp_path if inside else tmp_path_factory.mktemp("elsewhere")
    write_json(tmp_path / "a.png", 1)
    write_png(folder / "a.png.tmp.png").rename(folder / "a.part").rename(tmp_path / "a.png")
    poll_until(source, lambda items: "a.png" in files(items), wake)


def test_a_network_share_is_looked_at_without_events(
    tmp_path: Path, watch: Opener, clock: Clock, wake: threading.Event
) -> None:
    before = threading.active_count()
    source = watch(rescan_s=1e6, poll_events=True)
    source.poll()
    assert threading.active_count() == before  # nobody listens for events
    write_pair(tmp_path, 1)
    assert source.poll() == []
    clock.pass_by(1)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_lost_events_are_made_good_by_looking_again(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    source = watch(rescan_s=10.0)
    source.poll()
    source._watch.close()
    write_pair(tmp_path, 1)
    assert poll_times(source) == []
    clock.pass_by(11)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_a_folder_that_appears_later_is_watched(
    tmp_path: Path, watch: Opener, clock: Clock, wake: threading.Event
) -> None:
    folder = tmp_path / "later"
    source = watch(path=folder, rescan_s=10.0)
    assert poll_times(source) == []
    folder.mkdir()
    clock.pass_by(11)
    source.poll()
    write_pair(folder, 1)  # only an event can tell now
    poll_until(source, lambda items: len(swaths(items)) == 1, wake)


def test_a_folder_mounted_again_is_watched_again(
    tmp_path: Path, watch: Opener, clock: Clock, wake: threading.Event
) -> None:
    folder, away = tmp_path / "share", tmp_path / "away"
    folder.mkdir()
    source = watch(path=folder, rescan_s=10.0)
    source.poll()
    folder.rename(away)
    folder.mkdir()
    clock.pass_by(11)
    source.poll()
    write_pair(folder, 1)
    poll_until(source, lambda items: len(swaths(items)) == 1, wake)


def test_a_half_written_picture_is_waited_for(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    whole = write_pair(tmp_path, 1).read_bytes()
    path = tmp_path / "ping_0001.png"
    path.write_bytes(whole[: len(whole) // 2])
    source = watch(rescan_s=0.001)
    for _ in range(3):
        clock.pass_by(20)  # less than the limit since it last grew
        assert poll_times(source) == []
        append(path, b"")
        os.utime(path, ns=(int(clock.now_s), int(clock.now_s)))
    append(path, whole[len(whole) // 2 :])
    clock.pass_by(1)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_a_picture_that_stays_cut_is_set_aside_once_and_tried_again_when_whole(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    whole = write_pair(tmp_path, 1).read_bytes()
    path = tmp_path / "ping_0001.png"
    path.write_bytes(whole[:-6])
    source = watch(half_written_limit_s=30.0, rescan_s=1.0)
    assert poll_times(source) == []
    assert source.counts() == {"backlog": 1, "broken": 0}
    clock.pass_by(31)
    items = poll_times(source)
    assert source.counts() == {"backlog": 0, "broken": 1}
    assert len(items) == 1
    assert "ping_0001.png: not whole" in refusals(items)[0]
    clock.pass_by(31)
    assert poll_times(source) == []
    path.write_bytes(whole)
    clock.pass_by(2)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_later_pictures_wait_for_one_that_is_being_written(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    whole = write_pair(tmp_path, 1).read_bytes()
    path = tmp_path / "ping_0001.png"
    path.write_bytes(whole[:-6])
    write_pair(tmp_path, 2)
    source = watch(rescan_s=1.0)
    assert poll_times(source) == []
    path.write_bytes(whole)
    clock.pass_by(2)
    assert files(poll_times(source)) == ["ping_0001.png", "ping_0002.png"]


def test_a_stuck_picture_holds_up_the_later_ones_only_to_the_limit(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    (tmp_path / "ping_0001.png").write_bytes(b"\x89PNG")
    write_pair(tmp_path, 2)
    source = watch(rescan_s=1.0)
    assert poll_times(source) == []
    clock.pass_by(31)
    items = poll_times(source)
    assert len(refusals(items)) == 1
    assert files(items) == ["ping_0002.png"]


def test_a_sidecar_may_come_later(tmp_path: Path, watch: Opener, wake: threading.Event) -> None:
    path = write_png(tmp_path / "a.png")
    source = watch(rescan_s=1e6)
    assert poll_times(source) == []
    write_json(path, 1)
    poll_until(source, lambda items: files(items) == ["a.png"], wake)


def test_a_half_written_sidecar_is_waited_for(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    path = write_png(tmp_path / "a.png")
    text = write_json(path, 1).read_text()
    path.with_suffix(".json").write_text(text[:40])
    source = watch(rescan_s=1.0)
    assert poll_times(source) == []
    path.with_suffix(".json").write_text(text)
    clock.pass_by(2)
    assert files(poll_times(source)) == ["a.png"]


def test_without_sidecar_and_calibration_a_picture_is_set_aside(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_png(tmp_path / "a.png")
    source = watch()
    assert poll_times(source) == []
    clock.pass_by(31)
    (reason,) = refusals(poll_times(source))
    assert reason.startswith("a.png: image without geometry: expected a.json")


def test_without_sidecar_the_calibration_is_used(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_png(tmp_path / "em_20260304_050607.png", (16, 40))
    source = watch(calibration=CALIBRATION, sidecar_wait_s=2.0)
    assert poll_times(source) == []
    clock.pass_by(3)
    (frame,) = swaths(poll_times(source))
    assert isinstance(frame, WaterColumnFrame)
    assert frame.time_utc == START
    assert frame.sounder == "screen"
    assert frame.geometry.pixel_across_m == 0.5
    assert frame.navigation is None


def test_the_sidecar_goes_before_the_calibration(tmp_path: Path) -> None:
    write_pair(tmp_path, 1, "em_20260304_050607.png")
    (frame,) = swaths(replay(tmp_path, calibration=CALIBRATION))
    assert frame.sounder == "em1"


def test_two_files_of_one_ping_are_told(tmp_path: Path) -> None:
    write_pair(tmp_path, 1, "a.png")
    write_pair(tmp_path, 1, "b.png")
    items = replay(tmp_path)
    assert files(items) == ["a.png"]
    assert refusals(items) == ["b.png: same sounder, ping and time as a.png"]


def test_a_file_written_again_is_not_given_again(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_pair(tmp_path, 1)
    source = watch(rescan_s=1.0)
    assert len(swaths(poll_times(source))) == 1
    write_png(tmp_path / "ping_0001.png", (8, 12))
    clock.pass_by(2)
    assert poll_times(source) == []


def test_a_file_deleted_while_waiting_is_forgotten(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    path = write_png(tmp_path / "a.png")
    source = watch()
    source.poll()
    assert source.backlog == 1
    path.unlink()
    clock.pass_by(31)
    assert poll_times(source) == []
    assert source.backlog == 0


def test_a_file_deleted_when_ready_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_pair(tmp_path, 1)
    real = folder_module.load

    def load(picture, *more):  # type: ignore[no-untyped-def]
        picture.path.unlink(missing_ok=True)
        return real(picture, *more)

    monkeypatch.setattr(folder_module, "load", load)
    assert swaths(replay(tmp_path)) == []


def test_what_is_no_picture_is_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden.png", "a.png.tmp", "x.kmall", "lone.json"):
        (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "folder.png").mkdir()
    assert replay(tmp_path) == []


def test_folders_below_are_read_when_asked(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write_pair(tmp_path / "day", 1)
    assert replay(tmp_path) == []
    assert files(replay(tmp_path, recursive=True)) == ["ping_0001.png"]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        ("{", "a.json"),
        ('{"time_utc": "2026-01-01T00:00:00Z"}', "across_track_m"),
        ('{"time_utc": "x", "across_track_m": [1, 2], "depth_m": [0, 1]}', "time_utc"),
        ('{"time_utc": "2026-01-01T00:00:00Z", "across_track_m": [2, 1], "depth_m": [0, 1]}',
         "left < right"),
        ('{"time_utc": "2026-01-01T00:00:00Z", "across_track_m": [1, 2], "depth_m": [0, NaN]}',
         "a.json"),
    ],
)
def test_a_broken_sidecar_is_named_and_the_rest_goes_on(
    tmp_path: Path, sidecar: str, said: str
) -> None:
    write_png(tmp_path / "a.png").with_suffix(".json").write_text(sidecar)
    write_pair(tmp_path, 2)
    items = replay(tmp_path)
    (reason,) = refusals(items)
    assert said in reason
    assert files(items) == ["ping_0002.png"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n", "end is missing"), (b"\x89P", "end is missing"),
     (b"%PDF-1.4 no picture", "a PNG, JPEG, TIFF or BMP, the file begins with b'%PDF-1.4'"),
     (bytes(500), "begins with b'\\x00")],
)
def test_garbage_is_set_aside(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    write_json(path, 1)
    (reason,) = refusals(replay(tmp_path))
    assert reason.startswith("a.png: ")
    assert said in reason


def test_silence_lets_go_what_waits_for_navigation(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_pair(tmp_path, 1)
    source = watch(silent_limit_s=60.0)
    assert line_ends(poll_times(source)) == []
    clock.pass_by(61)
    assert line_ends(poll_times(source)) == [""]
    clock.pass_by(61)
    assert line_ends(poll_times(source)) == []


def test_an_unreadable_picture_is_set_aside_after_the_limit(
    tmp_path: Path, watch: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path, 1)

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sonar_watch.sources.candidates.inspect", refuse)
    source = watch()
    assert poll_times(source) == []
    clock.pass_by(31)
    assert refusals(poll_times(source)) == ["ping_0001.png: Permission denied"]


def test_an_old_backlog_does_not_wait(tmp_path: Path, watch: Opener, clock: Clock,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png")
    later_s = time.time() + 3600
    monkeypatch.setattr("sonar_watch.sources.candidates.time.time", lambda: later_s)
    assert len(refusals(poll_times(watch()))) == 1


def test_live_gives_what_replay_gives(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    source = watch(rescan_s=0.5)
    live: list[object] = []
    for number in range(12):
        path = tmp_path / f"ping_{number:04d}.png"
        if number % 3:
            write_pair(tmp_path, number)
        else:
            write_png(path)
        clock.pass_by(1)
        live += source.poll()
        if not number % 3:
            write_json(path, number)
    clock.pass_by(1)
    live += poll_times(source)
    assert files(live) == files(replay(tmp_path))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"rescan_s": 0}, {"half_written_limit_s": -1}, {"patterns": ()}, {"sidecar_wait_s": -1}],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        FolderOptions(path=tmp_path, **wrong)  # type: ignore[arg-type]


def test_real_pictures_without_geometry_are_set_aside() -> None:
    folder = real_data("slides", "Site_1149", "1149A_17_04_36", "1149A_17_04_36_001")
    items = replay(folder)
    assert items
    assert len(refusals(items)) == len(items)


def test_a_picture_rewritten_for_ever_holds_up_the_others_only_to_the_limit(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    current = tmp_path / "current.png"
    source = watch(rescan_s=0.1, half_written_limit_s=30.0, silent_limit_s=60.0)
    items: list[object] = []
    for turn in range(400):
        write_png(current, (8, 10 + turn))  # never a sidecar: it waits as long as it changes
        if turn == 2:
            write_pair(tmp_path, 1)
        clock.pass_by(0.5)
        items += source.poll()
        if turn == 50:
            assert items == []
    assert files(items) == ["ping_0001.png"]  # type: ignore[arg-type]
    assert line_ends(items) == [""]  # type: ignore[arg-type]


def test_a_picture_set_aside_and_written_again_holds_up_nobody(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    current = tmp_path / "current.png"
    current.write_bytes(b"\x89PNG")
    source = watch(rescan_s=1.0)
    poll_times(source)
    clock.pass_by(31)
    assert len(refusals(poll_times(source))) == 1
    current.write_bytes(b"\x89PNG\r")
    write_pair(tmp_path, 1)
    clock.pass_by(2)
    assert files(poll_times(source)) == ["ping_0001.png"]


def test_a_picture_too_large_to_look_at_is_set_aside(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    with (tmp_path / "mosaic.tif").open("wb") as file:
        file.write(b"II*\0")
        file.truncate(images.MAX_FILE_BYTES + 1)  # sparse: takes no room
    write_json(tmp_path / "mosaic.tif", 0)
    write_pair(tmp_path, 1)
    source = watch(rescan_s=1.0)
    assert poll_times(source) == []
    clock.pass_by(31)
    items = poll_times(source)
    assert files(items) == ["ping_0001.png"]
    assert f"mosaic.tif: {images.MAX_FILE_BYTES + 1} bytes" in refusals(items)[0]
