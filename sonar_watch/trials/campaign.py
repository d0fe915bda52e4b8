"""Many plans side by side: in several processes, kept one by one, gone on with when cut."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from sonar_watch.errors import FormatError
from sonar_watch.provenance import code_hash
from sonar_watch.settings import Settings
from sonar_watch.side_by_side import done_side_by_side
from sonar_watch.trials.cruises import (
    Outcome,
    key_of,
    read_outcome,
    sail_plan,
    settings_word,
    write_outcome,
)
from sonar_watch.trials.finders import weights_word
from sonar_watch.trials.plans import Plan
from sonar_watch.trials.recording import expect_kept

log = logging.getLogger(__name__)


def sail_all(
    plans: Sequence[Plan],
    settings: Settings,
    *,
    out: Path | None = None,
    workers: int = 1,
    confidences: tuple[float, ...],
    keep_old: bool = False,
    on_done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Return what every plan gave, in the order of the plans.

    Parameters
    ----------
    plans : sequence of Plan
    settings : Settings
    out : Path, optional
        Outcomes are kept there; those of the same plan, weights, settings and version of this
        program are not sailed again.
    workers : int
        Processes; the outcomes do not depend on how many.
    confidences : tuple of float
    keep_old : bool
        Keep what another version of this program sailed, too.
    on_done : callable
        Called with each outcome as it is there.

    Raises
    ------
    ConfigurationError
        A threshold below `recording.LOWEST_CONFIDENCE`.
    """
    expect_kept(confidences)
    done: dict[str, Outcome] = {}
    for outcome in _sailed(plans, settings, out, workers, confidences, keep_old):
        done[outcome.plan.name] = outcome
        on_done(outcome)
    return [done[plan.name] for plan in plans]


def _sailed(
    plans: Sequence[Plan],
    settings: Settings,
    out: Path | None,
    workers: int,
    confidences: tuple[float, ...],
    keep_old: bool,
) -> Iterator[Outcome]:
    """Yield what is kept already, then the others as they come."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    left = []
    for plan in plans:
        kept = _kept(plan, settings, out, confidences, keep_old)
        if kept is None:
            left.append(plan)
        else:
            yield kept
    for outcome in _sail(left, settings, workers, confidences):
        if out is not None:
            write_outcome(out, outcome)
        yield outcome


def _sail(
    plans: Sequence[Plan], settings: Settings, workers: int, confidences: tuple[float, ...]
) -> Iterator[Outcome]:
    if min(workers, len(plans)) > 1:
        settings = _share_cores(settings, workers)
    sail = partial(sail_plan, settings=settings, confidences=confidences)
    yield from done_side_by_side(sail, plans, workers)


def _share_cores(settings: Settings, workers: int) -> Settings:
    """Return the settings with the cores divided between the processes."""
    threads = settings.detector.threads or max(1, (os.cpu_count() or 1) // workers)
    return replace(settings, detector=replace(settings.detector, threads=threads))


def _kept(
    plan: Plan,
    settings: Settings,
    out: Path | None,
    confidences: tuple[float, ...],
    keep_old: bool,
) -> Outcome | None:
    """Return the outcome of this very trial when there is one."""
    path = None if out is None else out / f"{plan.name}.json"
    if path is None or not path.exists():
        return None
    try:
        outcome = read_outcome(path)
    except FormatError as error:
        log.warning("sailed again: %s", error)
        return None
    tried = (plan, settings_word(settings), weights_word(settings.detector))
    same = (outcome.plan, outcome.config, outcome.weights) == tried
    if not same or not {key_of(one) for one in confidences} <= set(outcome.told):
        return None
    if outcome.code != code_hash():
        log.warning(
            "%s was sailed by another version of this program: %s",
            path, "kept" if keep_old else "sailed again",
        )
        return outcome if keep_old else None
    return outcome
