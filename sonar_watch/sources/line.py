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

Role = Literal["navigation", "water column"]

HEAD_BYTES = 64
HEADER_BYTES = max(kmall_header.HEADER.size, em_header.HEADER.size)

_STARTED = re.compile(r"(?:^|_)(\d{8})_(\d{6})(?:_|$)")


def line_stem(path: Path) -> str:
    """Return what the files of one line have in common: family and stem.

    >>> line_stem(Path("wc/0001_ship.kmwcd_frag"))
    'kmall/0001_ship'
    """
    return f"{'kmall' if _is_kmall(path) else 'all'}/{path.stem}"


def read_head(path: Path) -> tuple[str, float] | None:
    """Return sounder model and data time (seconds since 1970 UTC) of the first datagram.

    None when the file is too short to tell, absent, or does not begin with a datagram.
    """
    family = kmall_header if _is_kmall(path) else em_header
    try:
        with path.open("rb") as file:
            header = family.parse_header(file.read(HEAD_BYTES))
    except (OSError, FormatError):
        return None
    return header.sounder.split("-")[0], header.time_utc.timestamp()


def is_something_else(path: Path) -> bool:
    """Return True when a file has bytes enough for a header and does not begin with a datagram.

    Zeros say nothing: on network shares the size of a file runs ahead of its bytes.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return bool(head[HEADER_BYTES - 1 :].strip(b"\0")) and read_head(path) is None


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
        Bytes, by path, of files that could not be read.
    """

    stem: str
    started_s: float
    files: dict[Role, Path] = field(default_factory=dict)
    complete: bool = False
    read_here: bool = False
    sizes_read: dict[str, int] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    refused: dict[Path, int] = field(default_factory=dict)

    @property
    def order(self) -> tuple[float, str]:
        """Lines follow one another in this order."""
        return self.started_s, self.stem

    def offer(self, path: Path) -> str | None:
        """Take a file into the line, or return why not; a finished file replaces its fragment."""
        if self.refused.get(path) == size_of(path):
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
    """Return bytes, -1 when the file is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
