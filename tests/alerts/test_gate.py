"""Who is turned away, and that the log says from where; who may review; whose secrets are none."""

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from sonar_watch.alerts import gate
from sonar_watch.alerts.asking import prepare_socket, read_rejected, read_status, send_review
from sonar_watch.alerts.curve import ClientKeys, allow_key, client_keys, load_pair, make_keys
from sonar_watch.alerts.gate import KeyList, Rejections
from sonar_watch.alerts.publisher import Publisher, PublisherOptions
from sonar_watch.alerts.testing import PretendWatch, sample_alert
from sonar_watch.alerts.wire import pack_object
from sonar_watch.errors import ConfigurationError, WireError

LIMIT_S = 20
FREE = "tcp://127.0.0.1:0"
EVENT = sample_alert(1).event.event_id


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Keys of a watch that lets in a guest and a reviewer."""
    folder = tmp_path / "server"
    make_keys(folder, "watch")
    for name in ("guest", "geologist"):
        public, _ = make_keys(tmp_path / "theirs", name)
        allow_key(folder, public, reviewer=name == "geologist")
    return folder


@pytest.fixture
def guarded(tmp_path: Path, server: Path) -> Iterator[PretendWatch]:
    with PretendWatch(tmp_path, options(server)) as started:
        started.say(sample_alert(1))
        yield started


def options(server: Path) -> PublisherOptions:
    return PublisherOptions(
        publish=FREE,
        request=FREE,
        status_interval_s=0.1,
        curve_secret=server / "watch.key_secret",
        curve_allowed=server / "allowed",
    )


def keys(tmp_path: Path, name: str) -> ClientKeys:
    return client_keys(tmp_path / "theirs" / f"{name}.key_secret", tmp_path / "server/watch.key")


def rejected(watch: PretendWatch, tmp_path: Path) -> int:
    return read_status(watch.endpoints[1], LIMIT_S, keys(tmp_path, "guest"))["wire"]["rejected"]


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < deadline, "it did not come"


def test_a_key_that_is_not_listed_is_logged_with_its_address(
    tmp_path: Path, guarded: PretendWatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_keys(tmp_path / "theirs", "stranger")
    stranger = keys(tmp_path, "stranger")
    with pytest.raises(WireError, match="no answer"):
        read_status(guarded.endpoints[1], 0.3, stranger)
    wait_for(lambda: rejected(guarded, tmp_path) > 0)
    name = stranger.public.decode()
    line = f"turned away a client at 127.0.0.1: the key {name} is not on the list"
    assert line in caplog.text


@pytest.mark.parametrize("kind", ["no key", "another watch's key"])
def test_a_missing_or_wrong_key_is_logged_with_its_address(
    tmp_path: Path,
    server: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    """Not each time: the connection may be closed before it was asked where it comes from."""
    monkeypatch.setattr(gate, "_LINES_AT_ONCE", 1000.0)
    make_keys(server, "impostor")
    guest = tmp_path / "theirs" / "guest.key_secret"
    curve = None if kind == "no key" else client_keys(guest, server / "impostor.key")
    with PretendWatch(tmp_path, options(server)) as guarded, zmq.Context() as context:

        def is_logged() -> bool:
            with context.socket(zmq.DEALER) as dealer:
                dealer.linger = 0
                if curve is not None:
                    curve.apply(dealer)
                dealer.connect(guarded.endpoints[1])
                assert not dealer.poll(50)
            return "at 127.0.0.1: it has no key, or not the one of this watch" in caplog.text

        wait_for(is_logged)
        assert rejected(guarded, tmp_path) > 0


def test_the_log_bears_any_number_of_strangers(caplog: pytest.LogCaptureFixture) -> None:
    rejections = Rejections()
    for number in range(10_000):
        rejections.add(f"10.0.0.{number % 256}", "no key")
    assert rejections.count == 10_000
    assert 1 <= len(caplog.records) <= 7


def test_strangers_that_speak_anything_keep_nobody_out(
    tmp_path: Path, guarded: PretendWatch
) -> None:
    host, port = guarded.endpoints[1].removeprefix("tcp://").split(":")
    greeting = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01"
    for hello in (
        b"GET / HTTP/1.0\r\n\r\n",
        b"",
        greeting,
        greeting + b"CURVE".ljust(20, b"\0") + bytes(32),
        greeting + b"CURVE".ljust(20, b"\0") + bytes(32) + b"\x04\xff" + b"\x05HELLO" + bytes(300),
        greeting + b"PLAIN".ljust(20, b"\0") + bytes(32),
        greeting + b"NULL".ljust(20, b"\0") + bytes(32) + b"\x04\x06\x05READY",
    ):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(hello)
    guest = keys(tmp_path, "guest")
    assert read_status(guarded.endpoints[1], LIMIT_S, guest)["head_sequence"] == 1


def test_only_reviewers_review(
    tmp_path: Path, guarded: PretendWatch, caplog: pytest.LogCaptureFixture
) -> None:
    question = {"event_id": EVENT, "verdict": "rejected", "by": "me"}
    with pytest.raises(WireError, match="this key may not review"):
        send_review(guarded.endpoints[1], question, LIMIT_S, keys(tmp_path, "guest"))
    assert not (tmp_path / "reviews.jsonl").exists()
    assert "at 127.0.0.1: a verdict from a key that is not among the reviewers" in caplog.text
    assert rejected(guarded, tmp_path) == 1
    geologist = keys(tmp_path, "geologist")
    with caplog.at_level(logging.INFO):
        review = send_review(guarded.endpoints[1], question, LIMIT_S, geologist)
    assert f"event {EVENT} rejected by 'me', key geologist, from 127.0.0.1" in caplog.text
    assert (review["by"], review["key"]) == ("me", "geologist")
    assert read_rejected(guarded.endpoints[1], LIMIT_S, keys(tmp_path, "guest")) == [review]
    (tmp_path / "server" / "reviewers" / "geologist.key").unlink()
    with pytest.raises(WireError, match="this key may not review"):
        send_review(guarded.endpoints[1], question, LIMIT_S, geologist)


def test_who_is_no_longer_let_in_does_not_review_on_a_connection_that_stands(
    tmp_path: Path, guarded: PretendWatch
) -> None:
    question = pack_object({"verb": "review", "event_id": EVENT, "verdict": "rejected"})
    with (
        zmq.Context() as context,
        prepare_socket(
            context, zmq.DEALER, guarded.endpoints[1], keys(tmp_path, "geologist")
        ) as standing,
    ):
        standing.connect(guarded.endpoints[1])
        for expected in (True, False):
            standing.send(question)
            assert standing.poll(LIMIT_S * 1000)
            assert json.loads(standing.recv())["ok"] is expected
            (tmp_path / "server" / "allowed" / "geologist.key").unlink(missing_ok=True)


def test_the_name_of_a_key_comes_from_its_file_not_from_the_request(
    tmp_path: Path, guarded: PretendWatch
) -> None:
    question = {"event_id": EVENT, "verdict": "rejected", "key": "somebody else"}
    review = send_review(guarded.endpoints[1], question, LIMIT_S, keys(tmp_path, "geologist"))
    assert review["key"] == "geologist"


def test_one_broken_key_file_keeps_nobody_else_out(
    tmp_path: Path, guarded: PretendWatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "server" / "allowed" / "broken.key").write_bytes(b"\xff\x00 not a key")
    (tmp_path / "server" / "allowed" / "folder.key").mkdir()
    guest = keys(tmp_path, "guest")
    assert read_status(guarded.endpoints[1], LIMIT_S, guest)["head_sequence"] == 1
    assert "broken.key: no public key, passed over" in caplog.text
    keys_there = KeyList(tmp_path / "server" / "allowed")
    assert set(keys_there.names().values()) == {"guest", "geologist"}
    assert KeyList(tmp_path / "none").names() == {}
    for _ in range(100):
        keys_there.names()
    assert caplog.text.count("passed over") < 20


def test_all_connections_of_a_key_ask_as_one(tmp_path: Path, server: Path) -> None:
    guest = keys(tmp_path, "guest")
    with (
        PretendWatch(tmp_path, replace(options(server), requests_per_s=1)) as watch,
        zmq.Context() as context,
        prepare_socket(context, zmq.DEALER, watch.endpoints[1], guest) as greedy,
    ):
        greedy.connect(watch.endpoints[1])

        def is_refused() -> bool:
            for _ in range(20):
                greedy.send(b'{"verb": "status"}')
            try:
                read_status(watch.endpoints[1], 2, guest)
            except WireError as error:  # Told to wait, or not answered at all.
                return "too many requests" in str(error) or "no answer" in str(error)
            return False

        wait_for(is_refused)
        assert read_status(watch.endpoints[1], LIMIT_S, keys(tmp_path, "geologist"))["ok"]


@pytest.mark.parametrize("folder", ["allowed", "reviewers"])
def test_a_list_on_which_anybody_may_write_is_refused(
    tmp_path: Path, server: Path, journal: object, folder: str
) -> None:
    (server / folder).chmod(0o777)
    publisher = Publisher(options(server), tmp_path / "journal.sqlite")
    with pytest.raises(ConfigurationError, match=f"{folder}: everybody on this host may write"):
        publisher.start()
    publisher.close()


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o660, 0o601])
def test_a_secret_that_others_may_read_is_none(server: Path, mode: int) -> None:
    secret = server / "watch.key_secret"
    secret.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600"):
        load_pair(secret)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        client_keys(secret, server / "watch.key")
    secret.chmod(0o400)
    assert load_pair(secret)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_secret_that_somebody_else_may_exchange_is_none(server: Path) -> None:
    secret = server / "watch.key_secret"
    os.chown(secret, 12345, -1)
    with pytest.raises(ConfigurationError, match=r"another user \(12345\).*chown"):
        load_pair(secret)
    os.chown(secret, 0, -1)
    assert load_pair(secret)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to run as somebody else")
@pytest.mark.parametrize(("mode", "usable"), [(0o640, True), (0o660, False), (0o644, False)])
def test_a_secret_that_root_keeps_is_read_through_its_group(mode: int, usable: bool) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from sonar_watch.alerts.curve import load_pair, make_keys\n"
        "import tempfile\n"
        "folder = Path(tempfile.mkdtemp()); os.chmod(folder, 0o755)\n"
        "secret = make_keys(folder, 'watch')[1]\n"
        f"os.chown(secret, 0, 65534); os.chmod(secret, {mode})\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "load_pair(secret); print('usable')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout == "usable\n") == usable, done.stderr
    assert usable or "others may read this secret key" in done.stderr
