"""For the tests of programs that subscribe: a watch that says what the test wants.

>>> import tempfile
>>> from sonar_watch.alerts.subscriber import Subscriber
>>> with tempfile.TemporaryDirectory() as folder, PretendWatch(Path(folder)) as watch:
...     watch.say(sample_alert(1), sample_alert(2, kind="end"))
...     with Subscriber(*watch.endpoints, after=0) as subscriber:
...         [subscriber.receive(10).alert.kind for _ in range(2)]
['new', 'end']
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sonar_watch.alerts.journal import Journal
from sonar_watch.alerts.publisher import Publisher, PublisherOptions
from sonar_watch.records import (
    Alert,
    AlertKind,
    PlumeEvent,
    Provenance,
    SourceRef,
    Tense,
    identify,
)

_FREE_PORTS = PublisherOptions(
    publish="tcp://127.0.0.1:0", request="tcp://127.0.0.1:0", status_interval_s=0.1
)
_START_UTC = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class PretendWatch:
    """A journal and a publisher on free ports of this host.

    Parameters
    ----------
    folder : Path
        Where to keep the journal; an existing one is continued.
    options : PublisherOptions
    """

    def __init__(self, folder: Path, options: PublisherOptions = _FREE_PORTS) -> None:
        self.journal = Journal(folder / "journal.sqlite")
        self.publisher = Publisher(
            options, self.journal.path, on_damage=self.journal.hear_damage
        )

    @property
    def endpoints(self) -> tuple[str, str]:
        """Publish and request endpoint, for `Subscriber`."""
        return self.publisher.endpoints

    def say(self, *alerts: Alert) -> None:
        """Store and publish `alerts`; sequences go on from those said before."""
        self.journal.commit([], alerts)
        self.publisher.publish(alerts)

    def close(self) -> None:
        """Stop and free the ports; the journal stays."""
        self.publisher.close()
        self.journal.close()

    def __enter__(self) -> Self:
        self.publisher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def sample_alert(
    sequence: int = 1, *, tense: Tense = "live", kind: AlertKind = "new", **event: Any
) -> Alert:
    """Return an alert of a plausible plume; `event` replaces fields of its `PlumeEvent`."""
    seen = _START_UTC + timedelta(seconds=30 * sequence)
    return Alert(
        sequence=sequence,
        tense=tense,
        kind=kind,
        time_utc=seen,
        event=replace(_plume(sequence, seen), **event),
        provenance=Provenance(weights="0f" * 32, config="1e" * 32, code="2d" * 20),
    )


def _plume(number: int, seen: datetime) -> PlumeEvent:
    return PlumeEvent(
        event_id=identify("sample event", number),
        state="open",
        sounder="em710-210",
        first_seen_utc=seen - timedelta(seconds=20),
        last_seen_utc=seen,
        latitude=31.8871234,
        longitude=139.9176543,
        covariance_m2=(140.5, 22.25, 90.0),
        foot_depth_m=812.4,
        top_depth_m=604.0,
        height_m=208.4,
        width_m=41.5,
        swath_count=7,
        swaths_possible=9,
        peak_confidence=0.9312,
        median_confidence=0.8125,
        site_id=identify("sample site", number),
        best_frame_id=identify("sample frame", number),
        best_source=SourceRef(
            source="raw",
            file="0012_20260102_030000.kmall",
            offset=73114,
            ping_counter=1000 + number,
            swath=0,
        ),
        vetoed=(("no ground contact", 2),),
        agreement=0.8571,
    )
