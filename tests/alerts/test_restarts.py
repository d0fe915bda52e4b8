"""Either side is killed and comes back: nothing is lost, nothing comes twice."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.subscriber import Subscriber
from sonar_watch.alerts.testing import PretendWatch, sample_alert

LIMIT_S = 30
FREE = "tcp://127.0.0.1:0"

WATCH = """
import sys
from pathlib import Path
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.testing import PretendWatch, sample_alert

folder, publish, request = sys.argv[1:]
options = PublisherOptions(publish=publish, request=request, status_interval_s=0.1)
with PretendWatch(Path(folder), options) as watch:
    print(*watch.endpoints, flush=True)
    for line in sys.stdin:
        head = watch.journal.head_sequence
        watch.say(*(sample_alert(head + n) for n in range(1, int(line) + 1)))
        print("said", flush=True)
"""


class Watch:
    """A watch in a process of its own."""

    def __init__(self, folder: Path, endpoints: tuple[str, str] = (FREE, FREE)) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WATCH, str(folder), *endpoints],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.endpoints = tuple(self._read().split())

    def say(self, count: int) -> None:
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        assert self._read() == "said\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _read(self) -> str:
        return self.process.stdout.readline()


@pytest.fixture
def start_watch() -> Iterator[Callable[..., Watch]]:
    started: list[Watch] = []

    def start(*how: object) -> Watch:
        started.append(Watch(*how))
        return started[-1]

    yield start
    for watch in started:
        if watch.process.poll() is None:
            watch.kill()


def sequences(subscriber: Subscriber, count: int) -> list[int]:
    received = [subscriber.receive(LIMIT_S) for _ in range(count)]
    assert None not in received, received
    return [alert.sequence for alert in received]


def test_a_killed_publisher_loses_and_doubles_nothing(
    tmp_path: Path, start_watch: Callable, subscribe: Callable
) -> None:
    watch = start_watch(tmp_path)
    subscriber = subscribe(*watch.endpoints, after=0, retry_s=0.5)
    got = []
    for _ in range(3):
        watch.say(5)
        got += sequences(subscriber, 2)
        watch.say(20)  # some of these are on their way, some are lost
        watch.kill()
        watch = start_watch(tmp_path, watch.endpoints)
        watch.say(1)
        got += sequences(subscriber, 24)
    assert got == list(range(1, 79))
    assert subscriber.receive(0.3) is None


def test_a_killed_subscriber_resumes_where_it_was(
    watch: PretendWatch, subscribe: Callable
) -> None:
    watch.say(*(sample_alert(n) for n in range(1, 6)))
    first = subscribe(*watch.endpoints, after=0)
    assert sequences(first, 2) == [1, 2]
    after, epoch = first.after, first.epoch
    first.close()
    watch.say(sample_alert(6))
    second = subscribe(*watch.endpoints, after=after, epoch=epoch)
    assert sequences(second, 4) == [3, 4, 5, 6]


@pytest.mark.parametrize("count", [2, 3, 9])
def test_another_journal_on_the_same_ports_is_told_from_its_start(
    tmp_path: Path, subscribe: Callable, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    (tmp_path / "one").mkdir()
    options = PublisherOptions(publish=FREE, request=FREE, status_interval_s=10)
    with PretendWatch(tmp_path / "one", options) as watch:
        epoch, endpoints = watch.journal.epoch, watch.endpoints
        subscriber = subscribe(*endpoints, after=0, retry_s=0.2)
        watch.say(*(sample_alert(n) for n in (1, 2)))
        assert sequences(subscriber, 2) == [1, 2]
    options = replace(options, publish=endpoints[0], request=endpoints[1])
    with PretendWatch(tmp_path / "other", options) as watch, caplog.at_level(logging.WARNING):
        watch.say(*(sample_alert(n) for n in range(1, count + 1)))
        assert sequences(subscriber, count) == list(range(1, count + 1))
        assert subscriber.epoch == watch.journal.epoch != epoch
        assert "another journal" in caplog.text


def test_a_subscriber_may_come_before_the_watch(
    tmp_path: Path, subscribe: Callable
) -> None:
    options = PublisherOptions(
        publish=f"ipc://{tmp_path}/publish", request=f"ipc://{tmp_path}/request"
    )
    subscriber = subscribe(options.publish, options.request, after=0)
    assert subscriber.receive(0.05) is None
    with PretendWatch(tmp_path, options) as watch:
        watch.say(sample_alert(1))
        assert sequences(subscriber, 1) == [1]
