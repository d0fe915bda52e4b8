"""A simulated survey as a source: pings and navigation without a file between."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sonar_watch.records import LineEnd, SourceItem, SourceRef
from sonar_watch.simulation.cruise import Line, Survey
from sonar_watch.simulation.echo import TrueBox
from sonar_watch.simulation.ship import ShipState

GIVEN_PER_POLL = 24
NAVIGATION_AHEAD_S = 2
"""Position and heading are given this long past each swath, as a growing file has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSwath:
    """What was truly in one swath.

    Parameters
    ----------
    frame_id : str
    line : str
        Name of the survey line.
    time_utc : datetime
    boxes : tuple of TrueBox
    """

    frame_id: str
    line: str
    time_utc: datetime
    boxes: tuple[TrueBox, ...]


class SimulatedSource:
    """Gives the swaths of a survey in order, with the navigation that goes with them.

    Parameters
    ----------
    survey : Survey
    name : str

    Attributes
    ----------
    seen : list of SeenSwath
        The truth of every swath given so far.
    """

    def __init__(self, survey: Survey, name: str = "simulation") -> None:
        self.name = name
        self.exhausted = False
        self.seen: list[SeenSwath] = []
        self._survey = survey
        self._items = self._sail()

    def poll(self) -> list[SourceItem]:
        """Return the next items; [] when the survey is over."""
        items = list(islice(self._items, GIVEN_PER_POLL))
        self.exhausted = len(items) < GIVEN_PER_POLL
        return items

    def counts(self) -> dict[str, int]:
        """Return {}: nothing waits, nothing breaks."""
        return {}

    def close(self) -> None:
        """Stop sailing."""
        self._items.close()

    def _sail(self) -> Generator[SourceItem, None, None]:
        for line in self._survey.lines:
            second = 0
            for state in self._survey.states(line):
                elapsed_s = (state.time_utc - line.start_utc).total_seconds()
                until = int(elapsed_s) + NAVIGATION_AHEAD_S
                for each in range(second, until + 1):
                    yield from self._survey.navigation(line, each)
                second = max(second, until + 1)
                yield self._hear(line, state)
            yield LineEnd(source=self.name)

    def _hear(self, line: Line, state: ShipState) -> SourceItem:
        ref = SourceRef(
            source=self.name, file=line.name, ping_counter=state.ping_counter, swath=state.swath
        )
        ping, boxes = self._survey.hear(state, ref)
        self.seen.append(SeenSwath(
            frame_id=ping.frame_id, line=line.name, time_utc=state.time_utc, boxes=boxes
        ))
        return ping
