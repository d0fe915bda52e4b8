"""One survey line: the files of one sounder and stem, their names and how far they have got."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sonar_watch.errors import FormatError
from sonar_watch.formats import em_header, kmall_header
from sonar_watch.formats.rawfile import is_water_column, line_name
from sonar_watch.records import printable
from sonar_watch.sources.scan import status_of

Role = Literal["navigation", "water column"]

HEAD_BYTES = 512
"""Enough for a header, and for the serial number in the text of an #IIP."""

RETRY_S, LONGEST_RETRY_S = 30.0, 240.0
"""A file that cannot be read is tried again after the first, doubled each time up to the second."""

HEADER_BYTES = max(kmall_header.HEADER.size, em_header.HEADER.size)

_SERIAL = re.compile(rb"\bSN=(\d+)")
_STARTED = re.compile(r"(?:^|_)(\d{8})_(\d{6})(?:_|$)")


def line_stem(path: Path) -> str:
    """Return what the files of one line have in common: family and stem.

    >>> line_stem(Path("wc/0001_ship.kmwcd_frag"))
    'kmall/0001_ship'
    """
    return f"{'kmall' if _is_kmall(path) else 'all'}/{printable(path.stem)}"


def read_head(path: Path) -> tuple[str, float] | None:
    """Return the sounder and data time (seconds since 1970 UTC) of the first datagram.

    None when the file is too short to tell, or does not begin with a datagram. The sounder is
    its model and, to tell two of one model apart, a number of its own: "em710-210" has the
    serial number of the header, "em2040-53037" that of the #IIP with which a KMALL file begins,
    "em2040-40" only the system number.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    head = _head_of(path)
    header = _header(path, head)
    if header is None:
        return None
    sounder = header.sounder
    if isinstance(header, kmall_header.Header):
        if header.kind == "#IIP" and len(head) < min(HEAD_BYTES, header.size):
            return None
        serial = _SERIAL.search(head) if header.kind == "#IIP" else None
        sounder += f"-{serial[1].decode() if serial else header.system}"
    return sounder, header.time_utc.timestamp()


def is_something_else(path: Path) -> bool:
    """Return True when a file has bytes enough for a header and does not begin with a datagram.

    Zeros say nothing: on network shares the size of a file runs ahead of its bytes.
    """
    try:
        head = _head_of(path)
    except OSError:
        return False
    return bool(head[HEADER_BYTES - 1 : 64].strip(b"\0")) and _header(path, head) is None


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _header(path: Path, head: bytes) -> kmall_header.Header | em_header.Header | None:
    try:
        return kmall_header.parse_header(head) if _is_kmall(path) else em_header.parse_header(head)
    except FormatError:
        return None


def _is_kmall(path: Path) -> bool:
    return path.suffix.lower().startswith(".km")


def time_in_name(stem: str) -> float | None:
    """Return when a line began according to its name, seconds since 1970 UTC.

    >>> time_in_name("0007_20120821_170942_Heincke")
    1345568982.0
    >>> time_in_name("em710_heincke") is None
    True
    """
    match = _STARTED.search(stem)
    if match is None:
        return None
    try:
        began = datetime.strptime("".join(match.groups()), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return began.replace(tzinfo=UTC).timestamp()


@dataclass(slots=True, eq=False)
class Line:
    """The files of one line, and how far it has got.

    Parameters
    ----------
    stem : str
        Of one sounder: two sounders may give their files the same names.
    started_s : float
        Seconds since 1970 UTC, from the name, else from the first datagram.
    files : dict
        Path by what the file holds.
    complete : bool
        Everything in it has been given, and a `LineEnd` after it.
    read_here : bool
        It was read since the start of this program.
    sizes_read : dict
        Bytes by file name when it was complete.
    given : set of str
        Frames already given.
    refused : dict
        Bytes, by path, of files that hold something else, or are gone.
    changed_s : float
        When the files were last seen to change, or first seen: by our own clock, for those of
        file servers may be hours off.
    """

    stem: str
    started_s: float
    files: dict[Role, Path] = field(default_factory=dict)
    complete: bool = False
    read_here: bool = False
    sizes_read: dict[str, int] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    refused: dict[Path, int] = field(default_factory=dict)
    changed_s: float = float("-inf")
    _seen_sizes: dict[str, int] | None = None
    _retries: dict[Path, tuple[float, float]] = field(default_factory=dict)
    _told: set[tuple[Path, str]] = field(default_factory=set)

    @property
    def unreadable(self) -> int:
        """Files that could not be read when last tried."""
        return len(self._waits_s)

    @property
    def retry_s(self) -> float | None:
        """When the first of them is tried again, by the clock of `leave`; None = there are none."""
        return min(self._waits_s, default=None)

    @property
    def _waits_s(self) -> list[float]:
        return [until_s for path, (until_s, _) in self._retries.items()
                if path not in self.files.values()]

    @property
    def order(self) -> tuple[float, str]:
        """Lines follow one another in this order."""
        return self.started_s, self.stem

    def look(self, now_s: float) -> None:
        """Note whether the files have changed."""
        sizes = self.sizes()
        if sizes != self._seen_sizes:
            self._seen_sizes, self.changed_s = sizes, now_s

    def leave(self, path: Path, reason: str, now_s: float) -> bool:
        """Note that `path` cannot be read for now; return True when that is news."""
        _, waited_s = self._retries.get(path, (now_s, RETRY_S / 2))
        wait_s = min(2 * waited_s, LONGEST_RETRY_S)
        self._retries[path] = now_s + wait_s, wait_s
        is_news = (path, reason) not in self._told
        self._told.add((path, reason))
        return is_news

    def offer(self, path: Path, now_s: float) -> str | None:
        """Take a file into the line, or return why not; a finished file replaces its fragment."""
        if self.refused.get(path) == size_of(path) or now_s < self._retries.get(path, (now_s,))[0]:
            return None
        role = role_of(path)
        known = self.files.get(role)
        finished = known is not None and _is_fragment(known) and not _is_fragment(path)
        if known in (None, path) or finished or not known.exists():
            self.files[role] = path
        elif known.parent != path.parent:
            return (
                f"{path.name}: second {role} file of this line and sounder: "
                f"{path.parent} is left out, {known.parent} is read"
            )
        return None

    def lacks(self, path: Path) -> bool:
        """Return True when the line has no file of this kind yet."""
        return role_of(path) not in self.files

    def lies_in(self, folder: Path) -> bool:
        """Return True when a file of the line is in `folder`."""
        return any(path.parent == folder for path in self.files.values())

    def sizes(self) -> dict[str, int]:
        """Return bytes by file name, now."""
        sizes = {line_name(path): size_of(path) for path in self.files.values()}
        return {name: size for name, size in sizes.items() if size >= 0}


def role_of(path: Path) -> Role:
    """Return what a file holds, by its name."""
    return "water column" if is_water_column(path) else "navigation"


def _is_fragment(path: Path) -> bool:
    return path.suffix.lower().endswith("_frag")


def size_of(path: Path) -> int:
    """Return bytes, -1 when the file is gone or no plain file."""
    status = status_of(path)
    return -1 if status is None else status.st_size
