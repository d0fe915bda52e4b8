"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
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


def expect_new_folder(path: Path) -> None:
    """Let a folder pass that is new, or that holds no cruise yet.

    Raises
    ------
    ConfigurationError
        A cruise is there already: two would be mixed.
    """
    if (path / "truth.json").exists():
        raise ConfigurationError(f"{path}: holds a simulated cruise already; choose another --out")


def whole_number(text: str) -> int:
    """Return a number of 1 or more, as argparse wants it told."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, received {text}")
    return number


def positive(text: str) -> float:
    """Return a number above 0, as argparse wants it told."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, received {text}")
    return number


def refuse_idle(
    options: argparse.Namespace,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    flags: Iterable[str],
    where: str,
) -> None:
    """Refuse options that do nothing here: who gives one expects something of it.

    Parameters
    ----------
    options : argparse.Namespace
    add_arguments : callable
        The command's own; says the defaults.
    flags : iterable of str
        Such as "--seed"; as named in the attribute, with hyphens.
    where : str
        Ends the message "--seed: without effect ...".

    Raises
    ------
    ConfigurationError
        One of them is not what it is by default.
    """
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    names = {flag: flag.removeprefix("--").replace("-", "_") for flag in flags}
    idle = [flag for flag, name in names.items()
            if getattr(options, name) != parser.get_default(name)]
    if idle:
        raise ConfigurationError(f"{', '.join(idle)}: without effect {where}")
