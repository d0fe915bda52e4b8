import json
import logging
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from sonar_watch.alerts.asking import read_snapshot
from sonar_watch.alerts.curve import make_keys
from sonar_watch.alerts.message import encode_alert
from sonar_watch.alerts.publisher import Publisher, PublisherOptions
from sonar_watch.alerts.subscriber import ReceivedAlert, Subscriber, read_status
from sonar_watch.alerts.testing import PretendWatch, sample_alert
from sonar_watch.errors import ConfigurationError, JournalError, WireError

LIMIT_S = 20
FREE = "tcp://127.0.0.1:0"
OPTIONS = PublisherOptions(publish=FREE, request=FREE, status_interval_s=0.1)


def samples(first: int, last: int, **how: object) -> list:
    return [sample_alert(n, **how) for n in range(first, last + 1)]


def take(subscriber: Subscriber, count: int) -> list[ReceivedAlert]:
    taken = [subscriber.receive(LIMIT_S) for _ in range(count)]
    assert None not in taken, taken
    return taken


def sequences(subscriber: Subscriber, count: int) -> list[int]:
    return [received.sequence for received in take(subscriber, count)]


def settle(subscriber: Subscriber) -> None:
    """Wait for a status that agrees with what was received, then nothing more may come."""
    subscriber.status = None
    for _ in range(LIMIT_S * 10):
        assert subscriber.receive(0.1) is None
        if subscriber.status is not None and subscriber.caught_up:
            return
    raise AssertionError("no status")


@contextmanager
def plain_sub(endpoint: str, *topics: str, hwm: int = 1000) -> Iterator[zmq.Socket]:
    """Somebody else's subscriber, straight on ZeroMQ."""
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.linger, sub.rcvhwm = 0, hwm
        for topic in topics:
            sub.subscribe(topic)
        sub.connect(endpoint)
        yield sub


def test_a_late_subscriber_gets_everything(watch: PretendWatch, subscribe: Callable) -> None:
    watch.say(*samples(1, 3))
    subscriber = subscribe(*watch.endpoints, after=0)
    got = take(subscriber, 3)
    assert [received.sequence for received in got] == [1, 2, 3]
    assert got[0] == ReceivedAlert(
        sequence=1,
        epoch=watch.journal.epoch,
        topic="live.alert.new.",
        alert=sample_alert(1),
        body=encode_alert(sample_alert(1)),
    )
    settle(subscriber)
    assert (subscriber.after, subscriber.epoch) == (3, watch.journal.epoch)


def test_what_is_said_right_after_connecting_arrives(
    watch: PretendWatch, subscribe: Callable
) -> None:
    subscriber = subscribe(*watch.endpoints, after=0)
    watch.say(*samples(1, 100))
    assert sequences(subscriber, 100) == list(range(1, 101))
    settle(subscriber)


def test_without_after_only_the_new_ones_come(watch: PretendWatch, subscribe: Callable) -> None:
    watch.say(*samples(1, 3))
    subscriber = subscribe(*watch.endpoints)
    settle(subscriber)
    assert subscriber.after == 3
    watch.say(sample_alert(4))
    assert sequences(subscriber, 1) == [4]


def test_after_resumes(watch: PretendWatch, subscribe: Callable) -> None:
    watch.say(*samples(1, 5))
    subscriber = subscribe(*watch.endpoints, after=3, epoch=watch.journal.epoch)
    assert sequences(subscriber, 2) == [4, 5]


def test_iterating(watch: PretendWatch, subscribe: Callable) -> None:
    watch.say(*samples(1, 3))
    numbers = []
    for received in subscribe(*watch.endpoints, after=0):
        numbers.append(received.sequence)
        if len(numbers) == 3:
            break
    assert numbers == [1, 2, 3]


def test_nothing_within_the_time_is_none(watch: PretendWatch, subscribe: Callable) -> None:
    subscriber = subscribe(*watch.endpoints, after=0)
    assert subscriber.receive(0) is None
    assert subscriber.receive(0.05) is None


def test_ten_thousand_alerts_and_a_subscriber_that_misses_most(
    tmp_path: Path, subscribe: Callable
) -> None:
    with PretendWatch(tmp_path, replace(OPTIONS, queue_messages=1)) as watch:
        subscriber = subscribe(*watch.endpoints, after=0)
        settle(subscriber)
        with plain_sub(watch.endpoints[0], "live.", "status.", hwm=1) as other:
            assert other.poll(LIMIT_S * 1000)
            watch.say(*samples(1, 10_000))
            assert sequences(subscriber, 10_000) == list(range(1, 10_001))
            settle(subscriber)
            heard = 0
            while other.poll(200) and other.recv_multipart()[0] != b"status.":
                heard += 1
            assert heard < 10_000, "nothing was dropped: this test shows nothing"


def test_only_the_wanted_tense_is_delivered(watch: PretendWatch, subscribe: Callable) -> None:
    watch.say(*samples(1, 3, tense="replay"))
    live, both = (
        subscribe(*watch.endpoints, after=0, tenses=tenses)
        for tenses in (["live"], ["live", "replay"])
    )
    settle(live)
    assert live.after == 3
    assert sequences(both, 3) == [1, 2, 3]


def test_frames_and_topics_on_the_wire(watch: PretendWatch) -> None:
    watch.publisher.set_status({"frames": 7})
    with plain_sub(watch.endpoints[0], "live.", "status.") as sub:
        topic, sequence, body = sub.recv_multipart()
        assert (topic, sequence) == (b"status.", bytes(8))
        assert json.loads(body) | {"time_utc": ""} == {
            "schema": "sonar_watch.status/1",
            "epoch": watch.journal.epoch,
            "head_sequence": 0,
            "time_utc": "",
            "wire": {"rejected": 0, "throttled": 0},
            "watch": {"frames": 7},
        }
        watch.say(sample_alert(1, kind="update"))
        frames = [b"status."]
        while frames[0] == b"status.":
            frames = sub.recv_multipart()
        assert frames == [
            b"live.alert.update.",
            (1).to_bytes(8, "big"),
            encode_alert(sample_alert(1, kind="update")),
        ]


def test_previews_have_sequence_zero(watch: PretendWatch) -> None:
    with plain_sub(watch.endpoints[0], "live.", "status.") as sub:
        sub.recv_multipart()  # connected
        watch.publisher.publish_lossy("live.coverage.", {"b": 1, "a": 2})
        frames = [b"status."]
        while frames[0] == b"status.":
            frames = sub.recv_multipart()
        assert frames == [b"live.coverage.", bytes(8), b'{"a":2,"b":1}']
    with pytest.raises(ValueError, match=r"expected one of live\.frame\."):
        watch.publisher.publish_lossy("live.alert.new.", {})


def test_every_connection_is_greeted_with_the_epoch(watch: PretendWatch) -> None:
    with plain_sub(watch.endpoints[0], "epoch.") as sub:
        assert sub.recv_multipart() == [b"epoch." + watch.journal.epoch.encode()]


def test_committed_but_unannounced_alerts_go_out_with_the_next_status(
    watch: PretendWatch, subscribe: Callable
) -> None:
    subscriber = subscribe(*watch.endpoints, after=0)
    settle(subscriber)
    watch.journal.commit([], [sample_alert(1)])
    assert sequences(subscriber, 1) == [1]


def test_status_and_snapshot_on_request(watch: PretendWatch) -> None:
    watch.say(sample_alert(1), sample_alert(2), sample_alert(3, kind="end", event_id="x"))
    watch.publisher.set_status({"health": "good"})
    status = read_status(watch.endpoints[1], LIMIT_S)
    assert (status["epoch"], status["watch"]) == (watch.journal.epoch, {"health": "good"})
    assert [m.sequence for m in read_snapshot(watch.endpoints[1], LIMIT_S)] == [1, 2]


def test_the_status_set_is_the_one_sent_whatever_becomes_of_the_object(watch: PretendWatch) -> None:
    status = {"list": [1]}
    watch.publisher.set_status(status)
    status["list"].append(2)
    assert read_status(watch.endpoints[1], LIMIT_S)["watch"] == {"list": [1]}
    with pytest.raises(WireError, match="plain JSON"):
        watch.publisher.set_status({"lag": float("nan")})


def test_asking_a_watch_that_is_not_there() -> None:
    with pytest.raises(WireError, match="is the watch running"):
        read_status("ipc:///nonexistent/sonar_watch", 0.05)


def test_a_plain_req_socket_is_answered(watch: PretendWatch) -> None:
    with zmq.Context() as context, context.socket(zmq.REQ) as req:
        req.linger = 0
        req.connect(watch.endpoints[1])
        req.send(b'{"verb": "status", "id": [1, {"a": null}]}')
        header = json.loads(req.recv())
        assert (header["ok"], header["id"]) == (True, [1, {"a": None}])
        req.send(b"\xff not json")
        assert json.loads(req.recv())["ok"] is False


def test_strangers_do_no_harm(watch: PretendWatch, subscribe: Callable) -> None:
    chance = random.Random(3)
    subscriber = subscribe(*watch.endpoints, after=0)
    with zmq.Context() as context:
        context.linger = 0
        for endpoint in watch.endpoints:
            host, port = endpoint.removeprefix("tcp://").split(":")
            with socket.create_connection((host, int(port))) as raw:
                raw.sendall(b"GET / HTTP/1.0\r\n\r\n" + chance.randbytes(2000))
        dealer = context.socket(zmq.DEALER)
        dealer.connect(watch.endpoints[1])
        for parts in ([b""], [b"", b""], [b"", b"", b""], [b"a"] * 9, [b"", b"x" * 60_000]):
            dealer.send_multipart(parts)
        for _ in range(200):
            dealer.send_multipart([chance.randbytes(9) for _ in range(chance.randint(1, 5))])
        dealer.send(b"x" * 1_000_000)  # beyond the limit: the connection ends
        xsub = context.socket(zmq.XSUB)
        xsub.connect(watch.endpoints[0])
        for _ in range(100):
            xsub.send(chance.randbytes(chance.randint(1, 300)))
        pub = context.socket(zmq.PUB)
        pub.connect(watch.endpoints[0])
        pub.send_multipart([b"live.alert.new.", (9).to_bytes(8, "big"), b"{}"])
        watch.say(*samples(1, 5))
        assert sequences(subscriber, 5) == [1, 2, 3, 4, 5]
        context.destroy(linger=0)
    settle(subscriber)
    assert watch.publisher.alive


def test_a_false_publisher_is_not_believed(
    watch: PretendWatch, subscribe: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    watch.say(*samples(1, 2))
    epoch = watch.journal.epoch.encode()
    with zmq.Context() as context, context.socket(zmq.XPUB) as false:
        false.linger = 0
        false.bind(FREE)
        subscriber = subscribe(
            false.getsockopt_string(zmq.LAST_ENDPOINT), watch.endpoints[1], after=0, retry_s=0.2
        )
        assert sequences(subscriber, 2) == [1, 2]
        while not false.recv().startswith(b"\x01test.alert."):
            pass  # until its last subscription is here
        beyond = (2**64 - 1).to_bytes(8, "big")
        for frames in (
            [b"live.alert.new."],
            [b"epoch."],
            [b"epoch." + epoch],
            [b"live.alert.new.", b"12", b"{}"],
            [b"live.alert.\xff", bytes(8), b"{}"],
            [b"status.", bytes(8), b"{"],
            [b"status.", bytes(8), b'{"epoch": 5, "head_sequence": "many"}'],
            [b"status.", bytes(8), b'{"epoch": "else", "head_sequence": 99}'],
            [b"epoch." + epoch],
            [b"live.alert.new.", beyond, b"{}"],
            [b"live.alert.new.", bytes(8), encode_alert(sample_alert(1))],
        ):
            false.send_multipart(frames)
        assert subscriber.receive(0.3) is None
        assert "expected [topic, 8 bytes, JSON]" in caplog.text
        watch.say(sample_alert(3))
        false.send_multipart([b"status.", bytes(8), b'{"epoch": "else", "head_sequence": 99}'])
        assert sequences(subscriber, 1) == [3]


def test_an_alert_that_is_not_understood_is_passed_over_loudly(
    watch: PretendWatch, subscribe: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    watch.say(*samples(1, 2))
    watch.journal._connection.execute("UPDATE alerts SET body = x'7b7d' WHERE sequence = 1")
    watch.journal._connection.execute(
        "UPDATE alerts SET topic = 'live.review.' WHERE sequence = 2"
    )
    subscriber = subscribe(*watch.endpoints, after=0)
    watch.say(sample_alert(3))
    assert sequences(subscriber, 1) == [3]
    assert "alert 1 passed over" in caplog.text
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1


def test_several_threads_may_talk_to_the_publisher(watch: PretendWatch) -> None:
    def chat() -> None:
        for number in range(200):
            watch.publisher.set_status({"number": number})
            watch.publisher.publish_lossy("live.candidate.", {"number": number})
            watch.publisher.publish([sample_alert()])

    threads = [threading.Thread(target=chat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_status(watch.endpoints[1], LIMIT_S)["watch"] == {"number": 199}


def test_an_unreadable_journal_is_said_in_the_status(
    watch: PretendWatch, subscribe: Callable
) -> None:
    subscriber = subscribe(*watch.endpoints, after=0)
    settle(subscriber)
    watch.journal._connection.execute("ALTER TABLE alerts RENAME TO hidden")
    while not (status := read_status(watch.endpoints[1], LIMIT_S)).get("journal_error"):
        pass
    assert "journal.sqlite" in status["journal_error"]
    watch.journal._connection.execute("ALTER TABLE hidden RENAME TO alerts")
    watch.say(sample_alert(1))
    assert sequences(subscriber, 1) == [1]
    assert "journal_error" not in read_status(watch.endpoints[1], LIMIT_S)


def test_ipc(tmp_path: Path, subscribe: Callable) -> None:
    options = replace(
        OPTIONS, publish=f"ipc://{tmp_path}/publish", request=f"ipc://{tmp_path}/request"
    )
    with PretendWatch(tmp_path, options) as watch:
        watch.say(sample_alert(1))
        assert sequences(subscribe(*watch.endpoints, after=0), 1) == [1]


def test_closing_with_a_stalled_subscriber_is_bounded(tmp_path: Path) -> None:
    with (
        PretendWatch(tmp_path, replace(OPTIONS, linger_s=0.1)) as watch,
        plain_sub(watch.endpoints[0], "", hwm=1) as stalled,
    ):
        assert stalled.poll(LIMIT_S * 1000)
        for _ in range(200):
            watch.publisher.publish_lossy("live.frame.", {"picture": "x" * 50_000})
        watch.close()
    assert not watch.publisher.alive


def bind_error(watch: PretendWatch, publish: str) -> Exception:
    publisher = Publisher(PublisherOptions(publish=publish, request=FREE), watch.journal.path)
    with pytest.raises((ConfigurationError, WireError)) as caught:
        publisher.start()
    publisher.close()
    return caught.value


def test_a_taken_port_is_said(watch: PretendWatch) -> None:
    error = bind_error(watch, watch.endpoints[0])
    assert re.match(r"cannot bind tcp://127.0.0.1:.*another watch", str(error))
    assert isinstance(error, WireError)  # not of the configuration: trying again may help


def test_an_address_that_is_not_up_may_come_up(tmp_path: Path, watch: PretendWatch) -> None:
    _, secret = make_keys(tmp_path / "keys", "watch")
    options = PublisherOptions(
        publish="tcp://192.0.2.1:6790",
        request=FREE,
        curve_secret=secret,
        curve_allowed=tmp_path / "keys",
    )
    publisher = Publisher(options, watch.journal.path)
    with pytest.raises(WireError, match=r"cannot bind tcp://192.0.2.1:6790.*is the network up"):
        publisher.start()
    publisher.close()


def test_a_missing_ipc_folder_is_said(tmp_path: Path, watch: PretendWatch) -> None:
    error = bind_error(watch, f"ipc://{tmp_path}/none/publish")
    assert isinstance(error, WireError)
    assert "make the folder" in str(error)


def test_a_path_that_is_too_long_is_of_the_configuration(watch: PretendWatch) -> None:
    assert isinstance(bind_error(watch, "ipc:///tmp/" + "x" * 200), ConfigurationError)


@pytest.mark.parametrize("port", ["port", "99999", ""])
def test_a_port_that_cannot_be_is_refused_before_anything_is_bound(port: str) -> None:
    """ZeroMQ itself binds port 34463 for 99999, and nobody hears."""
    with pytest.raises(ConfigurationError, match="0 to 65535"):
        PublisherOptions(publish=f"tcp://127.0.0.1:{port}")


def test_two_sockets_need_two_endpoints() -> None:
    with pytest.raises(ConfigurationError, match="expected two"):
        PublisherOptions(publish="tcp://127.0.0.1:6790", request="tcp://127.0.0.1:6790")


def test_a_journal_must_be_there(tmp_path: Path) -> None:
    publisher = Publisher(OPTIONS, tmp_path / "none.sqlite")
    with pytest.raises(JournalError, match=r"none.sqlite"):
        publisher.start()
    publisher.close()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"publish": "tcp://*:6790"}, "CURVE"),
        ({"request": "tcp://0.0.0.0:6791"}, "CURVE"),
        ({"publish": "here"}, "expected tcp://"),
        ({"status_interval_s": 0.0}, "status_interval_s: expected"),
        ({"queue_messages": 0}, "queue_messages"),
        ({"heartbeat_s": 0.01}, "heartbeat_s: expected"),
        ({"requests_per_s": 0.5}, "requests_per_s: expected"),
        ({"replayed_per_s": float("nan")}, "replayed_per_s: expected"),
        ({"linger_s": -1.0}, "linger_s"),
        ({"curve_secret": Path("a")}, "together"),
    ],
)
def test_impossible_options_are_refused(options: dict, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        PublisherOptions(**options)


@pytest.mark.parametrize(
    "how",
    [
        {"publish": "tcp://10.0.0.1:1"},
        {"request": "tcp://watch.ship:1"},
        {"after": -1},
        {"tenses": []},
        {"tenses": ["future"]},
        {"publish": "tcp://127.0.0.1:port"},
    ],
)
def test_impossible_subscriptions_are_refused(how: dict) -> None:
    with pytest.raises(ConfigurationError):
        Subscriber(**{"publish": "ipc:///tmp/none", "request": "ipc:///tmp/none"} | how)
