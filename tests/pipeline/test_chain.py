"""The chain over a simulated line: real journal, track, raster and tracker.

Only the network is replaced, by one that is told where the plumes are or made to fail, so that
these tests depend on no weights; the acceptance tests run the shipped ones.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benches import Bench, ToldDetector, pings_of, sail_line

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.alerts.reviews import REVIEWS_NAME, Reviews
from sonar_watch.detection.detections import Detections
from sonar_watch.errors import (
    DeviceLostError,
    InferenceError,
    JournalError,
    JournalUnavailableError,
)
from sonar_watch.images import read_image
from sonar_watch.pipeline.retractions import Retractions
from sonar_watch.records import (
    LineEnd,
    Quarantined,
    SourceItem,
    SourceRef,
    WaterColumnFrame,
)


class LostDetector(ToldDetector):
    """Does what it is told with frames."""

    def __init__(self, find: Callable[[Sequence[WaterColumnFrame]], list[Detections]]) -> None:
        super().__init__()
        self.find = find  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def line() -> tuple[list[SourceItem], ToldDetector]:
    return sail_line()


@pytest.fixture
def bench(tmp_path: Path, line: tuple[list[SourceItem], ToldDetector]) -> Iterator[Bench]:
    made = Bench(tmp_path, line[1])
    yield made
    made.journal.close()
    line[1].poison.clear()
    line[1].calls, line[1].dies_after = 0, sys.maxsize
    line[1].seconds, line[1].blind = 0, False


def test_each_plume_is_told_once_with_its_picture(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    bench.run(line[0])
    new = [alert for alert in bench.sent if alert.kind == "new"]
    assert len(new) == len({alert.event.event_id for alert in bench.sent}) == 2
    for alert in new:
        picture = read_image(tmp_path / "events" / f"{alert.event.event_id}.png")
        assert picture.ndim == 3
    assert bench.journal.counts()["frames"] == len(pings_of(line[0]))


def test_a_burst_goes_on_before_its_pictures_are_drawn(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    drawn: list[int] = []

    def beat(stage: str) -> bool:
        if bench.sent and stage == "detection":
            drawn.append(len(list((tmp_path / "events").glob("*.png"))))
        return True

    bench.stages.heartbeat = beat
    bench.run(line[0][: line[0].index(pings_of(line[0])[23])])
    assert drawn
    assert set(drawn) == {0}
    assert list((tmp_path / "events").glob("*.png"))


def test_what_is_sent_is_what_is_stored(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    bench.run(line[0])
    sequences = [json.loads(body)["properties"]["sequence"] for body in bench.stored()]
    assert (
        sequences == [alert.sequence for alert in bench.sent] == list(range(1, len(sequences) + 1))
    )


@pytest.mark.parametrize("batch", [1, 7])
def test_the_batch_does_not_matter(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path, batch: int
) -> None:
    bench.run(line[0])
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", line[1], batch)
    other.run(line[0])
    assert other.stored() == bench.stored()
    other.journal.close()


@pytest.mark.parametrize("cut", [10, 31, 60])
def test_a_restart_goes_on_where_it_was(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path, cut: int
) -> None:
    """The source reads everything again, as after a crash: what is done is not done twice."""
    bench.run(line[0])
    (tmp_path / "other").mkdir()
    pings = pings_of(line[0])
    until = line[0].index(pings[cut])
    first = Bench(tmp_path / "other", line[1])
    first.run(line[0][:until])
    first.journal.close()
    second = Bench(tmp_path / "other", line[1])
    second.run(line[0])
    assert second.stored() == bench.stored()
    second.journal.close()


def test_of_what_people_reject_nothing_is_told_any_more(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    """Also after a restart, and not as another event either."""
    bench.run(line[0])
    whole = [(alert.kind, alert.event.event_id) for alert in bench.sent]
    event_id = whole[0][1]
    after = [alert for alert in bench.sent if alert.event.event_id == event_id][1]
    until = next(line[0].index(p) for p in pings_of(line[0]) if p.time_utc >= after.time_utc)
    (tmp_path / "other").mkdir()
    reviews = Reviews(tmp_path / "other" / REVIEWS_NAME)
    reviews.add({"event_id": event_id, "verdict": "rejected"})
    first = Bench(tmp_path / "other", line[1], batch=1)
    first.stages.rejected = Retractions(first.journal).due
    first.run(line[0][:until])
    first.journal.close()
    assert [alert.kind for alert in first.sent if alert.event.event_id == event_id] == [
        "new", "retract",
    ]  # fmt: skip
    second = Bench(tmp_path / "other", line[1])
    second.stages.rejected = Retractions(second.journal).due
    second.run(line[0])
    told = [(alert.kind, alert.event.event_id) for alert in first.sent + second.sent]
    assert told.pop(told.index(("retract", event_id))) == ("retract", event_id)
    assert told == [one for one in whole if one == ("new", event_id) or one[1] != event_id]
    assert [row[0] for row in second.journal.alerts_after(0, 100)] == list(
        range(1, len(told) + 2)
    )
    second.journal.close()


@pytest.mark.parametrize("drawn", [1, 14, 27])
def test_told_to_end_it_stops_between_two_frames_of_a_batch(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path, drawn: int
) -> None:
    """What was drawn is stored, the rest comes again; layers remember just what is stored."""
    bench.run(line[0])
    (tmp_path / "other").mkdir()
    first = Bench(tmp_path / "other", line[1], batch=8)
    begun = 0

    def beat(stage: str) -> bool:
        nonlocal begun
        begun += stage == "raster"
        return begun <= drawn

    first.stages.heartbeat = beat
    first.run(line[0])
    assert first.journal.counts()["frames"] == drawn
    first.journal.close()
    second = Bench(tmp_path / "other", line[1])
    second.run(line[0])
    assert second.stored() == bench.stored()
    second.journal.close()


def test_one_bad_frame_is_set_aside_and_the_watch_goes_on(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    detector = line[1]
    detector.poison.add(list(detector.boxes)[5])
    bench.run(line[0])
    counts = bench.journal.counts()
    assert counts["frames"] == len(pings_of(line[0]))
    assert counts["quarantined"] == 1
    broken = [body for body in bench.journal.frame_bodies() if "error" in body]
    assert [body["error"] for body in broken] == ["InferenceError: told to fail"]
    assert len([alert for alert in bench.sent if alert.kind == "new"]) == 2


def test_a_dead_runtime_ends_the_watch_and_loses_nothing(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    line[1].dies_after = 5
    with pytest.raises(InferenceError):
        bench.run(line[0])
    assert 0 < bench.journal.counts()["frames"] < len(pings_of(line[0]))
    assert bench.journal.counts()["quarantined"] == 0
    bench.journal.close()
    line[1].calls, line[1].dies_after = 0, sys.maxsize
    second = Bench(tmp_path, line[1])
    second.run(line[0])
    assert second.journal.counts()["frames"] == len(pings_of(line[0]))
    second.journal.close()


def test_a_lost_device_is_not_asked_again(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    asked = []

    def lose(frames: Sequence[WaterColumnFrame]) -> list[Detections]:
        asked.append(len(frames))
        raise DeviceLostError("CUDA error: told so")

    bench.stages.detector = LostDetector(lose)
    with pytest.raises(DeviceLostError):
        bench.run(line[0])
    assert len(asked) == 1
    assert bench.journal.counts()["frames"] == bench.journal.counts()["quarantined"] == 0


def test_what_a_damaged_journal_was_done_with_is_passed_over(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    pings = pings_of(line[0])
    bench.stages.begins_utc = pings[10].time_utc
    bench.run(line[0])
    assert bench.journal.counts()["frames"] == len(pings) - 10
    assert bench.stages.monitor.snapshot()["frames_before_journal"] == 10
    assert not bench.journal.is_done(pings[9].frame_id)
    assert bench.journal.is_done(pings[10].frame_id)


def test_a_ping_without_shape_is_set_aside(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    pings = pings_of(line[0])
    blind = replace(pings[3], sample_count=np.zeros_like(pings[3].sample_count))
    bench.run([blind if item is pings[3] else item for item in line[0]])
    assert bench.journal.counts()["quarantined"] == 1
    assert bench.journal.is_done(blind.frame_id)


def test_without_navigation_alerts_say_so(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    bench.run([*pings_of(line[0]), LineEnd(source="simulation")])
    assert bench.sent
    assert {alert.event.latitude for alert in bench.sent} == {None}
    assert all(alert.event.position_note for alert in bench.sent)


def test_what_sources_set_aside_is_journalled(bench: Bench) -> None:
    item = Quarantined(source=SourceRef(source="raw", file="x.kmall"), reason="cut at byte 7")
    bench.run([item])
    assert [reason for _, reason in bench.journal.quarantined()] == ["cut at byte 7"]


def test_checkpoints_follow_what_they_stand_for(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    end = LineEnd(source="simulation", checkpoint={"key": "raw/line", "value": {"complete": True}})
    bench.pipeline.take(line[0][:-20])
    assert bench.journal.checkpoint("raw/line") is None
    bench.pipeline.take([*line[0][-20:-1], end])
    assert bench.journal.checkpoint("raw/line") == {"complete": True}


def test_an_alert_that_is_not_stored_is_not_sent(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector]
) -> None:
    bench.journal.close()
    with pytest.raises(JournalError):
        bench.run(line[0])
    assert bench.sent == []


def test_a_full_disk_is_waited_out(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    """SQLite itself says "database or disk is full"; nothing is sent before it is stored."""
    bench.run(line[0])
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", line[1])
    other.journal._connection.execute("PRAGMA max_page_count = 1")  # what there is, no more
    said: list[str] = []

    def make_room(error: JournalUnavailableError | None) -> bool:
        stored = len(other.stored())
        assert len(other.sent) == stored
        said.append(str(error))
        other.journal._connection.execute("PRAGMA max_page_count = 100000")
        return True

    other.stages.endure = make_room
    other.run(line[0])
    assert len(said) == 2
    assert "full" in said[0]
    assert said[1] == "None"
    assert other.stored() == bench.stored()
    other.journal.close()


def test_what_only_the_second_detector_sees_is_stored_and_counted_without_alerts(
    bench: Bench, line: tuple[list[SourceItem], ToldDetector], tmp_path: Path
) -> None:
    line[1].blind = True
    bench.run(line[0])
    assert bench.sent == []
    assert line[1].seconds == len(pings_of(line[0]))
    bodies = list(JournalReader(tmp_path / "journal.sqlite").frame_bodies())
    assert {len(body["detections"]) for body in bodies} == {0}
    lone = [one for body in bodies for one in body["second"] if one["veto"] is None]
    assert lone
    assert all(one["latitude"] is not None for one in lone)
    counted = bench.stages.monitor.snapshot()["frames_second_only"]
    assert 0 < counted <= len(lone)
