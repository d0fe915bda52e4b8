"""How much room is too little, on small disks and on huge ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.health.folders import FolderState, WatchedFolder, look_at
from sonar_watch.health.rules import Vitals, find_warnings
from sonar_watch.monitoring import HealthOptions


def is_told(state: FolderState, limits: HealthOptions) -> bool:
    return "disk_full.data_dir" in find_warnings(Vitals(folders=[state]), limits)


@pytest.mark.parametrize(
    ("total", "free", "told"),
    [
        (8e9, 0.9e9, True),  # below 1 GB
        (8e9, 1.1e9, False),
        (500e9, 24e9, True),  # below 5 %
        (500e9, 26e9, False),
        (100e12, 49e9, True),  # a share of a whole institute
        (100e12, 51e9, False),
        (100e12, 4e12, False),
    ],
)
def test_what_is_told_of_disks_of_any_size(total: float, free: float, told: bool) -> None:
    state = FolderState(
        folder="data_dir", looked_s=0.0, disk=7, free_bytes=int(free), total_bytes=int(total)
    )
    assert is_told(state, HealthOptions()) == told


def test_a_real_disk_is_told_when_what_is_enough_is_gone(small_disk: Path) -> None:
    """All in small: of 8 MB 40 % are little, but 2 MB are enough."""
    limits = HealthOptions(disk_free_gb=0.0, disk_free_share=0.4, disk_free_enough_gb=0.002)
    filler, folder = small_disk / "others", WatchedFolder(name="data_dir", path=small_disk)
    filler.write_bytes(bytes(5_500_000))
    state = look_at(folder, None, 0.0)
    assert state.free_bytes is not None
    assert state.total_bytes is not None
    assert state.free_bytes < 0.4 * state.total_bytes
    assert not is_told(state, limits)
    filler.write_bytes(bytes(6_800_000))
    assert is_told(look_at(folder, None, 1.0), limits)


def test_less_than_nothing_is_no_limit() -> None:
    with pytest.raises(ConfigurationError, match="disk_free_enough_gb"):
        HealthOptions(disk_free_enough_gb=-1.0)
