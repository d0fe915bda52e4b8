"""sonar-watch slides."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
    from sonar_watch.ichthyolith.profiles import ProfileOptions
    from sonar_watch.ichthyolith.results import Counted
    from sonar_watch.ichthyolith.samples import SampleFacts

log = logging.getLogger(__name__)

_TOLD = 10
"""Images that are left out of all slides, named in the log."""

_PROFILE_FLAGS = ("--against", "--morphotype", "--beside")

EPILOG = """\
DIR        site/sample/slide/tiles, any folder of such a tree, or one image. Tiles are named
           <sample>_<slide>_<Y>_<X>.jpg, pixels of their top left corner, Y first; an image
           without a position in its name is a slide, stitched.
OUT        detections.csv  a row for every box, lengths in micrometres
           census.csv      counts and intervals, by slide and by sample
           sizes.csv       the same by size fraction
           plots/          counts, sizes and profiles as PNG and PDF
           sheets/         crops of each class
           profile.csv     samples by depth or age, with --samples
           tiles.csv       where tiles really lie; missing.csv: places in the grid without one
           problems.csv    images that could not be used, and why
           manifest.json   what the results were made of; history.jsonl: what was run when, why
REVIEW     slides DIR --out OUT --review              then open OUT/review/index.html, save
           slides DIR --out OUT --apply verdicts.json counts anew; no network is run for it
           train verdicts.json, train-classifier      learn from it: see --help there
           evaluate --reviews A.json B.json           how far two people agree

A run that was stopped goes on where it was when it is started again; what changed (tiles,
weights, thresholds) is run again, and only that. Exit 0, also when images could not be used,
unless --strict is given.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add = parser.add_argument
    add("dir", type=Path, metavar="DIR", help="folder of slides, or one image")
    add("--out", type=Path, required=True, metavar="OUT",
        help="folder of results; a run goes on in its own")  # fmt: skip
    add("--samples", type=Path, metavar="CSV",
        help="sample, depth_m, age_ma, dry_mass_g and any measured column: counts per gram, "
        "profiles")  # fmt: skip
    add("--um-per-px", type=positive, metavar="UM",
        help="micrometres per pixel (default: what the images say)")  # fmt: skip
    add("--sawtoothed", choices=("own", "tooth"),
        help="count saw-toothed ones on their own, or as teeth (default: own)")  # fmt: skip
    _add_profile(parser.add_argument_group("profiles, with --samples"))
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
    add("--tables-only", action="store_true", help="draw no plots and sheets")
    add("--strict", action="store_true", help="exit 1 when an image could not be used")
    add_config(parser)


def _add_profile(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--against", choices=("depth_m", "age_ma"), default=None,
        help="what runs down the page (default: depth_m where it is known)")  # fmt: skip
    add("--morphotype", choices=("tooth", "denticle", "sawtoothed"), default="denticle",
        help="the class whose share is shown (default: denticle)")  # fmt: skip
    add("--beside", metavar="COLUMN", default="", help="a measured column shown beside that share")


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
    add("--search", choices=("particles", "everywhere"),
        help="show the detector what lies on the glass, or all (default: particles)")  # fmt: skip
    add("--device", metavar="NAME", help="auto, cpu or cuda:0")
    add("--workers", type=whole_number, metavar="N",
        help="threads that read images ahead of the network")  # fmt: skip


def _confidence(text: str) -> float | str:
    return text if text == "auto" else positive(text)


def run(options: argparse.Namespace) -> int:
    """Count what is on slides."""
    if options.labels is not None and not options.apply:
        raise ConfigurationError("--labels: without effect without --apply")
    if options.samples is None:
        refuse_idle(options, add_arguments, _PROFILE_FLAGS, "without --samples")
    from sonar_watch.ichthyolith.batch import check_apart, results_folder
    from sonar_watch.ichthyolith.networks import Networks

    root, wanted = existing(options.dir), _slide_options(options)
    if options.morphotype == "sawtoothed" and wanted.sawtoothed == "tooth":
        raise ConfigurationError("--morphotype sawtoothed: these are counted as teeth here")
    check_apart(options.out, root)
    asked = _asked(options)
    networks = Networks(wanted)
    try:
        with results_folder(options.out):
            return _count(options, root, asked, networks, wanted)
    finally:
        networks.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a run is given besides slides, read before anything is run: `profile` is None without
    samples."""

    verdicts: tuple[Path, ...]
    samples: Mapping[str, SampleFacts]
    profile: ProfileOptions | None


def _asked(options: argparse.Namespace) -> _Asked:
    """Return what else was given, so that a file that is wrong is said at once."""
    from sonar_watch.ichthyolith.profiles import ProfileOptions
    from sonar_watch.ichthyolith.review import read_verdicts
    from sonar_watch.ichthyolith.samples import read_samples

    for path in options.apply:
        read_verdicts(existing(path))
    if options.samples is None:
        return _Asked(verdicts=tuple(options.apply), samples={}, profile=None)
    samples = read_samples(existing(options.samples))
    deep = any(facts.depth_m is not None for facts in samples.values())
    profile = ProfileOptions(
        against=options.against or ("depth_m" if deep else "age_ma"),
        morphotype=options.morphotype, beside=options.beside,
    )
    measured = sorted({name for facts in samples.values() for name in facts.measured})
    if options.beside and options.beside not in measured:
        raise ConfigurationError(
            f"--beside {options.beside}: expected a measured column of {options.samples}: "
            f"{', '.join(measured) or 'there is none'}"
        )
    return _Asked(verdicts=tuple(options.apply), samples=samples, profile=profile)


def _slide_options(options: argparse.Namespace) -> SlideOptions:
    """Return the settings' section with what the command line says otherwise."""
    from sonar_watch.settings import load_settings

    names = ("um_per_px", "sawtoothed", "stages", "weights", "classifier", "confidence", "search",
             "device", "workers")  # fmt: skip
    said: dict[str, Any] = {
        name: getattr(options, name) for name in names if getattr(options, name) is not None
    }
    return replace(load_settings(options.config).slides, **said)


def _count(
    options: argparse.Namespace, root: Path, asked: _Asked, networks: Networks,
    wanted: SlideOptions,
) -> int:
    from sonar_watch.cli.slides_tables import census_table
    from sonar_watch.ichthyolith.batch import make_plan, run_batch
    from sonar_watch.ichthyolith.results import (
        count_all,
        summary,
        verdicts_left_out,
        write_manifest,
        write_tables,
    )
    from sonar_watch.ichthyolith.samples import check_sites, masses_g

    with progress("images found") as advance:
        plan = make_plan(root, wanted, advance)
    check_sites(asked.samples, plan.slides)
    _tell_plan(plan)
    with progress("tiles" if plan.windows == plan.tiles else "windows", plan.windows) as advance:
        batch = run_batch(plan, options.out, networks, wanted, advance)
    for name in verdicts_left_out(options.out, asked.verdicts):
        log.warning("the verdicts of %s were counted here before, and are not now: see --apply",
                    name)  # fmt: skip
    counted = count_all(batch, networks, wanted, asked.verdicts, masses_g(asked.samples))
    write_tables(options.out, batch, counted)
    extra = _write_extras(options, asked, batch, counted, networks, wanted)
    write_manifest(options.out, batch, networks, wanted, counted)
    _show(census_table, counted.census)
    print_json({"out": str(options.out), **extra, **summary(batch, counted, wanted)})
    return EXIT_FAILED if options.strict and batch.problems else 0


def _write_extras(
    options: argparse.Namespace, asked: _Asked, batch: Batch, counted: Counted,
    networks: Networks, wanted: SlideOptions,
) -> dict[str, Any]:
    """Write what was asked for besides the tables, and return where it is."""
    from sonar_watch.ichthyolith.figures import write_figures, write_profiles, write_sheets
    from sonar_watch.ichthyolith.results import tiles_of
    from sonar_watch.ichthyolith.reviewing import write_lessons, write_review

    written: dict[str, Any] = {}
    write_profiles(options.out, counted, asked.samples, asked.profile)
    if not options.tables_only:
        write_figures(options.out, counted, wanted, asked.samples, asked.profile)
        write_sheets(options.out, counted, tiles_of(batch))
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
    for problem in plan.problems[:_TOLD]:
        log.warning("%s: left out: %s", problem.image, problem.reason)
    if len(plan.problems) > _TOLD:
        log.warning("and %d images more are left out: see problems.csv",
                    len(plan.problems) - _TOLD)  # fmt: skip


def _show(table_of: Callable[[Any], Table], content: Any) -> None:
    """Show a table on stderr when that is a terminal; what it says is in the JSON, too."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        console.print(table_of(content))
