"""Real requests to the metrics: what is asked for is answered, nothing else, nobody held up."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from sonar_watch.errors import ConfigurationError, SonarWatchError
from sonar_watch.monitoring import HealthOptions
from sonar_watch.monitoring.metrics_server import AT_ONCE, MetricsServer


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    serving = MetricsServer("127.0.0.1:0", lambda: "sonar_watch_frames_total 7\n")
    yield serving
    serving.close()


def ask(server: MetricsServer, path: str = "/metrics", **more: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", **more)  # type: ignore[arg-type]
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def test_the_numbers_are_given(server: MetricsServer) -> None:
    assert ask(server) == (200, "sonar_watch_frames_total 7\n")


@pytest.mark.parametrize("path", ["/", "/metrics/..", "/etc/passwd", "/metricsx"])
def test_nothing_else_is(server: MetricsServer, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(server: MetricsServer, method: str) -> None:
    assert ask(server, method=method)[0] == 501


def test_a_few_silent_clients_hold_up_nobody(server: MetricsServer) -> None:
    place = ("127.0.0.1", server.port)
    silent = [socket.create_connection(place, timeout=10) for _ in range(AT_ONCE - 1)]
    assert ask(server)[0] == 200
    for connection in silent:
        assert connection.recv(10) == b""  # let go of after a while
        connection.close()


def test_many_at_once_are_turned_away(server: MetricsServer) -> None:
    place = ("127.0.0.1", server.port)
    several = [socket.create_connection(place, timeout=10) for _ in range(3 * AT_ONCE)]
    for connection in several:
        assert connection.recv(10) == b""
        connection.close()
    assert ask(server)[0] == 200


def test_a_taken_port_is_said(server: MetricsServer) -> None:
    with pytest.raises(SonarWatchError, match="choose another port"):
        MetricsServer(f"127.0.0.1:{server.port}", str)


@pytest.mark.parametrize("address", ["0.0.0.0:9108", "192.168.1.2:9108", "9108", "localhost:x"])
def test_only_this_host_is_answered(address: str) -> None:
    with pytest.raises(ConfigurationError, match="loopback"):
        HealthOptions(prometheus=address)
