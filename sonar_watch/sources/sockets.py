"""UDP sockets of feeds: an address and port, or a multicast group on one network card."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
from typing import Protocol

from sonar_watch.errors import ConfigurationError, SonarWatchError

LOOK_UP_S = 0.2
"""How often who waits for a datagram looks up whether to stop."""

_COMES_LATER = frozenset({errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENETDOWN, errno.ENETUNREACH})


class Listening(Protocol):
    """What a socket is told; the options of a feed have it."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def group(self) -> str | None: ...
    @property
    def interface(self) -> str | None: ...


class AbsentError(SonarWatchError):
    """The address or interface to listen on is not there, as when a card comes up late."""


def check_listening(options: Listening) -> None:
    """Check port and addresses.

    Raises
    ------
    ConfigurationError
        A port, address or group that cannot be.
    """
    if not 0 <= options.port <= 65_535:
        raise ConfigurationError(f"{options.name}: port: expected 0 to 65535, got {options.port}")
    for key, text in (("address", options.address), ("group", options.group)):
        _check_address(f"{options.name}: {key}", text, multicast=key == "group")
    if options.interface == "":
        raise ConfigurationError(
            f"{options.name}: interface: expected a name such as eth1, an IPv4 address or null"
        )


def _check_address(key: str, text: str | None, *, multicast: bool) -> None:
    if text is None:
        return
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise ConfigurationError(f"{key}: expected an IPv4 address, received {text!r}") from error
    if multicast and not address.is_multicast:
        raise ConfigurationError(f"{key}: expected 224.0.0.0 to 239.255.255.255, received {text}")


def open_socket(options: Listening) -> socket.socket:
    """Return a bound socket that has joined its group.

    Raises
    ------
    AbsentError
        The address or interface is not of this host, or not yet.
    SonarWatchError
        The port is taken, or not for this user.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if options.group is None:
            listening.bind((options.address, options.port))
        else:
            # Several programs of a ship listen to one group; each hears everything.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((options.group, options.port))
            join_group(listening, options)
    except OSError as error:
        listening.close()
        where = f"{options.group or options.address}:{options.port}"
        # Not a wrong configuration: at boot the interface may come up a little later.
        kind = AbsentError if error.errno in _COMES_LATER else SonarWatchError
        raise kind(f"{options.name}: cannot listen on {where}: {error}") from error
    listening.settimeout(LOOK_UP_S)
    return listening


def join_group(listening: socket.socket, options: Listening) -> None:
    """Make a socket a member of its group, anew when it is one already.

    Raises
    ------
    OSError
        The interface is away.
    """
    members = _membership(options)
    with contextlib.suppress(OSError):  # no member yet, or forgotten with the card
        listening.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, members)
    listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, members)


def _membership(options: Listening) -> bytes:
    """Return the `ip_mreqn` of the group: on a named card, else on that with an address."""
    address, index = options.interface or options.address, 0
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        address, index = "0.0.0.0", _index_of(address)
    group = socket.inet_aton(options.group or "0.0.0.0")
    return struct.pack("4s4si", group, socket.inet_aton(address), index)


def _index_of(card: str) -> int:
    try:
        return socket.if_nametoindex(card)
    except OSError as error:
        raise OSError(errno.ENODEV, f"no network card {card!r}") from error
