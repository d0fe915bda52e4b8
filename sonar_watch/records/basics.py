"""Arrays, times and identifiers that every record is made of."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


Float32Array = npt.NDArray[np.float32]


IntArray = npt.NDArray[np.int32]


ByteImage = npt.NDArray[np.uint8]


_Array = TypeVar("_Array", bound=npt.NDArray[Any])


_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "sonar-watch.identifiers.1")


def iso_utc(time_utc: datetime) -> str:
    """Return `time_utc` as ISO 8601 with microseconds and Z.

    >>> iso_utc(datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC))
    '2026-01-02T03:04:05.000600Z'
    """
    # isoformat, for strftime does not pad years before 1000.
    plain = time_utc.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="microseconds") + "Z"


def parse_utc(text: str) -> datetime:
    """Return the instant of an ISO 8601 text; one without a zone is taken as UTC.

    >>> parse_utc("2026-01-02T03:04:05Z").second
    5

    Raises
    ------
    ValueError
        The text is not ISO 8601.
    """
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def identify(*measured: object) -> str:
    """Return the uuid5 of what was measured: the same in a live run, a replay and a restart.

    >>> identify("em710-210", 17, 0) == identify("em710-210", 17, 0)
    True
    """
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(str(part) for part in measured)))


def stream_names(sounder: str, unit: str) -> tuple[str, ...]:
    """Return what the swaths of one sounder may be known by, the name that says most first.

    `unit` tells it from others of its model; what it says of itself may come in the middle.

    >>> stream_names("em2040", "40-53037")
    ('em2040-40-53037', 'em2040-40', 'em2040')
    >>> stream_names("em710-210", "")
    ('em710-210',)
    """
    words = unit.split("-") if unit else []
    return tuple("-".join([sounder, *words[:count]]) for count in range(len(words), -1, -1))


def printable(text: str) -> str:
    r"""Return what Python made of a file's name as text that can be stored and sent.

    Names are bytes; those that other systems wrote need not be UTF-8.

    >>> printable("caf\udce9.png")
    'caf\\xe9.png'
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_only(array: _Array) -> _Array:
    """Return a view of `array` that nobody can write through."""
    view = array.view()
    view.flags.writeable = False
    return view
