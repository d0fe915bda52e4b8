"""How far two people agree on what the objects on slides are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sonar_watch.cli.common import existing
from sonar_watch.cli.evaluate_pictures import tell

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.ichthyolith.agreement import Agreement


def score_reviews(options: argparse.Namespace) -> int:
    """Compare two files of verdicts."""
    from sonar_watch.ichthyolith.agreement import agreement
    from sonar_watch.ichthyolith.review import read_verdicts

    first, second = (read_verdicts(existing(path)) for path in options.reviews)
    found = agreement(first, second)
    tell([found.body()], lambda: agreement_tables(found))
    return 0


def agreement_tables(found: Agreement) -> list[Table]:
    """Return who said what, and how far they agree on each class."""
    from rich.markup import escape

    names = tuple(map(escape, found.reviewers))
    return [_confusion(found, names), _classes(found, names)]


def _confusion(found: Agreement, names: tuple[str, ...]) -> Table:
    from rich.table import Table

    first, second = names
    table = Table(
        f"{first} (rows), {second} (columns)", *found.class_names,
        title=f"{found.compared} objects: {100 * found.agreed:.1f} % agreed "
        f"({100 * found.agreed_95[0]:.1f} to {100 * found.agreed_95[1]:.1f} %), "
        f"kappa {_kappa(found.kappa)}{_interval(found.kappa_95)}",
        caption=f"not in the table: {found.unsure} that somebody could not tell, "
        f"{found.first_only} judged by {first} alone, {found.second_only} by {second} alone",
    )
    for name, row in zip(found.class_names, found.table, strict=True):
        table.add_row(name, *map(str, row))
    return table


def _classes(found: Agreement, names: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table("class", "both", *(f"{name} alone" for name in names), "kappa",
                  title="Each class beside all others")
    for one in found.classes:
        counts = (one.both, one.first_only, one.second_only)
        table.add_row(one.class_name, *map(str, counts), _kappa(one.kappa))
    return table


def _kappa(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _interval(edges: tuple[float, float] | None) -> str:
    return "" if edges is None else f" ({edges[0]:.3f} to {edges[1]:.3f})"
