"""What people said of events says what is right in single frames, or leaves them out."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sonar_watch.alerts.journal import FrameEntry, Journal
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.errors import FormatError
from sonar_watch.records import PlumeEvent, iso_utc
from sonar_watch.reviewing.verdicts import (
    REVIEWS_NAME,
    judge_frame,
    judged_frames,
    read_reviews,
)

EVENT = sample_alert(1).event
OTHER = sample_alert(1, event_id="other", latitude=31.9, longitude=139.93).event


def found(event: PlumeEvent = EVENT, **changes: Any) -> dict[str, Any]:
    return {
        "class": "signal", "confidence": 0.8, "across_track_m": [10.0, 40.0],
        "depth_m": [600.0, 810.0], "latitude": event.latitude, "longitude": event.longitude,
        "veto": None, **changes,
    }


def body(*detections: dict[str, Any], frame_id: str = "f1", after_s: float = -5) -> dict[str, Any]:
    return {
        "frame_id": frame_id, "source": {"file": "line.kmwcd", "ping_counter": 1, "swath": 0},
        "time_utc": iso_utc(EVENT.last_seen_utc + timedelta(seconds=after_s)),
        "detections": list(detections),
    }


def test_a_confirmed_event_labels_its_boxes() -> None:
    judged = judge_frame(body(found()), [(EVENT, "confirmed")])
    assert judged is not None
    assert judged.boxes == (("signal", (10.0, 40.0), (600.0, 810.0)),)
    assert (judged.was_wrong, judged.file) == (False, "line.kmwcd")


def test_a_rejected_event_leaves_no_label_but_other_bodies_stay() -> None:
    fish = found(**{"class": "noise", "across_track_m": [-50.0, -20.0]})
    judged = judge_frame(body(found(), fish), [(EVENT, "rejected")])
    assert judged is not None
    assert judged.boxes == (("noise", (-50.0, -20.0), (600.0, 810.0)),)
    assert judged.was_wrong


@pytest.mark.parametrize(
    "frame",
    [
        body(found(), after_s=1),  # later than the event
        body(found(), found(OTHER)),  # something nobody has judged
        body(found(OTHER)),
        body(found(veto="nadir stripe")),  # the event was not seen here
        body(found(), found(veto="spoke")),  # a veto is no person's verdict
        body(),
    ],
)
def test_frames_of_which_nothing_can_be_said_are_left_out(frame: dict[str, Any]) -> None:
    assert judge_frame(frame, [(EVENT, "confirmed")]) is None


def test_of_two_events_each_box_belongs_to_the_nearer() -> None:
    both = [(EVENT, "confirmed"), (OTHER, "rejected")]
    judged = judge_frame(body(found(), found(OTHER, across_track_m=[200.0, 230.0])), both)
    assert judged is not None
    assert [box[1] for box in judged.boxes] == [(10.0, 40.0)]
    assert judged.was_wrong


def test_what_is_nearer_to_an_event_that_nobody_judged_has_no_verdict() -> None:
    assert EVENT.latitude is not None
    beside = sample_alert(1, event_id="beside", latitude=EVENT.latitude + 40.0 / 111_000).event
    frame = body(found(beside))
    assert judge_frame(frame, [(EVENT, "confirmed")]) is not None  # 40 m away: within its reach
    assert judge_frame(frame, [(EVENT, "confirmed"), (beside, None)]) is None
    assert judge_frame(body(found()), [(EVENT, "confirmed"), (beside, None)]) is not None


def test_without_positions_only_the_best_frame_counts() -> None:
    event = sample_alert(1, latitude=None, longitude=None, best_frame_id="f1").event
    weaker = found(confidence=0.3, latitude=None)
    here, strongest = body(found(latitude=None)), found(latitude=None)
    assert judge_frame(here, [(event, "confirmed")]) is not None
    assert judge_frame({**here, "frame_id": "f2"}, [(event, "confirmed")]) is None
    assert judge_frame(body(strongest, weaker), [(event, "confirmed")]) is None


def test_the_last_verdict_on_an_event_counts(tmp_path: Path) -> None:
    path = tmp_path / REVIEWS_NAME
    lines = [{"event_id": "a", "verdict": "confirmed"}, {"event_id": "b", "verdict": "rejected"},
             {"event_id": "a", "verdict": "rejected", "by": "somebody", "note": "a school"}]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    assert read_reviews(path) == {"a": "rejected", "b": "rejected"}


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"event_id": "a"}', '{"event_id": "a", "verdict": "maybe"}',
             '{"event_id": 5, "verdict": "confirmed"}']
)
def test_a_line_that_is_no_review_is_said_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / REVIEWS_NAME
    path.write_text('{"event_id": "a", "verdict": "confirmed"}\n' + line, encoding="utf-8")
    with pytest.raises(FormatError, match=r"reviews\.jsonl line 2"):
        read_reviews(path)
    with pytest.raises(FormatError, match="expected reviews of events"):
        read_reviews(tmp_path / "none.jsonl")


def test_a_watch_folder_gives_its_judged_frames(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [body(found(), frame_id="f1"), body(frame_id="f2"),
              body(found(OTHER), frame_id="f3")]
    entries = [FrameEntry(frame_id=one["frame_id"], time_utc=EVENT.last_seen_utc, body=one)
               for one in frames]
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.commit(entries, [sample_alert(1)])
    reviews = [{"event_id": name, "verdict": "confirmed"} for name in (EVENT.event_id, "gone")]
    (tmp_path / REVIEWS_NAME).write_text("\n".join(map(json.dumps, reviews)), encoding="utf-8")
    assert list(judged_frames(tmp_path)) == ["f1"]
    assert "1 reviewed events are not in the journal, such as gone" in caplog.text
