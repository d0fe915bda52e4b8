"""The watch as a service: its sources, signals, and settings that are read anew."""

from __future__ import annotations

import faulthandler
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

from sonar_watch.alerts.journal import Journal
from sonar_watch.daemon import SourceMaker, Watch
from sonar_watch.errors import SonarWatchError
from sonar_watch.settings import Settings
from sonar_watch.sources.folder import ImageFolderSource
from sonar_watch.sources.kmall_udp import KmallFeedSource
from sonar_watch.sources.log_need import REACH_S, LogNeed
from sonar_watch.sources.logs import NmeaLogSource
from sonar_watch.sources.raw import RawFolderSource
from sonar_watch.sources.source import Source
from sonar_watch.sources.tcp import NmeaTcpSource
from sonar_watch.sources.udp import NmeaFeedSource

log = logging.getLogger(__name__)


def live_sources(settings: Settings) -> SourceMaker:
    """Return a maker of the sources the settings name."""

    def make(journal: Journal, wake: threading.Event) -> list[Source]:
        wanted = settings.sources
        made: list[Source] = [RawFolderSource(raw, journal, wake=wake) for raw in wanted.raw]
        made += [KmallFeedSource(feed, journal, wake=wake) for feed in wanted.kmall_udp]
        made += [ImageFolderSource(images, journal, wake=wake) for images in wanted.images]
        made += [NmeaFeedSource(feed, wake=wake) for feed in wanted.nmea_udp]
        made += [NmeaTcpSource(feed, wake=wake) for feed in wanted.nmea_tcp]
        reach_s = max(REACH_S, settings.navigation.memory_s)
        for logs in wanted.nmea_logs:
            need = LogNeed(journal.resumes_utc, reach_s)
            made.append(NmeaLogSource(logs, need=need))
        return made

    return make


class Attendant:
    """Does what signals ask of a watch: end, or read its settings anew.

    A handler only sets a flag: it may have interrupted anything, locks held. The loop looks at
    the flags between two steps, a quarter of a second apart at most.

    Parameters
    ----------
    read : callable
        Returns the settings as they are now in the file.
    set_log_level : callable
        Told the level of settings that were taken over.

    Attributes
    ----------
    watch : Watch or None
        None while it is being made: asked to end then, the process ends at once.
    """

    def __init__(
        self, read: Callable[[], Settings], set_log_level: Callable[[str], None]
    ) -> None:
        self.watch: Watch | None = None
        self._read, self._set_log_level = read, set_log_level
        self._reload = False
        self.ended_by: signal.Signals | None = None

    def listen(self) -> None:
        """Handle SIGTERM, SIGINT and SIGHUP; told SIGABRT, as a watchdog does, say what hangs."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._ask_reload)
        faulthandler.enable()

    def look(self) -> None:
        """Do what was asked since the last look; called by the thread of the loop.

        A watch that still starts ends its start first: `Heart.ready` tells systemd of both.
        """
        if self._reload and self.watch is not None and self.watch.heart.is_ready:
            self._reload = False
            self._read_anew(self.watch)

    def _read_anew(self, watch: Watch) -> None:
        """Read the settings anew; bad ones are refused, and the watch goes on with what it has."""
        heart = watch.heart
        heart.reloading()
        try:
            change = watch.reload(self._read())
        except SonarWatchError as error:
            watch.refused = f"new settings refused, the old ones hold: {error}"
            log.error("%s", watch.refused)
            heart.ready(watch.line())
            return
        watch.refused = None
        self._set_log_level(change.settings.log_level)
        log.info("settings read anew: %s", ", ".join(change.changed) or "nothing has changed")
        if change.needs_restart:
            log.warning("takes effect only after a restart: %s", ", ".join(change.needs_restart))
        heart.ready(watch.line())

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.ended_by = signal.Signals(number)
        if self.watch is None:
            raise SystemExit(0)
        self.watch.stop()

    def _ask_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True


def run_daemon(
    settings: Settings,
    read: Callable[[], Settings],
    set_log_level: Callable[[str], None] = lambda _: None,
) -> None:
    """Watch live until SIGTERM or SIGINT; SIGHUP reads the settings anew.

    Parameters
    ----------
    settings : Settings
    read : callable
        Returns the settings as they are now in the file.
    set_log_level : callable
        Told the level of settings that were taken over.

    Raises
    ------
    SonarWatchError
        As `Watch`.
    """
    attendant = Attendant(read, set_log_level)
    attendant.listen()
    attendant.watch = Watch(settings, live_sources(settings), tense="live", publish=True)
    if attendant.ended_by is not None:  # while it was made, by code that let no exit pass
        attendant.watch.stop()
    attendant.watch.run(between=attendant.look)
    if attendant.ended_by is not None:
        log.info("ended by %s: all that was in hand is stored", attendant.ended_by.name)
