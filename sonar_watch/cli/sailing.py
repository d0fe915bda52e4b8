"""Sailing the plans of trials with a progress bar: what every score of events begins with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.output import progress

if TYPE_CHECKING:
    from sonar_watch.settings import Settings
    from sonar_watch.trials.cruises import Outcome
    from sonar_watch.trials.plans import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Sailed:
    """What one detector made of the plans."""

    weights: str
    working: float
    confidences: tuple[float, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def tried(self) -> dict[str, Any]:
        """What every row begins with: the weights and how they were used."""
        return {"weights": self.weights, "sha256": self.outcomes[0].weights,
                "encoding": self.outcomes[0].encoding, "working_confidence": self.working}

    def row(self, confidence: float) -> dict[str, Any]:
        """Return the figures of all plans at one threshold."""
        from sonar_watch.trials.summary import summarise

        return {**self.tried, **summarise(self.outcomes, confidence)}


def sail(
    options: argparse.Namespace, settings: Settings, plans: Sequence[Plan], out: Path | None
) -> Sailed:
    """Sail the plans, at every threshold and at the working one."""
    from sonar_watch.trials.campaign import sail_all
    from sonar_watch.trials.cruises import CONFIDENCES
    from sonar_watch.trials.finders import working_confidence

    working = working_confidence(settings.detector)
    confidences = tuple(sorted({*CONFIDENCES, working}))
    with progress("cruises" if options.cruises else "hours", len(plans)) as advance:
        outcomes = sail_all(
            plans, settings, out=out, workers=options.workers, confidences=confidences,
            keep_old=options.keep_old, on_done=lambda _: advance(),
        )
    return Sailed(
        weights=settings.detector.weights, working=working, confidences=confidences,
        outcomes=tuple(outcomes),
    )


def sail_classical(
    options: argparse.Namespace, settings: Settings, plans: Sequence[Plan]
) -> Sailed | None:
    """Sail the plans without a network as well, at its own threshold, when that is asked for."""
    from sonar_watch.pipeline.finder import CLASSICAL

    if not options.baseline or settings.detector.weights == CLASSICAL:
        return None
    detector = replace(settings.detector, weights=CLASSICAL, confidence="auto")
    out = options.out / CLASSICAL if options.out is not None else None
    return sail(options, replace(settings, detector=detector), plans, out)


def keep_summary(rows: Sequence[dict[str, Any]], out: Path | None) -> None:
    """Write the rows to `summary.json` where results are kept."""
    if out is not None:
        (out / "summary.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
