"""Fine-tune the weights of a watch on its own reviews; keep the old ones unless it does no harm."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sonar_watch.detection.detector import Detector, DetectorOptions, threshold
from sonar_watch.detection.weights import WeightsEntry, find_weights
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.export import ModelFacts, export_weights
from sonar_watch.learning.frozen import surveys_of
from sonar_watch.learning.progress import ProgressListener
from sonar_watch.learning.replacing import (
    Comparison,
    JudgeOptions,
    PlumeScores,
    compare,
    expect_judge,
    expect_writable,
    install,
    score_plumes,
)
from sonar_watch.learning.review import MixOptions, ReviewSet, write_review_set
from sonar_watch.learning.training import TrainingOptions, train
from sonar_watch.learning.truth import TruthSet
from sonar_watch.reviewing.redrawing import redraw, reviewed_picture
from sonar_watch.reviewing.verdicts import JudgedFrame, judged_frames
from sonar_watch.settings import Settings

log = logging.getLogger(__name__)

_CHANGED_SHARE = 0.08  # of plain grey pictures, and of first pings: as the weights were trained


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneOptions:
    """What to learn from, what to be judged by, and how hard to learn.

    Parameters
    ----------
    data_dir : Path
        Of the watch, with its journal and `reviews.jsonl`.
    inputs : tuple of Path
        The raw files or pictures that it saw.
    base : Path
        YAML file of the set that the weights were trained on, or one like it.
    frozen : Path
        YAML file of a frozen set, which decides.
    out : Path
        A new folder: the set, the run and the candidate are kept there.
    split : str
        Of the frozen set.
    epochs, batch : int
    learning_rate : float
        At the start: a fraction of what training from scratch takes.
    seed : int
    device : str
    threads : int or None
    mix : MixOptions
    judge : JudgeOptions
        What the frozen set must hold.
    """

    data_dir: Path
    inputs: tuple[Path, ...]
    base: Path
    frozen: Path
    out: Path
    split: str = "val"
    epochs: int = 3
    batch: int = 8
    learning_rate: float = 0.0003
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    mix: MixOptions = field(default_factory=MixOptions)
    judge: JudgeOptions = field(default_factory=JudgeOptions)

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ConfigurationError("inputs: expected the raw files or pictures that were watched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: the set, the scores, and the new entry when it took the old one's place."""

    reviewed: ReviewSet
    comparison: Comparison
    candidate: WeightsEntry
    installed: WeightsEntry | None


def fine_tune(
    settings: Settings, options: FineTuneOptions, on_progress: ProgressListener | None = None
) -> Outcome:
    """Fine-tune on reviews and, when the frozen set gets no worse, replace the weights.

    Parameters
    ----------
    settings : Settings
        Of the watch: its weights are the ones that are taught, at its threshold they are judged.
    options : FineTuneOptions
    on_progress : callable or None

    Raises
    ------
    ConfigurationError
        Nothing was reviewed, the base holds what is kept for tests, `frozen` may not decide (see
        `replacing.expect_judge`) or holds surveys that were reviewed or that the base trains on,
        `out` holds an earlier fine-tuning, or the folder of the weights cannot be written.
    FormatError, JournalError, WeightsError, InferenceError
        Reviews, sets, journal or weights that cannot be used.
    """
    entry = find_weights(settings.detector.weights, settings.detector.models_dir)
    folder = entry.file("torch").path.parent
    truth = _expect_ready(options, entry, folder)
    reviewed = _write_set(settings, options, entry)
    log.info("%d frames that were right, %d with something wrong, %d of the base set",
             reviewed.right, reviewed.wrong, reviewed.base)
    candidate = _train(options, entry, reviewed, on_progress)
    confidence = threshold(
        settings.detector, entry.false_alerts_per_hour, entry.false_alert_hours
    )
    judge = replace(settings.detector, weights=entry.name, confidence=confidence)
    old, new = (
        _score(replace(judge, models_dir=where), truth, options.judge.plume)
        for where in (folder, options.out / "candidate")
    )
    comparison = compare(old, new)
    installed = install(candidate, entry, folder) if comparison.accepted else None
    if installed is not None and (coming := threshold(settings.detector)) != confidence:
        log.warning(
            "weights %s: judged at confidence %g, the watch works at %g until their false alerts "
            "are measured: expected `detector.confidence: %g` until `evaluate --nights --record`",
            entry.name, confidence, coming, confidence,
        )  # fmt: skip
    return Outcome(
        reviewed=reviewed, comparison=comparison, candidate=candidate, installed=installed
    )


def _expect_ready(options: FineTuneOptions, entry: WeightsEntry, folder: Path) -> TruthSet:
    """Return the truth that decides; fail now rather than after the training."""
    if any((options.out / name).exists() for name in ("set", "run", "candidate")):
        raise ConfigurationError(
            f"{options.out}: holds an earlier fine-tuning, which cannot be resumed; expected a "
            "new folder"
        )
    truth = expect_judge(options.frozen, options.split, options.judge)
    if shared := sorted(surveys_of(options.base, "train") & surveys_of(options.frozen)):
        raise ConfigurationError(
            f"{options.base} and {options.frozen} share {', '.join(shared[:5])}: expected a "
            "frozen set of surveys that nothing was learned from"
        )
    entry.file("torch").read()
    expect_writable(folder)
    return truth


def _write_set(settings: Settings, options: FineTuneOptions, entry: WeightsEntry) -> ReviewSet:
    judged = judged_frames(options.data_dir)
    _refuse_judged_twice(judged, options.frozen)
    frames = redraw(options.inputs, settings, judged)
    pictures = (reviewed_picture(frame, judged[frame.frame_id], entry) for frame in frames)
    return write_review_set(options.out / "set", options.base, pictures, options.mix)


def _refuse_judged_twice(judged: Mapping[str, JudgedFrame], frozen: Path) -> None:
    """Refuse reviews of surveys that the frozen set is made of: it would judge what it taught."""
    deciding = surveys_of(frozen)
    if not deciding:
        log.warning("%s: names no surveys: nobody can tell whether they were reviewed", frozen)
    reviewed = {Path(frame.file).stem for frame in judged.values()}
    both = sorted(
        stem for stem in reviewed
        if any(name == stem or name.startswith(f"{stem}-") for name in deciding)
    )
    if both:
        raise ConfigurationError(
            f"{frozen}: expected no survey that was reviewed, it holds {', '.join(both[:5])}: "
            "make a frozen set without them, or take their reviews out"
        )


def _train(
    options: FineTuneOptions,
    entry: WeightsEntry,
    reviewed: ReviewSet,
    on_progress: ProgressListener | None,
) -> WeightsEntry:
    """Return the fine-tuned weights, exported beside the run."""
    training = TrainingOptions(
        data=reviewed.data,
        out=options.out / "run",
        start_from=entry.file("torch").path,
        image_size=max(entry.input_size),
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
        device=options.device,
        threads=options.threads,
        grey_share=_CHANGED_SHARE,
        cold_share=_CHANGED_SHARE,
    )
    checkpoint = train(training, on_progress)
    told = (
        f"{entry.trained_on}; fine-tuned on {reviewed.right} confirmed and {reviewed.wrong} "
        f"rejected frames with {reviewed.base} of the base set, {options.epochs} epochs"
    )
    facts = ModelFacts(
        trained_on=told, licence=entry.licence, head=entry.head, encoding=entry.encoding,
        image_size=max(entry.input_size),
    )
    return export_weights(checkpoint, entry.name, options.out / "candidate", facts)


def _score(detector: DetectorOptions, truth: TruthSet, plume: str) -> PlumeScores:
    """Return the scores of one set of weights on the frozen set."""
    runs = Detector(detector)
    try:
        return score_plumes(runs.detect, truth, runs.confidence, plume)
    finally:
        runs.close()
