"""sonar-watch run."""

from __future__ import annotations

import argparse
import logging

from sonar_watch.cli.common import add_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Watch until told to stop."""
    from sonar_watch.daemon import run_daemon
    from sonar_watch.errors import ConfigurationError
    from sonar_watch.settings import load_settings

    settings = load_settings(options.config)
    if options.log_level is None:
        logging.getLogger().setLevel(settings.log_level.upper())
    sources = settings.sources
    if not (sources.raw or sources.images):
        raise ConfigurationError(
            "sources: nothing to watch; name a folder under sources.raw or sources.images "
            "(`sonar-watch check-config --print-default` shows how)"
        )
    run_daemon(settings)
    return 0
