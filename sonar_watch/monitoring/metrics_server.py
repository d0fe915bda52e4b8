"""The numbers over HTTP for Prometheus, on the loopback: GET /metrics and nothing else."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sonar_watch.errors import SonarWatchError
from sonar_watch.monitoring.options import loopback_address

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Connections that are answered at the same time; further ones are closed at once."""

PATIENCE_S = 2.0
"""A client that says nothing for this long is let go."""

RETRY_S = 10.0
"""From one try to have a port that is taken to the next."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Answers GET /metrics in threads of its own; closed by `close`.

    Parameters
    ----------
    address : str
        ADDRESS:PORT of the loopback; port 0 takes any free one.
    text : callable
        Returns the text of one answer; called in a thread of the server.

    Raises
    ------
    SonarWatchError
        The port cannot be had now.
    ConfigurationError
        The address is not of the loopback.
    """

    def __init__(self, address: str, text: Callable[[], str]) -> None:
        place = loopback_address(address)
        try:
            self._server = _Server(place, text)
        except OSError as error:
            raise SonarWatchError(
                f"health.prometheus: cannot listen on {address}: {error.strerror}; choose another "
                "port, or none"
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics",
            daemon=True,
        )  # fmt: skip
        self._thread.start()
        log.info("metrics on http://%s:%d/metrics", place[0], self.port)

    def close(self) -> None:
        """End the thread and free the port; harmless when called again."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class MetricsDoor:
    """A `MetricsServer` as soon as its port can be had; nobody waits for it.

    Parameters
    ----------
    address, text
        As of `MetricsServer`.
    ticks : callable
        Seconds that only grow.

    Attributes
    ----------
    trouble : str or None
        Why nobody is answered for now, in words.

    Raises
    ------
    ConfigurationError
        The address is not of the loopback.
    """

    def __init__(
        self, address: str, text: Callable[[], str], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        loopback_address(address)  # another one would never be had
        self._address, self._text, self._ticks = address, text, ticks
        self._server: MetricsServer | None = None
        self._next_s = ticks()
        self.trouble: str | None = None
        self.try_open()

    def try_open(self) -> None:
        """Open the port, unless it is open or was tried a moment ago; to be called now and then."""
        if self._server is not None or self._ticks() < self._next_s:
            return
        try:
            self._server = MetricsServer(self._address, self._text)
        except SonarWatchError as error:
            self._next_s = self._ticks() + RETRY_S
            self.trouble = f"{error}; tried again every {RETRY_S:g} s, all else goes on"
        else:
            self.trouble = None

    def close(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.close()


class _Server(ThreadingHTTPServer):
    """As many threads as `AT_ONCE`; they do not keep the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 8

    def __init__(self, place: tuple[str, int], text: Callable[[], str]) -> None:
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.text = text
        self._room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread when there is room, else hang up."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Note what went wrong with one client; it costs nobody else anything."""
        log.debug("metrics: a request from %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_S
    server_version = "sonar-watch"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the numbers."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "expected /metrics")
            return
        body = self.server.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the scrapes of months out of the log."""
        log.debug(format, *args)
