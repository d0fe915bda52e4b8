"""What was counted down a core: samples against depth or age, and profile.csv."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.census import ALL, CensusRow
from sonar_watch.ichthyolith.census_table import Cell, cells_of, estimate_cells, write_rows
from sonar_watch.ichthyolith.estimates import Estimate, share
from sonar_watch.ichthyolith.records import ICHTHYOLITHS
from sonar_watch.ichthyolith.samples import SampleFacts

log = logging.getLogger(__name__)

Against = Literal["depth_m", "age_ma"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileOptions:
    """What a profile shows.

    Parameters
    ----------
    against : {"depth_m", "age_ma"}
        What runs down the page.
    morphotype : str
        The class whose share is shown.
    among : tuple of str
        What it is a share of; the morphotype itself is always among them.
    beside : str
        A measured column that is shown next to that share; "" for none.
    """

    against: Against = "depth_m"
    morphotype: str = "denticle"
    among: tuple[str, ...] = ICHTHYOLITHS
    beside: str = ""

    def __post_init__(self) -> None:
        if self.against not in ("depth_m", "age_ma"):
            raise ConfigurationError(
                f"against: expected depth_m or age_ma, received {self.against}"
            )
        for name in (self.morphotype, *self.among):
            if name not in ICHTHYOLITHS:
                raise ConfigurationError(
                    f"morphotype: expected of {', '.join(ICHTHYOLITHS)}, received {name}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePoint:
    """One sample of a profile.

    Parameters
    ----------
    row : CensusRow
        Of the sample.
    facts : SampleFacts
    morphotype_share : Estimate
        Share of the chosen class, with Wilson's interval.
    """

    row: CensusRow
    facts: SampleFacts
    morphotype_share: Estimate


def make_profile(
    rows: Sequence[CensusRow],
    samples: Mapping[str, SampleFacts],
    options: ProfileOptions | None = None,
) -> list[ProfilePoint]:
    """Return the samples that were counted, site by site, from the shallowest or youngest down.

    A sample without a place, or one of the table that has no slides, is left out and logged.

    Parameters
    ----------
    rows : sequence of CensusRow
        Those of samples are taken.
    samples : mapping of sample to SampleFacts
    options : ProfileOptions

    Raises
    ------
    ConfigurationError
        The column to show beside is not in the table, or the morphotype is not counted on its own.
    """
    options = options or ProfileOptions()
    _check(rows, samples, options)
    points = []
    for row in rows:
        facts = samples.get(row.sample)
        if row.level != "sample":
            continue
        if facts is None or facts.value(options.against) is None:
            log.warning(
                "sample %s: no %s known, left out of the profile", row.sample, options.against
            )
            continue
        points.append(
            ProfilePoint(row=row, facts=facts, morphotype_share=_morphotype_share(row, options))
        )
    for name in samples.keys() - {row.sample for row in rows}:
        log.warning("sample %s: in the table, but no slides of it", name)
    return sorted(points, key=lambda point: (
        point.row.site, point.facts.value(options.against) or 0.0, point.row.sample,
    ))  # fmt: skip


def write_profile(
    path: Path, points: Sequence[ProfilePoint], options: ProfileOptions | None = None
) -> None:
    """Write profile.csv: what is known of each sample, its share, and its row of the census.

    A measured column that is called as one of the census is `measured_` and its name.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    options = options or ProfileOptions()
    rows: list[dict[str, Cell]] = []
    for point in points:
        facts, counted = point.facts, cells_of(point.row)
        cells: dict[str, Cell] = {
            "sample": facts.sample,
            "depth_m": facts.depth_m,
            "age_ma": facts.age_ma,
        }
        cells |= {f"measured_{name}" if name in counted else name: value
                  for name, value in facts.measured.items()}  # fmt: skip
        cells |= estimate_cells(f"{options.morphotype}_share", point.morphotype_share)
        rows.append({**counted, **cells})
    names = ["sample", "depth_m", "age_ma"]
    write_rows(path, [{**{name: row[name] for name in names}, **row} for row in rows])


def _check(
    rows: Sequence[CensusRow], samples: Mapping[str, SampleFacts], options: ProfileOptions
) -> None:
    beside = options.beside
    known = {name for facts in samples.values() for name in facts.measured}
    if beside and beside not in known:
        raise ConfigurationError(
            f"beside: expected a measured column, {', '.join(sorted(known)) or 'there is none'}; "
            f"received {beside}"
        )
    if any(options.morphotype not in row.counts for row in rows):
        raise ConfigurationError(
            f"morphotype: {options.morphotype} is counted as something else: set sawtoothed to own"
        )


def _morphotype_share(row: CensusRow, options: ProfileOptions) -> Estimate:
    among = {name for name in (options.morphotype, *options.among) if name in row.counts} - {ALL}
    return share(
        row.counts[options.morphotype].tally.total,
        sum(row.counts[name].tally.total for name in among),
    )
