"""Real datagrams and sentences as seeds: the smallest of each kind in the files at hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from realdata import ROOT

from sonar_watch.formats.em_header import EmFraming
from sonar_watch.formats.kmall_header import KmallFraming

_FILE_BYTES = 1 << 20
_LINES = 40


def kmall_datagrams() -> list[bytes]:
    """Return real KMALL datagrams."""
    return _smallest_of_each(KmallFraming(), ("*.kmall", "*.kmwcd"))


def em_datagrams() -> list[bytes]:
    """Return real datagrams of `.all` and `.wcd`."""
    return _smallest_of_each(EmFraming(), ("*.all", "*.wcd"))


def log_lines() -> list[bytes]:
    """Return the first lines of real logs, and their sentences."""
    files = sorted((ROOT / "nmea").glob("NBP*"))
    lines = [line for file in files for line in file.read_bytes().splitlines()[:_LINES]]
    return lines + [line[line.index(b"$") :] for line in lines if b"$" in line]


@cache
def _datagrams(
    path: Path, framing: type[KmallFraming | EmFraming]
) -> tuple[tuple[str, bytes], ...]:
    data, at, found = path.read_bytes()[:_FILE_BYTES], 0, []
    while at + 64 < len(data):
        kind, size = framing().measure(data[at : at + 64])
        if at + size <= len(data):
            found.append((kind, data[at : at + size]))
        at += size
    return tuple(found)


def _smallest_of_each(framing: KmallFraming | EmFraming, patterns: tuple[str, ...]) -> list[bytes]:
    smallest: dict[str, bytes] = {}
    for pattern in patterns:
        for path in sorted((ROOT / "kongsberg").glob(pattern)):
            for kind, data in _datagrams(path, type(framing)):
                if kind not in smallest or len(data) < len(smallest[kind]):
                    smallest[kind] = data
    return list(smallest.values())
