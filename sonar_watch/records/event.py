"""A plume over many swaths, and the messages about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sonar_watch.records.swath import SourceRef

EventState = Literal["tentative", "open", "ended", "retracted"]


AlertKind = Literal["new", "update", "end", "retract"]


Tense = Literal["live", "replay", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlumeEvent:
    """One plume seen on one pass, confirmed over several swaths.

    Parameters
    ----------
    event_id : str
        uuid5 of the first frame and foot.
    state : {"tentative", "open", "ended", "retracted"}
    sounder : str
    first_seen_utc, last_seen_utc : datetime
    latitude, longitude : float or None
        Best position of the foot.
    covariance_m2 : tuple of float (ee, en, nn) or None
        Of that position, east and north.
    foot_depth_m, top_depth_m, height_m, width_m : float
    swath_count, swaths_possible : int
        Swaths that showed it, of those that could have.
    peak_confidence, median_confidence : float
    site_id : str
        The place on the seabed; the same for every pass over it.
    best_frame_id : str
        Frame of the peak confidence.
    best_source : SourceRef
    vetoed : tuple of (str, int)
        Reasons and numbers of the detections turned down beside it.
    position_note : str or None
        Why there is no position.
    agreement : float or None
        Share 0..1 of the swaths that showed it on which the classical detector saw it, too; None
        when it was not asked.
    out_of_domain : str or None
        Why the network was not trained for the swath at which this was said; None when it was,
        as far as is known.
    """

    event_id: str
    state: EventState
    sounder: str
    first_seen_utc: datetime
    last_seen_utc: datetime
    latitude: float | None
    longitude: float | None
    covariance_m2: tuple[float, float, float] | None
    foot_depth_m: float
    top_depth_m: float
    height_m: float
    width_m: float
    swath_count: int
    swaths_possible: int
    peak_confidence: float
    median_confidence: float
    site_id: str
    best_frame_id: str
    best_source: SourceRef
    vetoed: tuple[tuple[str, int], ...] = ()
    position_note: str | None = None
    agreement: float | None = None
    out_of_domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChange:
    """A change worth telling: what the tracker hands on."""

    kind: AlertKind
    time_utc: datetime
    event: PlumeEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What made the alert: hashes (hex) and names, never a clock or a path."""

    weights: str
    config: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message of the journal.

    Parameters
    ----------
    sequence : int
        1, 2, 3 ... within one journal.
    tense : {"live", "replay", "test"}
    kind : {"new", "update", "end", "retract"}
    time_utc : datetime
        Data time of the change.
    event : PlumeEvent
    provenance : Provenance
    """

    sequence: int
    tense: Tense
    kind: AlertKind
    time_utc: datetime
    event: PlumeEvent
    provenance: Provenance
