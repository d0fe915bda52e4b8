"""The limits beyond which a watch warns."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from sonar_watch.errors import ConfigurationError

_TIMES = (
    "ping_silent_s",
    "file_silent_s",
    "water_column_silent_s",
    "navigation_silent_s",
    "clock_step_s",
    "clock_offset_s",
    "backlog_growing_s",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOptions:
    """When the watch warns, and where Prometheus reads its numbers.

    A limit of .inf switches its warning off; for disks that is 0.

    Parameters
    ----------
    prometheus : str or None
        ADDRESS:PORT of this host's loopback, such as 127.0.0.1:9108, where GET /metrics is
        answered; none for no such server. `sonar-watch status --prometheus` needs none. A port
        that is taken is told and tried again; the watch goes on without it.
    under_way_m_s : float
        Above this speed over ground (1 knot) the ship is under way, and pings are expected.
    ping_silent_s : float
        Seconds without a new ping while under way.
    file_silent_s : float
        Seconds that the newest raw file has not grown, after it was seen to, while under way.
    water_column_silent_s : float
        Seconds without a swath while the sounder's own files or datagrams go on with
        navigation: water column is switched off, or the sounder has stopped.
    navigation_silent_s : float
        Seconds without a position while pings come.
    clock_step_s : float
        Seconds by which this computer's clock jumps.
    clock_offset_s : float
        Seconds by which pings are dated ahead of this computer's clock, or the date of a
        sentence lies off it.
    disk_free_gb, disk_free_share : float
        Least room on the disk of the data folder and of each source folder, in 10^9 bytes and
        as a share of the disk, 0 to 1; less than either is too little.
    disk_free_enough_gb : float
        More than this, in 10^9 bytes, is enough whatever share of a large disk it is: five hours
        of a sounder that writes 10 GB an hour, time to make room.
    journal_gb : float
        Size of the journal, in 10^9 bytes.
    backlog_frames : int
        Frames that wait; more than these, and more for `backlog_growing_s`, is falling behind.
    backlog_growing_s : float
        Seconds over which the backlog has grown.

    Raises
    ------
    ConfigurationError
        A limit that is not above 0, or an address that is not of the loopback.
    """

    prometheus: str | None = None
    under_way_m_s: float = 0.5144
    ping_silent_s: float = 300.0
    file_silent_s: float = 120.0
    water_column_silent_s: float = 60.0
    navigation_silent_s: float = 60.0
    clock_step_s: float = 1.0
    clock_offset_s: float = 5.0
    disk_free_gb: float = 1.0
    disk_free_share: float = 0.05
    disk_free_enough_gb: float = 50.0
    journal_gb: float = 20.0
    backlog_frames: int = 200
    backlog_growing_s: float = 300.0

    def __post_init__(self) -> None:
        for name in (*_TIMES, "under_way_m_s", "journal_gb", "backlog_frames"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(
                    f"health: {name}: expected a number above 0, received {getattr(self, name)}"
                )
        least_gb, share, enough_gb = (
            self.disk_free_gb, self.disk_free_share, self.disk_free_enough_gb
        )  # fmt: skip
        if not (least_gb >= 0 and 0 <= share < 1 and enough_gb >= 0):
            raise ConfigurationError(
                "health: expected disk_free_gb and disk_free_enough_gb of 0 or more and "
                "disk_free_share of 0 to below 1, "
                f"received {least_gb}, {enough_gb} and {share}"
            )
        if self.prometheus is not None:
            loopback_address(self.prometheus)


def loopback_address(text: str) -> tuple[str, int]:
    """Return host and port of ADDRESS:PORT on the loopback.

    >>> loopback_address("127.0.0.1:9108"), loopback_address("[::1]:0")
    (('127.0.0.1', 9108), ('::1', 0))

    Raises
    ------
    ConfigurationError
        It is something else: the numbers are not for everybody on the network.
    """
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        here = ipaddress.ip_address(host).is_loopback and 0 <= int(port) <= 65_535
    except ValueError:
        here = False
    if not here:
        raise ConfigurationError(
            f"health: prometheus: expected ADDRESS:PORT of the loopback, such as 127.0.0.1:9108, "
            f"received {text!r}"
        )
    return host, int(port)
