"""A sounder's network output from its files: datagrams in order of time, cut, mixed and lost."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sonar_watch.formats.kmall import split_datagram
from sonar_watch.formats.kmall_header import BODY, HEADER, KmallFraming

LARGEST = 8_000  # bytes of a part; sounders cut at 64,000, tests have smaller pings
LATE_S = {b"#SKM": 1.0, b"#IIP": -1e9, b"#IOP": -1e9, b"#SVP": -1e9}
PARTED = (b"#MWC", b"#MRZ")


def datagrams_of(data: bytes) -> list[bytes]:
    """Cut the bytes of a file into its whole datagrams."""
    framing, found, offset = KmallFraming(), [], 0
    while offset + BODY < len(data):
        _, size = framing.measure(data[offset : offset + 64])
        if offset + size <= len(data):
            found.append(data[offset : offset + size])
        offset += size
    return found


def time_s(datagram: bytes) -> float:
    *_, seconds, nanoseconds = HEADER.unpack_from(datagram)
    return float(seconds + nanoseconds * 1e-9)


def stream_of(paths: Iterable[Path]) -> list[bytes]:
    """Return what was sent when these files were written: what twins share comes once.

    What a line begins with is sent first, whatever time it carries; motion (#SKM) once its last
    row is known, a second after its head says.
    """
    seen: dict[bytes, float] = {}
    for path in paths:
        for datagram in datagrams_of(path.read_bytes()):
            seen.setdefault(datagram, time_s(datagram) + LATE_S.get(datagram[4:8], 0.0))
    return sorted(seen, key=lambda each: seen[each])


def packets_of(
    stream: Sequence[bytes],
    *,
    seed: int = 0,
    largest: int = LARGEST,
    lose: Callable[[int, int], bool] = lambda swath, part: False,
    repeat: float = 0.0,
) -> list[bytes]:
    """Cut what is too large into parts, mix those of each swath, lose and repeat some.

    Parameters
    ----------
    lose : callable
        (index of the swath, index of its part) -> True when it never arrives.
    repeat : float
        Share of packets that arrive twice.
    """
    chance = random.Random(seed)
    packets: list[bytes] = []
    swath = -1
    for datagram in stream:
        if datagram[4:8] not in PARTED:
            packets.append(datagram)
            continue
        swath += datagram[4:8] == b"#MWC"
        parts = split_datagram(datagram, largest)
        kept = [part for number, part in enumerate(parts) if not lose(swath, number)]
        chance.shuffle(kept)
        packets += [part for part in kept for _ in range(1 + (chance.random() < repeat))]
    return packets


class Sender:
    """Sends packets to a port of this host, or to a group by way of the loopback.

    `address` is where they come from: any of 127.0.0.0/8 does for another computer.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", address: str = "127.0.0.1") -> None:
        self._place = host, port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        loopback = socket.inet_aton("127.0.0.1")
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self._socket.sendto(packet, self._place)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
