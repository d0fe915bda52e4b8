"""What `sonar-watch slides` shows on a terminal: what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from sonar_watch.ichthyolith.census import CensusRow
    from sonar_watch.ichthyolith.estimates import Estimate

MOST_ROWS = 40
"""Samples shown; all are in census.csv."""


def census_table(rows: Sequence[CensusRow]) -> Table:
    """Return a row for each sample: how many there are of each class, with 95 % intervals.

    Parameters
    ----------
    rows : sequence of CensusRow
        At least one; those of slides are left out where there are samples.
    """
    samples = [row for row in rows if row.level == "sample"] or list(rows)
    names = list(samples[0].counts)
    with_mass = any(row.dry_mass_g is not None for row in samples)
    left_out = len(samples) - MOST_ROWS
    table = Table(
        title="Ichthyoliths, with 95 % intervals",
        caption=f"and {left_out} samples more: see census.csv" if left_out > 0 else None,
    )
    table.add_column("sample", no_wrap=True)
    for head in ("slides", "tiles", "missing", *names, "denticle : tooth", "reviewed"):
        table.add_column(head, justify="right")
    if with_mass:
        table.add_column("per gram", justify="right")
    for row in samples[:MOST_ROWS]:
        cells = _cells(row, names)
        if with_mass:
            cells.append(_told(row.counts[names[-1]].per_gram))
        table.add_row(*cells)
    return table


def _cells(row: CensusRow, names: Sequence[str]) -> list[str]:
    share = row.reviewed_share
    return [
        escape(row.sample), str(row.slides), str(row.tiles), str(row.missing_tiles),
        *(_told(row.counts[name].counted) for name in names),
        _told(row.denticle_tooth_ratio), "" if share is None else f"{share:.0%}",
    ]  # fmt: skip


def _told(estimate: Estimate | None) -> str:
    """Return a figure and its interval, without digits that say nothing.

    >>> from sonar_watch.ichthyolith.estimates import Estimate
    >>> _told(Estimate(value=12, low=6.2, high=20.96))
    '12 (6.2-21)'
    """
    if estimate is None or estimate.value is None:
        return ""
    high = f"{estimate.high:.3g}" if estimate.high < float("inf") else "..."
    return f"{estimate.value:.4g} ({estimate.low:.3g}-{high})"
