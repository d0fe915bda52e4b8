"""A thousand subscribers come and leave: the watch has its handles, threads and memory back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from wire_processes import SubscriberProcess, WatchProcess, wait_until

from sonar_watch.alerts.curve import make_keys

ROUNDS, AT_ONCE = 5, 200

_CROWD = """
import sys, zmq
from pathlib import Path
from sonar_watch.alerts.asking import prepare_socket
from sonar_watch.alerts.curve import client_keys
from sonar_watch.alerts.wire import pack_object

publish, request, rounds, at_once, last_stays, *keys = sys.argv[1:]
curve = client_keys(*map(Path, keys)) if keys else None
for turn in range(int(rounds)):
    with zmq.Context() as context:
        context.max_sockets = 4096
        crowd = []
        for _ in range(int(at_once)):
            sub = prepare_socket(context, zmq.SUB, publish, curve)
            sub.subscribe("epoch.")
            sub.connect(publish)
            dealer = prepare_socket(context, zmq.DEALER, request, curve)
            dealer.connect(request)
            dealer.send(pack_object({"verb": "snapshot"}))
            crowd.append((sub, dealer))
        for sub, dealer in crowd:
            assert sub.poll(60_000) and sub.recv().startswith(b"epoch.")
            assert dealer.poll(60_000) and len(dealer.recv_multipart()) >= 1
        print("here", flush=True)
        if last_stays == "1" and turn + 1 == int(rounds):
            sys.stdin.read()
        context.destroy(linger=0)
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def start_watch(tmp_path: Path, *, encrypted: bool) -> tuple[WatchProcess, list[Path]]:
    options: dict[str, object] = {
        "publish": "tcp://127.0.0.1:0",
        "request": "tcp://127.0.0.1:0",
        "requests_per_s": 1e6,
    }
    if not encrypted:
        return WatchProcess(tmp_path, json.dumps(options)), []
    server, secret = make_keys(tmp_path / "server", "watch")
    _, guest = make_keys(tmp_path / "server" / "allowed", "guest")
    options |= {"curve_secret": str(secret), "curve_allowed": str(guest.parent)}
    return WatchProcess(tmp_path, json.dumps(options)), [guest, server]


@pytest.mark.parametrize(
    ("encrypted", "rounds"), [(False, ROUNDS), pytest.param(True, ROUNDS, marks=pytest.mark.slow)]
)
def test_a_thousand_subscribers_leave_nothing_behind(
    tmp_path: Path, stack: ExitStack, encrypted: bool, rounds: int
) -> None:
    """The last two hundred are killed, so that they do not say goodbye."""
    watch, keys = start_watch(tmp_path, encrypted=encrypted)
    stack.callback(watch.end)
    watch.say(3)
    regular = SubscriberProcess(watch.endpoints, tmp_path / "regular", keys)
    stack.callback(regular.end)
    regular.wait_for(3)
    handles, threads, memory_mb = watch.handles(), watch.threads(), watch.memory_mb()

    crowd = subprocess.Popen(
        [sys.executable, "-c", _CROWD, *watch.endpoints, str(rounds), str(AT_ONCE), "1",
         *map(str, keys)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    stack.callback(crowd.communicate)
    stack.callback(crowd.kill)
    for _ in range(rounds):
        assert crowd.stdout.readline() == "here\n"
    wait_until(lambda: watch.handles() >= handles + 2 * AT_ONCE)
    watch.say(2)
    os.kill(crowd.pid, signal.SIGKILL)

    wait_until(lambda: watch.handles() <= handles)
    assert (watch.handles(), watch.threads()) == (handles, threads)
    assert watch.memory_mb() - memory_mb < 40
    watch.say(2)
    assert regular.wait_for(7) == [1, 2, 3, 4, 5, 6, 7]
