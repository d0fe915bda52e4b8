"""What was counted, and what that says of what is there: estimates with 95 % intervals.

Everything here is one idea, the melded interval (Fay, Proschan and Brittain, Biometrics 71, 146,
2015). A count, a precision and a recall each have an exact one-sided limit at any level, that is
a distribution of lower and one of upper limits: for a Poisson count n gamma(n) and gamma(n + 1)
(Garwood, Biometrika 28, 437, 1936), for k of n beta(k, n - k + 1) and beta(k + 1, n - k) (Clopper
and Pearson, Biometrika 26, 404, 1934). The lower limit of what is made of them is the 2.5 %
quantile of draws in which each takes the side that makes it smaller, and the upper limit
likewise. It is exact where one of them is all that is unknown, and otherwise errs to the safe
side. The draws are seeded: the same counts give the same interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sonar_watch.learning.intervals import count_interval, share_interval

FloatArray = npt.NDArray[np.float64]

DRAWS = 20_000
"""Of each limit: its own error is then a fiftieth of half the interval."""

_SEED = 20150101
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its 95 % interval.

    Parameters
    ----------
    value : float or None
        None where it has none, such as a ratio to nothing.
    low : float
    high : float
        Infinite where nothing bounds it.
    """

    value: float | None
    low: float
    high: float

    def __truediv__(self, by: float) -> Estimate:
        """Return the same per gram, or per anything known exactly."""
        return Estimate(
            value=None if self.value is None else self.value / by,
            low=self.low / by,
            high=self.high / by,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How a detector fared with one class on slides that it had not been trained on.

    Parameters
    ----------
    hits : int
        True ones that were found.
    false_alarms : int
        Found ones that were something else, or nothing.
    misses : int
        True ones that were not found, or found as something else.
    """

    hits: int
    false_alarms: int
    misses: int

    def __post_init__(self) -> None:
        if min(self.hits, self.false_alarms, self.misses) < 0:
            raise ValueError(f"expected counts of 0 and more, received {self}")

    def __add__(self, other: Skill) -> Skill:
        """Return the skill with both classes, each counted for itself."""
        return Skill(
            hits=self.hits + other.hits,
            false_alarms=self.false_alarms + other.false_alarms,
            misses=self.misses + other.misses,
        )

    @property
    def precision(self) -> Estimate:
        """Share of the found ones that are true, by Wilson; no value when none was found."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> Estimate:
        """Share of the true ones that were found, by Wilson; no value when there was none."""
        return _share(self.hits, self.hits + self.misses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many were counted.

    Parameters
    ----------
    unreviewed : int
        By the detector alone.
    reviewed : int
        Confirmed by a person: these are what they are said to be.
    rescued : int
        Those of the reviewed that the networks had called something else: measured recall
        counts such ones as missed.
    """

    unreviewed: int
    reviewed: int = 0
    rescued: int = 0

    @property
    def total(self) -> int:
        return self.unreviewed + self.reviewed


def counted(tally: Tally) -> Estimate:
    """Return a count with the exact interval of its Poisson mean (Garwood 1936).

    What lies on a slide is a sample of the sediment: had another spoonful been taken, another
    number would lie there.
    """
    low, high = count_interval(tally.total)
    return Estimate(value=float(tally.total), low=low, high=high)


@lru_cache(_REMEMBERED)
def corrected(tally: Tally, skill: Skill | None) -> Estimate | None:
    """Return how many there are, as far as the detector's measured skill tells.

    That is (reviewed + unreviewed * precision) / recall, without those that a person rescued: they
    are some of the missed, for which recall stands. Never less than what is there for certain,
    they among it. The interval holds the uncertainty of
    all three. Precision is that of slides where look-alikes are as frequent, next to
    ichthyoliths, as on the slides it was measured on: it may not be carried over to others, and
    then review is the remedy. None without skill, or when the detector never hit.

    Parameters
    ----------
    tally : Tally
    skill : Skill or None
    """
    if skill is None or not skill.hits:
        return None
    precision = skill.hits / (skill.hits + skill.false_alarms)
    recall = skill.hits / (skill.hits + skill.misses)
    low, high = _limits(tally, skill)
    found = tally.reviewed - tally.rescued + tally.unreviewed * precision
    return Estimate(
        value=max(found / recall, found + tally.rescued),
        low=float(np.quantile(low, 0.025)),
        high=float(np.quantile(high, 0.975)),
    )


@lru_cache(_REMEMBERED)
def ratio(
    above: Tally, below: Tally, skills: tuple[Skill | None, Skill | None] = (None, None)
) -> Estimate:
    """Return the ratio of two counts, such as denticles to teeth, with its interval.

    Without skills the interval is the one that follows exactly from the share above / (above +
    below), by Clopper and Pearson; the melded interval is the same there.

    Parameters
    ----------
    above, below : Tally
    skills : tuple of Skill or None
        Of both; with them both counts are corrected, with None they are taken as they are.
    """
    first, second = (
        corrected(tally, skill) if skill else counted(tally)
        for tally, skill in zip((above, below), skills, strict=True)
    )
    value = None
    if first and second and first.value is not None and second.value:
        value = first.value / second.value
    low_above, high_above = _limits(above, skills[0], stream=1)
    low_below, high_below = _limits(below, skills[1], stream=2)
    return Estimate(
        value=value,
        low=_quantile_of_ratio(low_above, high_below, 0.025),
        high=_quantile_of_ratio(high_above, low_below, 0.975),
    )


def share(part: int, of: int) -> Estimate:
    """Return a share with its interval by Wilson; no value when there is nothing to share."""
    return _share(part, of)


def _share(part: int, of: int) -> Estimate:
    low, high = share_interval(part, of)
    return Estimate(value=part / of if of else None, low=low, high=high)


def _limits(tally: Tally, skill: Skill | None, stream: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return draws of the lower and of the upper limit of how many there are."""
    rng = np.random.default_rng((_SEED, stream))
    if skill is None:
        low = rng.standard_gamma(tally.total, DRAWS)
        return low, rng.standard_gamma(tally.total + 1, DRAWS)
    sides = []
    for upper in (0, 1):
        precision = _beta(rng, skill.hits + upper, skill.false_alarms + 1 - upper)
        recall = _beta(rng, skill.hits + 1 - upper, skill.misses + upper)
        weighted = _weighted_counts(rng, tally, precision, upper=bool(upper))
        with np.errstate(divide="ignore"):
            all_there = np.where(weighted > 0, weighted / recall, 0.0)
        if tally.rescued:
            certain = weighted + rng.standard_gamma(tally.rescued, DRAWS)
            all_there = np.maximum(all_there, certain)
        sides.append(all_there)
    return sides[0], sides[1]


def _weighted_counts(
    rng: np.random.Generator, tally: Tally, precision: FloatArray, *, upper: bool
) -> FloatArray:
    """Return draws of limits of reviewed + unreviewed * precision, without the rescued.

    A weighted sum of Poisson counts is close to a scaled gamma of the same mean and variance;
    its upper limit is that of one more count of the greatest weight (Fay and Feuer, Statistics
    in Medicine 16, 791, 1997). With one weight this is Garwood's interval.
    """
    sure = tally.reviewed - tally.rescued
    if not sure:
        return rng.standard_gamma(tally.unreviewed + upper, DRAWS) * precision
    mean = sure + tally.unreviewed * precision
    variance = sure + tally.unreviewed * precision**2
    if upper:
        mean, variance = mean + 1, variance + 1
    return np.asarray(rng.standard_gamma(mean**2 / variance) * (variance / mean), np.float64)


def _beta(rng: np.random.Generator, first: int, second: int) -> FloatArray:
    """Return draws of a beta distribution; at its ends it is all 0 or all 1."""
    if first == 0 or second == 0:
        return np.full(DRAWS, 0.0 if first == 0 else 1.0)
    return rng.beta(first, second, DRAWS)


def _quantile_of_ratio(above: FloatArray, below: FloatArray, level: float) -> float:
    """Return a quantile of above / below; infinite where nothing bounds it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.where(below > 0, above / below, math.inf)
    draws = np.where((above == 0) & (below > 0), 0.0, draws)
    return float(np.quantile(draws, level, method="lower" if level < 0.5 else "higher"))
