"""The network between watch and subscriber is cut: two network namespaces, a cable in between."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from wire_processes import SubscriberProcess, WatchProcess, wait_until

from sonar_watch.alerts.curve import make_keys

SHIP, SHORE = "10.77.0.1", "10.77.0.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Cable:
    """Two hosts that are namespaces, and a cable between them."""

    def __init__(self) -> None:
        self.ship, self.shore = (f"sw{end}{os.getpid()}" for end in "ab")
        for name in (self.ship, self.shore):
            ip("netns", "add", name)
        ends = ("va", "vb")
        ip("link", "add", ends[0], "netns", self.ship, "type", "veth",
           "peer", "name", ends[1], "netns", self.shore)  # fmt: skip
        for name, end, address in zip(self._names, ends, (SHIP, SHORE), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")

    @property
    def _names(self) -> tuple[str, str]:
        return self.ship, self.shore

    def cut(self) -> None:
        """Nothing goes through, and neither side is told."""
        ip("-n", self.ship, "link", "set", "va", "down")

    def mend(self) -> None:
        ip("-n", self.ship, "link", "set", "va", "up")

    def remove(self) -> None:
        for name in self._names:
            with suppress(subprocess.CalledProcessError):
                ip("netns", "delete", name)


def inside(name: str) -> list[str]:
    return ["ip", "netns", "exec", name]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def cable(stack: ExitStack) -> Cable:
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    try:
        made = Cable()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', error)}")
    stack.callback(made.remove)
    return made


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The watch's public and secret key, and the secret one of a guest on its list."""
    public, secret = make_keys(tmp_path / "server", "watch")
    return public, secret, make_keys(tmp_path / "server" / "allowed", "guest")[1]


@pytest.fixture
def start_watch(
    tmp_path: Path, stack: ExitStack, cable: Cable, keys: tuple[Path, Path, Path]
) -> Callable[[float], WatchProcess]:
    """Starts a watch on the ship, with CURVE; its heartbeat in seconds."""

    def start(heartbeat_s: float) -> WatchProcess:
        options = {
            "publish": f"tcp://{SHIP}:6790",
            "request": f"tcp://{SHIP}:6791",
            "heartbeat_s": heartbeat_s,
            "curve_secret": str(keys[1]),
            "curve_allowed": str(keys[2].parent),
        }
        watch = WatchProcess(tmp_path, json.dumps(options), inside(cable.ship))
        stack.callback(watch.end)
        return watch

    return start


@pytest.fixture
def subscribe(
    tmp_path: Path, stack: ExitStack, cable: Cable, keys: tuple[Path, Path, Path]
) -> Callable[[WatchProcess], SubscriberProcess]:
    """Starts a subscriber ashore."""

    def start(watch: WatchProcess) -> SubscriberProcess:
        words = (tmp_path / "heard", [keys[2], keys[0]], inside(cable.shore))
        subscriber = SubscriberProcess(watch.endpoints, *words)
        stack.callback(subscriber.end)
        return subscriber

    return start


def test_a_cut_network_loses_and_doubles_nothing(
    cable: Cable, start_watch: Callable, subscribe: Callable
) -> None:
    """While the cable is cut, the watch notices and gives the connections up."""
    watch = start_watch(0.2)
    alone, said = watch.sockets(), 0
    subscriber = subscribe(watch)
    for _ in range(3):
        watch.say(5)
        said += 5
        subscriber.wait_for(said)
        cable.cut()
        watch.say(40)
        said += 40
        wait_until(lambda: watch.sockets() <= alone)
        assert len(subscriber.heard()) == said - 40
        cable.mend()
        assert subscriber.wait_for(said) == list(range(1, said + 1))


def test_a_watch_that_dies_behind_a_cut_network_is_found_again(
    cable: Cable, start_watch: Callable, subscribe: Callable
) -> None:
    """Nobody tells the subscriber that its connections are of a process that is no more."""
    watch = start_watch(5.0)
    subscriber = subscribe(watch)
    watch.say(5)
    subscriber.wait_for(5)
    cable.cut()
    watch.say(20)
    watch.end()
    watch = start_watch(5.0)
    watch.say(20)
    assert len(subscriber.heard()) == 5
    cable.mend()
    assert subscriber.wait_for(45) == list(range(1, 46))
