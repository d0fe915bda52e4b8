"""What falls silent is noticed: real files that stop, real pings that do not come."""

from __future__ import annotations

import logging
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from health_builders import LiveWatch, limits, wait_until

from sonar_watch.monitoring import complaints
from sonar_watch.settings import SourceOptions
from sonar_watch.sources.udp import NmeaFeedOptions, NmeaFeedSource


def test_no_ping_though_under_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "sonar_watch.monitoring")
    with LiveWatch(tmp_path, limits(ping_silent_s=3.0)) as live:
        live.record(pings=4, seconds=8)
        text = live.wait_warned("no_ping")
        assert "under way at 4.9 kn" in text
        assert live.status()["warnings"][0]["since_utc"].endswith("Z")

        def pings_again() -> bool:
            live.record(pings=1, seconds=1)
            return not live.warned()

        wait_until(pings_again, "the end of the warning")
    told = [record.getMessage() for record in caplog.records if "no_ping" in record.message]
    assert [message.split()[2] for message in told[:2]] == ["begins:", "ends,"]


def test_a_ship_that_lies_still_need_not_ping(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits(ping_silent_s=0.5, file_silent_s=0.5)) as live:
        live.record(pings=4, seconds=8, speed_m_s=0.2)
        wait_until(lambda: (live.status()["ping_age_s"] or 0.0) > 2.0, "silence")
        assert live.warned() == {}


def test_the_file_has_stopped_to_grow(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits(file_silent_s=1.0, ping_silent_s=1.0)) as live:
        live.record(pings=4, seconds=8)
        text = live.wait_warned("file_not_growing.raw")
        assert "has not grown for" in text
        assert "no_ping" not in live.warned()  # one cause, one warning


def test_water_column_is_switched_off(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits(water_column_silent_s=1.5, ping_silent_s=1.5)) as live:
        live.record(pings=4, seconds=8)
        wait_until(lambda: live.status()["frames"] == 4, "four frames")

        def bathymetry_goes_on() -> bool:
            live.record(seconds=1)
            return "water_column_off" in live.warned()

        wait_until(bathymetry_goes_on, "the warning")
        assert "switch water-column logging on" in live.warned()["water_column_off"]
        assert "no_ping" not in live.warned()


def test_pings_without_navigation(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits(navigation_silent_s=1.0)) as live:

        def pings_go_on() -> bool:
            live.record(pings=1)
            return "no_navigation" in live.warned()

        wait_until(pings_go_on, "the warning")
        assert "no position since the start" in live.warned()["no_navigation"]


def test_pings_from_the_future(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits(clock_offset_s=5.0)) as live:
        live.now_utc = datetime.now(UTC) + timedelta(seconds=90)
        live.record(pings=4, seconds=8)
        assert "ahead of this computer's clock" in live.wait_warned("clock_offset")
        assert -100 < live.status()["clock_offset_s"] < -60


def test_a_navigation_feed_with_another_clock(tmp_path: Path) -> None:
    feed = SourceOptions(nmea_udp=(NmeaFeedOptions(address="127.0.0.1"),))
    with LiveWatch(tmp_path, limits(clock_offset_s=5.0), sources=feed) as live:
        (source,) = live.sources
        assert isinstance(source, NmeaFeedSource)
        said = datetime.now(UTC) + timedelta(seconds=40)
        sentence = f"$GPZDA,{said:%H%M%S}.00,{said:%d,%m,%Y},00,00\r\n".encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as instrument:
            instrument.sendto(sentence, ("127.0.0.1", source.port))
        assert "s ahead of this computer's clock" in live.wait_warned("navigation_clock")
        assert 30 < live.status()["nmea_clock_offset_s"] <= 40


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits()) as live:
        wait_until(lambda: len(live.status()["disks"]) == 2, "a look at both folders")
        shutil.rmtree(live.inbox)
        # Its source and the look at the folder find out, in any order; one cause is told once.
        wait_until(lambda: [told.partition(":")[0] for told in complaints(live.status())]
                   == ["source raw fails"], "the complaint")  # fmt: skip
        live.inbox.mkdir()
        wait_until(lambda: complaints(live.status()) == [], "the end of it")


def test_a_journal_beyond_its_limit(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits(journal_gb=1e-6)) as live:
        assert "start a new one" in live.wait_warned("journal_large")


def test_a_sounder_that_the_network_does_not_know(tmp_path: Path) -> None:
    with LiveWatch(tmp_path, limits()) as live:
        # The classical detector, which starts fast, knows no domain: it gets one here.
        live.watch._stages_now.domain = {"frequency_khz": ((10.0, 13.0),)}
        live.record(pings=4, seconds=8)
        text = live.wait_warned("out_of_domain.em304")
        assert "frequency 30 kHz, trained on 10 to 13 kHz" in text
