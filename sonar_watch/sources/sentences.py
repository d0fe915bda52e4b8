"""Sentences of one source: navigation, what is broken, and what clocks say."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sonar_watch.errors import FormatError
from sonar_watch.formats.nmea import (
    address_of,
    has_checksum,
    parse_sentence,
    read_clock,
    talker_of,
)
from sonar_watch.formats.nmea_sentences import DATES
from sonar_watch.records import NavigationSample, SourceItem
from sonar_watch.sources.source import Complaints

_log = logging.getLogger(__name__)

CLOCK_LIMIT_S = 5.0
"""A date that differs more from the stamp of reception is complained about."""


class SentenceReader:
    """Turns sentences into navigation.

    Times come from the stamp of reception. The date of a ZDA or RMC is compared with it: one
    that lies rollovers of the GPS week behind is put right, one that then still differs by more
    than `CLOCK_LIMIT_S` is not believed. The first of each talker is logged, all are counted.
    A sentence without checksum is believed, and counted.

    Parameters
    ----------
    source : str
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._complaints = Complaints(source)
        self._told: set[tuple[str, str]] = set()
        self._counts = Counter(clock_offset=0, rollover=0, no_checksum=0)
        self.offset_s: float | None = None
        """Seconds that the last date was ahead of its stamp; None before the first."""

    @property
    def broken(self) -> int:
        """Sentences that could not be read."""
        return self._complaints.count

    def counts(self) -> dict[str, int]:
        """Return how many sentences were broken, and how many were odd, by how."""
        return {"broken": self.broken, **self._counts}

    def read(
        self, sentence: str, received_utc: datetime, file: str, offset: int | None = None
    ) -> list[SourceItem]:
        """Return the navigation in a sentence, or the complaint about it.

        Parameters
        ----------
        sentence : str
        received_utc : datetime
        file : str
            File or sender.
        offset : int or None
            Byte in that file.
        """
        items: list[SourceItem] = []
        try:
            sample = parse_sentence(sentence, received_utc)
            items += [] if sample is None else [sample]
            self._counts["no_checksum"] += not has_checksum(sentence)
            self._compare_clock(sentence, received_utc)
        except FormatError as error:
            items += self.refuse(file, str(error), offset)
        return items

    def read_together(
        self, sentences: Sequence[str], received_utc: datetime, sender: str, *, more: bool = False
    ) -> list[SourceItem]:
        """Return the navigation in sentences that came at once out of a stream.

        Where a stream had stopped for a while, only the newest of each kind was said just now.
        The others are left out and counted, but for those whose own time of day is near. With
        `more` to come all of these were said before: the newest are in what follows.
        """
        items: list[SourceItem] = []
        newest = {address_of(sentence): -1 if more else place
                  for place, sentence in enumerate(sentences)}
        for place, sentence in enumerate(sentences):
            found = self.read(sentence, received_utc, sender)
            if newest[address_of(sentence)] != place:
                late = [item for item in found if isinstance(item, NavigationSample)
                        and item.time_s[0] == received_utc.timestamp()]
                self._counts["superseded"] += len(late)
                found = [item for item in found if item not in late]
            items += found
        return items

    def refuse(self, file: str, reason: str, offset: int | None = None) -> list[SourceItem]:
        """Count what is no sentence; return what to hand on."""
        return self._complaints.add(file, reason, offset)

    def _compare_clock(self, sentence: str, received_utc: datetime) -> None:
        if not any(kind in sentence for kind in DATES):
            return
        clock = read_clock(sentence, received_utc)
        if clock is None:
            return
        self.offset_s, talker = clock.offset_s, talker_of(sentence)
        if clock.rollovers:
            self._counts["rollover"] += 1
            self._tell_once(
                "rollover", talker, "%s: the date of %s is %d weeks off; put right: %s",
                self._source, talker, 1024 * clock.rollovers, sentence.strip(),
            )
        if abs(clock.offset_s) > CLOCK_LIMIT_S:
            self._counts["clock_offset"] += 1
            self._tell_once(
                "clock", talker,
                "%s: the clock of %s is %+.1f s off the stamp of reception; the stamp is used: %s",
                self._source, talker, clock.offset_s, sentence.strip(),
            )

    def _tell_once(self, what: str, talker: str, message: str, *words: object) -> None:
        if (what, talker) not in self._told:
            self._told.add((what, talker))
            _log.warning(message, *words)
