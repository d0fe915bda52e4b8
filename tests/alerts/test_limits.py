"""Who asks too much is told to wait, then not answered; and all of them together are bounded."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from sonar_watch.alerts.answers import Answerer, Asker
from sonar_watch.alerts.asking import RefusedError, unpack_answer
from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.limits import MOST_CLIENTS, ClientBuckets, TokenBucket
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.subscriber import read_status
from sonar_watch.alerts.testing import PretendWatch, sample_alert

FREE = "tcp://127.0.0.1:0"
OPTIONS = PublisherOptions(publish=FREE, request=FREE, status_interval_s=0.1)
STATUS = b'{"verb": "status", "id": 7}'
REPLAY = b'{"verb": "replay"}'


class Clock:
    """Seconds that go on when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answerer(journal: Journal, clock: Clock) -> Answerer:
    """One that takes 2 requests a second and replays 10 alerts a second, of 6 that there are."""
    journal.commit([], [sample_alert(n) for n in range(1, 7)])
    status = {"epoch": journal.epoch, "head_sequence": 6}
    return Answerer(
        journal, lambda: dict(status), requests_per_s=2, replayed_per_s=10, clock=clock
    )


def header(frames: list[bytes]) -> dict:
    return json.loads(frames[0])


def test_a_bucket_fills_up_to_its_burst_and_no_further(clock: Clock) -> None:
    bucket = TokenBucket(2.0, 3.0, clock)
    assert [bucket.spend(1) for _ in range(5)] == [2, 1, 0, -1, -2]
    assert (bucket.wait_s(), bucket.wait_s(1)) == (1.0, 1.5)
    assert bucket.spend(5, floor=-3) == -3
    assert bucket.spend(1, floor=-1) == -3  # a floor above gives nothing back
    clock.now_s += 100
    assert bucket.level == 3


def test_only_so_many_clients_are_remembered(clock: Clock) -> None:
    buckets = ClientBuckets(1, 1, clock)
    for number in range(3 * MOST_CLIENTS):
        buckets.of(number.to_bytes(4, "big")).spend(1)
        buckets.of(b"regular")
    assert len(buckets) == MOST_CLIENTS
    assert buckets.of(b"regular").level == 1
    assert buckets.of((3 * MOST_CLIENTS - 1).to_bytes(4, "big")).level == 0


def test_too_many_requests_are_refused_and_then_dropped(answerer: Answerer, clock: Clock) -> None:
    greedy, modest = Asker(client=b"greedy"), Asker(client=b"modest")
    answers = [answerer.answer(STATUS, greedy) for _ in range(20)]
    assert [len(answer) for answer in answers] == [1] * 7 + [0] * 13
    assert [header(answer)["ok"] for answer in answers[:7]] == [True] * 4 + [False] * 3
    refusal = header(answers[4])
    assert (refusal["id"], refusal["retry_after_s"]) == (7, 1.0)
    assert answerer.throttled == 16
    assert header(answerer.answer(STATUS, modest))["ok"] is True
    clock.now_s += 2.51  # from the deepest debt to the price of one
    assert header(answerer.answer(STATUS, greedy))["ok"] is True


def test_who_waits_as_long_as_told_is_answered(answerer: Answerer, clock: Clock) -> None:
    for _ in range(20):
        clock.now_s += header(answerer.answer(STATUS)).get("retry_after_s", 0.0)
        if header(answerer.answer(STATUS))["ok"] is False:
            clock.now_s += header(answerer.answer(STATUS))["retry_after_s"]
            assert header(answerer.answer(STATUS))["ok"] is True


def test_all_together_are_bounded_and_the_cheap_go_on(answerer: Answerer, clock: Clock) -> None:
    first, second, third = (
        answerer.answer(REPLAY, Asker(client=name)) for name in (b"a", b"b", b"c")
    )
    assert len(first) == len(second) == 1 + 3 * 6
    assert header(third)["ok"] is False
    assert header(third)["retry_after_s"] == pytest.approx(0.2)
    assert header(answerer.answer(b'{"verb": "snapshot"}', Asker(client=b"d")))["ok"] is False
    assert header(answerer.answer(STATUS, Asker(client=b"e")))["ok"] is True
    clock.now_s += 0.21
    assert header(answerer.answer(REPLAY, Asker(client=b"c")))["ok"] is True


def test_a_subscriber_catches_up_through_the_narrowest_limits(
    tmp_path: Path, subscribe: Callable
) -> None:
    options = replace(OPTIONS, replayed_per_s=150, requests_per_s=1, queue_messages=1)
    with PretendWatch(tmp_path, options) as watch:
        watch.journal.commit([], [sample_alert(n) for n in range(1, 651)])
        subscriber = subscribe(*watch.endpoints, after=0, retry_s=30)
        got = [subscriber.receive(30).sequence for _ in range(650)]
        assert got == list(range(1, 651))
        assert read_status(watch.endpoints[1], 20)["wire"]["throttled"] > 0


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ("0.5", 0.5), ("60", 60.0), ("61", None), ("-1", None), ("NaN", None),
        ("Infinity", None), ("1" + "0" * 400, None), ('"1"', None), ("null", None),
    ],
)  # fmt: skip
def test_a_publisher_cannot_make_us_wait_for_good(told: str, taken: float | None) -> None:
    with pytest.raises(RefusedError, match="too many") as caught:
        unpack_answer([f'{{"ok":false,"error":"too many","retry_after_s":{told}}}'.encode()])
    assert caught.value.retry_after_s == taken


def test_a_flood_of_requests_slows_nobody_else(tmp_path: Path, subscribe: Callable) -> None:
    with PretendWatch(tmp_path, OPTIONS) as watch, zmq.Context() as context:
        subscriber = subscribe(*watch.endpoints, after=0)
        flood = context.socket(zmq.DEALER)
        flood.linger = 0
        flood.connect(watch.endpoints[1])
        for _ in range(3000):
            flood.send(b'{"verb": "replay", "after": 0}')
        watch.say(*(sample_alert(n) for n in range(1, 6)))
        assert [subscriber.receive(20).sequence for _ in range(5)] == [1, 2, 3, 4, 5]
        while read_status(watch.endpoints[1], 20)["wire"]["throttled"] < 2900:
            pass
        context.destroy(linger=0)
        assert watch.publisher.alive
