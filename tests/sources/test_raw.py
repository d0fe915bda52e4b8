"""Lines of raw files: twins, growth, line changes, restarts."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realdata import real_data
from sources_builders import (
    START,
    Clock,
    Ledger,
    append,
    counters,
    drain,
    files,
    line_ends,
    line_name,
    navigation_bytes,
    poll_times,
    poll_until,
    refusals,
    swaths,
    water_column_bytes,
)

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import LineEnd, NavigationSample, Quarantined, SourceItem
from sonar_watch.sources.raw import RawFolderSource, RawOptions, is_raw
from sonar_watch.sources.source import is_swath

Opener = Callable[..., RawFolderSource]

SECOND = START + timedelta(seconds=10)
FIRST_NAME, SECOND_NAME = line_name(START), line_name(SECOND)


@pytest.fixture
def watch(tmp_path: Path, clock: Clock, wake: threading.Event) -> Iterator[Opener]:
    opened: list[RawFolderSource] = []

    def open_source(ledger: Ledger | None = None, **options: object) -> RawFolderSource:
        chosen = RawOptions(path=tmp_path, **({"rescan_s": 0.5} | options))  # type: ignore[arg-type]
        opened.append(RawFolderSource(chosen, ledger, wake=wake, clock=clock))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def replay(path: Path, ledger: Ledger | None = None) -> list[SourceItem]:
    source = RawFolderSource(RawOptions(path=path), ledger, live=False)
    try:
        return drain(source)
    finally:
        source.close()


def write_line(folder: Path, start: datetime, *, first: int = 0, pings: int = 20,
               lasts_s: float = 9.9, sounder: str = "em2040") -> None:
    name = line_name(start)
    (folder / f"{name}.kmwcd").write_bytes(
        water_column_bytes(start, pings, first=first, sounder=sounder))
    (folder / f"{name}.kmall").write_bytes(navigation_bytes(start, lasts_s, sounder=sounder))


def settled_with(items: list[SourceItem]) -> dict[str, tuple[float, ...]]:
    """Return, as the pipeline would, which navigation each swath gets when it leaves.

    It leaves when position and heading lie on both sides of it, or at the `LineEnd`; what it
    gets are the nearest times before and after.
    """
    positions: list[float] = []
    headings: list[float] = []
    waiting: list[tuple[str, float]] = []
    settled: dict[str, tuple[float, ...]] = {}

    def bracket(times: list[float], at: float) -> tuple[float, float]:
        return (max((t for t in times if t <= at), default=-1.0),
                min((t for t in times if t > at), default=-1.0))

    for item in items:
        if isinstance(item, NavigationSample):
            positions += item.time_s.tolist() if item.latitude is not None else []
            headings += item.time_s.tolist() if item.heading_deg is not None else []
        elif is_swath(item):
            waiting.append((item.frame_id, item.time_utc.timestamp()))
        for frame_id, at in list(waiting):
            found = bracket(positions, at) + bracket(headings, at)
            if isinstance(item, LineEnd) or -1.0 not in found:
                settled[frame_id] = found
                waiting.remove((frame_id, at))
    assert not waiting
    return settled


@pytest.mark.parametrize(
    ("name", "raw"),
    [("a.kmall", True), ("a.KMWCD", True), ("a.wcd_frag", True), ("a.all", True),
     ("a.png", False), ("a", False), ("a.kmall.part", False)],
)
def test_raw_files_are_told_by_their_names(name: str, raw: bool) -> None:
    assert is_raw(Path(name)) is raw


def test_a_line_is_given_whole_with_its_navigation_ahead(tmp_path: Path) -> None:
    write_line(tmp_path, START)
    items = replay(tmp_path)
    assert counters(items) == list(range(20))
    assert items[-1] == LineEnd(source="raw", sounder="em2040", line=FIRST_NAME, checkpoint={
        "key": f"raw/em2040-40/{FIRST_NAME}", "value": {"complete": True, "sizes": {
            f"{FIRST_NAME}.{suffix}": (tmp_path / f"{FIRST_NAME}.{suffix}").stat().st_size
            for suffix in ("kmall", "kmwcd")}}})
    latest_s = 0.0
    for item in items:
        if isinstance(item, NavigationSample):
            latest_s = max(latest_s, float(item.time_s[-1]))
        elif is_swath(item) and item.source.ping_counter < 18:  # type: ignore[operator]
            assert latest_s >= item.time_utc.timestamp()


def test_a_single_file_may_hold_both(tmp_path: Path) -> None:
    data = navigation_bytes(START, 5) + water_column_bytes(START, 6)
    (tmp_path / f"{FIRST_NAME}.kmall").write_bytes(data)
    assert counters(replay(tmp_path)) == list(range(6))


def test_twins_may_lie_in_different_folders(tmp_path: Path) -> None:
    for folder, suffix, data in (("RAW", "kmall", navigation_bytes(START, 5)),
                                 ("WC", "kmwcd", water_column_bytes(START, 4))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{FIRST_NAME}.{suffix}").write_bytes(data)
    items = replay(tmp_path)
    assert counters(items) == list(range(4))
    assert len(line_ends(items)) == 1
    assert any(isinstance(item, NavigationSample) and item.sensor == "skm" for item in items)


def test_lines_follow_one_another(tmp_path: Path) -> None:
    write_line(tmp_path, SECOND, first=20)
    write_line(tmp_path, START)
    items = replay(tmp_path)
    assert counters(items) == list(range(40))
    assert line_ends(items) == [f"raw/em2040-40/{FIRST_NAME}", f"raw/em2040-40/{SECOND_NAME}"]


def test_two_sounders_are_merged_by_data_time(tmp_path: Path) -> None:
    for sounder, offset_s in (("em2040", 0.0), ("em124", 0.2)):
        folder = tmp_path / sounder
        folder.mkdir()
        start = START + timedelta(seconds=offset_s)
        (folder / f"{FIRST_NAME}_{sounder}.kmwcd").write_bytes(
            water_column_bytes(start, 20, sounder=sounder))
    items = replay(tmp_path)
    times = [swath.time_utc for swath in swaths(items)]
    assert len(times) == 40
    assert times == sorted(times)
    assert len(line_ends(items)) == 2
    ends = [item.sounder for item in items if isinstance(item, LineEnd)]
    assert sorted(ends) == ["em124", "em2040"]


def test_the_last_swaths_get_the_navigation_of_the_next_line(tmp_path: Path) -> None:
    write_line(tmp_path, START, lasts_s=7.0)  # swaths go on to 9.5 s
    write_line(tmp_path, SECOND, first=20)
    items = replay(tmp_path)
    end = next(place for place, item in enumerate(items) if isinstance(item, LineEnd))
    heard_s = max(float(item.time_s[-1]) for item in items[:end]
                  if isinstance(item, NavigationSample) and item.heading_deg is not None)
    assert heard_s > START.timestamp() + 9.5
    assert counters(items[:end]) == list(range(20))


def test_a_line_much_later_is_not_waited_for(tmp_path: Path) -> None:
    later = START + timedelta(seconds=300)
    write_line(tmp_path, START, lasts_s=7.0)
    write_line(tmp_path, later, first=20)
    items = replay(tmp_path)
    end = next(place for place, item in enumerate(items) if isinstance(item, LineEnd))
    assert all(float(item.time_s[-1]) < later.timestamp()
               for item in items[:end] if isinstance(item, NavigationSample))


def test_a_growing_line_gives_what_is_complete(
    tmp_path: Path, watch: Opener, wake: threading.Event
) -> None:
    source = watch()
    assert source.poll() == []
    data = water_column_bytes(START, 2)
    path = tmp_path / f"{FIRST_NAME}.kmwcd"
    half = len(data) * 3 // 4
    path.write_bytes(data[:half])
    assert counters(poll_until(source, lambda items: len(swaths(items)) == 1, wake)) == [0]
    assert swaths(poll_times(source)) == []
    append(path, data[half:])
    assert counters(poll_until(source, lambda items: len(swaths(items)) == 1, wake)) == [1]


def test_a_live_line_ends_with_the_next_one(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    source = watch()
    write_line(tmp_path, START)
    items = poll_times(source)
    assert counters(items) == list(range(15))  # the last await 2 s of navigation beyond them
    write_line(tmp_path, SECOND, first=20)
    clock.pass_by(2)
    assert line_ends(poll_times(source)) == []
    clock.pass_by(5)
    more = poll_times(source, 10)
    assert line_ends(more) == [f"raw/em2040-40/{FIRST_NAME}"]
    assert counters(more) == list(range(15, 35))


def test_a_live_line_ends_by_silence_and_may_go_on(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    ledger = Ledger()
    source = watch(ledger)
    write_line(tmp_path, START, pings=10)
    poll_times(source)
    clock.pass_by(61)
    items = poll_times(source)
    assert line_ends(items) == [f"raw/em2040-40/{FIRST_NAME}"]
    assert not source.exhausted
    append(tmp_path / f"{FIRST_NAME}.kmwcd", water_column_bytes(
        START + timedelta(seconds=5), 3, first=10))
    clock.pass_by(1)
    assert counters(poll_times(source)) == [10, 11, 12]


@pytest.mark.parametrize("twin", ["kmall", "kmwcd"])
def test_a_twin_may_come_late(
    tmp_path: Path, watch: Opener, clock: Clock, twin: str
) -> None:
    source = watch()
    write_line(tmp_path, START)
    (tmp_path / f"{FIRST_NAME}.{twin}").rename(tmp_path / "aside")
    items = poll_times(source)
    (tmp_path / "aside").rename(tmp_path / f"{FIRST_NAME}.{twin}")
    clock.pass_by(1)
    items += poll_times(source)
    clock.pass_by(61)
    items += poll_times(source)
    assert counters(items) == list(range(20))
    assert sum(isinstance(item, NavigationSample) and item.sensor == "skm" for item in items) == 10


def test_a_line_change_waits_longer_for_a_missing_twin(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    source = watch()
    write_line(tmp_path, START)
    (tmp_path / f"{FIRST_NAME}.kmall").unlink()
    write_line(tmp_path, SECOND, first=20)
    poll_times(source)
    clock.pass_by(6)
    assert line_ends(poll_times(source)) == []
    clock.pass_by(60)
    assert f"raw/em2040-40/{FIRST_NAME}" in line_ends(poll_times(source))


def test_a_fragment_becomes_a_file(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    source = watch()
    data = water_column_bytes(START, 6)
    fragment = tmp_path / f"{FIRST_NAME}.kmwcd_frag"
    fragment.write_bytes(data[: len(data) // 2])
    items = poll_times(source)
    append(fragment, data[len(data) // 2 :])
    fragment.rename(tmp_path / f"{FIRST_NAME}.kmwcd")
    clock.pass_by(1)
    items += poll_times(source)
    clock.pass_by(61)
    items += poll_times(source)
    assert counters(items) == list(range(6))
    assert set(files(items)) == {f"{FIRST_NAME}.kmwcd"}


def test_a_complete_line_is_not_read_again(tmp_path: Path) -> None:
    ledger = Ledger()
    write_line(tmp_path, START)
    ledger.commit(replay(tmp_path, ledger))
    assert replay(tmp_path, ledger) == []


def test_a_line_grown_since_is_read_again_without_what_is_done(tmp_path: Path) -> None:
    ledger = Ledger()
    write_line(tmp_path, START, pings=10)
    ledger.commit(replay(tmp_path, ledger))
    append(tmp_path / f"{FIRST_NAME}.kmwcd",
           water_column_bytes(START + timedelta(seconds=5), 2, first=10))
    assert counters(replay(tmp_path, ledger)) == [10, 11]


def test_a_restart_gives_the_same_navigation(tmp_path: Path) -> None:
    """The first swath of the second line lies before that line's first navigation."""
    ledger = Ledger()
    write_line(tmp_path, START)
    write_line(tmp_path, SECOND, first=20)
    early = START + timedelta(seconds=9.97)
    path = tmp_path / f"{SECOND_NAME}.kmwcd"
    path.write_bytes(water_column_bytes(early, 10, first=20))
    whole = replay(tmp_path)
    end = next(place for place, item in enumerate(whole) if isinstance(item, LineEnd))
    ledger.commit(whole[: end + 1])
    resumed = replay(tmp_path, ledger)
    assert counters(resumed) == list(range(20, 30))
    expected = settled_with(whole)
    assert settled_with(resumed).items() <= expected.items()


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lasts_s=st.sampled_from([6.0, 8.0, 9.0, 9.9]),
    gap_s=st.sampled_from([0, 15, 300]),
    seed=st.integers(0, 2**16),
)
def test_live_settles_every_swath_like_replay(
    tmp_path_factory: pytest.TempPathFactory, lasts_s: float, gap_s: int, seed: int
) -> None:
    """However the bytes of two lines trickle in, each swath leaves with the same navigation."""
    folder, chance = tmp_path_factory.mktemp("line"), Random(seed)
    second = SECOND + timedelta(seconds=gap_s)
    content = {
        f"{FIRST_NAME}.kmwcd": water_column_bytes(START, 20),
        f"{FIRST_NAME}.kmall": navigation_bytes(START, lasts_s),
        f"{line_name(second)}.kmwcd": water_column_bytes(second, 6, first=20),
        f"{line_name(second)}.kmall": navigation_bytes(second, 4),
    }
    clock = Clock()
    source = RawFolderSource(RawOptions(path=folder, rescan_s=0.5), clock=clock)
    live: list[SourceItem] = []
    try:
        names = list(content)
        for line in (names[:2], names[2:]):
            left = {name: content[name] for name in line}
            while left:
                name = chance.choice(sorted(left))
                size = chance.randint(1, 4000)
                append(folder / name, left[name][:size])
                left[name] = left[name][size:]
                left = {name: rest for name, rest in left.items() if rest}
                clock.pass_by(1)
                live += source.poll()
        clock.pass_by(7)
        live += poll_times(source, 20)
        clock.pass_by(61)
        live += poll_times(source, 20)
    finally:
        source.close()
    recorded = replay(folder)
    assert counters(live) == counters(recorded) == list(range(26))
    assert line_ends(live) == line_ends(recorded)
    assert settled_with(live) == settled_with(recorded)


def test_cut_bytes_at_the_end_are_told(tmp_path: Path) -> None:
    write_line(tmp_path, START, pings=3)
    path = tmp_path / f"{FIRST_NAME}.kmwcd"
    path.write_bytes(path.read_bytes()[:-10])
    items = replay(tmp_path)
    assert counters(items) == [0, 1]
    assert len(refusals(items)) == 1
    assert isinstance(items[-1], LineEnd)


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(4096), b"x" * 4096])
def test_a_file_that_is_none_does_not_stop_the_others(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0000_20250101_000000.kmwcd").write_bytes(content)
    write_line(tmp_path, START)
    items = replay(tmp_path)
    assert counters(items) == list(range(20))
    assert len(line_ends(items)) == 2


@pytest.mark.parametrize("suffix", ["kmwcd", "wcd", "kmall_frag"])
def test_a_live_file_of_something_else_is_told_and_stops_nothing(
    tmp_path: Path, watch: Opener, clock: Clock, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    name = f"0000_20250101_000000.{suffix}"
    (tmp_path / name).write_bytes(b"%PDF-1.4 " * 100)
    write_line(tmp_path, START)
    source = watch()
    items = poll_times(source)
    assert counters(items) == list(range(15))
    assert f"{name}: no datagram at the beginning" in caplog.text
    clock.pass_by(61)
    items += poll_times(source)
    (told,) = [item for item in items if isinstance(item, Quarantined)]
    plain = name.removesuffix("_frag")
    assert told.reason.startswith(f"{plain} at byte 0: expected")
    assert (told.source.file, told.source.offset) == (plain, 0)
    ends = {item.sounder for item in items if isinstance(item, LineEnd)}
    assert ends == {"unknown", "em2040"}
    assert source.counts() == {"backlog": 0, "broken": 1}
    clock.pass_by(61)
    assert poll_times(source) == []


@pytest.mark.parametrize("content", [b"%PDF", bytes(500)])
def test_a_live_file_that_stays_too_short_or_unwritten_is_told_after_silence(
    tmp_path: Path, watch: Opener, clock: Clock, content: bytes
) -> None:
    path = tmp_path / f"{FIRST_NAME}.kmwcd"
    path.write_bytes(content)
    source = watch()
    assert poll_times(source) == []
    clock.pass_by(59)
    append(path, content)
    assert poll_times(source) == []
    clock.pass_by(59)
    assert poll_times(source) == []
    assert source.counts() == {"backlog": 1}
    clock.pass_by(2)
    assert poll_times(source) == []
    clock.pass_by(61)
    (reason,) = refusals(poll_times(source))
    assert reason.startswith(f"{path.name} at byte 0")


def test_the_counts_say_what_waits_and_what_is_broken(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    write_line(tmp_path, START)
    write_line(tmp_path, SECOND, first=20)
    one, rest = water_column_bytes(START, 1), water_column_bytes(SECOND, 2, first=1)
    (tmp_path / f"{FIRST_NAME}.kmwcd").write_bytes(one + b"rubbish" * 30 + rest)
    source = watch()
    assert source.counts() == {"backlog": 0, "scanning": 1}
    poll_times(source)
    # The second line waits, and the last two swaths of the first for navigation after them.
    assert source.counts() == {"backlog": 3, "broken": 1}
    clock.pass_by(6)
    poll_times(source, 10)
    assert source.counts()["broken"] == 1
    clock.pass_by(61)
    poll_times(source, 10)
    assert source.counts() == {"backlog": 0, "broken": 1}
    source.close()
    assert source.counts() == {"backlog": 0, "broken": 1}


def test_an_empty_live_file_waits_for_its_first_bytes(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    source = watch()
    path = tmp_path / f"{FIRST_NAME}.kmwcd"
    path.touch()
    assert poll_times(source) == []
    append(path, water_column_bytes(START, 2))
    clock.pass_by(1)
    assert counters(poll_times(source)) == [0, 1]


def test_a_file_that_vanishes_ends_its_line(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    source = watch()
    write_line(tmp_path, START)
    poll_times(source)
    for path in tmp_path.iterdir():
        path.unlink()
    clock.pass_by(1)
    items = poll_times(source)
    assert len(refusals(items)) == 2
    assert "vanished" in refusals(items)[0]
    clock.pass_by(6)
    assert line_ends(poll_times(source)) == [f"raw/em2040-40/{FIRST_NAME}"]


def test_a_file_that_shrinks_is_read_again(tmp_path: Path, watch: Opener, clock: Clock) -> None:
    source = watch()
    path = tmp_path / f"{FIRST_NAME}.kmwcd"
    path.write_bytes(water_column_bytes(START, 5))
    poll_times(source)
    path.write_bytes(water_column_bytes(START, 3))
    clock.pass_by(1)
    items = poll_times(source)
    assert "shrank" in refusals(items)[0]
    append(path, water_column_bytes(START + timedelta(seconds=9), 1, first=9))
    clock.pass_by(1)
    assert counters(poll_times(source)) == [9]


def test_an_unreadable_file_is_told_once(
    tmp_path: Path, watch: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_line(tmp_path, START)

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("sonar_watch.sources.reader.RawFile", refuse)
    source = watch()
    items = poll_times(source)
    for _ in range(3):
        clock.pass_by(1)
        items += poll_times(source)
    assert len(refusals(items)) == 2


@pytest.mark.parametrize(
    "wrong", [{"rescan_s": 0}, {"join_s": -1}, {"silent_limit_s": 0}, {"line_change_s": 0}]
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        RawOptions(path=tmp_path, **wrong)  # type: ignore[arg-type]


SWATHS = {
    "em710_heincke": 10, "em710_karoline": 11, "em2040_simonstevin": 11, "em2042_os01_a": 5,
    "em2042_os01_b": 5, "em2042_os01_c": 5, "em2042_os01_d": 4, "em2042_os03_a": 6,
    "em2042_os03_b": 6, "em2040_tampa": 6,
}


def test_real_lines_come_in_order_of_time_with_navigation() -> None:
    items = replay(real_data("kongsberg"))
    given = files(items)
    assert {stem: sum(Path(file).stem == stem for file in given) for stem in SWATHS} == SWATHS
    times = [swath.time_utc for swath in swaths(items)]
    assert times == sorted(times)
    assert refusals(items) == []
    assert len(line_ends(items)) == len(SWATHS)


@pytest.mark.parametrize("stem", ["em710_karoline", "em2042_os01_c"])
def test_a_real_line_growing_gives_what_it_gives_whole(
    tmp_path: Path, watch: Opener, clock: Clock, stem: str
) -> None:
    paths = [path for path in real_data("kongsberg").iterdir() if path.stem == stem]
    source = watch()
    live: list[SourceItem] = []
    parts = 12
    for part in range(parts):
        for path in paths:
            data = path.read_bytes()
            append(tmp_path / path.name,
                   data[part * len(data) // parts : (part + 1) * len(data) // parts])
        clock.pass_by(1)
        live += source.poll()
    clock.pass_by(61)
    live += poll_times(source)
    recorded = replay(tmp_path)
    assert [swath.frame_id for swath in swaths(live)] == [
        swath.frame_id for swath in swaths(recorded)]
    assert settled_with(live) == settled_with(recorded)
    assert line_ends(live) == line_ends(recorded)


@pytest.mark.parametrize("live", [False, True])
def test_two_sounders_may_give_their_files_the_same_names(
    tmp_path: Path, watch: Opener, clock: Clock, live: bool
) -> None:
    for sounder in ("em304", "em710"):
        (tmp_path / sounder).mkdir()
        write_line(tmp_path / sounder, START, sounder=sounder)
    if live:
        source, items = watch(), []
        for _ in range(20):
            clock.pass_by(10)
            items += poll_times(source)
    else:
        items = replay(tmp_path)
    assert refusals(items) == []
    for sounder in ("em304", "em710"):
        given = [swath.source.ping_counter for swath in swaths(items) if swath.sounder == sounder]
        assert given == list(range(20))
    assert sorted(line_ends(items)) == [
        f"raw/{name}-40/{FIRST_NAME}" for name in ("em304", "em710")]


def test_a_second_copy_of_a_file_is_set_aside_once(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_line(tmp_path / folder, START)
    source = watch()
    items = poll_times(source)
    for _ in range(10):
        clock.pass_by(10)
        items += source.poll()
    assert counters(items) == list(range(20))
    assert sorted(item.source.file for item in items if isinstance(item, Quarantined)) == [
        f"{FIRST_NAME}.kmall", f"{FIRST_NAME}.kmwcd"]
    assert all("second" in reason for reason in refusals(items))
    assert source.counts() == {"backlog": 0, "broken": 2}
    assert len(refusals(replay(tmp_path))) == 2


def test_an_unwritten_twin_waits_for_its_own_sounder(
    tmp_path: Path, watch: Opener, clock: Clock
) -> None:
    for sounder in ("em304", "em710"):
        (tmp_path / sounder).mkdir()
        write_line(tmp_path / sounder, START, sounder=sounder)
    late = [tmp_path / sounder / f"{FIRST_NAME}.kmwcd" for sounder in ("em304", "em710")]
    data = [path.read_bytes() for path in late]
    late[0].unlink()
    late[1].write_bytes(b"")
    source = watch()
    items = poll_times(source)
    for path, content in zip(late, data, strict=True):
        path.write_bytes(content)
    for _ in range(20):
        clock.pass_by(10)
        items += poll_times(source)
    assert refusals(items) == []
    assert sorted(swath.sounder for swath in swaths(items)).count("em304") == 20
    assert len(swaths(items)) == 40
