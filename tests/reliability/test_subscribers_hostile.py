"""Any bytes to the sockets of a watch: it goes on, answers the others, and grows no memory."""

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_processes import WatchProcess, wait_until

from sonar_watch.alerts.asking import read_status
from sonar_watch.alerts.curve import client_keys, make_keys
from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.testing import PretendWatch, sample_alert

LIMIT_S = 30
OPTIONS = PublisherOptions(
    publish="tcp://127.0.0.1:0", request="tcp://127.0.0.1:0", requests_per_s=1e6
)
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = {
    kind: b"\x04" + bytes([22 + len(kind)]) + b"\x05READY\x0bSocket-Type"
    + struct.pack(">I", len(kind)) + kind
    for kind in (b"DEALER", b"SUB")
}  # fmt: skip


def connect_by_hand(watch: PretendWatch | WatchProcess, kind: bytes) -> socket.socket:
    """Return a connection on which a SUB or a DEALER socket has been welcomed."""
    endpoint = watch.endpoints[0 if kind == b"SUB" else 1]
    host, port = endpoint.removeprefix("tcp://").split(":")
    raw = socket.create_connection((host, int(port)), timeout=LIMIT_S)
    raw.sendall(GREETING + READY[kind])
    read_until(raw, b"READY")
    return raw


def read_until(raw: socket.socket, end: bytes) -> None:
    received = b""
    while end not in received:
        more = raw.recv(4096)
        assert more, f"closed after {received!r}"
        received += more


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PretendWatch]:
    with PretendWatch(tmp_path_factory.mktemp("hostile"), OPTIONS) as started:
        started.say(*(sample_alert(n) for n in range(1, 4)))
        yield started


@pytest.fixture(scope="module")
def stranger(watch: PretendWatch) -> Iterator[zmq.Socket]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(watch.endpoints[1])
        yield dealer


def assert_well(watch: PretendWatch) -> None:
    assert read_status(watch.endpoints[1], LIMIT_S)["head_sequence"] == 3
    assert watch.publisher.alive


words = st.sampled_from(
    ["replay", "snapshot", "status", "review", "rejected", "verb", "after", "limit", "event_id",
     "verdict", "by", "note", "id", "confirmed", "../../etc/passwd", "\ud800", "\x00"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(words, values, max_size=6).map(lambda value: json.dumps(value).encode())
frames = st.lists(st.binary(max_size=300) | objects, min_size=1, max_size=5)


@settings(deadline=None)
@given(frames)
def test_any_frames(watch: PretendWatch, stranger: zmq.Socket, sent: list[bytes]) -> None:
    stranger.send_multipart(sent)
    stranger.send(b'{"verb": "status", "id": "after"}')
    while True:
        assert stranger.poll(LIMIT_S * 1000)
        # An answer to what looks like a REQ socket's question begins with an empty frame.
        header = next(frame for frame in stranger.recv_multipart() if frame)
        if json.loads(header).get("id") == "after":
            break
    assert watch.publisher.alive


def test_a_question_by_hand_is_answered(watch: PretendWatch) -> None:
    """Else the tests below would never come past the handshake."""
    question = b'{"verb": "status"}'
    with connect_by_hand(watch, b"DEALER") as raw:
        raw.sendall(bytes([0, len(question)]) + question)
        read_until(raw, b"head_sequence")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([b"", b"\xff", GREETING[:12], GREETING, GREETING + READY[b"DEALER"]]),
    st.lists(st.binary(max_size=400), max_size=3),
    st.sampled_from([0, 1]),
)
def test_any_bytes_instead_of_a_handshake(
    watch: PretendWatch, hello: bytes, rest: list[bytes], which: int
) -> None:
    host, port = watch.endpoints[which].removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        send(raw, hello, *rest)
    assert_well(watch)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=400), max_size=4), st.sampled_from(sorted(READY)))
def test_any_bytes_after_it(watch: PretendWatch, parts: list[bytes], kind: bytes) -> None:
    with connect_by_hand(watch, kind) as raw:
        send(raw, *parts)
    assert_well(watch)


def send(raw: socket.socket, *parts: bytes) -> None:
    with contextlib.suppress(OSError):  # It may be hung up on.
        for part in parts:
            raw.sendall(part)


def test_only_the_named_files_are_there_afterwards(watch: PretendWatch) -> None:
    assert_well(watch)
    names = {path.name.split("-")[0] for path in watch.journal.path.parent.iterdir()}
    assert names <= {"journal.sqlite", "journal.sqlite.lock", "reviews.jsonl"}


def test_strangers_that_only_hold_the_line_are_hung_up_on(tmp_path: Path) -> None:
    """They take every handle the watch may open; the key of who comes then is in a file, too."""
    server, secret = make_keys(tmp_path / "server", "watch")
    _, guest = make_keys(tmp_path / "server" / "allowed", "guest")
    options = {
        "publish": "tcp://127.0.0.1:0", "request": "tcp://127.0.0.1:0",
        "curve_secret": str(secret), "curve_allowed": str(guest.parent),
    }  # fmt: skip
    watch = WatchProcess(tmp_path, json.dumps(options), ["prlimit", "--nofile=100"])
    with contextlib.ExitStack() as stack:
        stack.callback(watch.end)
        host, port = watch.endpoints[1].removeprefix("tcp://").split(":")
        for _ in range(110):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=LIMIT_S))
        wait_until(lambda: watch.handles() >= 100)
        watch.say(3)
        status = read_status(watch.endpoints[1], 2 * LIMIT_S, client_keys(guest, server))
        assert status["head_sequence"] == 3


def test_subscriptions_and_questions_that_are_too_long_take_no_memory(tmp_path: Path) -> None:
    """A frame is refused for the length that it announces."""
    watch = WatchProcess(tmp_path)
    try:
        watch.say(1)
        memory_mb = watch.memory_mb()
        for kind in READY:
            for length in (2**62, 10**9):
                with connect_by_hand(watch, kind) as raw:
                    send(raw, b"\x02" + struct.pack(">Q", length) + bytes(10_000))
        with zmq.Context() as context, context.socket(zmq.XSUB) as xsub:
            xsub.linger = 0
            xsub.connect(watch.endpoints[0])
            for number in range(300):
                xsub.send(b"\x01" + number.to_bytes(60_000, "big"))
        status = read_status(watch.endpoints[1], LIMIT_S)
        assert status["head_sequence"] == 1
        wait_until(lambda: watch.memory_mb() - memory_mb < 30)
    finally:
        watch.end()
