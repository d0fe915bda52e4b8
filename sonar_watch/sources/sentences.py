"""Sentences of one source: navigation, what is broken, and what clocks say."""

from __future__ import annotations

import logging
from datetime import datetime

from sonar_watch.errors import FormatError
from sonar_watch.formats.nmea import clock_offset_s, parse_sentence, talker_of
from sonar_watch.formats.nmea_sentences import DATES
from sonar_watch.records import SourceItem
from sonar_watch.sources.source import Complaints

_log = logging.getLogger(__name__)

CLOCK_LIMIT_S = 5.0
"""A date that differs more from the stamp of reception is complained about."""


class SentenceReader:
    """Turns sentences into navigation.

    Times come from the stamp of reception. The date of a ZDA or RMC, put right for rollovers of
    the GPS week, is compared with it: the first of each talker that differs by more than
    `CLOCK_LIMIT_S` is logged, all are counted.

    Parameters
    ----------
    source : str
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._complaints = Complaints(source)
        self._late_talkers: set[str] = set()
        self._clock_offsets = 0
        self.offset_s: float | None = None
        """Seconds that the last date was ahead of its stamp; None before the first."""

    @property
    def broken(self) -> int:
        """Sentences that could not be read."""
        return self._complaints.count

    def counts(self) -> dict[str, int]:
        """Return how many sentences were broken, and how many have a date off their stamp."""
        return {"broken": self.broken, "clock_offset": self._clock_offsets}

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
            self._compare_clock(sentence, received_utc)
        except FormatError as error:
            items += self.refuse(file, str(error), offset)
        return items

    def refuse(self, file: str, reason: str, offset: int | None = None) -> list[SourceItem]:
        """Count what is no sentence; return what to hand on."""
        return self._complaints.add(file, reason, offset)

    def _compare_clock(self, sentence: str, received_utc: datetime) -> None:
        if not any(kind in sentence for kind in DATES):
            return
        offset_s = clock_offset_s(sentence, received_utc)
        self.offset_s = self.offset_s if offset_s is None else offset_s
        if offset_s is None or abs(offset_s) <= CLOCK_LIMIT_S:
            return
        self._clock_offsets += 1
        talker = talker_of(sentence)
        if talker not in self._late_talkers:
            self._late_talkers.add(talker)
            _log.warning(
                "%s: the clock of %s is %+.1f s off the stamp of reception; the stamp is used: %s",
                self._source, talker, offset_s, sentence.strip(),
            )
