"""Raw files named one by one look for their twin beside themselves, and nowhere else."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from sources_builders import (
    START,
    counters,
    drain,
    files,
    line_name,
    navigation_bytes,
    water_column_bytes,
)

from sonar_watch.records import NavigationSample, SourceItem
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.replay import open_inputs

NAME = line_name(START)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A line; below it, in folders listed first, files of the same sounder and names."""
    (tmp_path / "Backup").mkdir()
    (tmp_path / f"{NAME}.kmwcd").write_bytes(water_column_bytes(START, 4))
    (tmp_path / "Backup" / f"{NAME}.kmwcd").write_bytes(water_column_bytes(START, 9, first=50))
    (tmp_path / "Backup" / f"{NAME}.kmall").write_bytes(navigation_bytes(START, 9))
    return tmp_path


def give(*paths: Path) -> list[SourceItem]:
    merger = Merger(open_inputs(paths), live=False)
    items = drain(merger)
    merger.close()
    return items


def navigation_s(items: list[SourceItem]) -> float:
    """Return how many seconds the navigation lasts."""
    times = [t for item in items if isinstance(item, NavigationSample) for t in item.time_s]
    return max(times) - min(times) if times else 0.0


def test_files_of_the_same_name_further_down_are_left_alone(folder: Path) -> None:
    items = give(folder / f"{NAME}.kmwcd")
    assert counters(items) == [0, 1, 2, 3]
    assert navigation_s(items) == 0.0


def test_the_twin_beside_it_is_brought_along(folder: Path) -> None:
    (folder / f"{NAME}.kmall").write_bytes(navigation_bytes(START, 3))
    for named in (f"{NAME}.kmwcd", f"{NAME}.kmall"):
        items = give(folder / named)
        assert counters(items) == [0, 1, 2, 3]
        assert navigation_s(items) == pytest.approx(3.0)


def test_a_named_folder_is_read_with_all_below_it(folder: Path) -> None:
    (folder / "Backup" / f"{NAME}.kmwcd").unlink()
    items = give(folder)
    assert counters(items) == [0, 1, 2, 3]
    assert navigation_s(items) == pytest.approx(9.0)


def test_what_is_named_twice_is_given_once(folder: Path) -> None:
    """A file, its folder and the folder above, in any order: the folder above has it all."""
    line = folder / "Backup" / f"{NAME}.kmwcd"
    (folder / f"{NAME}.kmwcd").unlink()
    for paths in permutations((line, line.parent, folder)):
        items = give(*paths)
        assert files(items) == [line.name] * 9
        assert navigation_s(items) == pytest.approx(9.0)
