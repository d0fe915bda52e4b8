"""What a publisher is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sonar_watch.alerts.wire import require_secure
from sonar_watch.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherOptions:
    """Where alerts are published, and how much anybody may ask.

    Parameters
    ----------
    publish, request : str
        Endpoints of the PUB and the ROUTER socket, tcp://HOST:PORT or ipc://PATH. Beyond this
        host only with `curve_secret`.
    status_interval_s : float
        Seconds between status messages, 0.05 to 10; a subscriber notices within this time that
        it missed the last alert.
    queue_messages : int
        Messages held for each slow subscriber; what it misses beyond it asks for later.
    heartbeat_s : float
        Seconds between signs of life on a connection that is silent otherwise, 0.05 to 60; one
        from which nothing came for three of them is closed.
    requests_per_s : float
        How often one client may ask, 1 or more; beyond it is told to wait, and then not answered.
    replayed_per_s : float
        How many alerts are sent again each second, to all clients together, 1 or more: who
        catches up must not slow detection.
    linger_s : float
        Seconds that closing waits for messages to leave.
    curve_secret : Path or None
        Secret certificate of this publisher (`sonar-watch keys`); None for plain text.
    curve_allowed : Path or None
        Folder of the public certificates of those who may subscribe. Verdicts on events are
        taken from those in the folder `reviewers` beside it.
    """

    publish: str = "tcp://127.0.0.1:6790"
    request: str = "tcp://127.0.0.1:6791"
    status_interval_s: float = 1.0
    queue_messages: int = 1000
    heartbeat_s: float = 5.0
    requests_per_s: float = 20.0
    replayed_per_s: float = 10_000.0
    linger_s: float = 1.0
    curve_secret: Path | None = None
    curve_allowed: Path | None = None

    def __post_init__(self) -> None:
        if (self.curve_secret is None) != (self.curve_allowed is None):
            raise ConfigurationError("expected curve_secret and curve_allowed together, or neither")
        if self.publish == self.request and not self.publish.endswith(":0"):
            raise ConfigurationError(f"publish and request: expected two, received {self.publish}")
        for endpoint in (self.publish, self.request):
            require_secure(endpoint, encrypted=self.curve_secret is not None)
        _expect("status_interval_s", self.status_interval_s, 0.05, 10)
        _expect("heartbeat_s", self.heartbeat_s, 0.05, 60)
        _expect("requests_per_s", self.requests_per_s, 1, 1e9)
        _expect("replayed_per_s", self.replayed_per_s, 1, 1e9)
        if self.queue_messages < 1 or not 0 <= self.linger_s <= 60:
            raise ConfigurationError(
                "expected queue_messages of at least 1 and linger_s of 0 to 60 s, received "
                f"{self.queue_messages}, {self.linger_s}"
            )


def _expect(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigurationError(f"{name}: expected {least:g} to {most:g}, received {value}")
