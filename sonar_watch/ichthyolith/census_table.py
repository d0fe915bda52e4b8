"""census.csv: a row per slide and per sample; sizes.csv: a row per size fraction of each."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from sonar_watch.atomic import whole_file
from sonar_watch.ichthyolith.census import CensusRow, Count
from sonar_watch.ichthyolith.estimates import Estimate
from sonar_watch.ichthyolith.lengths import QUANTILES

Cell = str | int | float | None


def write_census(path: Path, rows: Sequence[CensusRow]) -> None:
    """Write census.csv; cells without a value, and limits without bound, are empty.

    Of each class: `_n` counted, with the 95 % interval `_n_low` to `_n_high`; `_reviewed` of them
    confirmed by a person; `_corrected` for the detector's measured precision and recall;
    `_per_gram`; `_measured` lengths and their quantiles.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    write_rows(path, [cells_of(row) for row in rows])


def write_sizes(path: Path, rows: Sequence[CensusRow]) -> None:
    """Write sizes.csv: of each slide and sample a row per class and size fraction.

    Of the objects whose length is known those from `from_um` up to `to_um` (empty: no end), with
    the 95 % interval of their number, how many a person confirmed, and the quantiles of their
    lengths.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    cells: list[dict[str, Cell]] = []
    for row in rows:
        place = {"level": row.level, "site": row.site, "sample": row.sample, "slide": row.slide}
        for name, count in row.counts.items():
            for part in count.lengths.fractions:
                numbers = estimate_cells("n", part.counted)
                numbers["n"] = round(part.counted.value or 0)
                cells.append(
                    {
                        **place,
                        "class": name,
                        "from_um": part.from_um,
                        "to_um": part.to_um,
                        **numbers,
                        "reviewed": part.reviewed,
                        **_length_cells("", part.quantiles_um),
                    }
                )
    write_rows(path, cells)


def write_rows(path: Path, rows: Sequence[Mapping[str, Cell]]) -> None:
    """Write mappings as CSV, whole; the columns are those of the first."""
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _written(value) for name, value in row.items()} for row in rows)
        text.flush()
        text.detach()


def cells_of(row: CensusRow) -> dict[str, Cell]:
    """Return what census.csv says of a slide or sample, by column."""
    cells: dict[str, Cell] = {
        "level": row.level,
        "site": row.site,
        "sample": row.sample,
        "slide": row.slide,
        "slides": row.slides,
        "tiles": row.tiles,
        "broken_tiles": row.broken_tiles,
        "missing_tiles": row.missing_tiles,
        "coverage": row.coverage,
        "scanned_area_mm2": row.scanned_area_mm2,
        "dry_mass_g": row.dry_mass_g,
        "objects": row.objects,
        "reviewed": row.reviewed,
        "reviewed_share": row.reviewed_share,
    }
    for name, count in row.counts.items():
        cells |= _count_cells(name, count)
    cells |= estimate_cells("denticle_tooth_ratio", row.denticle_tooth_ratio)
    return cells | estimate_cells("denticle_tooth_ratio_corrected", row.corrected_ratio)


def _count_cells(name: str, count: Count) -> dict[str, Cell]:
    cells: dict[str, Cell] = estimate_cells(f"{name}_n", count.counted)
    cells[f"{name}_n"] = count.tally.total
    cells[f"{name}_reviewed"] = count.tally.reviewed
    cells |= estimate_cells(f"{name}_corrected", count.corrected)
    cells |= estimate_cells(f"{name}_per_gram", count.per_gram)
    cells |= estimate_cells(f"{name}_corrected_per_gram", count.corrected_per_gram)
    cells[f"{name}_measured"] = count.lengths.measured
    return cells | _length_cells(f"{name}_", count.lengths.quantiles_um)


def _length_cells(before: str, quantiles_um: tuple[float, ...]) -> dict[str, Cell]:
    known: Sequence[float | None] = quantiles_um or [None] * len(QUANTILES)
    return {
        f"{before}length_p{round(100 * level):02d}_um": value
        for level, value in zip(QUANTILES, known, strict=True)
    }


def estimate_cells(name: str, estimate: Estimate | None) -> dict[str, Cell]:
    """Return an estimate and its limits by column; empty when it was not made."""
    if estimate is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _written(value: Cell) -> Cell:
    """Return five digits of a number: the intervals are wider than that."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
