"""The whole watch in this process, over a source that does what no folder does to order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from service_process import wait_for

from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.daemon import Watch
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.records import SourceItem
from sonar_watch.running import Attendant
from sonar_watch.service import Heart
from sonar_watch.settings import Settings, parse_settings
from sonar_watch.settings.reloading import RELOADED, reload_settings


class SlowSource:
    """A source that is told when its first look is over, and when a poll is to hang."""

    name, exhausted = "slow", False

    def __init__(self) -> None:
        self.looked, self.flows, self.hangs = (threading.Event() for _ in range(3))
        self.flows.set()

    def poll(self) -> list[SourceItem]:
        if not self.flows.is_set():
            self.hangs.set()
            self.flows.wait(60)
        return []

    def counts(self) -> dict[str, int]:
        trouble = {"failing": 2}  # files that cannot be read, while it looks on
        return trouble if self.looked.is_set() else trouble | {"scanning": 1}

    def close(self) -> None:
        self.flows.set()


class Running:
    """A watch in a thread, and what it tells systemd."""

    def __init__(self, folder: Path) -> None:
        self.source, self.told = SlowSource(), list[str]()
        settings = Settings(
            data_dir=folder / "data", detector=DetectorOptions(weights="classical"),
            alerts=PublisherOptions(publish=f"ipc://{folder}/p", request=f"ipc://{folder}/r",
                                    status_interval_s=0.05, linger_s=0.0),
        )  # fmt: skip
        self.watch = Watch(settings, lambda _journal, _wake: [self.source], tense="test")
        self.watch.heart = Heart(tell=self.told.append, limit_s=0.5)
        self.attendant = Attendant(lambda: settings, lambda _: None)
        self.attendant.watch = self.watch
        self.thread = threading.Thread(
            target=self.watch.run, kwargs={"between": self.attendant.look}
        )

    def told_of(self, word: str) -> int:
        return sum(told.startswith(word) for told in list(self.told))


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    made = Running(tmp_path)
    made.thread.start()
    yield made
    made.source.flows.set()
    made.watch.stop()
    made.thread.join(60)
    assert not made.thread.is_alive()


def test_not_ready_before_every_source_was_looked_through(running: Running) -> None:
    wait_for(lambda: running.told_of("EXTEND_TIMEOUT_USEC") >= 3, "a start that goes on")
    assert running.told_of("READY=1") == running.told_of("WATCHDOG=1") == 0
    running.source.looked.set()
    wait_for(lambda: running.told_of("READY=1") == 1, "readiness")
    wait_for(lambda: running.told_of("WATCHDOG=1") >= 2, "signs of life")


def test_asked_to_reload_it_ends_its_start_first(running: Running) -> None:
    running.attendant._ask_reload(signal.SIGHUP, None)
    wait_for(lambda: running.told_of("EXTEND_TIMEOUT_USEC") >= 3, "a start that goes on")
    assert running.told_of("READY=1") == running.told_of("RELOADING=1") == 0
    running.source.looked.set()
    wait_for(lambda: running.told_of("READY=1") == 2, "readiness, and the end of the reload")
    order = [word for told in list(running.told)
             if (word := told.partition("=")[0]) in ("READY", "RELOADING")]  # fmt: skip
    assert order == ["READY", "RELOADING", "READY"]


def test_a_poll_that_hangs_feeds_nothing_and_is_told(running: Running) -> None:
    running.source.looked.set()
    wait_for(lambda: running.told_of("WATCHDOG=1") >= 1, "signs of life")
    running.source.flows.clear()
    assert running.source.hangs.wait(60)
    fed = running.told_of("WATCHDOG=1")
    wait_for(lambda: running.told_of("STATUS=stuck: sources has not moved") == 1, "the complaint")
    assert running.told_of("WATCHDOG=1") == fed
    running.source.flows.set()
    wait_for(lambda: running.told_of("WATCHDOG=1") > fed, "life again")


def test_a_reload_takes_over_what_decides_and_names_it_in_alerts(running: Running) -> None:
    running.source.looked.set()
    wait_for(lambda: running.told_of("READY=1") == 1, "readiness")
    watch = running.watch
    before = watch.settings.fingerprint
    wanted = replace(
        watch.settings,
        detector=replace(watch.settings.detector, confidence=0.9),
        tracker=replace(watch.settings.tracker, confirm_swaths=4),
        raster=replace(watch.settings.raster, max_side_px=512),
    )
    running.watch.stop()
    running.thread.join(60)  # from here on this thread is that of the loop
    change = watch.reload(wanted)
    assert change.needs_restart == ("raster.max_side_px",)
    assert set(change.changed) == {"detector.confidence", "tracker.confirm_swaths"}
    assert watch.detector.confidence == 0.9
    assert watch.settings.raster.max_side_px == 1024
    assert watch.settings.fingerprint != before


def test_what_differs_is_named_by_key_and_lists_as_one() -> None:
    text = "sources: {raw: [{path: /a}]}\nposition: {clock_s: 0.1}\n"
    present = parse_settings(text)
    wanted = parse_settings(text.replace("/a", "/b").replace("0.1", "0.2"))
    change = reload_settings(present, wanted)
    assert change.changed == ("position.clock_s",)
    assert change.needs_restart == ("sources.raw",)
    assert change.settings.sources == present.sources
    assert change.settings.position.clock_s == 0.2
    assert reload_settings(present, present).changed == ()


@pytest.mark.parametrize("key", RELOADED)
def test_what_is_said_to_be_reloaded_exists(key: str) -> None:
    place: object = Settings()
    for part in key.split("."):
        place = getattr(place, part)
