"""Event figures on real water: plumes put into the pings of real files, and the files as they are.

What is asked of simulated cruises is asked here of pings that no simulation made: how many
plumes are told of, how many alerts are false, how far off the positions are. A file of a few
swaths is played forth and back, so its artefacts and speckle return: many cruises over one file
say less than as many over as many files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sonar_watch.errors import ConfigurationError
from sonar_watch.trials.cruises import Outcome
from sonar_watch.trials.plans import Plan
from sonar_watch.trials.summary import summarise


def injected_plans(files: Sequence[Path], count: int, template: Plan) -> list[Plan]:
    """Return cruises over plumes in real water, then each file without: deepened, and as it is.

    Alerts over a real file as it is are few metres and seconds apart; deepened to a sea in which
    a watch works they say more about the false alerts to expect there.

    Parameters
    ----------
    files : sequence of Path
        Raw files with water column, of different names.
    count : int
        Cruises with plumes, shared out between the files; plans of one file come in a row.
    template : Plan
        Its seed is that of the first; the depth is not for files as they are, the contrast for
        plumes.

    Raises
    ------
    ConfigurationError
        No file, two of one name, or fewer cruises than files.
    """
    stems = {path.stem for path in files}
    if not files or len(stems) != len(files):
        raise ConfigurationError(
            f"expected files of different names, received {[str(path) for path in files]}"
        )
    if count < len(files):
        raise ConfigurationError(
            f"expected a cruise for each of {len(files)} files, received {count}"
        )
    seas = sorted(range(count), key=lambda each: each % len(files))
    injected = [
        replace(template, kind="injected", seed=template.seed + each,
                file=str(files[each % len(files)]))
        for each in seas
    ]
    bare = [replace(template, file=str(path), contrast_db=None, kind=kind,
                    depth_m=template.depth_m if kind == "deepened" else None)
            for path in files for kind in ("deepened", "real")]
    return [*injected, *bare]


def summarise_kinds(outcomes: Sequence[Outcome], confidence: float) -> list[dict[str, Any]]:
    """Return the figures of each kind of plan, and of each file in it.

    As `summary.summarise`, with `kind` and `survey`: the file's name without its suffix, "all"
    for the whole kind.
    """
    rows = []
    for kind in dict.fromkeys(outcome.plan.kind for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.plan.kind == kind]
        rows.append({"kind": kind, "survey": "all", **summarise(own, confidence)})
        for stem in dict.fromkeys(survey_of(outcome) for outcome in own):
            of_file = [outcome for outcome in own if survey_of(outcome) == stem]
            rows.append({"kind": kind, "survey": stem, **summarise(of_file, confidence)})
    return rows


def survey_of(outcome: Outcome) -> str:
    """Return the name of the file whose pings were played; "" for a simulated cruise."""
    return Path(outcome.plan.file).stem if outcome.plan.file else ""
