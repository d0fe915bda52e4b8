"""The best position of a plume's foot, and numbers about it, from sightings without end.

Everything here is a sum or a bounded sample: an hour over one plume costs no more to keep than
a minute.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from sonar_watch.association.plane import (
    ZERO,
    Covariance,
    Offset,
    inverse,
    product,
    sandwich,
    scaled,
    shifted,
    total,
    trace,
)

ALIKE = 0.6
"""Share of the random variance of feet that the swaths of one plume have in common: boxes of one
body err to one side. Without it the 95 % ellipse held the true foot in 94 % of simulated events of
3 or 4 swaths, in 79 % of those of more than 30 (208 events, `models/plume-n.md`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FootEstimate:
    """Weighted mean of feet in a local plane.

    Each foot weighs confidence x inverse random covariance. The random part of the result
    shrinks with the number of swaths down to `ALIKE` of it; the systematic part is the mean of
    theirs and does not.

    Parameters
    ----------
    anchor : tuple of float (latitude, longitude)
        Origin of the plane, degrees WGS84.
    count : int
    """

    anchor: tuple[float, float]
    count: int = 0
    information: Covariance = ZERO
    information2: Covariance = ZERO
    moment: Offset = (0.0, 0.0)
    weight: float = 0.0
    weight2: float = 0.0
    first: Offset = (0.0, 0.0)
    second: Covariance = ZERO
    systematic: Covariance = ZERO

    def added(
        self, foot: Offset, confidence: float, random: Covariance, systematic: Covariance
    ) -> FootEstimate:
        """Return the estimate with one more foot, in metres east and north of the anchor."""
        precision = inverse(random)
        east, north = foot
        square = (east * east, east * north, north * north)
        return replace(
            self,
            count=self.count + 1,
            information=total(self.information, scaled(precision, confidence)),
            information2=total(self.information2, scaled(precision, confidence * confidence)),
            moment=shifted(self.moment, product(scaled(precision, confidence), foot)),
            weight=self.weight + confidence,
            weight2=self.weight2 + confidence * confidence,
            first=shifted(self.first, (confidence * east, confidence * north)),
            second=total(self.second, scaled(square, confidence)),
            systematic=total(self.systematic, scaled(systematic, confidence)),
        )

    def merged(self, other: FootEstimate, offset: Offset) -> FootEstimate:
        """Return the estimate of the feet of both.

        Parameters
        ----------
        other : FootEstimate
        offset : tuple of float
            From the anchor of this plane to that of `other`, metres east and north.
        """
        east, north = offset
        first = shifted(other.first, (other.weight * east, other.weight * north))
        crossed = (
            2.0 * east * other.first[0],
            east * other.first[1] + north * other.first[0],
            2.0 * north * other.first[1],
        )
        square = scaled((east * east, east * north, north * north), other.weight)
        return replace(
            self,
            count=self.count + other.count,
            information=total(self.information, other.information),
            information2=total(self.information2, other.information2),
            moment=shifted(
                self.moment, shifted(other.moment, product(other.information, offset))
            ),
            weight=self.weight + other.weight,
            weight2=self.weight2 + other.weight2,
            first=shifted(self.first, first),
            second=total(self.second, other.second, crossed, square),
            systematic=total(self.systematic, other.systematic),
        )

    def mean_m(self) -> Offset:
        """Return the best foot, metres east and north of the anchor."""
        return product(inverse(self.information), self.moment)

    def covariance_m2(self) -> Covariance:
        """Return its covariance: the larger of what was promised and what was seen, + shared.

        A share `ALIKE` of what is random for one plume or another is alike in all its swaths,
        and no number of them takes it away.
        """
        spread = inverse(self.information)
        promised = scaled(sandwich(spread, self.information2), 1.0 - ALIKE)
        observed = self._scatter_of_mean()
        random = observed if trace(observed) > trace(promised) else promised
        alike = scaled(spread, ALIKE * self.weight)
        return total(random, alike, scaled(self.systematic, 1.0 / self.weight))

    def _scatter_of_mean(self) -> Covariance:
        """Return the covariance of the mean that the scatter of the feet speaks for."""
        if self.count < 3:
            return ZERO
        effective = self.weight * self.weight / self.weight2
        east, north = self.first[0] / self.weight, self.first[1] / self.weight
        variance = total(
            scaled(self.second, 1.0 / self.weight),
            (-east * east, -east * north, -north * north),
        )
        return scaled(variance, 1.0 / max(effective - 1.0, 1.0))

    def state(self) -> dict[str, Any]:
        """Return the estimate as JSON-able numbers, exact."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> FootEstimate:
        """Return the estimate `state` describes."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in state.items()
        }
        return cls(**values)


class MeasureSample:
    """At most `LIMIT` rows of numbers out of any number: every stride-th, evenly over time.

    When full it drops every second row and doubles its stride. No chance is involved, so a
    restart and a replay keep the same rows.
    """

    LIMIT = 32

    def __init__(self) -> None:
        self._rows: list[list[float]] = []
        self._stride = 1
        self._seen = 0

    def add(self, *row: float) -> None:
        """Take note of one row; all rows are of one length."""
        if self._seen % self._stride == 0:
            self._rows.append(list(row))
        self._seen += 1
        if len(self._rows) > self.LIMIT:
            self._rows = self._rows[::2]
            self._stride *= 2

    def quantile(self, column: int, fraction: float) -> float:
        """Return the `fraction` (0..1) quantile of a column, interpolated.

        Raises
        ------
        IndexError
            Nothing was added yet.
        """
        values = sorted(row[column] for row in self._rows)
        place = fraction * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (place - low) * (values[high] - values[low])

    def state(self) -> dict[str, Any]:
        """Return the sample as JSON-able numbers, exact."""
        return {"rows": [list(row) for row in self._rows], "stride": self._stride,
                "seen": self._seen}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> MeasureSample:
        """Return the sample `state` describes."""
        sample = cls()
        sample._rows = [list(row) for row in state["rows"]]
        sample._stride, sample._seen = state["stride"], state["seen"]
        return sample
