"""An excerpt sailed again and again: the same pings and positions, later."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.formats.rawfile import LineContext, RawFile
from sonar_watch.records import NavigationSample, SourceItem, WaterColumnPing
from sonar_watch.simulation.cruise import random_survey
from sonar_watch.simulation.looping import ExcerptLine, LoopWriter, sail_excerpt

LOOP_S = 100


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExcerptLine, ...]:
    survey = random_survey(3, depth_m=200.0, length_m=20.0, plumes=1, schools=0)
    return sail_excerpt(survey, tmp_path_factory.mktemp("excerpt"))


def items_of(folder: Path, suffix: str) -> list[list[SourceItem]]:
    """Return what each file of a folder holds."""
    found = []
    for path in sorted(folder.glob(f"*{suffix}")):
        file = RawFile(path, source="raw", context=LineContext())
        found.append([*file.read(1000), *file.finish()])
        file.close()
    return found


def write_loops(writer: LoopWriter, datagrams: int) -> None:
    for each in itertools.islice(writer.datagrams(), datagrams):
        writer.append(each)
    writer.close()


def test_a_loop_gives_the_same_pings_later(
    tmp_path: Path, excerpt: tuple[ExcerptLine, ...]
) -> None:
    writer = LoopWriter(excerpt, tmp_path, loop_s=LOOP_S)
    write_loops(writer, 3 * len(excerpt[0].body))
    assert writer.swaths == 3 * excerpt[0].swaths
    loops = [
        [item for item in items if isinstance(item, WaterColumnPing)]
        for items in items_of(tmp_path, ".kmwcd")
    ]
    assert len({ping.frame_id for ping in itertools.chain(*loops)}) == 3 * excerpt[0].swaths
    for number, loop in enumerate(loops):
        for first, ping in zip(loops[0], loop, strict=True):
            assert ping.time_utc - first.time_utc == timedelta(seconds=number * LOOP_S)
            assert ping.ping_counter - first.ping_counter == number * excerpt[0].swaths
            assert np.array_equal(ping.samples_half_db, first.samples_half_db)


def test_navigation_goes_with_it(tmp_path: Path, excerpt: tuple[ExcerptLine, ...]) -> None:
    write_loops(LoopWriter(excerpt, tmp_path, loop_s=LOOP_S), 2 * len(excerpt[0].body))
    first, second = (
        [item for item in items if isinstance(item, NavigationSample)]
        for items in items_of(tmp_path, ".kmall")
    )
    assert {sample.sensor for sample in first} == {"spo", "skm"}
    for before, after in zip(first, second, strict=True):
        assert np.allclose(after.time_s - before.time_s, LOOP_S)
        if before.latitude is not None:
            assert np.array_equal(before.latitude, after.latitude)


def test_each_loop_may_lie_beyond_the_one_before(
    tmp_path: Path, excerpt: tuple[ExcerptLine, ...]
) -> None:
    writer = LoopWriter(excerpt, tmp_path, loop_s=LOOP_S, step_deg=(0.002, -0.001))
    write_loops(writer, 3 * len(excerpt[0].body))
    places = [
        np.array([
            (item.latitude[0], item.longitude[0]) for item in items
            if isinstance(item, NavigationSample)
            and item.latitude is not None and item.longitude is not None
        ])
        for items in items_of(tmp_path, ".kmall")
    ]
    assert len(places[0])
    for number, loop in enumerate(places):
        assert np.allclose(loop - places[0], (number * 0.002, -number * 0.001), atol=1e-12)


def test_nothing_is_due_before_what_it_tells(excerpt: tuple[ExcerptLine, ...]) -> None:
    dues = [each.due_s for each in excerpt[0].body]
    assert dues == sorted(dues)
    motion = [each.due_s for each in excerpt[0].body if each.data[4:8] == b"#SKM"]
    assert motion[0] - excerpt[0].start_s == pytest.approx(0.9)  # ten rows, the last one


def test_the_oldest_files_are_deleted(tmp_path: Path, excerpt: tuple[ExcerptLine, ...]) -> None:
    write_loops(LoopWriter(excerpt, tmp_path, loop_s=LOOP_S, kept=2), 5 * len(excerpt[0].body))
    assert [path.name[:4] for path in sorted(tmp_path.glob("*.kmall"))] == ["0003", "0004"]


def test_several_loops_in_one_file_go_on_without_a_gap(
    tmp_path: Path, excerpt: tuple[ExcerptLine, ...]
) -> None:
    loop_s = int(max(each.due_s for each in excerpt[0].body if each.is_swath)
                 - excerpt[0].start_s) + 1  # fmt: skip
    assert any(each.due_s >= excerpt[0].start_s + loop_s for each in excerpt[0].body)
    writer = LoopWriter(excerpt, tmp_path, loop_s=loop_s, loops_per_file=2)
    dues = []
    for each in itertools.islice(writer.datagrams(), 2 * len(excerpt[0].body) - 12):
        writer.append(each)
        dues.append(each.due_s)
    writer.close()
    assert dues == sorted(dues)
    assert len(list(tmp_path.glob("*.kmall"))) == 1


def test_what_cannot_be_looped_is_refused(
    tmp_path: Path, excerpt: tuple[ExcerptLine, ...]
) -> None:
    with pytest.raises(ConfigurationError, match="less than 1 s"):
        LoopWriter(excerpt, tmp_path, loop_s=1)
    later = replace(excerpt[0], start_s=excerpt[0].start_s)
    with pytest.raises(ConfigurationError, match="one line"):
        LoopWriter([excerpt[0], later], tmp_path, loop_s=LOOP_S, loops_per_file=2)
