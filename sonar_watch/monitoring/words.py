"""Spans of time, sizes and numbers, as a person says them."""

from __future__ import annotations

_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


def in_words(seconds: float) -> str:
    """Return a span of time in the unit in which people say it.

    >>> [in_words(seconds) for seconds in (0.04, 12.4, 600.0, 7300.0, 200_000.0)]
    ['0 s', '12 s', '10 min', '2 h', '2 days']
    """
    for size_s, unit in _UNITS:
        if abs(seconds) >= 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(seconds: float | None) -> str:
    """Return an age in words.

    >>> ago(12.4), ago(None)
    ('12 s ago', 'never')
    """
    return "never" if seconds is None else f"{in_words(max(0.0, seconds))} ago"


def size_in_words(count: float | None) -> str:
    """Return a number of bytes in words.

    >>> [size_in_words(count) for count in (512, 3_500_000, 12e9, None)]
    ['512 B', '3.5 MB', '12 GB', 'unknown']
    """
    if count is None:
        return "unknown"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return f"{count:.3g} TB"
