"""A tiny cruise through the watch, and what other thresholds would have told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sonar_watch.alerts.message import decode_alert
from sonar_watch.alerts.reading import JournalReader
from sonar_watch.association.tracker import TrackerOptions
from sonar_watch.daemon import JOURNAL_NAME, Watch
from sonar_watch.records import EventChange, LineEnd, NavigationSample, WaterColumnPing
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import Survey, random_survey
from sonar_watch.trials.recording import Recording, changes_at, hours_of, record
from sonar_watch.trials.simulated import SimulatedSource

TRACKER = TrackerOptions(confirm_swaths=2, of_swaths=8)
"""Confirms whatever the shipped network makes of a few swaths."""


def tiny(lines: int = 1) -> Survey:
    return random_survey(3, depth_m=120.0, plumes=1, schools=2, length_m=24.0, lines=lines,
                         contrast_db=20.0)


def trial_settings(folder: Path = Path()) -> Settings:
    settings = Settings()
    return replace(
        settings, data_dir=folder, tracker=TRACKER,
        detector=replace(settings.detector, threads=1, device="cpu"),
        pipeline=replace(settings.pipeline, evidence=False),
    )


@pytest.fixture(scope="module")
def recorded() -> Recording:
    return record(tiny(), trial_settings())


def test_a_source_gives_navigation_before_the_swaths_it_places() -> None:
    survey = tiny(lines=2)
    source, items = SimulatedSource(survey), []
    while not source.exhausted:
        items += source.poll()
    pings = [item for item in items if isinstance(item, WaterColumnPing)]
    assert len(pings) == survey.swath_count() == len(source.seen) > 10
    assert [ping.frame_id for ping in pings] == [swath.frame_id for swath in source.seen]
    assert [type(item) for item in items].count(LineEnd) == 2
    assert isinstance(items[-1], LineEnd)
    known_s = 0.0
    for item in items:
        if isinstance(item, NavigationSample):
            known_s = max(known_s, float(item.time_s[-1]))
        elif isinstance(item, WaterColumnPing):
            assert item.time_utc.timestamp() < known_s


def test_every_swath_is_located_where_the_ship_was(recorded: Recording) -> None:
    survey = tiny()
    assert [frame.frame_id for frame in recorded.frames] == [
        swath.frame_id for swath in recorded.seen
    ]
    states = list(survey.states(survey.lines[0]))
    for frame, state in zip(recorded.frames, states, strict=True):
        assert frame.navigation is not None
        latitude = float(survey.to_geographic(state.east_m, state.north_m)[0])
        assert frame.navigation.latitude == pytest.approx(latitude, abs=1e-5)
    assert any(box.name == "plume-1" for swath in recorded.seen for box in swath.boxes)


def test_hours_leave_out_the_turns() -> None:
    survey = tiny(lines=2)
    source = SimulatedSource(survey)
    while not source.exhausted:
        source.poll()
    expected_s = sum((line.end_utc - line.start_utc).total_seconds() for line in survey.lines)
    assert hours_of(source.seen) * 3600 == pytest.approx(expected_s, rel=0.15)


def what(changes: list[EventChange]) -> list[tuple[str, str, str, int]]:
    return [(one.kind, str(one.time_utc), one.event.event_id, one.event.swath_count)
            for one in changes]


def test_another_threshold_tells_what_a_watch_at_it_tells(
    recorded: Recording, tmp_path: Path
) -> None:
    confidence = 0.1
    settings = trial_settings(tmp_path)
    settings = replace(settings, detector=replace(settings.detector, confidence=confidence))
    watch = Watch(settings, lambda *_: [SimulatedSource(tiny())], tense="test", publish=False)
    watch.run()
    with JournalReader(tmp_path / JOURNAL_NAME) as journal:
        alerts = [decode_alert(body) for _, _, body in journal.alerts_after(0, 1000)]
    told = changes_at(recorded.frames, TRACKER, confidence)
    assert what(told) == [
        (one.kind, str(one.time_utc), one.event.event_id, one.event.swath_count) for one in alerts
    ]
    assert told


def test_less_is_told_at_a_higher_threshold(recorded: Recording) -> None:
    boxes = [sum(one.confidence >= at for frame in recorded.frames for one in frame.detections)
             for at in (0.05, 0.3, 0.99)]
    assert boxes[0] > boxes[2]
    assert changes_at(recorded.frames, TRACKER, 1.01) == []
