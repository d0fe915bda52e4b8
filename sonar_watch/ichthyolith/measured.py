"""What labelled slides said of networks, kept with their weights: a census corrects counts by it.

The folder of a run says what the run was made with. Runs that are pooled, each of slides left out
of another training, must agree in all that shapes what is found but the numbers in the networks.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    WeightsEntry,
    find_weights,
    read_manifest,
    write_manifest,
)
from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.ichthyolith.census import ALL
from sonar_watch.ichthyolith.labels import LabelledTile
from sonar_watch.ichthyolith.records import ICHTHYOLITHS
from sonar_watch.ichthyolith.results import MANIFEST, SCHEMA
from sonar_watch.ichthyolith.scoring import ANY, ClassScore, SlideScores

log = logging.getLogger(__name__)

_SHAPING = ("stages", "accept", "iou", "window_px", "overlap_px", "search", "register",
            "max_shift_px", "join")  # fmt: skip
"""Options by which other objects are found; how they are counted is none of them."""

Role = Literal["weights", "classifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run of `sonar-watch slides` was made with, as its own folder tells.

    Parameters
    ----------
    path : Path
        Its manifest.json.
    weights, classifier : tuple of (str, str) or None
        Name and sha256; no classifier with one stage.
    confidence : float
        Least confidence of a box, 0 to 1.
    options : mapping of str to value
        Those by which other objects are found.
    reviewed : bool
        Verdicts of people are in its results.
    slides : frozenset of (str, str)
        Sample and slide of all that it looked at.
    """

    path: Path
    weights: tuple[str, str]
    classifier: tuple[str, str] | None
    confidence: float
    options: Mapping[str, Any]
    reviewed: bool
    slides: frozenset[tuple[str, str]]

    @property
    def shape(self) -> dict[str, Any]:
        """All that must be the same in runs that are pooled."""
        return {"confidence": self.confidence, **self.options}


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillTarget:
    """Where measured skill is to be written, and what was tried.

    Parameters
    ----------
    entry : WeightsEntry
        Of the detector.
    classifier : WeightsEntry or None
        None with one stage.
    shape : mapping of str to value
        Confidence and options of all runs.
    stand_ins : tuple of str
        sha256 of other weights that were tried in place of those of `entry`, such as those of
        trainings that each left a slide out; () when the very weights were tried.
    """

    entry: WeightsEntry
    classifier: WeightsEntry | None
    shape: Mapping[str, Any]
    stand_ins: tuple[str, ...]


def read_run(detections: Path) -> RunFacts:
    """Return what the run that wrote a detections.csv was made with.

    Raises
    ------
    ConfigurationError
        There is no manifest.json beside it.
    FormatError
        The manifest is not what a run writes.
    """
    path = detections.parent / MANIFEST
    if not path.is_file():
        raise ConfigurationError(
            f"{detections}: expected {MANIFEST} beside it, as `sonar-watch slides` leaves it: it "
            "tells which weights and thresholds were tried"
        )
    try:
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA:
            raise ValueError(f"schema: expected {SCHEMA}, received {body['schema']!r}")
        said = body["classifier"]
        return RunFacts(
            path=path,
            weights=(str(body["weights"]["name"]), str(body["weights"]["sha256"])),
            classifier=(str(said["name"]), str(said["sha256"])) if said else None,
            confidence=float(body["confidence"]),
            options={name: body["options"][name] for name in _SHAPING},
            reviewed=bool(body["verdicts"]),
            slides=frozenset(_sample_and_slide(key) for key in body["slides"]),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FormatError(
            f"expected what a run was made of: {type(error).__name__} {error}", file=str(path)
        ) from error


def skill_target(
    runs: Sequence[RunFacts],
    labels: Iterable[LabelledTile],
    *,
    weights: str | None = None,
    classifier: str | None = None,
    models_dir: Path | None = None,
) -> SkillTarget:
    """Return where what pooled runs tell is to be written, or say why it may not be.

    Parameters
    ----------
    runs : sequence of RunFacts
        At least one.
    labels : iterable of LabelledTile
        Those that are scored.
    weights, classifier : str or None
        Names of the entries that the runs stand for. None: the very ones that all were made with.
    models_dir : Path or None
        As of `SlideOptions`.

    Raises
    ------
    ConfigurationError
        The runs do not agree, hold verdicts of people, did not look at all that is labelled, or
        were made with other weights than the manifest's and none is named.
    WeightsError
        There are no such weights.
    """
    _check_alike(runs)
    _check_complete(runs, labels)
    entry, stand_ins = _entry("weights", [run.weights for run in runs], weights, models_dir)
    looks = [run.classifier for run in runs if run.classifier is not None]
    second: WeightsEntry | None = None
    if looks:
        second, others = _entry("classifier", looks, classifier, models_dir)
        stand_ins += others
    elif classifier is not None:
        raise ConfigurationError(f"--classifier {classifier}: the runs had one stage")
    return SkillTarget(entry=entry, classifier=second, shape=runs[0].shape, stand_ins=stand_ins)


def record_skill(target: SkillTarget, scores: SlideScores) -> Path:
    """Write measured skill into the manifest of the weights; return its path.

    What was recorded of them before, with as many stages, is replaced.

    Parameters
    ----------
    target : SkillTarget
    scores : SlideScores
        Of all that the runs found, at their final verdicts.

    Raises
    ------
    OSError
        The manifest is not writable.
    """
    entry = target.entry
    folder = next(iter(entry.files.values())).path.parent
    earlier = dict(entry.scores.get("slides") or {})
    slides = {**earlier, target.shape["stages"]: _body(target, scores)}
    measured = replace(entry, scores={**entry.scores, "slides": slides})
    write_manifest(folder, {**read_manifest(folder), entry.name: measured})
    if target.stand_ins:
        log.warning("the skill of weights %s is that of %d others, which stand for them",
                    entry.name, len(target.stand_ins))  # fmt: skip
    return folder / MANIFEST_NAME


def skill_rows(scores: SlideScores) -> dict[str, list[int]]:
    """Return hits, false alarms and misses of each class that was there or was found.

    All ichthyoliths together are right whatever class they were given: that is what their sum
    is made of.
    """
    rows = {name: _row(scores.of(name)) for name in ICHTHYOLITHS}
    rows[ALL] = _row(scores.of(ANY))
    return {name: row for name, row in rows.items() if any(row)}


def _row(one: ClassScore) -> list[int]:
    return [one.hits, one.found - one.hits, one.truths - one.hits]


def _body(target: SkillTarget, scores: SlideScores) -> dict[str, Any]:
    shape = target.shape
    body = {name: shape[name] for name in ("confidence", "iou", "window_px", "search")}
    if target.classifier is not None:
        body |= {
            "accept": shape["accept"], "classifier": target.classifier.name,
            "classifier_sha256": target.classifier.sha256,
        }  # fmt: skip
    body |= {"skill": skill_rows(scores), "tiles": scores.tiles, "slides": scores.slides,
             "box_iou": scores.options.iou}  # fmt: skip
    if target.stand_ins:
        body["measured_with"] = [sha256[:12] for sha256 in target.stand_ins]
    return body


def _check_alike(runs: Sequence[RunFacts]) -> None:
    first = runs[0]
    for run in runs:
        if run.reviewed:
            raise ConfigurationError(
                f"{run.path}: expected what networks found, people's verdicts are in it; run "
                "`sonar-watch slides` again without --apply"
            )
        differ = [f"{name} {first.shape[name]} there, {value} here"
                  for name, value in run.shape.items() if value != first.shape[name]]  # fmt: skip
        if differ:
            raise ConfigurationError(
                f"{run.path}: expected a run made as {first.path} was: {'; '.join(differ)}"
            )


def _check_complete(runs: Sequence[RunFacts], labels: Iterable[LabelledTile]) -> None:
    """Refuse labels that no run looked at, which would count as missed, or that several did."""
    often = Counter(slide for run in runs for slide in run.slides)
    keys = {
        tile.key: (tile.sample, tile.slide.removeprefix(f"{tile.sample}_"))  # as folders are called
        for tile in labels if tile.slide
    }  # fmt: skip
    if unseen := sorted(key for key, slide in keys.items() if not often[slide]):
        raise ConfigurationError(
            f"expected runs of all labelled slides, none looked at {', '.join(unseen)}; run them, "
            "or name the others with --only"
        )
    if twice := sorted(key for key, slide in keys.items() if often[slide] > 1):
        raise ConfigurationError(
            f"expected each slide in one run, several looked at {', '.join(twice)}"
        )


def _entry(
    role: Role, tried: Sequence[tuple[str, str]], named: str | None, models_dir: Path | None
) -> tuple[WeightsEntry, tuple[str, ...]]:
    """Return the entry that is meant, and what was tried instead of it."""
    several = dict.fromkeys(tried)
    if named is None and len(several) > 1:
        told = ", ".join(f"{name} ({sha256[:12]})" for name, sha256 in several)
        raise ConfigurationError(
            f"expected runs of one {role}, received {told}: say by --{role} NAME which they stand "
            "for, such as those that were trained on all slides"
        )
    entry = find_weights(tried[0][0] if named is None else named, models_dir)
    others = tuple(sorted({sha256 for _, sha256 in several} - {entry.sha256}))
    if named is None and others:
        raise ConfigurationError(
            f"expected runs of {entry.name} ({entry.sha256[:12]}), received {others[0][:12]}: "
            f"{role} of this name are others now; run the slides again, or say by --{role} "
            f"{entry.name} that they stand for them"
        )
    return entry, others


def _sample_and_slide(key: str) -> tuple[str, str]:
    """Return the last two parts of a slide's name: sites may be called after the folder given."""
    _, sample, slide = key.rsplit("/", 2)
    return sample, slide
