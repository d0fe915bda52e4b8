"""May new weights take the place of the old ones? Only if a set that neither has seen says so."""

from __future__ import annotations

import logging
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile

from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.annotations import read_dataset
from sonar_watch.learning.evaluation import STRONG, Find, Matching, OperatingPoint, collect, score
from sonar_watch.learning.frozen import expect_recorded
from sonar_watch.learning.matching import Selection, judge
from sonar_watch.learning.truth import TruthSet, read_truth_set

logger = logging.getLogger(__name__)

MATCHING = Matching(iou=0.3)
"""Plumes are tall and thin: a box that overlaps by this much is the same plume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """What a frozen set must hold before it may decide: on a few pictures chance decides.

    Parameters
    ----------
    least_plumes : int
        Plumes that are asked for.
    least_empty : int
        Pictures of nothing.
    plume : str
        The class of plumes.
    """

    least_plumes: int = 100
    least_empty: int = 100
    plume: str = "signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlumeScores:
    """How one detector does on a frozen set at its working threshold.

    Parameters
    ----------
    point : OperatingPoint
        Of all plumes.
    strong : int
        Plumes of 8 dB and more there are; 0 where nobody knows their contrast.
    strong_recall : float, 0 to 1
        Share of those found; 1 where there are none.
    """

    point: OperatingPoint
    strong: int = 0
    strong_recall: float = 1.0

    @property
    def noise(self) -> float:
        """What chance makes of `strong_recall`: a standard error, no less than one plume.

        By the rule of succession, so that a recall of 1 is not taken for certain.
        """
        share = (self.strong_recall * self.strong + 1) / (self.strong + 2)
        return max(math.sqrt(share * (1 - share) / (self.strong + 2)), 1 / max(self.strong, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The scores of the old and the new weights, and what follows.

    Parameters
    ----------
    old, new : PlumeScores
        On the frozen set, at the same threshold.
    problems : tuple of str
        Why the new ones must not be used; empty when they may.
    """

    old: PlumeScores
    new: PlumeScores
    problems: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the new weights may be used."""
        return not self.problems


def expect_judge(data: Path, split: str, options: JudgeOptions | None = None) -> TruthSet:
    """Return the truth of a set that may decide: frozen, as recorded, and large enough.

    Raises
    ------
    ConfigurationError
        Training does not refuse it, its truth is not the recorded one, it knows no plumes, or it
        holds too few of them or of empty pictures.
    FormatError
        It is no set.
    """
    options = options or JudgeOptions()
    if not read_dataset(data).frozen:
        raise ConfigurationError(
            f"{data}: expected a frozen set (`frozen: true` in it): training may have seen this one"
        )
    expect_recorded(data, split)
    truth = read_truth_set(data, split)
    if options.plume not in truth.class_names:
        raise ConfigurationError(
            f"{data}: expected the class {options.plume!r}, has {[*truth.class_names]}"
        )
    plumes = sum(
        one.class_name == options.plume and not one.ignored
        for picture in truth.pictures for one in picture.objects
    )
    empty = sum(not picture.objects for picture in truth.pictures)
    if plumes < options.least_plumes or empty < options.least_empty:
        raise ConfigurationError(
            f"{data}: expected {options.least_plumes} plumes and {options.least_empty} empty "
            f"pictures or more, received {plumes} and {empty}: too few to decide"
        )
    return truth


def score_plumes(
    find: Find, truth: TruthSet, confidence: float, plume: str = "signal"
) -> PlumeScores:
    """Return the scores of one detector at a threshold.

    Parameters
    ----------
    find : callable
        Such as `Detector.detect`.
    truth : TruthSet
        What `expect_judge` returned.
    confidence : float
    plume : str
        The class of plumes.

    Raises
    ------
    ConfigurationError
        A detector with other classes.
    ImageError
        An image that cannot be read.
    """
    found = collect(find, truth)
    judgement = judge(found, truth.pictures, truth.class_names, MATCHING)
    every, strong = (
        score(judgement, Selection(class_names=(plume,), contrast_db=contrast_db))
        for contrast_db in ((-math.inf, math.inf), STRONG.contrast_db)
    )
    return PlumeScores(
        point=every.at(confidence),
        strong=strong.truths,
        strong_recall=strong.at(confidence).recall if strong.truths else 1.0,
    )


def compare(old: PlumeScores, new: PlumeScores) -> Comparison:
    """Return whether the new weights are no worse.

    F1 must not be lower at all: by small tolerances weights would go downhill step by step. Nor
    may more pictures be flagged that are empty, or that hold no plume. Of plumes of 8 dB and more
    the recall may be lower by its noise.

    >>> point = OperatingPoint(confidence=0.4, precision=0.9, recall=0.9, f1=0.9,
    ...                        false_image_rate=0.0, empty_image_rate=0.002)
    >>> old = PlumeScores(point=point, strong=200, strong_recall=0.95)
    >>> compare(old, replace(old, point=replace(point, f1=0.899))).problems
    ('F1 0.8990, was 0.9000',)
    >>> compare(old, replace(old, strong_recall=0.94)).accepted
    True
    >>> compare(old, replace(old, strong_recall=0.92)).problems
    ('recall of strong plumes 0.9200, was 0.9500 +- 0.0160',)
    """
    problems = []
    if new.point.f1 < old.point.f1:
        problems.append(f"F1 {new.point.f1:.4f}, was {old.point.f1:.4f}")
    if new.strong_recall < old.strong_recall - old.noise:
        problems.append(
            f"recall of strong plumes {new.strong_recall:.4f}, was {old.strong_recall:.4f} "
            f"+- {old.noise:.4f}"
        )
    if new.point.empty_image_rate > old.point.empty_image_rate:
        problems.append(
            f"empty pictures flagged {new.point.empty_image_rate:.4f}, "
            f"was {old.point.empty_image_rate:.4f}"
        )
    if new.point.false_image_rate > old.point.false_image_rate:
        problems.append(
            f"pictures without plumes flagged {new.point.false_image_rate:.4f}, "
            f"was {old.point.false_image_rate:.4f}"
        )
    return Comparison(old=old, new=new, problems=tuple(problems))


def expect_writable(folder: Path) -> None:
    """Try whether files can be written into a folder: better now than after hours of training.

    Raises
    ------
    ConfigurationError
        They cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: expected a folder that weights can be written into: {error}"
        ) from error


def install(candidate: WeightsEntry, old: WeightsEntry, folder: Path) -> WeightsEntry:
    """Put weights in the place of the old ones of that name and return their entry.

    The files get names of their own, then the manifest is exchanged in one step: a watch that
    starts meanwhile finds the old weights or the new, whole. The old files stay, so that the old
    manifest (kept as MANIFEST.yaml.old) brings them back. The old false-alert table and scores do
    not go over to the new ones: they were measured with others. What the old ones were trained
    on (`domain`) does, where the candidate says nothing of it.

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
        false_alerts_per_hour=(),
        false_alert_hours=0.0,
        domain=candidate.domain or old.domain,
        scores={"on": "not measured since the fine-tuning"} if old.scores else {},
    )
    models = read_manifest(folder)
    shutil.copyfile(folder / MANIFEST_NAME, folder / f"{MANIFEST_NAME}.old")
    write_manifest(folder, models | {old.name: entry})
    logger.info("weights %s replaced in %s", old.name, folder)
    if old.false_alerts_per_hour:
        logger.warning("weights %s: the false-alert table was measured with the old weights and is "
                       "dropped; sonar-watch evaluate --nights measures a new one", old.name)
    return entry
