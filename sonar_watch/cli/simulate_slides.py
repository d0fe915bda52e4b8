"""sonar-watch simulate --kind slides: composites of microscope slides to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.cli.common import existing, whole_number
from sonar_watch.cli.output import print_json, progress

FLAGS = (
    "--composites",
    "--field",
    "--picture",
    "--crops",
    "--exemplars",
    "--real",
    "--leave-out",
    "--drawn-share",
    "--real-share",
    "--debris",
    "--ichthyoliths",
)


def add_slide_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only slides have; --validation and --workers are those of the other sets."""
    group = parser.add_argument_group(
        "slides (--kind slides)",
        "pictures of microscope slides with teeth, denticles, saw-toothed plates and noise, drawn "
        "or cut out of pictures, on simulated or real glass",
    )
    _add_picture_arguments(group)
    _add_source_arguments(group)


def _add_picture_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--composites", type=whole_number, default=1000, metavar="N", help="(default: %(default)s)"
    )
    group.add_argument(
        "--picture",
        type=whole_number,
        default=640,
        metavar="PX",
        help="side of each picture (default: %(default)s)",
    )
    group.add_argument(
        "--field",
        type=whole_number,
        default=None,
        metavar="PX",
        help="pixels of a tile (0.96 um) that a picture shows, scaled to its size (default: 1200, "
        "a whole tile; for --crops 640, not scaled)",
    )
    group.add_argument(
        "--crops",
        action="store_true",
        help="write folders of labelled crops for train-classifier instead",
    )


def _add_source_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--exemplars",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder with the folders tooth, denticle and sawtoothed of pictures to cut out; one "
        "in seven is shown in validation pictures alone",
    )
    group.add_argument(
        "--real",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder of real tiles with labels.json: glass and particles for training pictures",
    )
    group.add_argument(
        "--leave-out",
        default="",
        metavar="SLIDE[,SLIDE]",
        help="slides, samples or sites of --real of which nothing is used, to be scored on",
    )
    group.add_argument(
        "--ichthyoliths",
        type=float,
        default=3.0,
        metavar="N",
        help="mean number on a tile (default: %(default)s)",
    )
    group.add_argument(
        "--debris",
        type=float,
        default=20.0,
        metavar="N",
        help="mean number of other particles on a tile (default: %(default)s)",
    )
    group.add_argument(
        "--drawn-share",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the ichthyoliths drawn even where there are cut-outs (default: %(default)s)",
    )
    group.add_argument(
        "--real-share",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the training pictures on real tiles, with --real (default: %(default)s)",
    )


def make_slides(options: argparse.Namespace) -> int:
    """Write the set that was asked for."""
    from sonar_watch.ichthyolith.synthesis.composite import CompositeOptions
    from sonar_watch.ichthyolith.synthesis.dataset import make_slide_set, objects_of
    from sonar_watch.ichthyolith.synthesis.recipe import CROP_FIELD_PX, SlideSetOptions

    for folder in (options.exemplars, options.real):
        if folder is not None:
            existing(folder)
    names = tuple(name.strip() for name in options.leave_out.split(",") if name.strip())
    wanted = SlideSetOptions(
        composites=options.composites,
        form="crops" if options.crops else "boxes",
        validation_share=options.validation,
        seed=options.seed,
        exemplars=options.exemplars,
        real=options.real,
        leave_out=names,
        composite=CompositeOptions(
            size_px=options.picture,
            field_px=options.field or (CROP_FIELD_PX if options.crops else 1200),
            ichthyoliths=options.ichthyoliths,
            debris=options.debris,
            drawn_share=options.drawn_share,
            real_glass_share=options.real_share,
        ),
    )
    with progress("composites", options.composites) as advance:
        path = make_slide_set(options.out, wanted, advance, workers=options.workers)
    print_json(
        {
            "data": str(path),
            "composites": options.composites,
            "seed": options.seed,
            "objects": objects_of(options.out, wanted),
        }
    )
    return 0
