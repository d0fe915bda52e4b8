"""Text as the wire and the journal want it: one way to write each value, always UTF-8."""

from __future__ import annotations

import json

from sonar_watch.errors import WireError


def canonical_json(value: object) -> bytes:
    """Return `value` as JSON with sorted keys and no spaces.

    Raises
    ------
    WireError
        Something in it is not JSON, NaN included.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"expected plain JSON values: {error}") from error


def printable(text: str) -> str:
    """Return `text` with what is not Unicode, such as the bytes of an odd file name, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
