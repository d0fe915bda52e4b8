"""What both ends of the wire share: frames, topics, requests, and who may go in plain text."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from sonar_watch.alerts.text import canonical_json
from sonar_watch.errors import ConfigurationError, WireError
from sonar_watch.records import Tense

TENSES: tuple[Tense, ...] = get_args(Tense)
STATUS_TOPIC = "status."
STATUS_SCHEMA = "sonar_watch.status/1"
EPOCH_TOPIC = "epoch."
"""Prefix of the one-frame greeting on every new connection; the journal's epoch follows it."""

ALERT_TOPICS = tuple(f"{tense}.alert." for tense in TENSES)
LOSSY_TOPICS = tuple(
    f"{tense}.{name}." for tense in TENSES for name in ("frame", "candidate", "coverage")
)
MAX_REQUEST_BYTES = 65_536
MAX_SUBSCRIPTION_BYTES = 1024
"""Longest frame that a publisher takes from a subscriber: a topic, or a step of the handshake."""

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_BATCH = 500
"""Most alerts in one answer: half a megabyte."""


@dataclass(frozen=True, slots=True)
class Message:
    """One published message.

    Parameters
    ----------
    topic : str
    sequence : int
        1, 2, 3 ... for what the journal keeps; 0 for what may be lost.
    body : bytes
        JSON.
    """

    topic: str
    sequence: int
    body: bytes


def review_topic(tense: str) -> str:
    """Return the topic of people's verdicts on events; what it carries has sequence 0."""
    return f"{tense}.review."


def pack(message: Message) -> list[bytes]:
    """Return the three frames of `message`: topic, sequence (uint64, big-endian), JSON."""
    return [message.topic.encode(), message.sequence.to_bytes(8, "big"), message.body]


def unpack(frames: Sequence[bytes]) -> Message:
    """Return the message in three frames.

    Raises
    ------
    WireError
        There are not three, the sequence has not 8 bytes, or the topic is not text.
    """
    if len(frames) != 3 or len(frames[1]) != 8:
        sizes = [len(frame) for frame in frames]
        raise WireError(f"expected [topic, 8 bytes, JSON], received frames of {sizes} bytes")
    return Message(_text(frames[0]), int.from_bytes(frames[1], "big"), frames[2])


def unpack_many(frames: Sequence[bytes]) -> list[Message]:
    """Return the messages in a row of three frames each.

    Raises
    ------
    WireError
        As `unpack`.
    """
    return [unpack(frames[start : start + 3]) for start in range(0, len(frames), 3)]


def pack_object(fields: Mapping[str, Any]) -> bytes:
    """Return a request, answer or status as canonical JSON.

    Raises
    ------
    WireError
        Something in it is not JSON.
    """
    return canonical_json(dict(fields))


def unpack_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises
    ------
    WireError
        It is not JSON, or not an object.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"expected a JSON object, received {bytes(body[:80])!r}") from error
    if not isinstance(value, dict):
        raise WireError(f"expected a JSON object, received {bytes(body[:80])!r}")
    return value


def require_secure(endpoint: str, *, encrypted: bool) -> None:
    """Refuse plain text that would leave this host.

    Parameters
    ----------
    endpoint : str
        Such as "tcp://127.0.0.1:6790" or "ipc:///run/sonar_watch/alerts".
    encrypted : bool
        The socket uses CURVE.

    Raises
    ------
    ConfigurationError
        The transport is unknown, or goes beyond loopback and ipc without CURVE.
    """
    transport, separator, address = endpoint.partition("://")
    if not separator or transport not in ("tcp", "ipc", "inproc") or not address:
        raise ConfigurationError(f"expected tcp://HOST:PORT or ipc://PATH, received {endpoint!r}")
    if transport == "tcp" and not _has_port(address):
        raise ConfigurationError(f"{endpoint}: expected a port of 0 to 65535 after the last colon")
    if transport == "tcp" and not encrypted and not _is_loopback(address):
        raise ConfigurationError(
            f"{endpoint}: alerts leave this host only through CURVE; give keys (`sonar-watch "
            "keys make` makes them), or use tcp://127.0.0.1:PORT or ipc://PATH"
        )


def _has_port(address: str) -> bool:
    """Return whether the port is one: ZeroMQ itself takes 99999 for 34463."""
    host, _, port = address.rpartition(":")
    return bool(host) and (port == "*" or (port.isdigit() and int(port) <= 65_535))


def _is_loopback(address: str) -> bool:
    """Return whether HOST:PORT is this host, spoken to by itself."""
    host = address.rpartition(":")[0].rpartition(";")[2].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(frame: bytes) -> str:
    try:
        return frame.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"expected a topic in UTF-8, received {frame[:40]!r}") from error
