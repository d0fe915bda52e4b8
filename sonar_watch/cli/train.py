"""sonar-watch train."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sonar_watch.cli.common import existing, refuse_idle
from sonar_watch.cli.output import print_json, progress
from sonar_watch.cli.train_review import REVIEW_FLAGS, add_review_arguments, learn_from_reviews
from sonar_watch.cli.train_verdicts import (
    VERDICT_FLAGS,
    add_verdict_arguments,
    are_verdicts,
    boxes_of,
    refuse_idle_verdicts,
)
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from sonar_watch.learning.training import TrainingOptions

_EXPORT_FLAGS = ("--models", "--export-size", "--encoding", "--note")
_RECIPE_FLAGS = ("--size", "--hours", "--zoom", "--shift", "--brightness", "--mosaic",
                 "--grey-share", "--cold-share", "--workers", "--cache", "--precision",
                 "--fraction")
_SET_FLAGS = ("--name", *_EXPORT_FLAGS, *VERDICT_FLAGS, "--classes", "--model", "--from",
              "--spread-grey", "--resume", *_RECIPE_FLAGS)
"""What belongs to training on DATA; the rest of the recipe serves reviews as well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA",
        help="dataset.yaml of a training set, or the verdicts of a person on slides",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoints")
    add_review_arguments(parser)
    add_verdict_arguments(parser)
    parser.add_argument("--name", default=None, help="export as weights of this name into --models")
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR")
    parser.add_argument(
        "--model", default=None, help="architecture (that of --from, else yolov8n.yaml)"
    )
    parser.add_argument(
        "--from", type=Path, default=None, metavar="WEIGHTS",
        help="start from these weights (.pt) instead of random ones; reading such a file runs "
        "what is in it: only your own",
    )
    parser.add_argument(
        "--spread-grey", action="store_true",
        help="they know grey pictures: look at the contrast layer alone at first",
    )
    parser.add_argument(
        "--classes", nargs="+", default=(), metavar="NAME",
        help="learn these classes of DATA alone, the others become background (default: all)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:0")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--export-size", type=int, default=None, metavar="PX", help="input of the exported weights"
    )
    parser.add_argument(
        "--encoding", default="layers", choices=("layers", "grey"),
        help="what DATA shows; weights that know grey alone are shown the contrast alone",
    )
    parser.add_argument("--note", default="", help="data and recipe, for the manifest")
    _add_recipe(parser.add_argument_group("recipe"))


def _add_recipe(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--size", type=int, default=640, metavar="PX")
    parser.add_argument("--epochs", type=int, default=None, help="30; of reviews 3")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--hours", type=float, default=None, help="stop after so many hours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zoom", type=float, default=0.2, help="range of random zoom (+-)")
    parser.add_argument("--shift", type=float, default=0.1, help="range of random shift (+-)")
    parser.add_argument(
        "--brightness", type=float, default=0.2, help="range of random gain and offset (+-)"
    )
    parser.add_argument("--mosaic", type=float, default=0.0, help="share of pictures made of four")
    parser.add_argument(
        "--grey-share", type=float, default=0.0, help="share shown as plain grey pictures"
    )
    parser.add_argument(
        "--cold-share", type=float, default=0.0, help="share shown as if nothing came before"
    )
    parser.add_argument(
        "--rate", type=float, default=None, help="learning rate: 0.002; of reviews 0.0003"
    )
    parser.add_argument("--workers", type=int, default=4, help="processes that load pictures")
    parser.add_argument("--cache", default="none", choices=("none", "ram", "disk"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the pictures used")
    parser.add_argument("--threads", type=int, default=None, help="of torch on the CPU")


def run(options: argparse.Namespace) -> int:
    """Train, and export when a name is given; or fine-tune on a watch's reviews."""
    _refuse_idle(options)
    if options.from_review is not None:
        return learn_from_reviews(options)
    if options.data is None:
        raise ConfigurationError("expected DATA, or --from-review with its inputs")
    if options.name:
        from sonar_watch.learning.replacing import expect_writable

        expect_writable(options.models)
    from sonar_watch.learning.progress import TrainingProgress
    from sonar_watch.learning.training import train

    wanted = _training_options(options)
    if are_verdicts(wanted.data):
        wanted = replace(wanted, data=boxes_of(wanted.data, options))
    with progress("batches") as advance:

        def tell(_: TrainingProgress) -> None:
            advance()

        checkpoint = train(wanted, tell)
    print_json({"checkpoint": str(checkpoint)})
    if options.name:
        _export(checkpoint, options)
    return 0


def _training_options(options: argparse.Namespace) -> TrainingOptions:
    from sonar_watch.learning.training import TrainingOptions

    return TrainingOptions(
        data=existing(options.data),
        out=options.out,
        classes=tuple(options.classes),
        model=options.model,
        start_from=getattr(options, "from"),
        spread_grey=options.spread_grey,
        image_size=options.size,
        epochs=30 if options.epochs is None else options.epochs,
        batch=options.batch,
        seed=options.seed,
        resume=options.resume,
        scale=options.zoom,
        translate=options.shift,
        brightness=options.brightness,
        mosaic=options.mosaic,
        grey_share=options.grey_share,
        cold_share=options.cold_share,
        learning_rate=0.002 if options.rate is None else options.rate,
        workers=options.workers,
        cache=options.cache,
        precision=options.precision,
        fraction=options.fraction,
        threads=options.threads,
        time_limit_h=options.hours,
        device=options.device,
    )


def _refuse_idle(options: argparse.Namespace) -> None:
    if options.from_review is not None:
        if options.data is not None:
            raise ConfigurationError("DATA: without effect with --from-review; see --base")
        refuse_idle(options, add_arguments, _SET_FLAGS, "with --from-review")
        return
    refuse_idle(options, add_arguments, REVIEW_FLAGS, "without --from-review")
    if options.data is not None:
        refuse_idle_verdicts(options, add_arguments, options.data)
    if not options.name:
        refuse_idle(options, add_arguments, _EXPORT_FLAGS, "without --name")
    if getattr(options, "from") is None:
        refuse_idle(options, add_arguments, ("--spread-grey",), "without --from")


def _export(checkpoint: Path, options: argparse.Namespace) -> None:
    from sonar_watch.learning.export import ModelFacts, export_weights

    entry = export_weights(
        checkpoint,
        options.name,
        options.models,
        ModelFacts(
            trained_on=options.note, image_size=options.export_size, encoding=options.encoding
        ),
    )
    print_json({"weights": entry.name, "models": str(options.models)})
