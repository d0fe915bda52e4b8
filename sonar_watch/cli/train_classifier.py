"""sonar-watch train-classifier."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sonar_watch.cli.common import existing, positive, refuse_idle, whole_number
from sonar_watch.cli.output import print_json, progress
from sonar_watch.cli.train_verdicts import (
    add_verdict_arguments,
    are_verdicts,
    crops_of,
    refuse_idle_verdicts,
)

if TYPE_CHECKING:
    from sonar_watch.learning.classifier_training import ClassifierTrainingOptions

_EXPORT_FLAGS = ("--models", "--note")

EPILOG = """\
CROPS/train/CLASS/*.png and CROPS/val/CLASS/*.png; or CROPS/CLASS/*.png, of which --held-out are
kept to score and calibrate on. The classes are tooth, denticle, sawtoothed and noise. A name such
as slide-003__0012.png says what a crop was cut from: those of one slide are held out together.
`sonar-watch simulate --kind slides --crops` writes such a set, and of a person's verdicts one is
made: train-classifier verdicts.json --tiles DIR --detections OUT/detections.csv --out RUN.

The network starts from random weights, or from those of --from. One CPU core learns some 5 crops
a second with tf_efficientnetv2_b0, 16 with mobilenetv4_conv_small. A run that was stopped goes on
with --resume and ends, on the CPU, with the same numbers.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("crops", type=Path, metavar="CROPS",
                        help="folder of labelled crops, or the verdicts of a person on slides")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoints")
    add_verdict_arguments(parser)
    parser.add_argument("--name", default=None, help="export as weights of this name into --models")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR")
    parser.add_argument("--note", default="", help="data and recipe, for the manifest")
    parser.add_argument(
        "--architecture", default="tf_efficientnetv2_b0", metavar="NAME",
        help="as timm calls it (default: %(default)s)",
    )
    parser.add_argument(
        "--leave-out", nargs="+", default=(), metavar="SLIDE",
        help="use no crop whose name holds this before two underscores: it is for tests",
    )
    parser.add_argument(
        "--from", dest="start", type=Path, default=None, metavar="CHECKPOINT",
        help="start from this classifier.pt of the same architecture instead of random weights",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last whole epoch")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:0")
    _add_recipe(parser.add_argument_group("recipe"))


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--size", type=whole_number, default=224, metavar="PX", help="(default: %(default)s)")
    add("--epochs", type=whole_number, default=20, help="(default: %(default)s)")
    add("--batch", type=whole_number, default=32, help="(default: %(default)s)")
    add("--rate", type=positive, default=0.001, help="learning rate (default: %(default)s)")
    add("--dropout", type=float, default=0.2, help="(default: %(default)s)")
    add("--balance", type=float, default=0.5, metavar="SHARE",
        help="0 weighs every crop alike, 1 every class (default: %(default)s)")
    add("--held-out", type=float, default=0.15, metavar="SHARE",
        help="where CROPS has no folder val (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--precision", default="fp32", choices=("fp32", "bf16"), help="bf16 is for GPUs")
    add("--workers", type=whole_number, default=2, help="threads that load crops")
    add("--threads", type=whole_number, default=None, help="of torch on the CPU")


def run(options: argparse.Namespace) -> int:
    """Train, and export when a name is given."""
    refuse_idle_verdicts(options, add_arguments, options.crops)
    if not options.name:
        refuse_idle(options, add_arguments, _EXPORT_FLAGS, "without --name")
    else:
        from sonar_watch.learning.replacing import expect_writable

        expect_writable(options.models)
    wanted = _training_options(options)
    if are_verdicts(wanted.crops):
        wanted = replace(wanted, crops=crops_of(wanted.crops, options))
    from sonar_watch.learning.classifier_training import batches_ahead, train_classifier
    from sonar_watch.learning.progress import TrainingProgress

    with progress("batches", batches_ahead(wanted)) as advance:

        def tell(_: TrainingProgress) -> None:
            advance()

        checkpoint = train_classifier(wanted, tell)
    from sonar_watch.learning.classifier_export import export_classifier, read_classifier

    print_json({"checkpoint": str(checkpoint), **read_classifier(checkpoint)["scores"]})
    if options.name:
        entry = export_classifier(
            checkpoint, options.name, options.models, trained_on=options.note
        )
        print_json({"weights": entry.name, "models": str(options.models)})
    return 0


def _training_options(options: argparse.Namespace) -> ClassifierTrainingOptions:
    from sonar_watch.ichthyolith.records import CLASSES
    from sonar_watch.learning.classifier_training import ClassifierTrainingOptions

    return ClassifierTrainingOptions(
        crops=existing(options.crops),
        out=options.out,
        classes=CLASSES,
        architecture=options.architecture,
        image_size=options.size,
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=options.rate,
        dropout=options.dropout,
        balance=options.balance,
        val_share=options.held_out,
        leave_out=tuple(options.leave_out),
        seed=options.seed,
        start=None if options.start is None else existing(options.start),
        resume=options.resume,
        device=options.device,
        precision=options.precision,
        workers=options.workers,
        threads=options.threads,
    )
