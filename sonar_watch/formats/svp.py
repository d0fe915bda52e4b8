"""Sound speed profiles as Kongsberg writes them for the operator: `.asvp`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sonar_watch.errors import FormatError, GeometryError
from sonar_watch.records import SoundSpeedProfile

_MAX_BYTES = 4_000_000
_DEEPEST_M = 11_000.0


def read_asvp(path: Path) -> SoundSpeedProfile:
    """Return the profile of a Kongsberg `.asvp` file.

    Every level is kept, also one that breaks an otherwise smooth curve: real profiles have
    such points, and which of them is wrong is not ours to say. Only levels deeper than any
    ocean go, with which acquisition software extends a cast to 12000 m.

    Raises
    ------
    FormatError
        No `( SoundVelocity` header, a line that is not two numbers, or levels that no water
        column has; the message names the file and the line.
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode("latin-1")
    header, _, body = text.partition("\n")
    if not header.lstrip(" (").startswith("SoundVelocity"):
        raise FormatError("line 1: expected '( SoundVelocity ...'", file=path.name)
    rows = [
        _parse_level(line, number, path.name)
        for number, line in enumerate(body.splitlines(), start=2)
        if line.strip()
    ]
    levels = np.array([row for row in rows if row[0] <= _DEEPEST_M], float).reshape(-1, 2)
    if len(levels) < 2:
        raise FormatError(f"expected 2 or more levels, received {len(levels)}", file=path.name)
    try:
        return SoundSpeedProfile(depth_m=levels[:, 0], speed_m_s=levels[:, 1])
    except GeometryError as error:
        raise FormatError(str(error), file=path.name) from error


def _parse_level(line: str, number: int, file: str) -> tuple[float, float]:
    try:
        depth, speed = (float(word) for word in line.split()[:2])
    except ValueError:
        raise FormatError(
            f"line {number}: expected depth in m and sound speed in m/s, received {line[:60]!r}",
            file=file,
        ) from None
    return depth, speed
