"""What a night measured, kept with the weights: their automatic threshold follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    WeightsEntry,
    find_weights,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import ConfigurationError
from sonar_watch.pipeline.finder import CLASSICAL
from sonar_watch.trials.cruises import Outcome
from sonar_watch.trials.summary import false_alert_table


def record_false_alerts(options: DetectorOptions, nights: Sequence[Outcome]) -> Path:
    """Write the false alerts of nights into the manifest of the weights; return its path.

    What was recorded of them before is replaced.

    Parameters
    ----------
    options : DetectorOptions
        Name the weights.
    nights : sequence of Outcome
        Without plumes, of these very weights.

    Raises
    ------
    ConfigurationError
        Outcomes of other weights or with plumes, no hours, or no network at all.
    WeightsError
        There are no such weights.
    """
    entry = tried_weights(options, nights)
    hours = sum(night.hours for night in nights)
    if not hours > 0 or any(night.plan.kind != "night" for night in nights):
        raise ConfigurationError("expected hours of nights without plumes to record")
    folder = next(iter(entry.files.values())).path.parent
    measured = replace(
        entry,
        false_alerts_per_hour=tuple(false_alert_table(nights)),
        false_alert_hours=round(hours, 3),
    )
    write_manifest(folder, {**read_manifest(folder), entry.name: measured})
    return folder / MANIFEST_NAME


def tried_weights(options: DetectorOptions, nights: Sequence[Outcome] = ()) -> WeightsEntry:
    """Return the weights that are tried.

    Raises
    ------
    ConfigurationError
        There is no network to try, or some of the nights were not sailed with these weights.
    WeightsError
        There are no such weights.
    """
    if options.weights == CLASSICAL:
        raise ConfigurationError("--record: expected weights, the classical detector has none")
    entry = find_weights(options.weights, options.models_dir)
    others = {night.weights for night in nights} - {entry.sha256}
    if others:
        raise ConfigurationError(
            f"expected nights of {entry.name} ({entry.sha256[:12]}), received some of "
            f"{', '.join(other[:12] for other in sorted(others))}"
        )
    return entry
