"""One plan, sailed and scored: the result that is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sonar_watch.atomic import whole_file
from sonar_watch.errors import FormatError
from sonar_watch.provenance import code_hash
from sonar_watch.records import EventChange
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import Survey
from sonar_watch.trials.passes import Pass, find_passes
from sonar_watch.trials.plans import Plan
from sonar_watch.trials.recording import Recording, changes_at, hours_of, record
from sonar_watch.trials.telling import Told, score_changes

CONFIDENCES = (*(round(0.05 * step, 2) for step in range(2, 20)), 0.97, 0.99)
"""Thresholds at which every cruise is scored: 0.10 to 0.95, and what is left above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a plan gave.

    Parameters
    ----------
    plan : Plan
    sounder : str
    depth_m : float
    swaths : int
    hours : float
        Of data time, without the turns between lines.
    cpu_ms : float
        Of this process, per swath: simulation, drawing, detection and all.
    weights, config, code, encoding, runtime : str
        What was tried; the code is that of this program.
    empty, empty_flagged : int, mapping
        Swaths without anything in them; how many of those held a box of the plume class that no
        veto turned down, by threshold.
    passes : tuple of Pass
    told : mapping of str to tuple of Told
        By threshold, such as "0.40".
    """

    plan: Plan
    sounder: str
    depth_m: float
    swaths: int
    hours: float
    cpu_ms: float
    weights: str
    config: str
    code: str
    encoding: str
    runtime: str
    empty: int
    empty_flagged: dict[str, int]
    passes: tuple[Pass, ...]
    told: dict[str, tuple[Told, ...]] = field(default_factory=dict)


def key_of(confidence: float) -> str:
    """Return a threshold as results name it.

    >>> key_of(0.4), key_of(0.425)
    ('0.40', '0.425')
    """
    is_whole = abs(round(confidence, 2) - confidence) < 1e-9
    return f"{confidence:.2f}" if is_whole else f"{confidence:g}"


def sail_plan(
    plan: Plan,
    settings: Settings,
    confidences: tuple[float, ...] = CONFIDENCES,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Return what a watch with these settings makes of a plan, at every threshold.

    Parameters
    ----------
    plan : Plan
    settings : Settings
        All but the threshold, which is swept.
    confidences : tuple of float
        From `recording.LOWEST_CONFIDENCE` on.
    on_progress : callable
        Called with the number of swaths done in each step.
    """
    began = time.process_time()
    survey = plan.survey()
    recorded = record(survey, settings, on_progress)
    cpu_s = time.process_time() - began
    keys = {key_of(confidence): confidence for confidence in confidences}
    return Outcome(
        plan=plan,
        sounder=survey.sounder.name,
        depth_m=survey.scene.seabed.depth_m,
        swaths=len(recorded.frames),
        hours=round(hours_of(recorded.seen), 5),
        cpu_ms=round(1000 * cpu_s / max(len(recorded.frames), 1), 1),
        weights=recorded.weights,
        config=settings_word(settings),
        code=code_hash(),
        encoding=str(getattr(settings.raster, "encoding", "grey")),
        runtime=str(recorded.status["runtime"]),
        empty=len(_empty_ids(recorded)),
        empty_flagged={key: _flagged(recorded, at) for key, at in keys.items()},
        passes=tuple(find_passes(survey, recorded.seen)),
        told={key: _told(survey, recorded, settings, at) for key, at in keys.items()},
    )


def settings_word(settings: Settings) -> str:
    """Return the fingerprint of all that shapes a trial: the threshold and its budget do not."""
    # 0.04 was the default when trials were first kept: those go on being found.
    swept = replace(settings.detector, confidence=0.5, alerts_per_hour=0.04)
    return replace(settings, detector=swept).fingerprint


def _told(
    survey: Survey, recorded: Recording, settings: Settings, confidence: float
) -> tuple[Told, ...]:
    changes: list[EventChange] = changes_at(recorded.frames, settings.tracker, confidence)
    return tuple(score_changes(survey, recorded.seen, recorded.frames, changes))


def _empty_ids(recorded: Recording) -> set[str]:
    return {swath.frame_id for swath in recorded.seen if not swath.boxes}


def _flagged(recorded: Recording, confidence: float) -> int:
    """Return in how many empty swaths something would count towards an event."""
    empty = _empty_ids(recorded)
    return sum(
        frame.frame_id in empty and any(
            one.class_name == "signal" and one.veto is None and one.confidence >= confidence
            for one in frame.detections
        )
        for frame in recorded.frames
    )


def write_outcome(folder: Path, outcome: Outcome) -> Path:
    """Keep an outcome as `<plan name>.json`; a cut run goes on from what is there."""
    path = folder / f"{outcome.plan.name}.json"
    with whole_file(path) as file:
        file.write(json.dumps(asdict(outcome), indent=1).encode())
    return path


def read_outcome(path: Path) -> Outcome:
    """Return an outcome that was kept.

    Raises
    ------
    FormatError
        It is no outcome, or one of another version of this program.
    """
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        body["plan"] = Plan(**body["plan"])
        body["passes"] = tuple(Pass(**one) for one in body["passes"])
        told = {key: tuple(Told(**one) for one in rows) for key, rows in body["told"].items()}
        return Outcome(**{**body, "told": told})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"expected the outcome of a trial: {error!r}", file=str(path)) from error
