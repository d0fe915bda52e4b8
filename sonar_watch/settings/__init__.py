"""Settings of a watch: models.py what there is, reading.py from YAML, defaults.py to YAML,
replaying.py those of a replay, reloading.py what a running watch takes over."""

from sonar_watch.settings.defaults import commented_defaults
from sonar_watch.settings.models import Settings, SourceOptions
from sonar_watch.settings.reading import CONFIG_VARIABLE, load_settings, parse_settings
from sonar_watch.settings.reloading import Reload, reload_settings
from sonar_watch.settings.replaying import replay_options, replay_settings

__all__ = [
    "CONFIG_VARIABLE",
    "Reload",
    "Settings",
    "SourceOptions",
    "commented_defaults",
    "load_settings",
    "parse_settings",
    "reload_settings",
    "replay_options",
    "replay_settings",
]
