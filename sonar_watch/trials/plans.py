"""Which cruises are sailed: seeded, of every depth and sounder, and nights without plumes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.simulation.cruise import Survey, ping_cycle_s, random_survey
from sonar_watch.simulation.sounders import FAMILIES, sounder_for

SPEED_M_S = 2.5
DEPTH_M = (60.0, 2500.0)
"""Drawn evenly on a logarithmic scale, where no depth is given."""

NIGHT_DEPTH_M = (1500.0, 2000.0)
SCHOOL_EVERY_M = 250.0
"""Along the line of a busy night; they lie to either side of it, many beyond the fan."""

BUSY_SPOKES = 0.3
BUSY_FISH = 40
FIRST_SEED = 7_000_001
"""Seeds of trials begin here: no training set is made from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One simulated cruise, or one stretch of a night.

    Parameters
    ----------
    kind : {"cruise", "night"}
    seed : int
        Decides everything that is not given.
    depth_m : float or None
        Drawn when None, as is the family.
    family : str or None
    swaths : int
        Of a cruise, about.
    hours : float
        Of a night.
    contrast_db : float or None
        Of every plume; drawn when None.
    """

    kind: str = "cruise"
    seed: int = FIRST_SEED
    depth_m: float | None = None
    family: str | None = None
    swaths: int = 300
    hours: float = 1.0
    contrast_db: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("cruise", "night"):
            raise ConfigurationError(f"kind: expected cruise or night, received {self.kind!r}")
        if self.swaths < 1 or not self.hours > 0:
            raise ConfigurationError(
                f"expected one swath or more and hours above 0, received {self.swaths}, "
                f"{self.hours}"
            )
        if self.depth_m is not None and not 10 <= self.depth_m <= 11_000:
            raise ConfigurationError(f"depth: expected 10 to 11000 m, received {self.depth_m}")
        if self.family is not None and self.family not in FAMILIES:
            raise ConfigurationError(
                f"family: expected one of {sorted(FAMILIES)}, received {self.family!r}"
            )

    @property
    def name(self) -> str:
        """Of its result, such as "cruise-7000001"."""
        return f"{self.kind}-{self.seed}"

    def survey(self) -> Survey:
        """Return the cruise."""
        return _cruise(self) if self.kind == "cruise" else _night(self)


def _cruise(plan: Plan) -> Survey:
    """Return one line with plumes far enough apart that an event belongs to one of them."""
    depth, family = _drawn(plan, DEPTH_M)
    cycle_s = ping_cycle_s(sounder_for(family, depth), depth)
    dual = 1 + sounder_for(family, depth).dual_swath
    length = (plan.swaths / dual + 1) * cycle_s * SPEED_M_S
    plumes = int(np.clip(length / max(120.0, 0.8 * depth), 1, 5))
    return random_survey(
        plan.seed, depth_m=depth, family=family, plumes=plumes, schools=plumes,
        length_m=length, contrast_db=plan.contrast_db,
    )


def _night(plan: Plan) -> Survey:
    """Return one long line over fish, layers and interference, and not one plume."""
    depth, family = _drawn(plan, NIGHT_DEPTH_M)
    length = plan.hours * 3600 * SPEED_M_S
    survey = random_survey(
        plan.seed, depth_m=depth, family=family, plumes=0,
        schools=max(1, round(length / SCHOOL_EVERY_M)), length_m=length,
    )
    noise = survey.scene.noise
    busy = replace(
        noise,
        spoke_chance=max(noise.spoke_chance, BUSY_SPOKES),
        fish_count=max(noise.fish_count, BUSY_FISH),
    )
    return replace(survey, scene=replace(survey.scene, noise=busy))


def _drawn(plan: Plan, depth_m: tuple[float, float]) -> tuple[float, str]:
    """Return depth and family; each is drawn even when given, so that the other stays."""
    rng = np.random.default_rng((plan.seed, 1))
    low, high = np.log(depth_m)
    depth = round(float(np.exp(rng.uniform(low, high))), 1)
    fitting = sorted(name for name in FAMILIES if (plan.depth_m or depth) <= _deepest_m(name))
    family = str(rng.choice(fitting))
    return plan.depth_m or depth, plan.family or family


def _deepest_m(family: str) -> float:
    """Return how deep a sounder of this family still sees the whole fan, about."""
    limits = {"em2040": 500.0, "em71": 1500.0, "em30": 5000.0}
    return next((limit for start, limit in limits.items() if family.startswith(start)), 11_000.0)


def cruise_plans(count: int, template: Plan) -> list[Plan]:
    """Return cruises with seeds from the template's on."""
    return [replace(template, kind="cruise", seed=template.seed + each) for each in range(count)]


def night_plans(hours: float, template: Plan, stretch_h: float = 1.0) -> list[Plan]:
    """Return a night in stretches, each over a sea of its own; the last may be shorter."""
    full, rest = divmod(hours, stretch_h)
    lengths = [stretch_h] * int(full) + ([rest] if rest > 1e-9 else [])
    return [
        replace(template, kind="night", seed=template.seed + each, hours=length)
        for each, length in enumerate(lengths)
    ]


