"""What systemd is told: sd_notify(3), without a library."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(message: str) -> None:
    """Tell systemd, where it asks (sd_notify(3)); do nothing elsewhere."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    path = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(message.encode(), path)
    except OSError as error:
        log.warning("systemd could not be told %s: %s", message, error)
