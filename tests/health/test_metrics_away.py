"""A port for the metrics that somebody else has: told, tried again, and nothing is lost."""

from __future__ import annotations

import logging
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from health_builders import LiveWatch, limits, wait_until

from sonar_watch.errors import ConfigurationError
from sonar_watch.monitoring import metrics_server
from sonar_watch.monitoring.metrics_server import MetricsDoor


def answer(port: int) -> str:
    """Return the numbers; "" while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            return str(page.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return ""


def test_a_watch_goes_on_without_its_metrics_until_the_port_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics_server, "RETRY_S", 0.2)
    caplog.set_level(logging.WARNING, "sonar_watch.monitoring")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with LiveWatch(tmp_path, limits(prometheus=f"127.0.0.1:{port}")) as live:
            text = live.wait_warned("metrics_away")
            assert "in use" in text
            assert "choose another port" in text
            live.record(pings=4, seconds=8)
            wait_until(lambda: live.watch.monitor.snapshot()["frames"] == 4, "four frames")
            other.close()
            wait_until(lambda: "sonar_watch_frames_total 4" in answer(port), "the numbers")
            wait_until(lambda: not live.warned(), "the end of the warning")
    told = [each.getMessage() for each in caplog.records if "metrics_away" in each.getMessage()]
    assert [message.split()[2] for message in told] == ["begins:", "ends,"]
    assert answer(port) == ""  # the port is free again


def test_what_can_never_be_had_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="loopback"):
        MetricsDoor("192.0.2.1:9108", str)
