"""sonar-watch slides."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonar_watch.cli.common import (
    EXIT_FAILED,
    add_config,
    existing,
    positive,
    refuse_idle,
    whole_number,
)
from sonar_watch.cli.output import print_json, progress
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.ichthyolith.batch import Batch, Plan
    from sonar_watch.ichthyolith.networks import Networks
    from sonar_watch.ichthyolith.options import SlideOptions
    from sonar_watch.ichthyolith.results import Counted

log = logging.getLogger(__name__)

_RUN_FLAGS = (
    "--dir", "--out", "--samples", "--um-per-px", "--stages", "--weights", "--classifier",
    "--confidence", "--sawtoothed", "--workers", "--device", "--review", "--apply", "--labels",
    "--strict", "--config",
)  # fmt: skip

EPILOG = """\
DIR        site/sample/slide/tiles, any folder of such a tree, or one image. Tiles are named
           <sample>_<slide>_<Y>_<X>.jpg, pixels of their top left corner, Y first; an image
           without a position in its name is a slide, stitched.
OUT        detections.csv  a row for every box, lengths in micrometres
           census.csv      counts and intervals, by slide and by sample
           tiles.csv       where tiles really lie
           problems.csv    images that could not be used, and why
           manifest.json   what the results were made of; history.jsonl: what was run when, why
REVIEW     slides DIR --out OUT --review              then open OUT/review/index.html, save
           slides DIR --out OUT --apply verdicts.json counts anew; no network is run for it
           slides --agreement A.json B.json           how far two people agree

A run that was stopped goes on where it was when it is started again; what changed (tiles,
weights, thresholds) is run again, and only that. Exit 0, also when images could not be used,
unless --strict is given.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add = parser.add_argument
    add("dir", type=Path, nargs="?", metavar="DIR", help="folder of slides, or one image")
    add("--out", type=Path, metavar="OUT", help="folder of results; a run goes on in its own")
    add("--samples", type=Path, metavar="CSV",
        help="sample, depth_m, age_ma, dry_mass_g and any measured column: counts per gram, "
        "profiles")  # fmt: skip
    add("--um-per-px", type=positive, metavar="UM",
        help="micrometres per pixel (default: what the images say)")  # fmt: skip
    add("--sawtoothed", choices=("own", "tooth"),
        help="count saw-toothed ones on their own, or as teeth (default: own)")  # fmt: skip
    _add_networks(parser.add_argument_group("networks"))
    group = parser.add_argument_group("review")
    group.add_argument("--review", action="store_true", help="write a page to review the objects")
    group.add_argument(
        "--apply", type=Path, nargs="+", default=(), metavar="VERDICTS",
        help="files saved by that page; of several the last one has the last word",
    )
    group.add_argument(
        "--labels", type=Path, metavar="NEW", help="with --apply: write what was judged as a set "
        "for `sonar-watch train` (NEW/boxes/dataset.yaml) and crops for train-classifier",
    )  # fmt: skip
    group.add_argument(
        "--agreement", type=Path, nargs=2, metavar=("A", "B"),
        help="how far the verdicts of two people agree (Cohen's kappa); nothing is run",
    )
    add("--strict", action="store_true", help="exit 1 when an image could not be used")
    add_config(parser)


def _add_networks(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    both = group.add_mutually_exclusive_group()
    both.add_argument("--one-stage", dest="stages", action="store_const", const="one",
                      help="take the detector's word")  # fmt: skip
    both.add_argument("--two-stage", dest="stages", action="store_const", const="two",
                      help="let the classifier reject (default)")  # fmt: skip
    add("--weights", metavar="NAME", help="detector in MANIFEST.yaml")
    add("--classifier", metavar="NAME", help="classifier in MANIFEST.yaml")
    add("--confidence", type=_confidence, metavar="P",
        help="least confidence of a box, or auto: as measured")  # fmt: skip
    add("--device", metavar="NAME", help="auto, cpu or cuda:0")
    add("--workers", type=whole_number, metavar="N",
        help="threads that read images ahead of the network")  # fmt: skip


def _confidence(text: str) -> float | str:
    return text if text == "auto" else positive(text)


def run(options: argparse.Namespace) -> int:
    """Count what is on slides, or compare two people's verdicts."""
    if options.agreement is not None:
        refuse_idle(options, add_arguments, _RUN_FLAGS, "with --agreement")
        return _agree(*map(existing, options.agreement))
    if options.dir is None or options.out is None:
        raise ConfigurationError("expected DIR and --out OUT, or --agreement A B")
    if options.labels is not None and not options.apply:
        raise ConfigurationError("--labels: without effect without --apply")
    from sonar_watch.ichthyolith.batch import results_folder

    wanted = _slide_options(options)
    root, verdicts = existing(options.dir), [existing(path) for path in options.apply]
    with results_folder(options.out, root):
        return _count(options, root, verdicts, wanted)


def _slide_options(options: argparse.Namespace) -> SlideOptions:
    """Return the settings' section with what the command line says otherwise."""
    from sonar_watch.settings import load_settings

    names = ("um_per_px", "sawtoothed", "stages", "weights", "classifier", "confidence", "device",
             "workers")  # fmt: skip
    said: dict[str, Any] = {
        name: getattr(options, name) for name in names if getattr(options, name) is not None
    }
    return replace(load_settings(options.config).slides, **said)


def _count(
    options: argparse.Namespace, root: Path, verdicts: Sequence[Path], wanted: SlideOptions
) -> int:
    from sonar_watch.cli.slides_tables import census_table
    from sonar_watch.ichthyolith.batch import make_plan, run_batch
    from sonar_watch.ichthyolith.networks import Networks
    from sonar_watch.ichthyolith.results import (
        count_all,
        summary,
        verdicts_left_out,
        write_manifest,
        write_tables,
    )

    networks = Networks(wanted)
    plan = make_plan(root, wanted)
    _tell_plan(plan)
    with progress("tiles" if plan.windows == plan.tiles else "windows", plan.windows) as advance:
        batch = run_batch(plan, options.out, networks, wanted, advance)
    for name in verdicts_left_out(options.out, verdicts):
        log.warning("the verdicts of %s were counted here before, and are not now: see --apply",
                    name)  # fmt: skip
    counted = count_all(batch, networks, wanted, verdicts)
    write_tables(options.out, batch, counted)
    write_manifest(options.out, batch, networks, wanted, counted)
    networks.close()
    extra = _write_extras(options, batch, counted, networks, wanted)
    _show(census_table, counted.census)
    print_json({"out": str(options.out), **extra, **summary(batch, counted, wanted)})
    return EXIT_FAILED if options.strict and batch.problems else 0


def _write_extras(
    options: argparse.Namespace, batch: Batch, counted: Counted, networks: Networks,
    wanted: SlideOptions,
) -> dict[str, Any]:
    """Write what was asked for besides the tables, and return where it is."""
    from sonar_watch.ichthyolith.reviewing import write_lessons, write_review

    written: dict[str, Any] = {}
    if options.review:
        with progress("crops", len(counted.objects)) as advance:
            page = write_review(
                options.out / "review", batch, counted, networks, wanted, advance
            )
        written["review"] = str(page)
    if options.labels is not None:
        with progress("pictures") as advance:
            data, crops = write_lessons(
                options.labels, batch, counted, networks, wanted, advance
            )
        written["labels"] = {"data": str(data), "crops": crops}
    return written


def _tell_plan(plan: Plan) -> None:
    log.info("%d slides with %d tiles in %s", len(plan.slides), plan.tiles, plan.root)
    for problem in plan.problems:
        log.warning("%s: left out: %s", problem.image, problem.reason)


def _agree(first: Path, second: Path) -> int:
    from sonar_watch.cli.slides_tables import agreement_table
    from sonar_watch.ichthyolith.agreement import agreement
    from sonar_watch.ichthyolith.review import read_verdicts

    found = agreement(read_verdicts(first), read_verdicts(second))
    _show(agreement_table, found)
    print_json(found.body())
    return 0


def _show(table_of: Callable[[Any], Table], content: Any) -> None:
    """Show a table on stderr when that is a terminal; what it says is in the JSON, too."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        console.print(table_of(content))
