"""sonar-watch check-config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="settings (YAML)")
    parser.add_argument(
        "--print-default", action="store_true", help="print every key with its default and meaning"
    )


def run(options: argparse.Namespace) -> int:
    """Check a file, or print the defaults."""
    from sonar_watch.detection.weights import find_weights
    from sonar_watch.pipeline.finder import CLASSICAL
    from sonar_watch.settings import commented_defaults, load_settings

    if options.print_default:
        sys.stdout.write(commented_defaults())
        return 0
    settings = load_settings(options.file)
    sources = settings.sources
    if settings.detector.weights != CLASSICAL:
        find_weights(settings.detector.weights, settings.detector.models_dir).check()
    if not sources.give_swaths:
        print("no source yet: `run` refuses to watch nothing; `replay` works", file=sys.stderr)
    print(
        f"{options.file or 'built-in defaults'}: good; {len(sources.raw)} raw and "
        f"{len(sources.images)} image folders, {len(sources.kmall_udp)} sounders, "
        f"{len(sources.nmea_udp) + len(sources.nmea_tcp)} NMEA feeds; data in "
        f"{settings.data_dir}"
    )
    return 0
