"""sonar-watch simulate."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.cli.common import expect_new_folder, refuse_idle, whole_number
from sonar_watch.cli.output import print_json, progress
from sonar_watch.cli.simulate_slides import FLAGS as _SLIDE_FLAGS
from sonar_watch.cli.simulate_slides import add_slide_arguments, make_slides
from sonar_watch.errors import ConfigurationError

_CRUISE_FLAGS = ("--sounder", "--depth", "--plumes", "--schools", "--lines", "--length",
                 "--contrast")
_SHARED_FLAGS = ("--validation", "--workers")
_SET_FLAGS = ("--scenes", "--swaths", "--warm-up", "--pictures", "--depth-range", "--validation",
              "--encoding", "--grey-share", "--disturbed-share", "--sheet", "--workers",
              "--inject", "--inject-validation", "--inject-share", "--frozen")
_SCENE_FLAGS = tuple(flag for flag in _SET_FLAGS if flag not in _SHARED_FLAGS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="files go here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--kind",
        choices=("raw", "images", "both", "dataset", "demo", "slides"),
        default="raw",
        help="raw twins, pictures with sidecars, both, a training set, the demo's cruise, or a "
        "training set of microscope slides (default: %(default)s)",
    )
    parser.add_argument("--sounder", default="em304", help="family (default: %(default)s)")
    parser.add_argument("--depth", type=float, default=400.0, metavar="M", help="water depth")
    parser.add_argument("--plumes", type=int, default=4)
    parser.add_argument(
        "--schools", type=int, default=4,
        help="schools of fish; with any, dolphins, wrecks and walls, too, as chance has it",
    )
    parser.add_argument("--lines", type=int, default=1, help="survey lines")
    parser.add_argument("--length", type=float, default=1500.0, metavar="M", help="of each line")
    parser.add_argument("--contrast", type=float, default=None, metavar="DB", help="of all plumes")
    parser.add_argument(
        "--pace",
        type=float,
        default=None,
        metavar="N",
        help="write at N times the speed of the cruise, growing files as a sounder does "
        "(default: as fast as possible)",
    )
    group = parser.add_argument_group(
        "labelled sets (--kind dataset; of these --validation and --workers for slides, too)"
    )
    _add_scene_arguments(group)
    _add_real_arguments(group)
    add_slide_arguments(parser)


def _add_scene_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--scenes", type=int, default=1000, help="(default: %(default)s)")
    group.add_argument(
        "--swaths", type=int, default=15, help="of a scene, consecutive (default: %(default)s)"
    )
    group.add_argument(
        "--warm-up", type=int, default=4, metavar="N",
        help="of those, the first that only fill the memory of the pictures (default: %(default)s)",
    )
    group.add_argument(
        "--depth-range", type=float, nargs=2, default=(30.0, 4000.0), metavar="M",
        help="least and greatest water depth (default: 30 4000)",
    )
    group.add_argument(
        "--pictures", type=int, default=6, help="kept of each scene (default: %(default)s)"
    )
    group.add_argument(
        "--validation", type=float, default=0.1, metavar="SHARE",
        help="of the scenes or composites kept apart"
    )
    group.add_argument(
        "--encoding", choices=("layers", "grey"), default="layers", help="(default: %(default)s)"
    )
    group.add_argument(
        "--grey-share",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="of the training scenes drawn in grey whatever the encoding (default: %(default)s)",
    )
    group.add_argument(
        "--disturbed-share",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the scenes in grey that pass through a screenshot: palette, grid lines, text, "
        "JPEG, and back (default: %(default)s)",
    )
    group.add_argument(
        "--sheet", type=int, default=640, metavar="PX",
        help="side of training pictures (default: %(default)s)"
    )
    group.add_argument(
        "--workers", type=whole_number, default=1, metavar="N",
        help="processes; the set does not depend on their number (default: %(default)s)",
    )


def _add_real_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--inject", type=Path, nargs="+", default=(), metavar="FILE",
        help="raw files whose pings some scenes are put into",
    )
    group.add_argument(
        "--inject-validation", type=Path, nargs="+", default=(), metavar="FILE",
        help="the same for validation scenes: a file serves one split",
    )
    group.add_argument(
        "--inject-share", type=float, default=0.25, metavar="SHARE",
        help="of the scenes put into real pings (default: %(default)s)",
    )
    group.add_argument(
        "--frozen",
        action="store_true",
        help="a test set, which training refuses: validation alone, with the untouched pings of "
        "the --inject files; needs a seed and files that models/frozen.yaml reserves",
    )


def run(options: argparse.Namespace) -> int:
    """Write what was asked for."""
    _refuse_idle(options)
    if options.kind == "slides":
        return make_slides(options)
    return _make_dataset(options) if options.kind == "dataset" else _sail(options)


def _refuse_idle(options: argparse.Namespace) -> None:
    where = f"with --kind {options.kind}"
    if options.kind == "slides":
        refuse_idle(options, add_arguments, (*_CRUISE_FLAGS, "--pace", *_SCENE_FLAGS), where)
        if options.real is None:
            refuse_idle(options, add_arguments, ("--leave-out", "--real-share"), "without --real")
        return
    refuse_idle(options, add_arguments, _SLIDE_FLAGS, where)
    if options.kind != "dataset":
        refuse_idle(options, add_arguments, _SET_FLAGS, where)
        if options.kind == "demo":
            refuse_idle(options, add_arguments, ("--seed", *_CRUISE_FLAGS), where)
        return
    refuse_idle(options, add_arguments, (*_CRUISE_FLAGS, "--pace"), where)
    if options.frozen:
        refuse_idle(options, add_arguments, ("--validation",), "with --frozen")
    if not options.inject and not options.inject_validation:
        refuse_idle(options, add_arguments, ("--inject-share",), "without --inject")


def _make_dataset(options: argparse.Namespace) -> int:
    from sonar_watch.simulation.dataset import DatasetOptions, make_dataset
    from sonar_watch.watercolumn.disturb import weather

    wanted = DatasetOptions(
        scenes=options.scenes,
        swaths_per_scene=options.swaths,
        warm_up=options.warm_up,
        depth_m=(options.depth_range[0], options.depth_range[1]),
        pictures_per_scene=options.pictures,
        validation_share=options.validation,
        seed=options.seed,
        encoding=options.encoding,
        grey_share=options.grey_share,
        disturbed_share=options.disturbed_share,
        inject=tuple(options.inject),
        inject_validation=tuple(options.inject_validation),
        inject_share=options.inject_share,
        frozen=options.frozen,
        sheet_px=options.sheet,
    )
    with progress("scenes", options.scenes) as advance:
        path = make_dataset(
            options.out, wanted, advance, workers=options.workers, disturb=weather
        )
    print_json({"data": str(path), "scenes": options.scenes, "seed": options.seed})
    return 0


def _sail(options: argparse.Namespace) -> int:
    from sonar_watch.simulation.cruise import demo_survey, random_survey
    from sonar_watch.simulation.writing import Kind, sail

    if options.kind == "demo":
        survey = demo_survey()
        kinds: tuple[Kind, ...] = ("raw", "images")
    else:
        survey = random_survey(
            options.seed,
            depth_m=options.depth,
            family=options.sounder,
            plumes=options.plumes,
            schools=options.schools,
            lines=options.lines,
            length_m=options.length,
            contrast_db=options.contrast,
            look_alikes=options.schools > 0,
        )
        kinds = (options.kind,)
    if not survey.swath_count():
        raise ConfigurationError(
            f"--length: {options.length} m are sailed before the first ping at {options.depth} m"
        )
    expect_new_folder(options.out)
    with progress("swaths", survey.swath_count()) as advance:
        for _ in sail(survey, options.out, kinds=kinds, pace=options.pace):
            advance()
    print_json({"truth": str(options.out / "truth.json"), "swaths": survey.swath_count()})
    return 0
