"""What sources hand to the pipeline beside pings, pictures and navigation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sonar_watch.records.navigation import NavigationSample
from sonar_watch.records.swath import SourceRef, WaterColumnFrame, WaterColumnPing


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Something that could not be used: set aside, counted, never fatal."""

    source: SourceRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEnd:
    """A source's word that no more navigation for what it gave so far will come.

    At the end of a replayed line, or live when a newer line has begun or the line has been
    silent beyond its limit: held frames are then released with the navigation there is.

    Parameters
    ----------
    source : str
    sounder : str
        Model whose line it was, such as "em710", without the serial number that the swaths'
        `sounder` may have behind a hyphen; "" = all that this source gave.
    unit : str
        First word of the swaths' `unit`, its system number: several of one model may send side by
        side; "" = all of the model.
    line : str
        Stem of the files of that line, or host that sends: two sounders of one model may write, or
        send, side by side; "" = all of the sounder.
    checkpoint : mapping
        What the journal stores when everything before is stored.
    """

    source: str
    sounder: str = ""
    unit: str = ""
    line: str = ""
    checkpoint: Mapping[str, Any] = field(default_factory=dict)


SourceItem = WaterColumnPing | WaterColumnFrame | NavigationSample | Quarantined | LineEnd
"""What sources hand to the pipeline."""
