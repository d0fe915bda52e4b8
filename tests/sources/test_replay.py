"""Recorded inputs, at their pace or faster."""

import math
from datetime import timedelta
from pathlib import Path

import pytest
from realdata import real_data
from sources_builders import (
    START,
    Clock,
    GivenSource,
    Ledger,
    drain,
    files,
    line_name,
    make_navigation,
    make_ping,
    navigation_bytes,
    poll_times,
    swaths,
    water_column_bytes,
    write_pair,
    write_png,
)

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import LineEnd, NavigationSample
from sonar_watch.sources.calibration import Calibration
from sonar_watch.sources.folder import FolderOptions
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.replay import ReplayOptions, ReplayPace, open_inputs

LOG = "2026-03-04T05:06:{:02d}.000000Z $INHDT,{:.1f},T\n"


@pytest.fixture
def cruise(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    for folder in ("raw", "pictures", "logs"):
        (tmp_path / folder).mkdir()
    name = line_name(START)
    (tmp_path / "raw" / f"{name}.kmwcd").write_bytes(water_column_bytes(START, 6))
    (tmp_path / "raw" / f"{name}.kmall").write_bytes(navigation_bytes(START, 4))
    for number in range(3):
        write_pair(tmp_path / "pictures", number)
    (tmp_path / "logs" / "gyro").write_text("".join(LOG.format(s, 10 + s) for s in range(10)))
    (tmp_path / "README.md").write_text("A cruise.")
    return tmp_path


def give(*paths: Path, options: ReplayOptions | None = None) -> list[object]:
    merger = Merger(open_inputs(paths, options), live=False)
    items = drain(merger)
    merger.close()
    return list(items)


def test_a_folder_gives_everything_in_it(cruise: Path) -> None:
    items = give(cruise)
    assert len(files(items)) == 9  # type: ignore[arg-type]
    assert sum(isinstance(item, LineEnd) for item in items) == 2
    sensors = {item.sensor for item in items if isinstance(item, NavigationSample)}
    assert sensors == {"spo", "skm", "nmea:INHDT"}


def test_parts_give_the_same_as_the_whole(cruise: Path) -> None:
    parts = give(cruise / "raw", cruise / "pictures", cruise / "logs" / "gyro")
    assert files(parts) == files(give(cruise))  # type: ignore[arg-type]


def test_one_file_brings_its_twin_and_nothing_is_read_twice(cruise: Path) -> None:
    raw = sorted((cruise / "raw").iterdir())
    for paths in ([raw[0]], [raw[1]], raw, [*raw, cruise / "raw"]):
        assert len(files(give(*paths))) == 6  # type: ignore[arg-type]


def test_pictures_may_be_named_one_by_one(cruise: Path) -> None:
    picked = [cruise / "pictures" / f"ping_{number:04d}.png" for number in (2, 0)]
    assert files(give(*picked)) == ["ping_0000.png", "ping_0002.png"]  # type: ignore[arg-type]


def test_the_calibration_is_passed_on(tmp_path: Path) -> None:
    path = write_png(tmp_path / "x_20260304_050607.png")
    calibration = Calibration(across_track_m=(-1, 1), depth_m=(0, 1))
    options = ReplayOptions(images=FolderOptions(path=Path(), name="mine", calibration=calibration))
    (frame,) = swaths(give(path, options=options))  # type: ignore[arg-type]
    assert frame.time_utc == START
    assert frame.source.source == "mine"


def test_what_is_done_is_skipped(cruise: Path) -> None:
    ledger = Ledger()
    ledger.commit(give(cruise))  # type: ignore[arg-type]
    merger = Merger(open_inputs([cruise], ledger=ledger), live=False)
    assert swaths(drain(merger)) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "no such file"), ("notes.txt", "expected"), ("empty", "found none")],
)
def test_inputs_that_are_none_are_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=said):
        open_inputs([tmp_path / name])


def test_real_files_and_logs_are_told_apart() -> None:
    logs = open_inputs([real_data("nmea")])
    assert len(logs) == 5  # one of the six is not NMEA
    assert len(open_inputs([real_data("kongsberg")])) == 1


def three_pings() -> GivenSource:
    navigation = make_navigation(START.timestamp())
    pings = [make_ping(number, START + timedelta(seconds=10 * number)) for number in range(3)]
    return GivenSource("made", [navigation, *pings, LineEnd(source="made")], [9])


def test_at_recorded_pace_swaths_come_as_they_were_recorded() -> None:
    clock = Clock()
    pace = ReplayPace(three_pings(), 2.0, clock=clock)
    assert len(swaths(pace.poll())) == 1
    assert pace.wait_s == 5.0
    assert pace.counts() == {"backlog": 3, "broken": 1}
    clock.pass_by(4.9)
    assert pace.poll() == []
    clock.pass_by(0.2)
    assert len(swaths(pace.poll())) == 1
    assert not pace.exhausted
    clock.pass_by(5)
    last = pace.poll()
    assert isinstance(last[-1], LineEnd)
    assert pace.exhausted
    assert pace.wait_s == 0.0


def test_as_fast_as_possible_nothing_waits() -> None:
    pace = ReplayPace(three_pings(), math.inf, clock=Clock())
    assert len(poll_times(pace, 2)) == 5
    pace.close()


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_cannot_be_is_refused(speed: float) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        ReplayPace(three_pings(), speed)
