"""sonar-watch evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.cli.common import add_config, positive, whole_number
from sonar_watch.errors import ConfigurationError

EPILOG = """\
PICTURES   evaluate SET/dataset.yaml [--split test] [--plots DIR]
  Boxes at IoU 0.3, IoU 0.5 and by box centre, by class, by contrast and by kind of picture.
  The truth is SET/truth/SPLIT.jsonl where there is one, else the YOLO labels.

CRUISES    evaluate --cruises 100 --out DIR        what counts at sea, on simulated cruises
           evaluate --nights 24 --out DIR          false alerts of nights without one plume
           evaluate CRUISE --cruise REPLAY         events of a replay beside a cruise's truth
  Cruises run in memory through the same watch as at sea. What is in DIR is not sailed again.

PICKS      evaluate --picks A.csv B.csv [--detections detections.jsonl]
  Two people's picks beside each other and beside the detector. A row is one pick. Columns:
    frame      frame_id, or file and ping_counter [and swath], or time_utc
    place      across_track_min_m, across_track_max_m (+ starboard of the transducer),
               depth_min_m, depth_max_m (+ down); or latitude, longitude of the foot
    class      optional, "signal" when absent
  A row with a frame and no place says: looked at, nothing there.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="dataset.yaml of a labelled set"
    )
    parser.add_argument("--split", default="val", help="which pictures (default %(default)s)")
    parser.add_argument(
        "--weights", default=None, metavar="NAME",
        help="instead of the configured ones; classical: the detector without a network",
    )
    parser.add_argument(
        "--encoding", choices=("as-is", "layers", "grey"), default="as-is",
        help="how fans are drawn, or of pictures: grey shows the contrast layer alone",
    )
    parser.add_argument(
        "--confidence", type=positive, default=None, help="threshold (default: as configured)"
    )
    parser.add_argument("--plots", type=Path, default=None, metavar="DIR", help="draw curves")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="keep results, go on with them"
    )
    parser.add_argument(
        "--cruise", type=Path, default=None, metavar="DIR",
        help="score the events of a replay (its folder) on the simulated cruise in DATA",
    )
    _add_simulated(parser)
    _add_picks(parser)
    add_config(parser)


def _add_simulated(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cruises", type=whole_number, metavar="N", help="so many simulated cruises")
    add("--nights", type=positive, metavar="HOURS", help="a night without plumes")
    add("--seed", type=whole_number, default=None, help="of the first; the others follow")
    add("--depth", type=positive, default=None, metavar="M", help="of the water (else drawn)")
    add("--family", default=None, help="of the sounder (else drawn, with settings of its own)")
    add("--contrast", type=float, default=None, metavar="DB", help="of all plumes (else drawn)")
    add("--swaths", type=whole_number, default=300, help="of a cruise, about")
    add("--workers", type=whole_number, default=1, help="processes")


def _add_picks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--picks", type=Path, nargs=2, metavar=("A", "B"), help="CSV files")
    parser.add_argument(
        "--detections", type=Path, default=None, metavar="FILE", help="detections.jsonl of a watch"
    )
    parser.add_argument(
        "--radius", type=positive, default=50.0, metavar="M",
        help="places this near are the same (default %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Score what was asked for."""
    asked = [name for name in ("data", "cruises", "nights", "picks") if getattr(options, name)]
    if len(asked) != 1:
        raise ConfigurationError(
            "expected one of DATA, --cruises, --nights and --picks, received "
            f"{' and '.join(asked) or 'none'}"
        )
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
