"""A watch that says damaged things on both of its sockets, and a subscriber that outlives it."""

import json
import logging
import time
from contextlib import closing

import fuzz_seeds as seeds
import zmq
from fuzz_targets import TARGETS
from fuzzing import Campaign

from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.subscriber import Subscriber
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.alerts.wire import Message, pack

DAMAGED = 600
DEADLINE_S = 100.0


class HostileWatch:
    """Binds both sockets and answers with whatever it is told to."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._publish, self._request = (self._context.socket(k) for k in (zmq.PUB, zmq.ROUTER))
        self.endpoints = tuple(
            f"tcp://127.0.0.1:{each.bind_to_random_port('tcp://127.0.0.1')}"
            for each in (self._publish, self._request)
        )

    def publish(self, frames: list[bytes]) -> None:
        self._publish.send_multipart(frames or [b""])

    def answer(self, make) -> int:
        """Answer the questions that have come; `make` is given the number of each."""
        answered = 0
        while self._request.poll(0):
            client, *question = self._request.recv_multipart()
            asked = json.loads(question[-1]).get("id")
            self._request.send_multipart([client, *make(asked)])
            answered += 1
        return answered

    def close(self) -> None:
        self._context.destroy(linger=0)


def sound_answer(asked):
    head = {"ok": True, "id": asked, "epoch": "at last", "head_sequence": 2, "more": False}
    alerts = [sample_alert(number) for number in (1, 2)]
    told = [pack(Message("live.alert.new.", each.sequence, encode_alert(each))) for each in alerts]
    return [json.dumps(head).encode(), *(frame for message in told for frame in message)]


def damaged_answer(data, asked):
    """Return damaged frames, the number of the question put into the first where it has one."""
    first, *others = seeds.cut_frames(data)
    return [first.replace(b'"id": 1', f'"id": {asked}'.encode()), *others]


def test_a_subscriber_outlives_a_watch_that_talks_nonsense(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    (alerts,) = (target for target in TARGETS if target.name == "alert")
    inputs = Campaign(alerts, tmp_path)
    ends_s, answered, number, heard = time.monotonic() + DEADLINE_S, 0, 0, []
    with closing(HostileWatch()) as watch, \
            Subscriber(*watch.endpoints, after=0, retry_s=0.01) as subscriber:
        while number < DAMAGED or answered < 20:
            assert time.monotonic() < ends_s, (number, answered)
            for _ in range(10):
                watch.publish(seeds.cut_frames(inputs.input(number)))
                number += 1
            answered += watch.answer(
                lambda asked, at=number: damaged_answer(inputs.input(at + asked), asked)
            )
            subscriber.receive(timeout_s=0.002)
        while [each.sequence for each in heard if each.epoch == "at last"] != [1, 2]:
            assert time.monotonic() < ends_s, heard
            watch.publish([b"epoch.at last"])
            watch.answer(sound_answer)
            received = subscriber.receive(timeout_s=0.02)
            heard += [] if received is None else [received]
