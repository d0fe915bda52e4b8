"""A real process: ready when it is, ended and reloaded by signals, its log fit for journald."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from busyness import on_this_machine
from service_process import Service, put_pictures, wait_for

from sonar_watch.alerts.subscriber import read_status

STOPPED_WITHIN_S = 5.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.close()


def test_it_ends_in_the_middle_of_a_batch_and_goes_on_where_it_was(service: Service) -> None:
    put_pictures(service.folder / "in", 0, 32, side_px=240)
    service.start()
    wait_for(lambda: len(service.frames()) >= 3, "frames")
    status, took_s = service.end()
    done = service.frames()
    assert status == 0, service.log()
    assert took_s < on_this_machine(STOPPED_WITHIN_S), service.log()
    assert 3 <= len(done) < 32
    assert service.hears("STOPPING=1")
    assert "ended by SIGTERM" in service.log()
    service.forget()
    service.start()
    wait_for(lambda: len(service.frames()) == 32, "all frames")
    assert service.frames()[: len(done)] == done
    assert len(set(service.frames())) == 32
    service.wait_to_hear("READY=1")
    assert service.end()[0] == 0


def test_ready_means_that_it_answers_and_has_looked(service: Service) -> None:
    put_pictures(service.folder / "in", 0, 3)
    service.start()
    service.wait_to_hear("READY=1")
    watch = read_status(service.settings["alerts"]["request"], 10.0)["watch"]
    assert watch["sources"].get("scanning", 0) == 0
    assert any(told.startswith("EXTEND_TIMEOUT_USEC=") for told in service.told)
    assert not any("WATCHDOG" in told for told in service.told)
    service.wait_to_hear("WATCHDOG=1")
    service.wait_to_hear("STATUS=watching: ")
    lines = service.log().splitlines()
    assert lines
    assert all(re.match("<[2-7]>", line) for line in lines), service.log()
    # Each process has a settled answer to a signal, wherever it is.
    assert service.end()[0] == 0


def test_settings_are_read_anew_and_bad_ones_refused(service: Service) -> None:
    put_pictures(service.folder / "in", 0, 2)
    service.start()
    service.wait_to_hear("READY=1")
    service.forget()
    service.settings |= {"log_level": "debug", "vetoes": {"ground_gap_m": 7.0}}
    service.settings["alerts"]["queue_messages"] = 77
    service.write()
    service.send(signal.SIGHUP)
    service.wait_to_hear("READY=1")
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", next(
        told for told in service.told if told.startswith("RELOADING")))  # fmt: skip
    assert "settings read anew: log_level, vetoes.ground_gap_m" in service.log()
    assert "only after a restart: alerts.queue_messages" in service.log()

    service.forget()
    service.config.write_text("vetos: {}\n")
    service.send(signal.SIGHUP)
    service.wait_to_hear("READY=1\nSTATUS=WRONG: new settings refused")
    assert "line 1: unknown key vetos" in service.log()
    put_pictures(service.folder / "in", 2, 2)
    wait_for(lambda: len(service.frames()) == 4, "the watch to go on")

    def notice() -> str:
        return str(read_status(service.settings["alerts"]["request"], 10.0)["watch"]["notice"])

    wait_for(lambda: "unknown key vetos" in notice(), "the next status")  # one a second

    service.forget()
    service.write()
    service.send(signal.SIGHUP)
    service.wait_to_hear("READY=1\nSTATUS=watching: ")
    assert service.end()[0] == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("sources: {}\n", "sources: nothing to watch"),
        ("detector: {weights: nosuch}\nsources: {images: [{path: in}]}\n",
         "weights 'nosuch': named by no"),
    ],
)
def test_a_bad_configuration_ends_it_for_good(service: Service, wrong: str, said: str) -> None:
    service.config.write_text(wrong)
    service.start()
    assert service.process is not None
    assert service.process.wait(90) == 78
    assert service.log().startswith(f"<3>sonar-watch: {said}")
