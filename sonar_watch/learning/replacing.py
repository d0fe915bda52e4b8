"""May new weights take the place of the old ones? Only if a set that neither has seen says so."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.annotations import read_dataset
from sonar_watch.learning.evaluation import Find, Matching, OperatingPoint, evaluate_dataset

logger = logging.getLogger(__name__)

TOLERANCE_F1 = 0.005
"""F1 may be lower by this much: less than what chance makes of a few hundred plumes."""

MATCHING = Matching(iou=0.3)
"""Plumes are tall and thin: a box that overlaps by this much is the same plume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The scores of the old and the new weights, and what follows.

    Parameters
    ----------
    old, new : OperatingPoint
        Of the plume class on the frozen set, at the same threshold.
    problems : tuple of str
        Why the new ones must not be used; empty when they may.
    """

    old: OperatingPoint
    new: OperatingPoint
    problems: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the new weights may be used."""
        return not self.problems


def expect_frozen(data: Path) -> None:
    """Let a set pass that training refuses; any other might have been trained on.

    Raises
    ------
    ConfigurationError
        It is not frozen.
    FormatError
        It is no set.
    """
    if not read_dataset(data).frozen:
        raise ConfigurationError(
            f"{data}: expected a frozen set (`frozen: true` in it): training may have seen this one"
        )


def score_plumes(
    find: Find, data: Path, confidence: float, split: str, plume: str = "signal"
) -> OperatingPoint:
    """Return the scores of one detector on a frozen set at a threshold.

    Raises
    ------
    ConfigurationError
        The set is not frozen, or knows no such class.
    """
    expect_frozen(data)
    scores = evaluate_dataset(find, data, split, (MATCHING,))[0]
    if plume not in scores:
        raise ConfigurationError(f"{data}: expected the class {plume!r}, has {[*scores]}")
    return scores[plume].at(confidence)


def compare(old: OperatingPoint, new: OperatingPoint) -> Comparison:
    """Return whether the new weights are no worse: in F1, and on pictures of nothing.

    >>> old = OperatingPoint(confidence=0.4, precision=0.9, recall=0.9, f1=0.9,
    ...                      false_image_rate=0.0, empty_image_rate=0.002)
    >>> compare(old, replace(old, f1=0.88)).problems
    ('F1 0.880, was 0.900: lower by more than 0.005',)
    """
    problems = []
    if new.f1 < old.f1 - TOLERANCE_F1:
        problems.append(f"F1 {new.f1:.3f}, was {old.f1:.3f}: lower by more than {TOLERANCE_F1}")
    if new.empty_image_rate > old.empty_image_rate:
        problems.append(
            f"empty pictures flagged {new.empty_image_rate:.4f}, was {old.empty_image_rate:.4f}"
        )
    if new.false_image_rate > old.false_image_rate + TOLERANCE_F1:
        problems.append(
            f"pictures without plumes flagged {new.false_image_rate:.4f}, "
            f"was {old.false_image_rate:.4f}"
        )
    return Comparison(old=old, new=new, problems=tuple(problems))


def install(candidate: WeightsEntry, old: WeightsEntry, folder: Path) -> WeightsEntry:
    """Put weights in the place of the old ones of that name and return their entry.

    The files get names of their own, then the manifest is exchanged in one step: a watch that
    starts meanwhile finds the old weights or the new, whole. The old files stay, so that the old
    manifest (kept as MANIFEST.yaml.old) brings them back.

    Raises
    ------
    WeightsError
        A file is missing or damaged.
    OSError
        The folder cannot be written.
    """
    candidate.check()
    mark = candidate.sha256[:8]
    files = {}
    for role, file in candidate.files.items():
        path = folder / f"{old.name}-{mark}{file.path.suffix}"
        shutil.copyfile(file.path, path)
        files[role] = WeightsFile(path=path, sha256=file.sha256)
    entry = replace(
        candidate,
        name=old.name,
        files=files,
        false_alerts_per_hour=old.false_alerts_per_hour,
        scores={"on": "not measured since the fine-tuning"} if old.scores else {},
    )
    models = read_manifest(folder)
    shutil.copyfile(folder / MANIFEST_NAME, folder / f"{MANIFEST_NAME}.old")
    write_manifest(folder, models | {old.name: entry})
    logger.info("weights %s replaced in %s", old.name, folder)
    return entry
