"""What people picked by hand: CSV files, a row per pick.

Columns, in any order; others are passed over:

- the frame: `frame_id`, or `file` and `ping_counter` (and `swath`, 0 when absent), or `time_utc`
  (ISO 8601, read to the millisecond);
- the place: `across_track_min_m`, `across_track_max_m` (metres, + starboard of the transducer),
  `depth_min_m`, `depth_max_m` (metres below the surface); or `latitude`, `longitude` of the foot
  (degrees), with which the frame may be missing;
- `class`: "signal" when absent. Only plumes are compared: other classes are looked at, no more.

A row with a frame and an empty place says that the frame was looked at and nothing was there.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from sonar_watch.errors import FormatError

Box = tuple[float, float, float, float]
Place = tuple[float, float]
Key = tuple[str, ...]

BOX_COLUMNS = ("across_track_min_m", "depth_min_m", "across_track_max_m", "depth_max_m")
PLACE_COLUMNS = ("latitude", "longitude")
KEY_COLUMNS = (("frame_id",), ("file", "ping_counter"), ("time_utc",))
PLUME = "signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picks:
    """What one person, or a detector, picked.

    Parameters
    ----------
    name : str
        Of who picked.
    how : {"boxes", "places"}
    key : tuple of str
        Columns that name a frame; () with places that name none.
    boxes : mapping of frame to tuple of boxes
        Across-track min, depth min, across-track max, depth max, in metres. Every frame that
        was looked at is a key, also with nothing in it.
    places : tuple of (latitude, longitude)
    """

    name: str
    how: Literal["boxes", "places"]
    key: Key
    boxes: Mapping[Key, tuple[Box, ...]] = field(default_factory=dict)
    places: tuple[Place, ...] = ()


def read_picks(path: Path) -> Picks:
    """Return the picks of a CSV file; its stem is their name.

    Raises
    ------
    FormatError
        A column is missing or a value is not what it should be; names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [_Row(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"expected a CSV file: {error}", file=str(path)) from error
    key = _key_columns(columns)
    if set(BOX_COLUMNS) <= set(columns):
        if not key:
            raise FormatError(
                "line 1: expected columns that name the frame: frame_id, or file and "
                f"ping_counter, or time_utc; received {', '.join(columns)}", file=str(path),
            )
        return Picks(name=path.stem, how="boxes", key=key, boxes=_boxes(rows, key))
    if set(PLACE_COLUMNS) <= set(columns):
        return Picks(name=path.stem, how="places", key=(), places=tuple(_places(rows)))
    raise FormatError(
        f"line 1: expected the columns {', '.join(BOX_COLUMNS)}, or latitude, longitude; "
        f"received {', '.join(columns) or 'none'}", file=str(path),
    )


def _key_columns(columns: Iterable[str]) -> Key:
    known = set(columns)
    return next((names for names in KEY_COLUMNS if set(names) <= known), ())


class _Row:
    """One row, with where it stands for complaints."""

    def __init__(self, path: Path, line: int, cells: Mapping[str, str | None]) -> None:
        self._path, self._line = path, line
        self._cells = {name: (cell or "").strip() for name, cell in cells.items() if name}

    def complain(self, column: str, expected: str) -> FormatError:
        """Return what is wrong in a column."""
        cell = self._cells.get(column, "")
        return FormatError(
            f"line {self._line}, column {column}: expected {expected}, received {cell!r}",
            file=str(self._path),
        )

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        if not self._cells.get(column):
            raise self.complain(column, "something")
        return self._cells[column]

    def number(self, column: str, least: float = -math.inf, most: float = math.inf) -> float:
        """Return a cell as a number within limits."""
        try:
            number = float(self._cells.get(column, ""))
        except ValueError as error:
            raise self.complain(column, "a number") from error
        if not (least <= number <= most and math.isfinite(number)):
            raise self.complain(column, f"a number from {least:g} to {most:g}")
        return number

    def is_empty(self, columns: Iterable[str]) -> bool:
        """Return whether none of these cells holds anything."""
        return not any(self._cells.get(column) for column in columns)

    @property
    def is_plume(self) -> bool:
        """Whether it is a pick of the class that is compared."""
        return self._cells.get("class", "").lower() in ("", PLUME, "plume")

    def key(self, columns: Key) -> Key:
        """Return which frame it is about."""
        if columns == ("time_utc",):
            return (self._time(),)
        if columns == ("frame_id",):
            return (self.text("frame_id"),)
        ping = str(int(self.number("ping_counter", 0)))
        swath = 0 if self.is_empty(["swath"]) else int(self.number("swath", 0))
        return file_key(self.text("file"), ping, swath)

    def _time(self) -> str:
        try:
            return time_key(self.text("time_utc"))
        except ValueError as error:
            raise self.complain("time_utc", "a time such as 2026-03-01T02:00:00.500Z") from error

    def box(self) -> Box:
        """Return the place in metres; minima below maxima."""
        left, top, right, bottom = (self.number(column) for column in BOX_COLUMNS)
        if right < left:
            raise self.complain("across_track_max_m", f"at least {left:g}")
        if bottom < top:
            raise self.complain("depth_max_m", f"at least {top:g}")
        return left, top, right, bottom


def file_key(file: str, ping: str, swath: int | None) -> Key:
    """Return how a swath is named: twins such as .kmall and .kmwcd have the same stem.

    >>> file_key("raw/0001_line.kmwcd", "12", None)
    ('0001_line', '12', '0')
    """
    return PurePosixPath(file.replace("\\", "/")).stem, ping, str(swath or 0)


def time_key(text: str) -> str:
    """Return a time to the millisecond; without a zone it is UTC.

    >>> time_key("2026-03-01T02:00:00.5004Z"), time_key("2026-03-01 02:00:00.5")
    ('2026-03-01T02:00:00.500', '2026-03-01T02:00:00.500')
    """
    time = datetime.fromisoformat(text)
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _boxes(rows: Iterable[_Row], key: Key) -> dict[Key, tuple[Box, ...]]:
    boxes: dict[Key, tuple[Box, ...]] = {}
    for row in rows:
        frame = row.key(key)
        boxes.setdefault(frame, ())
        if row.is_plume and not row.is_empty(BOX_COLUMNS):
            boxes[frame] += (row.box(),)
    return boxes


def _places(rows: Iterable[_Row]) -> Iterator[Place]:
    for row in rows:
        if row.is_plume and not row.is_empty(PLACE_COLUMNS):
            yield row.number("latitude", -90, 90), row.number("longitude", -360, 360)


def read_detections(path: Path, confidence: float, like: Picks) -> Picks:
    """Return what a watch found, from its `detections.jsonl`, in the way of someone's picks.

    Every frame of the file was looked at. What a veto turned down is left out.

    Parameters
    ----------
    path : Path
    confidence : float
        Of the boxes that count, at least.
    like : Picks
        How frames are named, and whether boxes or places are wanted.

    Raises
    ------
    FormatError
        A line that is not a frame's result.
    """
    boxes: dict[Key, tuple[Box, ...]] = {}
    places: list[Place] = []
    for frame, found in _frames(path, confidence, like.key):
        boxes[frame] = tuple(_box_of(one) for one in found)
        places += [(one["latitude"], one["longitude"]) for one in found
                   if one["latitude"] is not None]
    return Picks(name="detector", how=like.how, key=like.key, boxes=boxes, places=tuple(places))


def _frames(
    path: Path, confidence: float, key: Key
) -> Iterator[tuple[Key, list[dict[str, Any]]]]:
    """Yield each frame of a `detections.jsonl` with what counts in it."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                body = json.loads(line)
                found = [one for one in body["detections"] if _counts(one, confidence)]
                yield _key_of(body, key), found
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(
                    f"line {number}: expected a frame's result: {error!r}", file=str(path)
                ) from error


def _counts(body: Mapping[str, Any], confidence: float) -> bool:
    return bool(
        body["class"] == PLUME and body["veto"] is None and body["confidence"] >= confidence
    )


def _box_of(body: Mapping[str, Any]) -> Box:
    (left, right), (top, bottom) = body["across_track_m"], body["depth_m"]
    return left, top, right, bottom


def _key_of(body: Mapping[str, Any], key: Key) -> Key:
    if key == ("time_utc",):
        return (time_key(body["time_utc"]),)
    if key == ("file", "ping_counter"):
        source = body["source"]
        return file_key(source["file"], str(source["ping_counter"]), source["swath"])
    return (body["frame_id"],)
