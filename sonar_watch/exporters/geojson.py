"""GeoJSON files (RFC 7946): a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_geojson(path: Path, features: Iterable[Mapping[str, Any]]) -> int:
    """Write a FeatureCollection of `features` and return their number.

    One feature stands on each line, so that two files can be compared line by line. The file is
    written beside `path`, brought to disk and renamed over it.

    Raises
    ------
    ValueError
        A feature is no GeoJSON Feature, or holds a number that JSON cannot (NaN, infinity).
    OSError
        The folder cannot be written.
    """
    path = Path(path)
    lines = [_line(feature) for feature in features]
    head = '{"type": "FeatureCollection", "features": [\n'
    _write_whole(path, head + ",\n".join(lines) + "\n]}\n")
    return len(lines)


def _line(feature: Mapping[str, Any]) -> str:
    if feature.get("type") != "Feature" or "geometry" not in feature:
        raise ValueError(f"expected a GeoJSON Feature with a geometry, received {feature!r}")
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)


def _write_whole(path: Path, text: str) -> None:
    """Write `text` to a file beside `path` and rename it over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
