"""sonar-watch evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.cli.common import add_config, positive, refuse_idle, whole_number
from sonar_watch.errors import ConfigurationError

DEFAULTS = {
    "split": "val", "weights": None, "encoding": "as-is", "confidence": None, "plots": None,
    "out": None, "cruise": None, "baseline": None, "seed": None, "depth": None, "family": None,
    "contrast": None, "swaths": 300, "workers": 1, "record": False, "keep_old": False,
    "detections": None, "radius": 50.0, "injected": None, "iou": 0.5, "only": None,
    "ignore_cut": False, "slides": None, "crops": None, "classifier": None,
}
"""What an option is when nobody asks for it."""

_TRIED = ("weights", "encoding", "confidence", "plots", "out")
_SAILED = (*_TRIED, "seed", "depth", "family", "workers", "keep_old")
_INJECTED = (*(set(_SAILED) - {"family", "plots"}), "baseline", "contrast",
             "swaths")
USED = {
    "DATA": (*_TRIED, "split", "baseline"),
    "--cruise": ("cruise",),
    "--cruises": (*_SAILED, "baseline", "contrast", "swaths"),
    "--nights": (*_SAILED, "baseline", "record"),
    "--injected": ("injected", *_INJECTED),
    "--picks": ("weights", "confidence", "detections", "radius"),
    "--slides": ("slides", "detections", "confidence", "iou", "only", "ignore_cut",
                 "crops", "plots", "record", "weights", "classifier"),
    "--reviews": (),
}
"""Which options matter to what is asked for."""

SAID = {
    "DATA": "labelled pictures", "--cruise": "the events of a replay",
    "--cruises": "simulated cruises", "--nights": "nights", "--picks": "picks",
    "--injected": "plumes put into real files", "--slides": "slides",
    "--reviews": "reviews",
}

EPILOG = """\
PICTURES   evaluate SET/dataset.yaml [--split test] [--plots DIR]
  Boxes at IoU 0.3, IoU 0.5 and by box centre, by class, by contrast and by kind of picture.
  The truth is SET/truth/SPLIT.jsonl where there is one, else the YOLO labels. Pictures of other
  programs are read as a watch reads them, unless dataset.yaml says `encoding: layers` or grey.

CRUISES    evaluate --cruises 100 --out DIR        what counts at sea, on simulated cruises
           evaluate --nights 24 --out DIR          false alerts of nights without one plume
             --record                              ... into the MANIFEST.yaml of the weights
           evaluate CRUISE --cruise REPLAY         events of a replay beside a cruise's truth, and
                                                   its boxes where truth_boxes.jsonl has them
           evaluate --injected FILE... --cruises N plumes put into real pings, and those as they are
  Cruises run in memory through the same watch as at sea. What is in DIR is not sailed again.

PICKS      evaluate --picks A.csv B.csv [--detections detections.jsonl]
  Two people's picks beside each other and beside the detector. A row is one pick. Columns:
    frame      frame_id, or file and ping_counter [and swath], or time_utc
    place      across_track_min_m, across_track_max_m (+ starboard of the transducer),
               depth_min_m, depth_max_m (+ down); or latitude, longitude of the foot
    class      optional, "signal" when absent
  A row with a frame and no place says: looked at, nothing there.

SLIDES     evaluate --slides DIR --detections [NAME=]detections.csv[,more.csv]...
  Runs of `sonar-watch slides` beside the labels.json in DIR, in one table: precision, recall and
  F1 per class, of all (the class must be right) and of any (it need not). Labels marked unsure
  count neither way. Files joined by commas are pooled as one run, each of slides of its own, such
  as those left out of each training. Tiles that are labelled and in no file count as empty.
    --plots DIR                 crops of what was right, false and missed, a PNG each
    --record                    the skill of one such run into the MANIFEST.yaml of its weights:
                                counts of `sonar-watch slides` are corrected by it from then on
    --record --weights NAME     ... of runs by several trainings, each of slides left out of it,
                                which stand for the weights NAME, trained on all

REVIEWS    evaluate --reviews A.json B.json
  How far two people agree on the same objects, each in a file saved by the page that
  `sonar-watch slides --review` writes: Cohen's kappa with its interval, and who said what.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="dataset.yaml of a labelled set"
    )
    parser.set_defaults(**DEFAULTS)
    parser.add_argument("--split", help="which pictures (default %(default)s)")
    parser.add_argument(
        "--weights", metavar="NAME",
        help="instead of the configured ones; classical: the detector without a network; of "
        "slides, with --record: those that the runs stand for",
    )
    parser.add_argument(
        "--encoding", choices=("as-is", "layers", "grey"),
        help="how fans are drawn, or of pictures: grey shows the contrast layer alone",
    )
    parser.add_argument(
        "--confidence", type=positive, help="threshold (default: as configured)"
    )
    parser.add_argument(
        "--plots", type=Path, metavar="DIR",
        help="draw curves; of pictures a gallery, too; of slides what was right, false and missed"
    )
    parser.add_argument(
        "--baseline", action=argparse.BooleanOptionalAction,
        help="judge the detector without a network beside it (default: on pictures, where it is "
        "cheap; cruises are sailed once more for it)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep results, go on with them"
    )
    _add_simulated(parser)
    _add_picks(parser)
    _add_slides(parser)
    add_config(parser)


def _add_simulated(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("cruises").add_argument
    add("--cruises", type=whole_number, metavar="N", help="so many simulated cruises")
    add("--injected", type=Path, nargs="+", metavar="FILE",
        help="raw files with water column: cruises over plumes put into their pings, and the "
        "files as they are")
    add("--cruise", type=Path, metavar="DIR",
        help="score the events of a replay (its folder) on the simulated cruise in DATA")
    add("--nights", type=positive, metavar="HOURS", help="a night without plumes")
    add("--seed", type=whole_number, help="of the first; the others follow")
    add("--depth", type=positive, metavar="M",
        help="of the water (else drawn: of cruises 40 to 3500, of nights 200 to 2000)")
    add("--family", help="of the sounder (else drawn, with settings of its own)")
    add("--contrast", type=float, metavar="DB", help="of all plumes (else drawn)")
    add("--swaths", type=whole_number, help="of a cruise, about (default %(default)s)")
    add("--workers", type=whole_number, help="processes (default %(default)s)")
    add("--record", action="store_true",
        help="write the false alerts of the night into the manifest of the weights: an automatic "
        "threshold follows from them; of slides the skill, by which counts are corrected")
    add("--keep-old", action="store_true",
        help="do not sail again what another version of this program sailed")


def _add_picks(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("picks")
    group.add_argument("--picks", type=Path, nargs=2, metavar=("A", "B"), help="CSV files")
    group.add_argument(
        "--detections", nargs="+", metavar="FILE",
        help="detections.jsonl of a watch; of slides the detections.csv of runs",
    )
    group.add_argument(
        "--radius", type=positive, metavar="M",
        help="places this near are the same (default %(default)s)",
    )


def _add_slides(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("slides").add_argument
    add("--slides", type=Path, metavar="DIR", help="folder with labels.json")
    add("--iou", type=positive, metavar="SHARE",
        help="least overlap of a found and a labelled box (default %(default)s)")
    add("--only", nargs="+", metavar="SLIDE", help="score these slides alone")
    add("--ignore-cut", action="store_true",
        help="labels that the edge of a tile cuts count neither way")
    add("--crops", type=Path, metavar="DIR",
        help="write a crop of all that was found, with its true class, for train-classifier")
    add("--classifier", metavar="NAME",
        help="with --record: the classifier that those of the runs stand for")
    add("--reviews", type=Path, nargs=2, metavar=("A", "B"), help="verdicts.json of two people")


def run(options: argparse.Namespace) -> int:
    """Score what was asked for."""
    asked = [name for name in ("data", "cruises", "nights", "picks", "slides", "reviews")
             if getattr(options, name)]
    if len(asked) != 1:
        raise ConfigurationError(
            "expected one of DATA, --cruises, --nights, --picks, --slides and --reviews, received "
            f"{' and '.join(asked) or 'none'}"
        )
    _refuse_idle(options, asked[0])
    if options.injected:
        from sonar_watch.cli.evaluate_injected import score_injected

        return score_injected(options)
    if options.slides:
        from sonar_watch.cli.evaluate_slides import score_slide_runs

        return score_slide_runs(options)
    if options.reviews:
        from sonar_watch.cli.evaluate_reviews import score_reviews

        return score_reviews(options)
    if options.picks:
        from sonar_watch.cli.evaluate_picks import score_picks

        return score_picks(options)
    if options.data is None:
        from sonar_watch.cli.evaluate_cruises import score_simulated

        return score_simulated(options)
    if options.cruise is not None:
        from sonar_watch.cli.evaluate_cruises import score_replay

        return score_replay(options)
    from sonar_watch.cli.evaluate_pictures import score_pictures

    return score_pictures(options)


def _refuse_idle(options: argparse.Namespace, asked: str) -> None:
    """Refuse options that do nothing here: who gives one expects something of it."""
    mode = f"--{asked}" if asked != "data" else "--cruise" if options.cruise else "DATA"
    if asked == "cruises" and options.injected:
        mode = "--injected"
    idle = [f"--{name.replace('_', '-')}" for name in DEFAULTS if name not in USED[mode]]
    refuse_idle(options, add_arguments, idle, f"on {SAID[mode]}")
    if mode == "--picks" and options.detections is None:
        judging = ("--weights", "--confidence")
        refuse_idle(options, add_arguments, judging, "without --detections")
    if mode == "--slides" and not options.record:
        refuse_idle(options, add_arguments, ("--weights", "--classifier"), "without --record")
    if options.keep_old and options.out is None:
        raise ConfigurationError("--keep-old: expected --out, where the old results are")
