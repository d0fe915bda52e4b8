"""sonar-watch run."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from sonar_watch.cli.common import add_config
from sonar_watch.errors import ConfigurationError

if TYPE_CHECKING:
    from sonar_watch.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Watch until told to stop."""
    from sonar_watch.running import run_daemon

    def set_log_level(level: str) -> None:
        if options.log_level is None:  # what the command line says stays
            logging.getLogger().setLevel(level.upper())

    settings = _read(options)
    set_log_level(settings.log_level)
    run_daemon(settings, lambda: _read(options), set_log_level)
    return 0


def _read(options: argparse.Namespace) -> Settings:
    """Return the settings of a watch: such that name something to watch."""
    from sonar_watch.settings import load_settings

    settings = load_settings(options.config)
    if not settings.sources.give_swaths:
        raise ConfigurationError(
            "sources: nothing to watch; name a folder under sources.raw or sources.images, or a "
            "port under sources.kmall_udp (`sonar-watch check-config --print-default` shows how)"
        )
    return settings
