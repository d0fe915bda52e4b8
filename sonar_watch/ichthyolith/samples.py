"""The table of samples: how deep and how old they are, what they weigh, and what else is known."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.ichthyolith.records import Slide

KNOWN = ("depth_m", "age_ma", "dry_mass_g")
_NOTHING = ("", "-", "na", "n/a", "nan", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """What is known of a sample beside what lies on its slides.

    Parameters
    ----------
    sample : str
        As the folder of its slides is called.
    depth_m : float or None
        Below the seafloor, + down.
    age_ma : float or None
        Million years before present.
    dry_mass_g : float or None
        Of the sediment that its slides hold the ichthyoliths of.
    measured : mapping of str to float or None
        Further columns of numbers, such as total rare-earth content; None in an empty cell.
    """

    sample: str
    depth_m: float | None = None
    age_ma: float | None = None
    dry_mass_g: float | None = None
    measured: Mapping[str, float | None] = field(default_factory=dict)

    def value(self, column: str) -> float | None:
        """Return what a column says of the sample."""
        if column in KNOWN:
            known: float | None = getattr(self, column)
            return known
        return self.measured.get(column)


def read_samples(path: Path) -> dict[str, SampleFacts]:
    """Return the samples of a CSV file by name, in the order of its rows.

    A column `sample` must be there; `depth_m`, `age_ma` and `dry_mass_g` may be. Of the others
    those that hold only numbers are kept; columns of text, such as remarks, are passed over.

    Raises
    ------
    FormatError
        No column `sample`, a sample that comes twice, a mass that is not above 0, or a depth, age
        or mass that is no number; names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"expected a table of samples: {error}", file=str(path)) from error
    if "sample" not in columns:
        raise FormatError(
            f"line 1: expected a column sample, received {', '.join(columns) or 'none'}",
            file=str(path),
        )
    further = [
        name
        for name in columns
        if name and name not in ("sample", *KNOWN) and _is_numeric([row for _, row in rows], name)
    ]
    samples: dict[str, SampleFacts] = {}
    for line, row in rows:
        facts = _facts(path, line, row, further)
        if facts.sample in samples:
            raise FormatError(
                f"line {line}, column sample: {facts.sample} is there twice", file=str(path)
            )
        samples[facts.sample] = facts
    return samples


def check_sites(samples: Mapping[str, SampleFacts], slides: Iterable[Slide]) -> None:
    """Refuse a row that two samples fit: depth and mass of the one would be given to the other.

    Raises
    ------
    ConfigurationError
        A sample of the table was found at two sites.
    """
    sites: dict[str, str] = {}
    for slide in slides:
        site = sites.setdefault(slide.sample, slide.site)
        if site != slide.site and slide.sample in samples:
            raise ConfigurationError(
                f"--samples: sample {slide.sample} is there at {site} and at {slide.site}: of "
                "which is its row? Count each site into a folder of its own, with its own table"
            )


def masses_g(samples: Mapping[str, SampleFacts]) -> dict[str, float]:
    """Return the dry masses that are known, by sample."""
    return {
        name: facts.dry_mass_g for name, facts in samples.items() if facts.dry_mass_g is not None
    }


def _is_numeric(rows: Sequence[Mapping[str, str | None]], column: str) -> bool:
    try:
        return any(_number(row.get(column)) is not None for row in rows)
    except ValueError:
        return False


def _facts(
    path: Path, line: int, row: Mapping[str, str | None], further: Sequence[str]
) -> SampleFacts:
    name = (row.get("sample") or "").strip()
    if not name:
        raise FormatError(f"line {line}, column sample: expected a name", file=str(path))
    known: dict[str, float | None] = {}
    for column in KNOWN:
        try:
            known[column] = _number(row.get(column))
        except ValueError as error:
            raise FormatError(
                f"line {line}, column {column}: expected a number, received {row[column]!r}",
                file=str(path),
            ) from error
    mass = known["dry_mass_g"]
    if mass is not None and mass <= 0:
        raise FormatError(
            f"line {line}, column dry_mass_g: expected grams above 0, received {mass:g}",
            file=str(path),
        )
    return SampleFacts(
        sample=name, measured={column: _number(row.get(column)) for column in further}, **known
    )


def _number(cell: str | None) -> float | None:
    """Return a cell as a number, None for an empty one; a comma is no decimal point."""
    text = (cell or "").strip()
    if text.lower() in _NOTHING:
        return None
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
