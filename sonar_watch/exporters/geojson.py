"""GeoJSON files (RFC 7946): a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sonar_watch.exporters.atomic import write_whole


def write_geojson(path: Path, features: Iterable[Mapping[str, Any]]) -> int:
    """Write a FeatureCollection of `features` and return their number.

    One feature stands on each line, so that two files can be compared line by line.

    Raises
    ------
    ValueError
        A feature is no GeoJSON Feature, or holds a number that JSON cannot (NaN, infinity).
    OSError
        The folder cannot be written.
    """
    lines = [_line(feature) for feature in features]
    text = '{"type": "FeatureCollection", "features": [\n' + ",\n".join(lines) + "\n]}\n"
    write_whole(Path(path), text.encode())
    return len(lines)


def _line(feature: Mapping[str, Any]) -> str:
    if feature.get("type") != "Feature" or "geometry" not in feature:
        raise ValueError(f"expected a GeoJSON Feature with a geometry, received {feature!r}")
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)
