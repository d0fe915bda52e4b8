"""sonar-watch train --from-review."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

from sonar_watch.cli.common import EXIT_FAILED, add_config, existing
from sonar_watch.cli.output import print_json, progress
from sonar_watch.errors import ConfigurationError

REVIEW_FLAGS = ("--inputs", "--base", "--frozen", "--split", "--config")
"""What only reviews need."""

log = logging.getLogger(__name__)


def add_review_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of learning from reviews."""
    group = parser.add_argument_group(
        "from reviews",
        "fine-tune the weights of a watch on what its people confirmed and rejected; they are "
        "replaced only when on a frozen test set F1 is not lower at all, no more pictures without "
        "plumes are flagged, and recall of plumes of 8 dB and more is not lower by more than its "
        "standard error; else the command fails",
    )
    group.add_argument(
        "--from-review", type=Path, default=None, metavar="DIR",
        help="the watch's data folder, with its journal and reviews.jsonl",
    )
    group.add_argument(
        "--inputs", type=Path, nargs="+", default=[], metavar="INPUT",
        help="the raw files or pictures that it saw",
    )
    group.add_argument(
        "--base", type=Path, default=None, metavar="SET",
        help="dataset.yaml of what the weights were trained on, to be mixed in",
    )
    group.add_argument(
        "--frozen", type=Path, default=None, metavar="SET",
        help="dataset.yaml of the frozen set that decides: 100 plumes and 100 empty pictures or "
        "more, of surveys that were not reviewed",
    )
    group.add_argument("--split", default="val", help="of the frozen set (default %(default)s)")
    add_config(parser)


def learn_from_reviews(options: argparse.Namespace) -> int:
    """Fine-tune, compare, replace or keep; say which and why."""
    from sonar_watch.learning.progress import TrainingProgress
    from sonar_watch.reviewing.fine_tuning import FineTuneOptions, fine_tune
    from sonar_watch.settings import load_settings

    missing = [name for name in ("inputs", "base", "frozen") if not getattr(options, name)]
    if missing:
        raise ConfigurationError(f"--from-review: expected --{' and --'.join(missing)} too")
    wanted = FineTuneOptions(
        data_dir=existing(options.from_review),
        inputs=tuple(existing(path) for path in options.inputs),
        base=existing(options.base),
        frozen=existing(options.frozen),
        out=options.out,
        split=options.split,
        epochs=3 if options.epochs is None else options.epochs,
        batch=options.batch,
        learning_rate=0.0003 if options.rate is None else options.rate,
        seed=options.seed,
        device=options.device,
        threads=options.threads,
    )
    with progress("batches") as advance:

        def tell(_: TrainingProgress) -> None:
            advance()

        outcome = fine_tune(load_settings(options.config), wanted, tell)
    comparison = outcome.comparison
    print_json({
        "frames_right": outcome.reviewed.right, "frames_wrong": outcome.reviewed.wrong,
        "frames_base": outcome.reviewed.base, "old": asdict(comparison.old),
        "new": asdict(comparison.new), "replaced": comparison.accepted,
        "problems": list(comparison.problems),
    })
    if not comparison.accepted:
        log.error("the weights are kept: %s", "; ".join(comparison.problems))
        return EXIT_FAILED
    return 0
