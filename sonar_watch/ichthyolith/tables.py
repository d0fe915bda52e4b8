"""detections.csv: a row for every box that was looked at, written whole and read back exactly.

An object that several tiles show has several rows: one says `kept` or `rejected`, the others
`merged`. So the rows that are not `merged` are the physical objects, and those that are `kept`
are the ichthyoliths.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sonar_watch.atomic import whole_file
from sonar_watch.errors import FormatError
from sonar_watch.ichthyolith.records import (
    CLASSES,
    ICHTHYOLITHS,
    Box,
    Sighting,
    SlideObject,
    Status,
)

TILE_BOX = ("x1", "y1", "x2", "y2")
SLIDE_BOX = ("slide_x1", "slide_y1", "slide_x2", "slide_y2")
COLUMNS = (
    "image",
    "class",
    *TILE_BOX,
    "confidence",
    *SLIDE_BOX,
    "length_um",
    "width_um",
    "status",
    "object_id",
    "site",
    "sample",
    "slide",
    "detector_class",
    "detector_confidence",
    "cut",
    "reviewed",
    "object_cut",
)
"""Of detections.csv. `class` and `confidence` are the object's, `detector_class` and
`detector_confidence` what the detector said of this box; `cut` is by the edge of the tile,
`object_cut` by the edge of what was scanned."""

_STATUSES = ("kept", "merged", "rejected")
_TRUE, _FALSE = "true", "false"


def status_of(one: SlideObject, sighting: Sighting) -> Status:
    """Return what became of one of an object's boxes.

    The best view of an ichthyolith is kept and that of noise rejected; other views are merged.
    """
    if sighting is not one.best:
        return "merged"
    return "kept" if one.class_name in ICHTHYOLITHS else "rejected"


def write_detections(path: Path, objects: Iterable[SlideObject]) -> int:
    """Write detections.csv in the order given; return its number of rows.

    Numbers are written with all their digits, so that reading gives the same objects again.

    Parameters
    ----------
    path : Path
        Its folder must be there. The file is whole or not there at all.
    objects : iterable of SlideObject

    Raises
    ------
    ValueError
        An object whose best view is not one of its sightings, or does not say what the
        detector's verdict is said to be: it could not be read back.
    OSError
        The file cannot be written.
    """
    count = 0
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in objects:
            rows = list(_rows(one))
            writer.writerows(rows)
            count += len(rows)
        text.flush()
        text.detach()
    return count


def read_detections(path: Path) -> list[SlideObject]:
    """Return the objects of a detections.csv, in the order of their first rows.

    Columns may be in any order, and further ones are passed over.

    Raises
    ------
    FormatError
        A column is missing, a value is not what it should be, or the rows of an object do not
        agree; names the line and the column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or ())
            groups: dict[str, list[_Row]] = {}
            for cells in reader:
                row = _Row(path, reader.line_num, cells)
                groups.setdefault(row.text("object_id"), []).append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"expected a table of detections: {error}", file=str(path)) from error
    return [_object(rows) for rows in groups.values()]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise FormatError(
            f"line 1: expected the columns of a detections.csv, {', '.join(missing)} missing; "
            f"received {', '.join(columns) or 'none'}",
            file=str(path),
        )


def _rows(one: SlideObject) -> Iterator[list[str]]:
    places = [index for index, seen in enumerate(one.sightings) if seen == one.best]
    if not places:
        raise ValueError(f"{one.object_id}: expected the best view among its sightings")
    said = (one.best.class_name, one.best.confidence)
    if (one.detector_class, one.detector_confidence) != said:
        raise ValueError(
            f"{one.object_id}: expected the detector's verdict of the best view, {said}, "
            f"received {(one.detector_class, one.detector_confidence)}"
        )
    for index, seen in enumerate(one.sightings):
        best = one.best if index == places[0] else seen
        status = status_of(one, best) if index == places[0] else "merged"
        yield [
            seen.image,
            one.class_name,
            *map(_number, seen.xyxy_px),
            _number(one.confidence),
            *map(_number, one.slide_xyxy_px),
            _number(one.length_um),
            _number(one.width_um),
            status,
            one.object_id,
            one.site,
            one.sample,
            one.slide,
            seen.class_name,
            _number(seen.confidence),
            _flag(seen.cut),
            _flag(one.reviewed),
            _flag(one.cut),
        ]


def _number(value: float | None) -> str:
    """Return all digits of a number, without a useless fraction; nothing for None.

    >>> _number(12.0), _number(0.1), _number(None)
    ('12', '0.1', '')
    """
    if value is None:
        return ""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _flag(value: bool) -> str:
    return _TRUE if value else _FALSE


def _object(rows: Sequence[_Row]) -> SlideObject:
    own = [row for row in rows if row.status() != "merged"]
    if len(own) != 1:
        raise rows[0].complain("status", f"one row of the object kept or rejected, not {len(own)}")
    best, first = own[0], rows[0]
    for row in rows[1:]:
        row.check_same(first)
    sightings = tuple(row.sighting() for row in rows)
    verdict = best.one_of("class", CLASSES)
    if (verdict in ICHTHYOLITHS) != (best.status() == "kept"):
        raise best.complain("status", f"{'kept' if verdict in ICHTHYOLITHS else 'rejected'}")
    seen = sightings[rows.index(best)]
    return SlideObject(
        object_id=best.text("object_id"),
        site=best.cell("site"),
        sample=best.cell("sample"),
        slide=best.cell("slide"),
        class_name=verdict,
        confidence=best.number("confidence", 0, 1),
        best=seen,
        sightings=sightings,
        slide_xyxy_px=best.box(SLIDE_BOX),
        detector_class=seen.class_name,
        detector_confidence=seen.confidence,
        length_um=best.optional("length_um"),
        width_um=best.optional("width_um"),
        cut=best.flag("object_cut"),
        reviewed=best.flag("reviewed"),
    )


class _Row:
    """One row, with where it stands for complaints."""

    def __init__(self, path: Path, line: int, cells: Mapping[str, str | None]) -> None:
        self._path, self._line, self._cells = path, line, cells

    def complain(self, column: str, expected: str) -> FormatError:
        """Return what is wrong in a column."""
        return FormatError(
            f"line {self._line}, column {column}: expected {expected}, "
            f"received {self.cell(column)!r}",
            file=str(self._path),
        )

    def cell(self, column: str) -> str:
        """Return a cell as it stands; a short row has empty ones."""
        return self._cells.get(column) or ""

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        if not self.cell(column):
            raise self.complain(column, "something")
        return self.cell(column)

    def one_of(self, column: str, names: Sequence[str]) -> str:
        """Return a cell that must be one of some names."""
        if self.cell(column) not in names:
            raise self.complain(column, f"one of {', '.join(names)}")
        return self.cell(column)

    def status(self) -> str:
        """Return what became of this box."""
        return self.one_of("status", _STATUSES)

    def flag(self, column: str) -> bool:
        """Return a cell as yes or no; spreadsheets write TRUE in capitals."""
        value = self.cell(column).lower()
        if value not in (_TRUE, _FALSE):
            raise self.complain(column, f"{_TRUE} or {_FALSE}")
        return value == _TRUE

    def number(self, column: str, least: float = -math.inf, most: float = math.inf) -> float:
        """Return a cell as a finite number within limits."""
        try:
            number = float(self.cell(column))
        except ValueError as error:
            raise self.complain(column, "a number") from error
        if not (least <= number <= most and math.isfinite(number)):
            raise self.complain(column, f"a number from {least:g} to {most:g}")
        return number

    def optional(self, column: str) -> float | None:
        """Return a length, or None for an empty cell."""
        return self.number(column, 0) if self.cell(column) else None

    def box(self, columns: Sequence[str]) -> Box:
        """Return left, top, right, bottom; inside out is refused."""
        left, top, right, bottom = (self.number(column) for column in columns)
        if right < left:
            raise self.complain(columns[2], f"at least {left:g}")
        if bottom < top:
            raise self.complain(columns[3], f"at least {top:g}")
        return left, top, right, bottom

    def sighting(self) -> Sighting:
        """Return the box of this row."""
        return Sighting(
            image=self.text("image"),
            xyxy_px=self.box(TILE_BOX),
            confidence=self.number("detector_confidence", 0, 1),
            class_name=self.one_of("detector_class", CLASSES),
            cut=self.flag("cut"),
        )

    def check_same(self, other: _Row) -> None:
        """Refuse a row that says of its object what another row does not."""
        for column in (
            "class",
            "confidence",
            *SLIDE_BOX,
            "length_um",
            "width_um",
            "site",
            "sample",
            "slide",
            "reviewed",
            "object_cut",
        ):
            if self.cell(column) != other.cell(column):
                raise self.complain(
                    column, f"{other.cell(column)!r} as in line {other._line} of the same object"
                )
