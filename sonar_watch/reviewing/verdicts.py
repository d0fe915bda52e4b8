"""Verdicts of people on events, and what they say of single frames.

`reviews.jsonl` lies beside the journal, an object a line; of an event's lines the last counts:

    {"event_id": "6f0c...", "verdict": "confirmed", "by": "A. Geologist",
     "time_utc": "2026-03-04T05:06:07Z", "note": "CTD 14"}
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.reviews import REVIEWS_NAME, Verdict, parse_review, review_lines
from sonar_watch.daemon import JOURNAL_NAME
from sonar_watch.errors import FormatError
from sonar_watch.geolocation.geodesy import east_north_m
from sonar_watch.records import PlumeEvent

log = logging.getLogger(__name__)

PLUME = "signal"

REACH_M = 50.0
"""A detection further than this from an event's foot, beside its width and three sigmas of its
position, is of another plume."""

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFrame:
    """What a person's verdicts say of one frame.

    Parameters
    ----------
    frame_id : str
    file : str
        Name of the file that it comes from.
    boxes : tuple of (class, (left, right), (top, bottom))
        What is there: across-track metres, + starboard, and metres below the surface.
    was_wrong : bool
        A rejected event was seen here.
    """

    frame_id: str
    file: str
    boxes: tuple[tuple[str, tuple[float, float], tuple[float, float]], ...]
    was_wrong: bool


def read_reviews(path: Path) -> dict[str, Verdict]:
    """Return the last verdict on each event.

    Raises
    ------
    FormatError
        The file is missing, or a line says no verdict on an event.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"expected reviews of events: {error}", file=str(path)) from error
    verdicts: dict[str, Verdict] = {}
    for number, line in review_lines(text):
        review = parse_review(line, f"{path} line {number}")
        verdicts[review["event_id"]] = review["verdict"]
    return verdicts


def judged_frames(data_dir: Path) -> dict[str, JudgedFrame]:
    """Return, by frame id, the frames of a watch about which reviews leave no doubt.

    A frame is left out when something in it was taken for a plume that nobody has judged, by the
    network alone (a veto took it out) or by the watch: it can be called neither right nor wrong.
    Boxes of other classes stay as the network drew them, reviewed by nobody: without them the
    network would learn that a school is nothing, and no longer tell it from a plume.

    Parameters
    ----------
    data_dir : Path
        Of the watch, with its journal and `reviews.jsonl`.

    Raises
    ------
    FormatError
        The reviews are missing or broken.
    JournalError, WireError
        The journal cannot be read.
    """
    verdicts = read_reviews(data_dir / REVIEWS_NAME)
    with JournalReader(data_dir / JOURNAL_NAME) as reader:
        events = _events(reader)
        unknown = sorted(set(verdicts) - set(events))
        if unknown:
            log.warning("%d reviewed events are not in the journal, such as %s",
                        len(unknown), unknown[0])
        judged = [(event, verdicts.get(name)) for name, event in events.items()]
        bodies = (body for body in reader.frame_bodies() if body["detections"])
        frames = (judge_frame(body, judged) for body in bodies)
        return {frame.frame_id: frame for frame in frames if frame is not None}


def _events(reader: JournalReader) -> dict[str, PlumeEvent]:
    """Return each event as its last alert tells it."""
    events: dict[str, PlumeEvent] = {}
    after = 0
    while page := reader.alerts_after(after, _PAGE):
        for _, _, body in page:
            event = decode_alert(body).event
            events[event.event_id] = event
        after = page[-1][0]
    return events


def judge_frame(
    body: Mapping[str, Any], judged: Iterable[tuple[PlumeEvent, Verdict | None]]
) -> JudgedFrame | None:
    """Return what verdicts say of one frame; None when they say nothing, or not all.

    Parameters
    ----------
    body : mapping
        A line of `detections.jsonl`.
    judged : iterable of (PlumeEvent, verdict or None)
        None of events that nobody has judged: what belongs to one of them is no other's.
    """
    time_utc = datetime.fromisoformat(body["time_utc"])
    near = [pair for pair in judged if pair[0].first_seen_utc <= time_utc <= pair[0].last_seen_utc]
    known = any(verdict is not None for _, verdict in near)
    boxes = []
    wrong = right = False
    for found in body["detections"] if known else ():
        place = (found["class"], tuple(found["across_track_m"]), tuple(found["depth_m"]))
        if found["class"] != PLUME:
            boxes.append(place)
            continue
        verdict = None if found["veto"] is not None else _verdict_on(found, body, near)
        if verdict is None:
            return None
        right |= verdict == "confirmed"
        wrong |= verdict == "rejected"
        boxes += [place] if verdict == "confirmed" else []
    if not right and not wrong:
        return None
    return JudgedFrame(
        frame_id=body["frame_id"], file=body["source"]["file"], boxes=tuple(boxes), was_wrong=wrong
    )


def _verdict_on(
    found: Mapping[str, Any],
    body: Mapping[str, Any],
    near: Sequence[tuple[PlumeEvent, Verdict | None]],
) -> Verdict | None:
    """Return the verdict on the event that a detection belongs to, the nearest one's, if any."""
    away = [(_distance(found, body, event), verdict) for event, verdict in near]
    within = [pair for pair in away if pair[0] <= 1.0]
    return min(within, key=lambda pair: pair[0])[1] if within else None


def _distance(found: Mapping[str, Any], body: Mapping[str, Any], event: PlumeEvent) -> float:
    """Return how far a detection is from an event's foot, 1 where its reach ends."""
    if event.latitude is None or event.longitude is None or found["latitude"] is None:
        is_best = body["frame_id"] == event.best_frame_id
        strongest = max(one["confidence"] for one in body["detections"] if one["class"] == PLUME)
        return 0.0 if is_best and found["confidence"] == strongest else math.inf
    offset = east_north_m(
        event.latitude, event.longitude, found["latitude"], found["longitude"]
    )
    return math.hypot(*offset) / _reach_m(event)


def _reach_m(event: PlumeEvent) -> float:
    east_m2, _, north_m2 = event.covariance_m2 or (0.0, 0.0, 0.0)
    return REACH_M + event.width_m / 2 + 3 * math.sqrt(max(east_m2, north_m2))
