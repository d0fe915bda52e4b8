"""Events on several lines -> one place on the seabed: the unit of science is the site."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sonar_watch.association.options import MOST_RADIUS_M
from sonar_watch.association.plane import (
    Covariance,
    circle,
    distance_m,
    east_north_m,
    inverse,
    largest_variance,
    metres_per_degree,
    position_at,
    product,
    total,
)
from sonar_watch.errors import ConfigurationError
from sonar_watch.records import identify

_SIGMAS = 2.0
_FLOOR_M = 1.0
_Cell = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place on the seabed where plumes rose.

    Parameters
    ----------
    site_id : str
        uuid5 of the first event seen there.
    latitude, longitude : float
        Mean of its ended events, each weighted by its inverse covariance.
    covariance_m2 : tuple of float (ee, en, nn)
    event_count : int
        Ended events in the mean; 0 while the position is that of the first, still open.
    """

    site_id: str
    latitude: float
    longitude: float
    covariance_m2: Covariance
    event_count: int = 0


class SiteIndex:
    """The sites of a watch, found by place in constant time.

    Parameters
    ----------
    radius_m : float
        Events within this many metres are one site; when two sigma of both positions reach
        further, that far, up to twice the radius.

    Raises
    ------
    ConfigurationError
        The radius is not above 0.
    """

    def __init__(self, radius_m: float = 50.0) -> None:
        if not 0 < radius_m < MOST_RADIUS_M:
            raise ConfigurationError(
                f"site radius: expected 0 to {MOST_RADIUS_M:g} m, received {radius_m}"
            )
        self.radius_m = radius_m
        self._sites: dict[str, Site] = {}
        self._cells: dict[_Cell, list[str]] = {}

    def __len__(self) -> int:
        return len(self._sites)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites.values())

    def __getitem__(self, site_id: str) -> Site:
        return self._sites[site_id]

    def assign(
        self, event_id: str, latitude: float, longitude: float, covariance_m2: Covariance
    ) -> str:
        """Return the id of the nearest known site the event belongs to, or of a new one."""
        best, nearest = "", math.inf
        for site in self._around(latitude, longitude):
            apart = distance_m(
                east_north_m(site.latitude, site.longitude, latitude, longitude), (0.0, 0.0)
            )
            if apart <= self._reach_m(site, covariance_m2) and (apart, site.site_id) < (
                nearest, best,
            ):
                best, nearest = site.site_id, apart
        if best:
            return best
        return self._place(
            Site(
                site_id=identify("site", event_id),
                latitude=latitude,
                longitude=longitude,
                covariance_m2=covariance_m2,
            )
        )

    def settle(
        self, site_id: str, latitude: float, longitude: float, covariance_m2: Covariance
    ) -> None:
        """Take the final position of an ended event into the mean of its site.

        Raises
        ------
        KeyError
            There is no such site.
        """
        site = self._sites[site_id]
        self._remove(site)
        if site.event_count == 0:
            at, covariance = (latitude, longitude), covariance_m2
        else:
            at, covariance = _mean(site, latitude, longitude, covariance_m2)
        self._place(
            Site(
                site_id=site_id,
                latitude=at[0],
                longitude=at[1],
                covariance_m2=covariance,
                event_count=site.event_count + 1,
            )
        )

    def state(self) -> list[list[Any]]:
        """Return the sites as JSON-able rows, exact."""
        return [
            [s.site_id, s.latitude, s.longitude, list(s.covariance_m2), s.event_count]
            for s in self._sites.values()
        ]

    @classmethod
    def restore(cls, radius_m: float, state: list[list[Any]]) -> SiteIndex:
        """Return the index `state` describes."""
        index = cls(radius_m)
        for site_id, latitude, longitude, (ee, en, nn), count in state:
            index._place(
                Site(
                    site_id=site_id,
                    latitude=latitude,
                    longitude=longitude,
                    covariance_m2=(ee, en, nn),
                    event_count=count,
                )
            )
        return index

    def _reach_m(self, site: Site, covariance: Covariance) -> float:
        both = math.sqrt(largest_variance(total(site.covariance_m2, covariance)))
        return min(max(self.radius_m, _SIGMAS * both), 2.0 * self.radius_m)

    def _place(self, site: Site) -> str:
        self._sites[site.site_id] = site
        self._cells.setdefault(self._cell(site.latitude, site.longitude), []).append(site.site_id)
        return site.site_id

    def _remove(self, site: Site) -> None:
        cell = self._cell(site.latitude, site.longitude)
        self._cells[cell].remove(site.site_id)
        if not self._cells[cell]:
            del self._cells[cell]

    def _around(self, latitude: float, longitude: float) -> Iterator[Site]:
        """Yield the sites in the nine cells around a place."""
        middle = self._row(latitude)
        for row in (middle - 1, middle, middle + 1):
            columns = self._columns(row)
            column = self._column(longitude, columns)
            for key in sorted({(row, (column + step) % columns) for step in (-1, 0, 1)}):
                for site_id in self._cells.get(key, ()):
                    yield self._sites[site_id]

    def _cell(self, latitude: float, longitude: float) -> _Cell:
        row = self._row(latitude)
        return row, self._column(longitude, self._columns(row))

    def _row(self, latitude: float) -> int:
        return math.floor(latitude / self._cell_degrees)

    def _columns(self, row: int) -> int:
        """Return how many cells, none narrower than the longest reach, go round a row."""
        poleward = min(90.0, max(abs(row), abs(row + 1)) * self._cell_degrees)
        return max(1, int(360.0 * metres_per_degree(poleward)[0] / self._cell_m))

    @staticmethod
    def _column(longitude: float, columns: int) -> int:
        return int((longitude + 180.0) % 360.0 / 360.0 * columns) % columns

    @property
    def _cell_m(self) -> float:
        return 2.0 * self.radius_m

    @property
    def _cell_degrees(self) -> float:
        return self._cell_m / 110_000.0  # below the shortest degree of latitude, 110,574 m


def _mean(
    site: Site, latitude: float, longitude: float, covariance: Covariance
) -> tuple[tuple[float, float], Covariance]:
    """Return the weighted mean of a site and one more position, and its covariance."""
    known = inverse(total(site.covariance_m2, circle(_FLOOR_M)))
    added = inverse(total(covariance, circle(_FLOOR_M)))
    both = inverse(total(known, added))
    offset = east_north_m(site.latitude, site.longitude, latitude, longitude)
    moved = product(both, product(added, offset))
    return position_at(site.latitude, site.longitude, moved), both

