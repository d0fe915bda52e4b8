"""Numbers of a running watch, from many threads and as Prometheus text."""

from __future__ import annotations

import json
import math
import re
import threading

import pytest

from sonar_watch.monitoring import Monitor, complaints, prometheus_text, reason_kind


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_frames_give_lag_and_age():
    clock = Clock()
    monitor = Monitor(clock, clock)
    assert monitor.snapshot()["last_frame_age_s"] is None
    monitor.frame_done(998.5, detections=2)
    clock.now_s = 1004.0
    now = monitor.snapshot()
    assert (now["frames"], now["detections"]) == (1, 2)
    assert (now["lag_s"], now["last_frame_age_s"], now["uptime_s"]) == (1.5, 4.0, 4.0)
    assert json.loads(json.dumps(now)) == now


def test_threads_lose_no_count():
    monitor = Monitor()

    def work():
        for _ in range(2000):
            monitor.count("frames")
            monitor.quarantine("cut: at 7")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.snapshot()["frames"] == 16_000
    assert monitor.snapshot()["quarantined"] == {"cut": 16_000}


def test_prometheus_text():
    clock = Clock()
    monitor = Monitor(clock, clock)
    monitor.frame_done(999.0, 3)
    monitor.count("alerts", 2)
    monitor.count("reconnects")
    monitor.set("backlog", 17)
    monitor.set("gpu_memory_mib", math.nan)
    monitor.quarantine('odd "thing"\\')
    text = monitor.prometheus()
    lines = text.splitlines()
    assert "sonar_watch_frames_total 1" in lines
    assert "sonar_watch_reconnects_total 1" in lines
    assert "sonar_watch_backlog 17.0" in lines
    assert "sonar_watch_gpu_memory_mib NaN" in lines
    assert 'sonar_watch_quarantined_total{reason="odd \\"thing\\"\\\\"} 1' in lines
    assert text.endswith("\n")
    label = r'[a-z]+="(\\.|[^"\\])*"'
    sample = re.compile(rf"[a-z_]+(\{{{label}(,{label})*\}})? (NaN|[+-]Inf|[-+.e0-9]+)")
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_a_monitor_can_see_that_the_numbers_are_old():
    text = prometheus_text({"told_utc": "2026-01-02T03:04:05.500000Z"})
    assert "\nsonar_watch_told_timestamp_seconds 1767323045.5\n" in text


def test_a_name_is_a_counter_or_a_gauge():
    monitor = Monitor()
    with pytest.raises(ValueError, match="counter"):
        monitor.set("frames", 3.0)
    with pytest.raises(ValueError, match="gauge"):
        monitor.count("backlog")
    with pytest.raises(ValueError, match="expected a name"):
        monitor.set("lag in s", 3.0)
    with pytest.raises(ValueError, match="0 or more"):
        monitor.count("frames", -1)


@pytest.mark.parametrize(("reason", "kind"), [
    ("bad checksum: expected 17, received 18", "bad checksum"),
    ("0007_x.kmall at byte 1200: record ends early", "record ends early"),
    ("cut after 12 bytes", "cut after"),
    ("17", "other"),
    ("", "other"),
])
def test_reasons_fall_into_few_kinds(reason, kind):
    assert reason_kind(reason) == kind


def test_kinds_of_reasons_are_bounded():
    monitor = Monitor()
    for first in "abcdefghij":
        for second in "abcdefghijklmnopqrst":
            monitor.quarantine(first + second)
    counted = monitor.snapshot()["quarantined"]
    assert len(counted) <= 65
    assert sum(counted.values()) == 200


@pytest.mark.parametrize(
    ("watch", "word"),
    [
        ({"trouble": "disk full"}, "disk full"),
        ({"sources": {"failing": 1}}, "cannot be read"),
        ({"last_frame_age_s": 600.0, "backlog": 3}, "600 s"),
        ({"alerts_unwritable": 2}, "2 alerts"),
    ],
)
def test_what_is_wrong_is_said_in_words(watch, word):
    (complaint,) = complaints(watch)
    assert word in complaint


def test_silence_of_the_sounder_is_no_complaint():
    assert complaints({"last_frame_age_s": 9e4, "backlog": 0, "quarantined": {"cut": 3}}) == []
    assert complaints(Monitor().snapshot()) == []
