"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from sonar_watch.errors import ConfigurationError

EXIT_FAILED, EXIT_CONFIGURATION, EXIT_INTERRUPTED = 1, 78, 130


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings (YAML); default: the file SONAR_WATCH_CONFIG names, else built-in defaults",
    )


def existing(path: Path) -> Path:
    """Return `path`.

    Raises
    ------
    ConfigurationError
        Nothing is there.
    """
    if not path.exists():
        raise ConfigurationError(f"{path}: no such file or folder")
    return path
