"""Each rule by its numbers: when it warns, and when it keeps quiet."""

from __future__ import annotations

from typing import Any

import pytest

from sonar_watch.health.folders import FolderState
from sonar_watch.health.machine import ClockStep
from sonar_watch.health.rules import Vitals, find_warnings
from sonar_watch.monitoring import HealthOptions

FRESH: dict[str, Any] = {
    "ping_age_s": 1.0, "navigation_age_s": 1.0, "sounder_navigation_age_s": 1.0,
    "uptime_s": 9e4, "speed_m_s": 2.5, "present": True,
}  # fmt: skip


AWAY = FolderState(folder="raw", looked_s=0.0, error="No such file or directory")


def found(**numbers: Any) -> dict[str, str]:
    return find_warnings(Vitals(**{**FRESH, **numbers}), HealthOptions())


def disk(free: float, total: float = 1e12, folder: str = "data_dir") -> FolderState:
    return FolderState(
        folder=folder, looked_s=0.0, disk=7, free_bytes=int(free), total_bytes=int(total)
    )


def grown(ago_s: float) -> FolderState:
    return FolderState(folder="raw", looked_s=1e4, newest="7.kmall", grown_s=1e4 - ago_s)


def test_a_watch_at_work_warns_of_nothing() -> None:
    assert found(folders=[disk(5e11), grown(3.0)]) == {}


def test_a_watch_that_has_just_begun_warns_of_nothing() -> None:
    assert find_warnings(Vitals(uptime_s=2.0), HealthOptions()) == {}


@pytest.mark.parametrize(
    ("numbers", "name", "words"),
    [
        ({"ping_age_s": 400.0, "sounder_navigation_age_s": 400.0}, "no_ping", "for 7 min"),
        ({"ping_age_s": None, "sounder_navigation_age_s": None}, "no_ping", "since the start"),
        ({"ping_age_s": 70.0}, "water_column_off", "for 70 s"),
        ({"folders": [grown(130.0)]}, "file_not_growing.raw", "7.kmall"),
        ({"navigation_age_s": 70.0}, "no_navigation", "for 70 s"),
        ({"clock_step": ClockStep(step_s=-3600.0, age_s=8.0)}, "clock_step", "-3600.0 s 8 s ago"),
        ({"clock_offset_s": -65.0}, "clock_offset", "65.0 s ahead"),
        ({"nmea_offset_s": -40.0}, "navigation_clock", "40.0 s behind"),
        ({"folders": [disk(0.9e9, 4e9)]}, "disk_full.data_dir", "900 MB (22%)"),
        ({"folders": [disk(40e9)]}, "disk_full.data_dir", "40 GB (4%)"),
        ({"folders": [disk(4e8), disk(4e8, folder="raw")]}, "disk_full.data_dir", "400 MB"),
        ({"folders": [disk(4e8, folder="raw")]}, "disk_full.raw", "nothing is recorded"),
        ({"hanging": ("raw", 45.0)}, "folder_away.raw", "for 45 s"),
        ({"folders": [AWAY]}, "folder_away.raw", "No such file or directory; is the share mounted"),
        ({"journal_bytes": 21e9}, "journal_large", "21.0 GB"),
        ({"backlog": 900, "backlog_growth": (400.0, 500.0)}, "backlog_growing", "500 more"),
        ({"device": "cuda:0", "runtime": "openvino 2026.4.1 cpu"}, "gpu_unused", "doctor"),
        ({"has_gpu": True, "runtime": "openvino 2026.4.1 cpu"}, "gpu_unused", "device: auto"),
        ({"out_of_domain": (("em2040-1", "300 kHz"),)}, "out_of_domain.em2040-1", "300 kHz"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(numbers: dict[str, Any], name: str, words: str) -> None:
    warned = found(**numbers)
    assert list(warned) == [name]
    assert words in warned[name]


@pytest.mark.parametrize(
    "numbers",
    [
        {"ping_age_s": 4e3, "sounder_navigation_age_s": 4e3, "speed_m_s": 0.3},
        {"ping_age_s": 4e3, "sounder_navigation_age_s": 4e3, "present": False},
        {"folders": [grown(130.0)], "speed_m_s": 0.3},
        {"navigation_age_s": 400.0, "sounder_navigation_age_s": 400.0, "ping_age_s": 200.0},
        {"clock_step": ClockStep(step_s=2.0, age_s=700.0)},
        {"clock_offset_s": 400.0},
        {"backlog": 900, "backlog_growth": (20.0, 500.0)},
        {"device": "cpu", "has_gpu": True, "runtime": "openvino 2026.4.1 cpu"},
        {"has_gpu": True, "runtime": "classical"},
        {"has_gpu": True, "runtime": "torch 2.9 cuda:0"},
    ],
)
def test_what_may_well_be_is_not_warned_of(numbers: dict[str, Any]) -> None:
    assert found(**numbers) == {}
